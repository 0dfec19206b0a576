import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { RealClock } from '../../io/clock.ts';
import { StreamPipe } from '../../io/stream-pipe.ts';
import { SimulatedClock } from '../../testing/clock.ts';
import { SimulatedNetwork } from '../../testing/network.ts';
import { Random } from '../../testing/random.ts';
import { Kernel } from '../kernel/kernel.ts';
import { boundTo, type ClusterCommand } from '../model/command.ts';
import { readNode } from '../model/node-object.ts';
import type { PodObject } from '../model/pod-object.ts';
import { readPod } from '../model/pod-reader.ts';
import { DEFAULT_PROFILE } from '../model/scheduler-profile.ts';
import { BEGIN, MESSAGE_BYTES_MAX, VERSION } from '../shards/shard-message.ts';
import { ShardPool, type ShardPoolOptions } from './shard-pool.ts';
import { ShardServer, socketOpening } from './shard-server.ts';
import { threadOpenings } from './shard-threads.ts';

const AT = { host: '127.0.0.1', port: 7300 };

function must<T>(read: { readonly object: T } | { readonly reason: string }): T {
  assert.ok('object' in read);
  return read.object;
}

function node(index: number): ClusterCommand {
  const metadata = { name: `n${index}`, uid: `n${index}`, labels: { 'kubernetes.io/hostname': `n${index}` } };
  const status = { allocatable: { cpu: `${2 + (index % 3)}`, memory: '8Gi', pods: '10' } };
  return { kind: 'node-set', node: must(readNode({ metadata, status })) };
}

function pod(index: number): PodObject {
  const containers = [{ name: 'c', image: 'i', resources: { requests: { cpu: '500m' } } }];
  const metadata = { namespace: 'default', name: `p${index}`, uid: `p${index}`, labels: { app: 'a' } };
  return must(readPod({ metadata, spec: { schedulerName: DEFAULT_PROFILE.schedulerName, containers } }));
}

/** A pool on a simulated network, with all that it tells. */
class Simulated {
  readonly clock = new SimulatedClock();
  readonly network = new SimulatedNetwork({ clock: this.clock, random: new Random(1) });
  readonly told: string[] = [];
  /** Why the server has ended connections. */
  readonly ended: string[] = [];

  pool(epoch: number): ShardPool {
    const tell = (text: string): void => {
      this.told.push(`${epoch}: ${text}`);
    };
    return new ShardPool({
      clock: this.clock,
      profiles: [DEFAULT_PROFILE],
      openings: [socketOpening(this.network, AT)],
      epoch,
      onAnswered: () => {},
      onLost: (_, reason) => tell(reason),
      onWhole: () => tell('whole'),
    });
  }

  async serve(): Promise<ShardServer> {
    const server = new ShardServer({ onBegun: () => {}, onClosed: (_, reason) => this.ended.push(reason) });
    await server.listen(this.network, AT);
    return server;
  }
}

describe('a pool of shards', () => {
  it('tells once that a shard cannot be reached, and is whole when it can', async () => {
    const simulated = new Simulated();
    const pool = simulated.pool(1);
    await simulated.clock.pass(10_000);
    await simulated.serve();
    await simulated.clock.pass(3000);
    assert.deepEqual(simulated.told, ['1: connect 127.0.0.1:7300 ECONNREFUSED', '1: whole']);
    pool.close();
  });

  it('gives up what listens and says nothing', async () => {
    const simulated = new Simulated();
    await simulated.network.listen(AT, () => {});
    const pool = simulated.pool(1);
    await simulated.clock.pass(20_000);
    assert.deepEqual(simulated.told, ['1: it does not say that it is there']);
    pool.close();
  });

  it('of a leader before loses its shards to the next one, and does not get them back', async () => {
    const simulated = new Simulated();
    await simulated.serve();
    const first = simulated.pool(5);
    await simulated.clock.pass(1000);
    const second = simulated.pool(6);
    await simulated.clock.pass(10_000);
    assert.equal(first.sequencer.isWhole, false);
    assert.equal(second.sequencer.isWhole, true);
    // The connection of the first ends while the second is told everything.
    const expected = ['5: whole', '5: read ECONNRESET', '6: whole'];
    assert.deepEqual(simulated.told.toSorted(), expected.toSorted());
    assert.ok(simulated.ended.includes('epoch 5 is over: 6 has begun'));
    first.close();
    second.close();
  });

  it('of a leader before gets none by a connection that it opened earlier', async () => {
    const simulated = new Simulated();
    await simulated.serve();
    const early = new StreamPipe(simulated.network.connect(AT), MESSAGE_BYTES_MAX);
    let isClosed = false;
    early.start({
      onMessage: () => {},
      onClose: () => {
        isClosed = true;
      },
    });
    const pool = simulated.pool(6);
    await simulated.clock.pass(3000);
    early.send(Uint8Array.of(BEGIN, VERSION, 5));
    await simulated.clock.pass(1000);
    assert.ok(isClosed);
    assert.deepEqual(simulated.ended, ['epoch 5 is over: 6 has begun']);
    assert.equal(pool.sequencer.isWhole, true);
    pool.close();
  });

  it('is not kept from a shard by connections on which nothing is said', async () => {
    const simulated = new Simulated();
    await simulated.serve();
    for (let n = 0; n < 200; n++)
      simulated.network.connect(AT).start({ onData() {}, onDrain() {}, onEnd() {}, onClose() {} });
    await simulated.clock.pass(100);
    assert.equal(simulated.ended.length, 136);
    const pool = simulated.pool(1);
    await simulated.clock.pass(3000);
    assert.deepEqual(simulated.told, ['1: whole']);
    pool.close();
  });

  it('of real threads decides as the kernel alone does', async () => {
    const kernel = new Kernel([DEFAULT_PROFILE]);
    let wake = (): void => {};
    const options: ShardPoolOptions = {
      clock: new RealClock(),
      profiles: [DEFAULT_PROFILE],
      openings: threadOpenings(2),
      epoch: 1,
      onAnswered: () => wake(),
      onLost: (_, reason) => assert.fail(reason),
      onWhole: () => wake(),
    };
    const pool = new ShardPool(options);
    // Threads and timers keep no process alive.
    const alive = setInterval(() => {}, 1000);
    const woken = (): Promise<void> =>
      new Promise((resolve) => {
        wake = resolve;
      });
    while (!pool.sequencer.isWhole) await woken();
    const apply = (command: ClusterCommand): void => {
      for (const one of [kernel, pool.kernel]) one.apply(command);
    };
    for (let index = 0; index < 50; index++) apply(node(index));
    for (let index = 0; index < 350; index++) {
      const next = pod(index);
      apply({ kind: 'pod-set', pod: next });
      let decision = pool.decide(next.uid);
      for (; decision.kind === 'awaited'; decision = pool.decide(next.uid)) await woken();
      assert.deepEqual(decision, kernel.decide(next.uid));
      if (decision.kind === 'bound') apply({ kind: 'pod-set', pod: boundTo(next, decision.node) });
    }
    clearInterval(alive);
    assert.ok(pool.figures.questions > 0);
    assert.equal(pool.figures.losses, 0);
    pool.close();
  });
});
