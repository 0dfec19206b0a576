// A scheduler that runs while it leads, and what it owes to the one that leads after it:
//
//   - it follows the cluster from when it leads, and decides upon nothing older;
//   - it sends no binding once another one may lead, however long it stood still in between (Binder);
//   - it gives the Lease back only when none of its bindings and deletions of victims is on its way any more, else it lets it run out. What is
//     on its way for volumes does no harm (volume-binder.ts).

import { type Clock, within } from '../../io/clock.ts';
import { type LeaderElectionOptions, LeaderElector } from './leader-elector.ts';
import { Scheduler } from './scheduler.ts';
import type { SchedulerOptions } from './scheduler-options.ts';

/** For what is on its way to be answered. */
const DRAIN_MS_MAX = 3000;

export interface LedSchedulerOptions {
  readonly scheduler: Omit<SchedulerOptions, 'leadsUntilMs'>;
  /** Undefined: it is alone, and leads. */
  readonly election: LeaderElectionOptions | undefined;
}

export class LedScheduler {
  readonly #options: LedSchedulerOptions;
  readonly #clock: Clock;
  readonly #elector: LeaderElector | undefined;
  #scheduler: Scheduler | undefined;

  constructor(options: LedSchedulerOptions) {
    const { scheduler, election } = options;
    this.#options = options;
    this.#clock = scheduler.clock;
    if (election === undefined) return;
    this.#elector = new LeaderElector({
      ...election,
      onLeading: () => {
        election.onLeading();
        this.#lead();
      },
    });
  }

  /** Undefined until it leads. */
  get scheduler(): Scheduler | undefined {
    return this.#scheduler;
  }

  start(): void {
    if (this.#elector === undefined) this.#lead();
    else this.#elector.start();
  }

  async close(): Promise<void> {
    const scheduler = this.#scheduler;
    const isLeading = this.#elector?.isLeading ?? true;
    if (scheduler !== undefined && isLeading) await within(this.#clock, DRAIN_MS_MAX, scheduler.drain());
    const isDrained = scheduler === undefined || scheduler.inFlight === 0;
    scheduler?.close();
    await this.#elector?.close(isDrained);
  }

  #lead(): void {
    const elector = this.#elector;
    this.#scheduler = new Scheduler({
      ...this.#options.scheduler,
      leadsUntilMs: () => elector?.leadsUntilMs ?? Number.POSITIVE_INFINITY,
    });
    this.#scheduler.start();
  }
}
