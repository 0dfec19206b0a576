// A sequencer and its shards with a network of chance between them: messages wait, shards come late, are lost and come again, stand still, all from a seed.
// Asked for a decision, it lets things happen until there is one.

import assert from 'node:assert/strict';
import type { Random } from '../../testing/random.ts';
import type { ClusterCommand } from '../model/command.ts';
import type { Decision } from '../model/decision.ts';
import type { SchedulerProfile } from '../model/scheduler-profile.ts';
import { Sequencer } from './sequencer.ts';
import type { SequencerOptions } from './sequencer-options.ts';
import { Shard } from './shard.ts';

/** What may happen, each at a step of the network. */
export interface Weather {
  /** A shard is lost. */
  readonly loss: number;
  /** A shard stands still until it is lost. */
  readonly stall: number;
  /** Between two decisions a message is on its way. */
  readonly delay: number;
}

export const CALM: Weather = { loss: 0, stall: 0, delay: 0 };

const STEP_MS = 100;
const STEPS_MAX = 10_000;

export interface SimulationOptions extends Pick<SequencerOptions, 'shardCount' | 'indexBytesMax' | 'limits'> {
  readonly random: Random;
  readonly weather: Weather;
}

interface Seat {
  shard: Shard | undefined;
  isStalled: boolean;
  readonly toShard: Uint8Array[];
  readonly fromShard: Uint8Array[];
}

export class SimulatedShards {
  readonly sequencer: Sequencer;
  readonly #random: Random;
  readonly #weather: Weather;
  readonly #seats: readonly Seat[];
  readonly reasons: string[] = [];
  #nowMs = 0;
  #hasAnswered = false;

  constructor(
    profiles: readonly SchedulerProfile[],
    { shardCount, indexBytesMax, limits, random, weather }: SimulationOptions,
  ) {
    this.#random = random;
    this.#weather = weather;
    this.#seats = Array.from({ length: shardCount }, () => ({
      shard: undefined,
      isStalled: false,
      toShard: [],
      fromShard: [],
    }));
    this.sequencer = new Sequencer(profiles, {
      shardCount,
      indexBytesMax,
      limits,
      epoch: 1,
      onOutput: (shard) => this.#send(shard),
      onAnswered: () => {
        this.#hasAnswered = true;
      },
      onLost: (shard, reason) => {
        this.reasons.push(reason);
        this.#seats[shard].shard = undefined;
      },
    });
    for (let shard = 0; shard < shardCount; shard++) this.#join(shard);
  }

  apply(command: ClusterCommand): void {
    this.sequencer.kernel.apply(command);
    if (this.#random.chance(0.1)) this.#happen();
    while (!this.#random.chance(this.#weather.delay) && this.#step());
  }

  tick(nowMs: number): void {
    this.sequencer.kernel.tick(nowMs);
  }

  decide(uid: string): Decision {
    for (let step = 0; step < STEPS_MAX; step++) {
      this.#hasAnswered = false;
      const outcome = this.sequencer.decide(uid);
      if (outcome.kind !== 'awaited') return outcome;
      // Mostly when it is told to, sometimes before.
      const early = this.#random.chance(0.2) ? this.#random.between(0, 3) : STEPS_MAX;
      for (let n = 0; !this.#hasAnswered && n < early && step < STEPS_MAX; n++, step++) this.#happen();
    }
    throw new assert.AssertionError({ message: 'what is awaited never comes' });
  }

  #happen(): void {
    const { loss, stall } = this.#weather;
    const shard = this.#random.between(0, this.#seats.length - 1);
    const seat = this.#seats[shard];
    if (seat.shard === undefined) this.#join(shard);
    else if (this.#random.chance(loss)) this.sequencer.lost(shard, 'lost by chance');
    else if (this.#random.chance(stall)) seat.isStalled = true;
    if (!this.#step()) this.#pass();
  }

  #pass(): void {
    this.#nowMs += STEP_MS;
    this.sequencer.tick(this.#nowMs);
  }

  #join(shard: number): void {
    const seat = this.#seats[shard];
    seat.shard = new Shard();
    seat.isStalled = false;
    seat.toShard.length = 0;
    seat.fromShard.length = 0;
    this.sequencer.joined(shard);
  }

  #send(shard: number): void {
    const message = this.sequencer.take(shard);
    if (message !== undefined) this.#seats[shard].toShard.push(message);
  }

  /** One message arrives; false: none is on its way. */
  #step(): boolean {
    const ways = [...this.#seats.entries()].filter(
      ([, { shard, isStalled, toShard, fromShard }]) =>
        shard !== undefined && !isStalled && toShard.length + fromShard.length > 0,
    );
    if (ways.length === 0) return false;
    const [number, { shard, toShard, fromShard }] = this.#random.pick(ways);
    if (toShard.length > 0 && (fromShard.length === 0 || this.#random.chance(0.5))) {
      shard?.receive(toShard.shift() as Uint8Array);
      const said = shard?.take();
      if (said !== undefined) fromShard.push(said);
    } else this.sequencer.receive(number, fromShard.shift() as Uint8Array);
    return true;
  }
}
