// One of several schedulers leads: whoever holds the Lease (client-go tools/leaderelection of 1.36, in the form kube-scheduler uses).
//
//   free, or not renewed for leaseDurationMs as seen by our own clock ─► taken with the resourceVersion as precondition
//   held ─► renewed every retryPeriodMs; not renewed for renewDeadlineMs ─► lost: the process has to end
//
// Clocks of the others are not compared with ours: what counts is how long ago we saw the Lease change.

import type { Clock, Timer } from '../../io/clock.ts';
import type { JsonObject, KubeApi, LeaseName, LeaseSpec } from '../../kube-api/kube-api.ts';
import { headOf, isObject } from '../../kube-api/object-head.ts';
import { failureText } from '../../kube-api/outcome.ts';
import { microTime } from '../../kube-api/request-bodies.ts';
import { Trouble } from '../../kube-api/trouble.ts';

/** Why nothing is sent from `leadsUntilMs` on. */
export const ANOTHER_MAY_LEAD = 'another scheduler may lead';

export interface LeaderElectionOptions {
  readonly api: KubeApi;
  readonly clock: Clock;
  readonly lease: LeaseName;
  /** Of this process, and of no other. */
  readonly identity: string;
  readonly leaseDurationMs: number;
  readonly renewDeadlineMs: number;
  readonly retryPeriodMs: number;
  readonly onLeading: () => void;
  /** Somebody else may lead from now on. */
  readonly onLost: (reason: string) => void;
  /** For a log: the Lease cannot be read or written; told at first, once a minute while it lasts, and when it is over. */
  readonly onProblem: (text: string) => void;
}

interface Seen {
  readonly spec: JsonObject;
  readonly resourceVersion: string;
}

export class LeaderElector {
  readonly #options: LeaderElectionOptions;
  readonly #trouble: Trouble;
  #isLeading = false;
  #isClosed = false;
  #seenVersion = '';
  #seenMs = 0;
  #deadline: Timer | undefined;
  #validUntilMs = 0;
  #acquireTime = '';
  #timer: Timer | undefined;

  constructor(options: LeaderElectionOptions) {
    this.#options = options;
    this.#trouble = new Trouble(options.clock, 'the lease is in reach again', options.onProblem);
  }

  /** Also while the event loop was held and the deadline's timer is late. */
  get isLeading(): boolean {
    return this.#options.clock.nowMs() < this.leadsUntilMs;
  }

  /** By the clock's nowMs: nobody else leads before; moves on with each renewal. */
  get leadsUntilMs(): number {
    return this.#isLeading ? this.#validUntilMs : Number.NEGATIVE_INFINITY;
  }

  start(): void {
    void this.#run();
  }

  /** Gives the Lease back, so that another one need not wait for it; or else lets it run out. */
  async close(isReleased: boolean): Promise<void> {
    this.#isClosed = true;
    this.#timer?.cancel();
    this.#deadline?.cancel();
    const wasLeading = this.#isLeading;
    this.#isLeading = false;
    if (!wasLeading || !isReleased) return;
    const { api, lease } = this.#options;
    const found = await api.readLease(lease);
    const seen = found.kind === 'found' ? seenOf(found.object) : undefined;
    if (seen?.spec.holderIdentity !== this.#options.identity) return;
    const spec = { ...this.#spec(numberOf(seen.spec.leaseTransitions)), holderIdentity: '', leaseDurationSeconds: 1 };
    await api.updateLease(lease, spec, seen.resourceVersion);
  }

  async #run(): Promise<void> {
    const { clock, retryPeriodMs, onLeading } = this.#options;
    const beganMs = clock.nowMs();
    const problem = await this.#try();
    if (this.#isClosed) return;
    if (problem === undefined) {
      this.#expectRenewal(beganMs);
      if (!this.#isLeading) {
        this.#isLeading = true;
        onLeading();
      }
    }
    if (problem === undefined || problem === HELD) this.#trouble.end();
    else this.#trouble.fail(problem);
    this.#timer = clock.setTimer(retryPeriodMs, () => void this.#run());
  }

  /** Also a request that is never answered does not keep us from seeing that the time is over. */
  #expectRenewal(renewedMs: number): void {
    const { clock, renewDeadlineMs, onLost } = this.#options;
    this.#deadline?.cancel();
    this.#validUntilMs = renewedMs + renewDeadlineMs;
    this.#deadline = clock.setTimer(this.#validUntilMs - clock.nowMs(), () => {
      this.#isLeading = false;
      this.#isClosed = true;
      this.#timer?.cancel();
      onLost(`the lease was not renewed for ${renewDeadlineMs / 1000} s`);
    });
  }

  /** Undefined: we hold it now. */
  async #try(): Promise<string | undefined> {
    const { api, lease, identity, leaseDurationMs, clock } = this.#options;
    const found = await api.readLease(lease);
    if (found.kind === 'gone') {
      this.#acquireTime = microTime(clock.wallMs());
      const made = await api.createLease(lease, this.#spec(0));
      return made.kind === 'done' ? undefined : `cannot create the lease: ${failureText(made)}`;
    }
    if (found.kind !== 'found') return `cannot read the lease: ${failureText(found)}`;
    const seen = seenOf(found.object);
    if (seen === undefined) return 'the lease cannot be read: it has no spec';
    if (seen.resourceVersion !== this.#seenVersion) {
      this.#seenVersion = seen.resourceVersion;
      this.#seenMs = clock.nowMs();
    }
    const holder = seen.spec.holderIdentity;
    const isOurs = holder === identity;
    const isFree = typeof holder !== 'string' || holder === '';
    // As long as the holder said, seen from here.
    const heldMs = numberOf(seen.spec.leaseDurationSeconds) * 1000 || leaseDurationMs;
    if (!isOurs && !isFree && clock.nowMs() - this.#seenMs < heldMs) return this.#isLeading ? `${holder} leads` : HELD;
    const transitions = numberOf(seen.spec.leaseTransitions);
    if (!isOurs || this.#acquireTime === '') this.#acquireTime = microTime(clock.wallMs());
    const written = await api.updateLease(
      lease,
      this.#spec(isOurs ? transitions : transitions + 1),
      seen.resourceVersion,
    );
    if (written.kind === 'done') return undefined;
    return written.kind === 'conflict' && !this.#isLeading ? HELD : `cannot renew the lease: ${failureText(written)}`;
  }

  #spec(leaseTransitions: number): LeaseSpec {
    const { identity, leaseDurationMs, clock } = this.#options;
    return {
      holderIdentity: identity,
      leaseDurationSeconds: Math.round(leaseDurationMs / 1000),
      acquireTime: this.#acquireTime,
      renewTime: microTime(clock.wallMs()),
      leaseTransitions,
    };
  }
}

const HELD = 'another scheduler leads';

function seenOf(lease: JsonObject): Seen | undefined {
  const head = headOf(lease);
  const { spec } = lease;
  return head === undefined || !isObject(spec) ? undefined : { spec, resourceVersion: head.resourceVersion };
}

function numberOf(value: unknown): number {
  return typeof value === 'number' ? value : 0;
}
