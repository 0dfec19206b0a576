// The nodes of one group that are known by name: those that shards have listed, and the exceptions that are in it (merged-index.ts).

import { Heap } from '../../base/heap.ts';

export interface Candidate {
  readonly slot: number;
  readonly bucket: number;
  readonly stamp: number;
}

/** Of one shard's answer: nodes of the group, the best first. */
export interface CandidateList {
  readonly shard: number;
  readonly slots: readonly number[];
  readonly buckets: readonly number[];
  /** Nodes before it are exceptions; it was looked at here, and is as it is listed. */
  next: number;
  /** More nodes of the group, none better than those listed. */
  readonly unlisted: number;
}

/** An exception as it was when it was last looked at. */
interface Member extends Pick<Candidate, 'bucket' | 'stamp'> {
  readonly place: number;
}

export class GroupCandidates {
  readonly lists: CandidateList[] = [];
  readonly #group: number;
  readonly #memberOf: (slot: number) => Member | undefined;
  readonly #members = new Set<number>();
  /** All of them, with others that were, and as they were; the best first. */
  readonly #heap = new Heap<Candidate>((a, b) => b.bucket - a.bucket || b.stamp - a.stamp);

  /** `memberOf`: of any exception. */
  constructor(group: number, memberOf: (slot: number) => Member | undefined) {
    this.#group = group;
    this.#memberOf = memberOf;
  }

  join(candidate: Candidate): void {
    this.#members.add(candidate.slot);
    this.#heap.push(candidate);
  }

  leave(slot: number): void {
    this.#members.delete(slot);
  }

  get bestMember(): Candidate | undefined {
    const heap = this.#heap;
    let top = heap.peek();
    while (top !== undefined && !this.#isCurrent(top)) {
      heap.pop();
      top = heap.peek();
    }
    return top;
  }

  bestMemberOf(isAllowed: (slot: number) => boolean): Candidate | undefined {
    let best: Candidate | undefined;
    for (const slot of this.#members) {
      const member = this.#memberOf(slot);
      if (member === undefined || !isAllowed(slot)) continue;
      const { bucket, stamp } = member;
      if (isBetter(bucket, stamp, best)) best = { slot, bucket, stamp };
    }
    return best;
  }

  #isCurrent({ slot, bucket, stamp }: Candidate): boolean {
    const member = this.#memberOf(slot);
    return member?.place === this.#group && member.bucket === bucket && member.stamp === stamp;
  }
}

/** Of equally good nodes the one that changed last. */
export function isBetter(bucket: number, stamp: number, than: Candidate | undefined): boolean {
  return than === undefined || bucket > than.bucket || (bucket === than.bucket && stamp > than.stamp);
}
