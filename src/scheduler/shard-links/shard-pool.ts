// A sequencer with its shards at the other ends of pipes: threads of this process, or other processes. Pipes that break, and shards that are given up,
// are opened anew.
//
// Limits: HELLO_MS_MAX until the other end says something; RETRY_MS between two openings of the same shard.

import type { Clock, Timer } from '../../io/clock.ts';
import type { MessagePipe } from '../../io/message-pipe.ts';
import type { Kernel, Outcome } from '../kernel/kernel.ts';
import type { SchedulerProfile } from '../model/scheduler-profile.ts';
import { Sequencer } from '../shards/sequencer.ts';
import type { SequencerFigures } from '../shards/sequencer-options.ts';

const TICK_MS = 100;
const RETRY_MS = 1_000;
const HELLO_MS_MAX = 5_000;

export interface ShardPoolOptions {
  readonly clock: Clock;
  readonly profiles: readonly SchedulerProfile[];
  /** By shard: opens a pipe to a new one, which knows nothing. */
  readonly openings: readonly (() => MessagePipe)[];
  readonly epoch: number;
  readonly onAnswered: () => void;
  /** A shard is lost, or is not there: decisions are made without shards until it is. Told once for a reason. */
  readonly onLost: (shard: number, reason: string) => void;
  /** Every shard is up, for the first time or again. */
  readonly onWhole: () => void;
}

interface Seat {
  /** Undefined: it is to be opened again. */
  pipe: MessagePipe | undefined;
  /** It has said something. */
  isJoined: boolean;
  /** It is to say something, or to be opened. */
  timer: Timer | undefined;
  /** Why it was lost, as it was told; '' once all shards were up. */
  told: string;
}

export class ShardPool {
  readonly sequencer: Sequencer;
  readonly #options: ShardPoolOptions;
  readonly #seats: readonly Seat[];
  #ticking: Timer | undefined;
  #isWhole = false;
  #isClosed = false;

  constructor(options: ShardPoolOptions) {
    const { profiles, openings, epoch, onAnswered } = options;
    this.#options = options;
    this.#seats = openings.map(() => ({ pipe: undefined, isJoined: false, timer: undefined, told: '' }));
    this.sequencer = new Sequencer(profiles, {
      shardCount: openings.length,
      epoch,
      onAnswered,
      onOutput: (shard) => this.#send(shard),
      onLost: (shard, reason) => this.#drop(shard, reason),
    });
    for (const shard of openings.keys()) this.#open(shard);
    this.#tick();
  }

  get kernel(): Kernel {
    return this.sequencer.kernel;
  }

  get figures(): SequencerFigures {
    return this.sequencer.figures;
  }

  decide(uid: string): Outcome {
    return this.sequencer.decide(uid);
  }

  close(): void {
    this.#isClosed = true;
    this.#ticking?.cancel();
    for (const { timer, pipe } of this.#seats) {
      timer?.cancel();
      pipe?.close();
    }
  }

  #open(shard: number): void {
    const { clock, openings } = this.#options;
    const seat = this.#seats[shard];
    const pipe = openings[shard]();
    seat.pipe = pipe;
    seat.isJoined = false;
    const isCurrent = (): boolean => seat.pipe === pipe && !this.#isClosed;
    seat.timer = clock.setTimer(HELLO_MS_MAX, () => {
      // Who has stood still itself hears first what has been said meanwhile.
      clock.defer(() => {
        if (isCurrent() && !seat.isJoined) this.#drop(shard, 'it does not say that it is there');
      });
    });
    pipe.start({
      onMessage: (message) => {
        if (isCurrent()) this.#take(shard, message);
      },
      onClose: (reason) => {
        if (!isCurrent()) return;
        if (seat.isJoined) this.sequencer.lost(shard, reason);
        else this.#drop(shard, reason);
      },
    });
  }

  #take(shard: number, message: Uint8Array): void {
    const seat = this.#seats[shard];
    if (!seat.isJoined) {
      seat.isJoined = true;
      seat.timer?.cancel();
      this.sequencer.joined(shard);
    }
    this.sequencer.receive(shard, message);
    if (this.#isWhole === this.sequencer.isWhole) return;
    this.#isWhole = this.sequencer.isWhole;
    if (!this.#isWhole) return;
    for (const one of this.#seats) one.told = '';
    this.#options.onWhole();
  }

  #drop(shard: number, reason: string): void {
    const { clock, onLost } = this.#options;
    const seat = this.#seats[shard];
    seat.timer?.cancel();
    seat.pipe?.close();
    seat.pipe = undefined;
    this.#isWhole = false;
    if (seat.told !== reason) onLost(shard, reason);
    seat.told = reason;
    seat.timer = clock.setTimer(RETRY_MS, () => this.#open(shard));
  }

  #send(shard: number): void {
    const message = this.sequencer.take(shard);
    if (message !== undefined) this.#seats[shard].pipe?.send(message);
  }

  #tick(): void {
    const { clock } = this.#options;
    this.sequencer.tick(clock.nowMs());
    this.#ticking = clock.setTimer(TICK_MS, () => this.#tick());
  }
}
