// Two schedulers that lead after each other, with shards in other processes: connections are cut or go silent, shards end and come again, schedulers are stopped,
// continued and killed, from a seed. Every pod is bound once, no node is overcommitted, and all is placed in the end. K1M_RUNS seeds from K1M_SEED on.

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Clock } from '../src/io/clock.ts';
import type { MessagePipe } from '../src/io/message-pipe.ts';
import { type ChaosShards, simulateChaos } from '../src/scheduler/driver/chaos-fixture.ts';
import type { ShardedKernel } from '../src/scheduler/driver/scheduler-options.ts';
import { DEFAULT_PROFILE } from '../src/scheduler/model/scheduler-profile.ts';
import { ShardPool } from '../src/scheduler/shard-links/shard-pool.ts';
import { ShardServer, socketOpening } from '../src/scheduler/shard-links/shard-server.ts';
import type { SimulatedClock } from '../src/testing/clock.ts';
import { SimulatedNetwork } from '../src/testing/network.ts';
import type { Random } from '../src/testing/random.ts';

const RUNS = Number(process.env.K1M_RUNS ?? 15);
const SEED = Number(process.env.K1M_SEED ?? 1);
const PORTS = [7301, 7302, 7303];
const HOST = '127.0.0.1';

/** Processes that are shards, and the network to them. */
class ShardProcesses implements ChaosShards {
  readonly #random: Random;
  readonly #network: SimulatedNetwork;
  readonly #servers = new Map<number, ShardServer>();
  /** By port: what is done to it, one after the other. */
  readonly #turns = new Map<number, Promise<unknown>>();
  readonly pools: ShardPool[] = [];

  constructor(clock: SimulatedClock, random: Random) {
    this.#random = random;
    this.#network = new SimulatedNetwork({ clock, random, latencyMsMax: 5 });
    for (const port of PORTS) this.#restart(port);
  }

  open(clock: Clock): (onAnswered: () => void) => ShardedKernel {
    return (onAnswered) => {
      const pool = new ShardPool({
        clock,
        profiles: [DEFAULT_PROFILE],
        openings: PORTS.map((port) => heldBy(clock, socketOpening(this.#network, { host: HOST, port }))),
        epoch: clock.wallMs(),
        onAnswered,
        onLost: () => {},
        onWhole: () => {},
      });
      this.pools.push(pool);
      return pool;
    };
  }

  disturb(): void {
    const random = this.#random;
    if (random.chance(0.9)) return;
    const how = random.pick(['restart', 'cut', 'silence'] as const);
    if (how === 'restart') {
      this.#restart(random.pick(PORTS));
      return;
    }
    const open = this.#network.streams.filter(({ isClosed }) => !isClosed);
    if (open.length === 0) return;
    const stream = random.pick(open);
    if (how === 'cut') stream.cut();
    else stream.halfOpen();
  }

  #restart(port: number): void {
    const before = this.#turns.get(port) ?? Promise.resolve();
    this.#turns.set(
      port,
      before.then(async () => {
        await this.#servers.get(port)?.close();
        const server = new ShardServer({ onBegun: () => {}, onClosed: () => {} });
        this.#servers.set(port, server);
        await server.listen(this.#network, { host: HOST, port });
      }),
    );
  }
}

/** What comes in is handled by the process whose clock that is: not while it is stopped. */
function heldBy(clock: Clock, open: () => MessagePipe): () => MessagePipe {
  return () => {
    const pipe = open();
    return {
      start: ({ onMessage, onClose }) =>
        pipe.start({
          onMessage: (message) => clock.defer(() => onMessage(message)),
          onClose: (reason) => clock.defer(() => onClose(reason)),
        }),
      send: (message) => pipe.send(message),
      close: () => pipe.close(),
    };
  };
}

describe('schedulers with shards under chaos', () => {
  it('bind each pod once, overcommit no node, and place all that can be placed', async (context) => {
    const totals = { leaders: 0, questions: 0, losses: 0, standIns: 0 };
    for (let seed = SEED; seed < SEED + RUNS; seed++) {
      const all: ShardProcesses[] = [];
      const { violations, waiting, leaders } = await simulateChaos(seed, (clock, random) => {
        const processes = new ShardProcesses(clock, random);
        all.push(processes);
        return processes;
      });
      const repeat = `repeat it with: K1M_RUNS=1 K1M_SEED=${seed} node --test tests/scheduler-shards.test.ts`;
      assert.deepEqual(violations, [], repeat);
      assert.deepEqual(waiting, [], repeat);
      totals.leaders += leaders;
      for (const { figures } of all.flatMap(({ pools }) => pools)) {
        totals.questions += figures.questions;
        totals.losses += figures.losses;
        totals.standIns += figures.standIns;
      }
    }
    context.diagnostic(`${RUNS} seeds: ${JSON.stringify(totals)}`);
    assert.ok(totals.questions > 0 && totals.losses > 0 && totals.standIns > 0 && totals.leaders > RUNS);
  });
});
