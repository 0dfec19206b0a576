// Preemption for a pod that may go to one node only (node-pin.ts): a what-if there, and no index of nodes.

import type { FailureTable } from './failure-table.ts';
import type { PodClass } from './pod-class.ts';
import type { PodRecord } from './pod-table.ts';
import { type Candidates, NO_VICTIMS_FOUND, noVictimOn } from './preemption.ts';
import type { VictimSearch } from './victim-search.ts';

export interface OneCandidateOptions {
  readonly podClass: PodClass;
  readonly search: VictimSearch;
  readonly failures: FailureTable;
  /** Undefined: there is no such node. */
  readonly slot: number | undefined;
  /** Why the pod does not fit there. */
  readonly failure: number;
  readonly uid: string;
}

export class OneCandidate implements Candidates {
  readonly #slot: number;
  readonly #victims: readonly PodRecord[] = [];
  readonly #reasons: readonly string[] = [];
  readonly error: string | undefined;

  constructor({ podClass, search, failures, slot, failure, uid }: OneCandidateOptions) {
    this.#slot = slot ?? -1;
    if (slot === undefined || failures.at(failure).isUnresolvable) return;
    const { state, priority } = podClass;
    if (![...state.podsAt(slot)].some(({ shape }) => shape.priority < priority)) {
      this.#reasons = [NO_VICTIMS_FOUND];
      return;
    }
    const found = search.on(slot, uid);
    if (typeof found !== 'number') {
      this.#victims = found.victims;
      if (found.victims.length === 0) this.error = noVictimOn(state.nodes.names[slot]);
      return;
    }
    const { reasons, isError } = failures.at(found);
    if (isError === true) this.error = reasons.join(', ');
    else this.#reasons = reasons;
  }

  /** It was looked at for this pod. */
  lookFor(): void {}

  best(): number {
    return this.#victims.length > 0 ? this.#slot : -1;
  }

  victimsOn(): readonly PodRecord[] {
    return this.#victims;
  }

  get refusedCount(): number {
    return this.#reasons.length > 0 ? 1 : 0;
  }

  refusals(): Map<string, number> {
    return new Map(this.#reasons.map((reason) => [reason, 1]));
  }
}
