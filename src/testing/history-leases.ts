// What is known of leases: who asked for their end, and until when each must live. A lease lives for its TTL from the
// moment the server took its last renewal, which is not before the client sent it; so one that is seen to be gone earlier
// ended too early.

import { callText, type History, type Moment, type Violation } from './history.ts';

interface Known {
  /** Answered grants and renewals, in the order in which they were sent. */
  readonly renewals: { readonly sentMs: number; readonly answeredOrder: number; readonly ttlMs: number }[];
  readonly revokesInvoked: number[];
  isGrantUnknown: boolean;
}

export class LeaseBook {
  readonly #leases = new Map<bigint, Known>();

  constructor(history: History) {
    for (const { request, invoked, outcome } of history.calls) {
      if (request.kind === 'revoke' && outcome.kind !== 'refused') {
        this.#known(request.lease).revokesInvoked.push(invoked.order);
      } else if (request.kind === 'grant' || request.kind === 'renew') {
        const known = this.#known(request.lease);
        if (outcome.kind === 'unknown') known.isGrantUnknown ||= request.kind === 'grant';
        if (outcome.kind !== 'answered' || outcome.result.kind !== 'lease' || outcome.result.ttlSeconds <= 0) continue;
        const ttlMs = outcome.result.ttlSeconds * 1000;
        known.renewals.push({ sentMs: invoked.ms, answeredOrder: outcome.at.order, ttlMs });
      }
    }
  }

  /** Why the lease cannot have ended by `seen`; undefined when it can. */
  whyAlive(lease: bigint, seen: Moment): string | undefined {
    const known = this.#leases.get(lease);
    if (known === undefined) return 'nobody asked for such a lease';
    if (known.revokesInvoked.some((order) => order < seen.order)) return undefined;
    // A renewal answered by then was taken before the end.
    let untilMs = Number.NEGATIVE_INFINITY;
    for (const { sentMs, answeredOrder, ttlMs } of known.renewals) {
      if (answeredOrder < seen.order) untilMs = Math.max(untilMs, sentMs + ttlMs);
    }
    if (seen.ms >= untilMs) return undefined;
    return `it lives until ${untilMs.toFixed(1)} ms at least, and was gone by ${seen.ms.toFixed(1)} ms`;
  }

  /** Whether its grant was answered before `order`. */
  #wasGranted(lease: bigint, order: number): boolean {
    return this.#leases.get(lease)?.renewals.some(({ answeredOrder }) => answeredOrder < order) ?? false;
  }

  /** Answers that say "no such lease" while there must be one. */
  violations(history: History): Violation[] {
    const violations: Violation[] = [];
    for (const call of history.calls) {
      const { request, outcome } = call;
      if (outcome.kind === 'unknown' || !('lease' in request) || request.lease === 0n) continue;
      if (request.kind === 'grant' || !this.#wasGranted(request.lease, call.invoked.order)) continue;
      const isRefused = outcome.kind === 'refused' && outcome.reason.includes('lease not found');
      const isGone = outcome.kind === 'answered' && outcome.result.kind === 'lease' && outcome.result.ttlSeconds < 0;
      const isLost = request.kind === 'renew' && outcome.kind === 'answered' && outcome.result.kind === 'lease';
      if (!isRefused && !isGone && !(isLost && outcome.result.ttlSeconds <= 0)) continue;
      const why = this.whyAlive(request.lease, outcome.at);
      if (why !== undefined) violations.push({ promise: 'lease-too-early', text: `${callText(call)}: ${why}` });
    }
    return violations;
  }

  #known(lease: bigint): Known {
    let known = this.#leases.get(lease);
    if (known === undefined) {
      known = { renewals: [], revokesInvoked: [], isGrantUnknown: false };
      this.#leases.set(lease, known);
    }
    return known;
  }
}
