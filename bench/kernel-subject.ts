// The kernel that a benchmark drives; beside it, where decisions are replayed, the reference, told the same.

import { Kernel } from '../src/scheduler/kernel/kernel.ts';
import type { SchedulerProfile } from '../src/scheduler/model/scheduler-profile.ts';
import { ReferenceScheduler } from '../src/scheduler/reference/reference-scheduler.ts';

export class KernelSubject {
  readonly kernel: Kernel;
  readonly reference: ReferenceScheduler | undefined;

  constructor(profile: SchedulerProfile, isReplayed: boolean) {
    this.kernel = new Kernel([profile]);
    this.reference = isReplayed ? new ReferenceScheduler([profile]) : undefined;
  }

  apply(command: Parameters<Kernel['apply']>[0]): void {
    this.kernel.apply(command);
    this.reference?.apply(command);
  }
}

/** A benchmark's own object, which has to be readable. */
export function must<T>(read: { readonly object: T } | { readonly reason: string }): T {
  if ('reason' in read) throw new Error(read.reason);
  return read.object;
}
