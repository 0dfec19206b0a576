// Binds pods through the API, many at a time. What the API server says about its load sets how many.
//
//   bind ─► in flight ─┬─► bound, gone, refused ─► told
//                      ├─► too many requests, unreachable ─► the same again, later; the window is halved
//                      ├─► conflict ─► the pod is read: it may be there already
//                      └─► unknown ─► the pod is read; while it shows nothing new it is written, so that the request
//                                     finds another version than it asks for: what is told as failed cannot happen any more
//
// A request is sent, and sent again, only before `leadsUntilMs`, and given up then: what comes from a scheduler that does not lead
// any more contradicts the one that does.
//
// Limits: `inFlightMax`; with `hasRoom` false the caller decides on no more pods.

import { type Clock, pause } from '../../io/clock.ts';
import type { BindOutcome, JsonObject, KubeApi, PodToBind } from '../../kube-api/kube-api.ts';
import { headOf, isObject } from '../../kube-api/object-head.ts';
import { type OngoingTrouble, Trouble } from '../../kube-api/trouble.ts';
import { ANOTHER_MAY_LEAD } from './leader-elector.ts';

export const IN_FLIGHT_MAX_DEFAULT = 256;
const IN_FLIGHT_MIN = 4;
const UNREACHABLE_MS = 1000;
const READ_AGAIN_MS = 1000;

export type Binding =
  | { readonly kind: 'bound' }
  /** It is not on that node, and is not about to be; the text says why. */
  | { readonly kind: 'failed'; readonly text: string }
  /** The same, and nothing is wrong with the binding: somebody else has written the pod, or leads. */
  | { readonly kind: 'overtaken'; readonly text: string }
  /** There is no such pod any more. */
  | { readonly kind: 'gone' };

/** How bindings are accepted. */
export type Acceptance = Pick<Binder<PodToBind>, 'trouble' | 'failures'>;

const BOUND: Binding = { kind: 'bound' };
const NOT_SENT: Binding = { kind: 'overtaken', text: ANOTHER_MAY_LEAD };

export interface BinderOptions<Pod extends PodToBind> {
  readonly api: KubeApi;
  readonly clock: Clock;
  /** By the clock's nowMs; it may move on. */
  readonly leadsUntilMs: () => number;
  readonly inFlightMax: number;
  readonly onBinding: (pod: Pod, nodeName: string, binding: Binding) => void;
  /** For a log: bindings fail one after another, whichever pods they are of; or do so no more. */
  readonly onTrouble: (text: string) => void;
}

export class Binder<Pod extends PodToBind> {
  readonly #options: BinderOptions<Pod>;
  #inFlight = 0;
  #window: number;
  #isClosed = false;
  #onIdle: (() => void) | undefined;
  readonly #trouble: Trouble;
  /** Answers other than that the pod is bound, by kind. */
  readonly failures: Map<string, number> = new Map();

  constructor(options: BinderOptions<Pod>) {
    this.#options = options;
    this.#trouble = new Trouble(options.clock, 'bindings: accepted again', options.onTrouble);
    this.#window = options.inFlightMax;
  }

  get inFlight(): number {
    return this.#inFlight;
  }

  /** Bindings are not accepted at the moment: unreachable, refused, unanswered. */
  get trouble(): OngoingTrouble | undefined {
    return this.#trouble.current;
  }

  get hasRoom(): boolean {
    return !this.#isClosed && this.#inFlight < this.#window;
  }

  /** The pod is given back as it is, and is not to change meanwhile. */
  bind(pod: Pod, nodeName: string): void {
    this.#inFlight++;
    if (this.#mayWrite) void this.#send(pod, nodeName).then((outcome) => this.#answered(pod, nodeName, outcome));
    else void Promise.resolve(NOT_SENT).then((binding) => this.#end(pod, nodeName, binding));
  }

  /** Resolves when nothing is in flight; one caller at a time. */
  idle(): Promise<void> {
    if (this.#inFlight === 0) return Promise.resolve();
    return new Promise((resolve) => {
      this.#onIdle = resolve;
    });
  }

  /** Nothing is told any more. */
  close(): void {
    this.#isClosed = true;
  }

  #send(pod: Pod, nodeName: string): Promise<BindOutcome> {
    return this.#options.api.bind(pod, nodeName, { deadlineMs: this.#options.leadsUntilMs() });
  }

  /** To the first request, which is the last one of most pods. */
  #answered(pod: Pod, nodeName: string, outcome: BindOutcome): void {
    if (outcome.kind === 'bound') {
      this.#count(outcome);
      this.#widen();
      this.#end(pod, nodeName, BOUND);
    } else void this.#settle(pod, nodeName, outcome).then((binding) => this.#end(pod, nodeName, binding));
  }

  #end(pod: Pod, nodeName: string, binding: Binding): void {
    this.#inFlight--;
    if (!this.#isClosed) this.#options.onBinding(pod, nodeName, binding);
    if (this.#inFlight === 0) this.#onIdle?.();
  }

  #widen(): void {
    if (this.#window < this.#options.inFlightMax) this.#window++;
  }

  async #settle(pod: Pod, nodeName: string, first: BindOutcome): Promise<Binding> {
    for (let outcome = first; ; outcome = await this.#send(pod, nodeName)) {
      this.#count(outcome);
      if (outcome.kind === 'too-many-requests') {
        this.#window = Math.max(IN_FLIGHT_MIN, Math.floor(this.#window / 2));
        await pause(this.#options.clock, outcome.retryAfterMs);
      } else if (outcome.kind === 'unreachable') {
        await pause(this.#options.clock, UNREACHABLE_MS);
      } else {
        this.#widen();
        if (outcome.kind === 'unknown') return this.#find(pod, nodeName, outcome.text);
        if (outcome.kind === 'conflict') return this.#look(pod, nodeName, outcome.text);
        return bindingOf(outcome);
      }
      if (!this.#mayWrite) return NOT_SENT;
    }
  }

  get #mayWrite(): boolean {
    return !this.#isClosed && this.#options.clock.nowMs() < this.#options.leadsUntilMs();
  }

  #count(outcome: BindOutcome): void {
    const { kind } = outcome;
    if (kind !== 'bound') this.failures.set(kind, (this.failures.get(kind) ?? 0) + 1);
    if (kind === 'unreachable' || kind === 'refused' || kind === 'unknown') {
      this.#trouble.fail(`bindings: ${outcome.text}`);
    } else this.#trouble.end();
  }

  /** Where the pod is, when it is not known what became of the request. */
  async #find(pod: PodToBind, nodeName: string, why: string): Promise<Binding> {
    while (this.#mayWrite) {
      const found = await this.#options.api.read('pods', pod);
      if (found.kind === 'gone') return { kind: 'gone' };
      if (found.kind === 'found') {
        const binding = bindingIn(found.object, pod, nodeName);
        if (binding !== undefined) return binding;
        if (headOf(found.object)?.resourceVersion !== pod.resourceVersion) {
          return { kind: 'failed', text: `the binding was not answered and did not happen: ${why}` };
        }
        await this.#renew(pod, nodeName);
      }
      await pause(this.#options.clock, READ_AGAIN_MS);
    }
    return NOT_SENT;
  }

  /** Gives the pod another version; what is said is true. The time makes it a change. */
  async #renew(pod: PodToBind, nodeName: string): Promise<void> {
    const now = new Date(this.#options.clock.wallMs()).toISOString();
    const message = `running Bind plugin "DefaultBinder": no answer by ${now} whether the pod is bound to node "${nodeName}"`;
    const condition = { type: 'PodScheduled', status: 'False', reason: 'SchedulerError', message } as const;
    await this.#options.api.patchPodStatus(pod, { conditions: [condition] });
  }

  /** Where the pod is, when the request did not happen for what somebody has written. */
  async #look(pod: PodToBind, nodeName: string, text: string): Promise<Binding> {
    while (!this.#isClosed) {
      const found = await this.#options.api.read('pods', pod);
      if (found.kind === 'gone') return { kind: 'gone' };
      if (found.kind === 'found') {
        const isWritten = headOf(found.object)?.resourceVersion !== pod.resourceVersion;
        return bindingIn(found.object, pod, nodeName) ?? { kind: isWritten ? 'overtaken' : 'failed', text };
      }
      await pause(this.#options.clock, READ_AGAIN_MS);
    }
    return NOT_SENT;
  }
}

type Answered = Exclude<BindOutcome, { kind: 'too-many-requests' | 'unreachable' | 'unknown' | 'conflict' }>;

function bindingOf(outcome: Answered): Binding {
  if (outcome.kind === 'bound') return BOUND;
  if (outcome.kind === 'gone') return { kind: 'gone' };
  return { kind: 'failed', text: outcome.text };
}

/** Undefined: the pod is on no node. */
function bindingIn(object: JsonObject, { uid }: PodToBind, nodeName: string): Binding | undefined {
  if (headOf(object)?.uid !== uid) return { kind: 'gone' };
  const there = isObject(object.spec) ? object.spec.nodeName : undefined;
  if (there === nodeName) return BOUND;
  return typeof there !== 'string' || there === '' ? undefined : { kind: 'overtaken', text: `it is on node ${there}` };
}
