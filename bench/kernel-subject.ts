// The kernel that a benchmark drives, alone or with its indexes in shards; beside it, where decisions are replayed, the reference, told the same.

import { RealClock } from '../src/io/clock.ts';
import { Kernel } from '../src/scheduler/kernel/kernel.ts';
import type { Decision } from '../src/scheduler/model/decision.ts';
import type { SchedulerProfile } from '../src/scheduler/model/scheduler-profile.ts';
import { ReferenceScheduler } from '../src/scheduler/reference/reference-scheduler.ts';
import { ShardPool } from '../src/scheduler/shard-links/shard-pool.ts';
import { threadOpenings } from '../src/scheduler/shard-links/shard-threads.ts';

export interface KernelSubjectOptions {
  readonly isReplayed: boolean;
  /** Threads; 0: none. */
  readonly shards?: number;
}

export class KernelSubject {
  readonly kernel: Kernel;
  readonly reference: ReferenceScheduler | undefined;
  readonly #pool: ShardPool | undefined;
  #wake: () => void = () => {};

  constructor(profile: SchedulerProfile, { isReplayed, shards = 0 }: KernelSubjectOptions) {
    const wake = (): void => this.#wake();
    this.#pool =
      shards === 0
        ? undefined
        : new ShardPool({
            clock: new RealClock(),
            profiles: [profile],
            openings: threadOpenings(shards),
            epoch: 1,
            onAnswered: wake,
            onLost: (shard, reason) => process.stderr.write(`shard ${shard} is lost: ${reason}\n`),
            onWhole: wake,
          });
    this.kernel = this.#pool?.kernel ?? new Kernel([profile]);
    this.reference = isReplayed ? new ReferenceScheduler([profile]) : undefined;
  }

  apply(command: Parameters<Kernel['apply']>[0]): void {
    this.kernel.apply(command);
    this.reference?.apply(command);
  }

  /** Resolves when the shards have been told everything. */
  async ready(): Promise<void> {
    while (this.#pool?.sequencer.isWhole === false) await this.#woken();
  }

  /** A promise only where shards are waited for. */
  decide(uid: string): Decision | Promise<Decision> {
    if (this.#pool === undefined) return this.kernel.decide(uid);
    const outcome = this.#pool.decide(uid);
    return outcome.kind === 'awaited' ? this.#awaited(uid, this.#pool) : outcome;
  }

  get figures(): string {
    return this.#pool === undefined ? '' : `shards: ${JSON.stringify(this.#pool.figures)}\n`;
  }

  close(): void {
    this.#pool?.close();
  }

  async #awaited(uid: string, pool: ShardPool): Promise<Decision> {
    for (;;) {
      await this.#woken();
      const outcome = pool.decide(uid);
      if (outcome.kind !== 'awaited') return outcome;
    }
  }

  #woken(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    // Timers and threads do not keep a process.
    const alive = setInterval(() => {}, 1000);
    this.#wake = () => {
      clearInterval(alive);
      resolve();
    };
    return promise;
  }
}

/** A benchmark's own object, which has to be readable. */
export function must<T>(read: { readonly object: T } | { readonly reason: string }): T {
  if ('reason' in read) throw new Error(read.reason);
  return read.object;
}
