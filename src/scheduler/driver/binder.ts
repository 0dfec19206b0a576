// Binds pods through the API, many at a time. What the API server says about its load sets how many.
//
//   bind ─► in flight ─┬─► bound, conflict, gone, refused ─► told
//                      ├─► too many requests, unreachable ─► the same again, later; the window is halved
//                      └─► unknown ─► the pod is read until it says where it is: never bound elsewhere before that
//
// Limits: IN_FLIGHT_MAX; with `hasRoom` false the caller decides on no more pods.

import type { Clock } from '../../io/clock.ts';
import type { BindOutcome, KubeApi, PodToBind } from '../../kube-api/kube-api.ts';
import { headOf, isObject } from '../../kube-api/object-head.ts';

const IN_FLIGHT_MAX = 256;
const IN_FLIGHT_MIN = 4;
const UNREACHABLE_MS = 1000;
const READ_AGAIN_MS = 1000;

export type Binding =
  | { readonly kind: 'bound' }
  /** It is not on that node, and is not about to be; the text says why. */
  | { readonly kind: 'failed'; readonly text: string }
  /** There is no such pod any more. */
  | { readonly kind: 'gone' };

export interface BinderOptions {
  readonly api: KubeApi;
  readonly clock: Clock;
  readonly onBinding: (uid: string, nodeName: string, binding: Binding) => void;
}

export class Binder {
  readonly #options: BinderOptions;
  #inFlight = 0;
  #window: number = IN_FLIGHT_MAX;
  #isClosed = false;

  constructor(options: BinderOptions) {
    this.#options = options;
  }

  get inFlight(): number {
    return this.#inFlight;
  }

  get hasRoom(): boolean {
    return !this.#isClosed && this.#inFlight < this.#window;
  }

  bind(pod: PodToBind, nodeName: string): void {
    this.#inFlight++;
    void this.#send(pod, nodeName);
  }

  /** Nothing is told any more. */
  close(): void {
    this.#isClosed = true;
  }

  async #send(pod: PodToBind, nodeName: string): Promise<void> {
    const { api } = this.#options;
    for (;;) {
      const outcome = await api.bind(pod, nodeName);
      if (this.#isClosed) return;
      if (outcome.kind === 'too-many-requests') {
        this.#window = Math.max(IN_FLIGHT_MIN, Math.floor(this.#window / 2));
        await this.#pause(outcome.retryAfterMs);
      } else if (outcome.kind === 'unreachable') {
        await this.#pause(UNREACHABLE_MS);
      } else {
        if (this.#window < IN_FLIGHT_MAX) this.#window++;
        const binding = outcome.kind === 'unknown' ? await this.#find(pod, nodeName) : bindingOf(outcome);
        this.#inFlight--;
        if (!this.#isClosed) this.#options.onBinding(pod.uid, nodeName, binding);
        return;
      }
      if (this.#isClosed) return;
    }
  }

  /** Where the pod is, when it is not known what became of the request. */
  async #find(pod: PodToBind, nodeName: string): Promise<Binding> {
    for (;;) {
      const found = await this.#options.api.read('pods', pod);
      if (this.#isClosed || found.kind === 'gone') return { kind: 'gone' };
      if (found.kind === 'found') {
        const { spec } = found.object;
        if (headOf(found.object)?.uid !== pod.uid) return { kind: 'gone' };
        if (isObject(spec) && spec.nodeName === nodeName) return { kind: 'bound' };
        return { kind: 'failed', text: 'the binding was not answered and did not happen' };
      }
      await this.#pause(READ_AGAIN_MS);
    }
  }

  #pause(ms: number): Promise<void> {
    return new Promise((resolve) => {
      this.#options.clock.setTimer(ms, resolve);
    });
  }
}

function bindingOf(outcome: Exclude<BindOutcome, { kind: 'too-many-requests' | 'unreachable' | 'unknown' }>): Binding {
  if (outcome.kind === 'bound' || outcome.kind === 'gone') return { kind: outcome.kind };
  return { kind: 'failed', text: outcome.text };
}
