// The kubelets of the lab's nodes, as far as their pods go: one feed of all pods, one core that says what is due (pod-life.ts), one writer.
//
//   feed of pods ─► PodLife ─► what is due, at most ratePerSecond, inFlightMax on their way ─► writer ─► the feed tells what became of it
//
// A write that fails is told (at first, then once a minute) and tried again by the core. What the core had no room for is listed anew when half of
// its room is free. A pause of the rate is not made up for by more than a tenth of a second's worth.

import type { Clock, Timer } from '../io/clock.ts';
import type { PlainObject } from '../kube/message-decoder.ts';
import type { JsonObject } from '../kube-api/kube-api.ts';
import { Trouble } from '../kube-api/trouble.ts';
import type { ObjectWriter, WriteResult } from './object-writer.ts';
import { PodAddresses } from './pod-addresses.ts';
import type { PodFeed, PodFeedListener } from './pod-feed.ts';
import { type Now, PodLife, type PodStep, type PodTask, stepOf } from './pod-life.ts';
import { killedStatus, runningStatus, succeededStatus } from './pod-status.ts';
import { type PodView, podViewOf } from './pod-view.ts';

const TICK_MS = 5;
/** Of a second: what may be written at once after a pause. */
const BURST_SECONDS = 0.1;

export interface KubeletsOptions {
  readonly clock: Clock;
  readonly writer: ObjectWriter;
  readonly isOwnNode: (name: string) => boolean;
  /** InternalIP of a node of ours. */
  readonly hostAddressOf: (nodeName: string) => string;
  readonly jobMs: number;
  readonly stopMs: number;
  /** Writes; 0: as many as inFlightMax allows. */
  readonly ratePerSecond: number;
  readonly inFlightMax: number;
  readonly waitingMax: number;
  /** For a log. */
  readonly onProblem: (text: string) => void;
}

export class Kubelets implements PodFeedListener {
  /** Pods started, finished, stopped and removed. */
  readonly counts: Record<PodStep, number> = { start: 0, finish: 0, stop: 0, remove: 0 };
  readonly #options: KubeletsOptions;
  readonly #life: PodLife;
  readonly #addresses = new PodAddresses();
  readonly #trouble: Trouble;
  #feed: PodFeed | undefined;
  #timer: Timer | undefined;
  #inFlight = 0;
  #allowance = 0;
  #lastMs: number;

  constructor(options: KubeletsOptions) {
    this.#options = options;
    const { clock, isOwnNode, jobMs, stopMs, waitingMax, onProblem } = options;
    this.#life = new PodLife({ isOwnNode, jobMs, stopMs, waitingMax });
    this.#trouble = new Trouble(clock, 'pods: written again', onProblem);
    this.#lastMs = clock.nowMs();
  }

  /** Pods for which something is due. */
  get waiting(): number {
    return this.#life.size;
  }

  start(feed: PodFeed): void {
    this.#feed = feed;
    feed.start(this);
    this.#tick();
  }

  close(): void {
    this.#timer?.cancel();
    this.#feed?.close();
    this.#feed = undefined;
  }

  onPod(pod: PodView): boolean {
    this.#addresses.observe(pod.address);
    return this.#life.set(pod, this.#now());
  }

  onGone(key: string): void {
    this.#life.delete(key);
  }

  onListBegins(): void {
    this.#life.beginList();
  }

  onListEnds(): void {
    this.#life.endList();
  }

  onProblem(text: string): void {
    this.#options.onProblem(text);
  }

  #now(): Now {
    const { clock } = this.#options;
    return { nowMs: clock.nowMs(), wallMs: clock.wallMs() };
  }

  #tick(): void {
    const { clock, ratePerSecond, inFlightMax, waitingMax } = this.#options;
    const nowMs = clock.nowMs();
    const burst = Math.max(1, ratePerSecond * BURST_SECONDS);
    this.#allowance = Math.min(burst, this.#allowance + ((nowMs - this.#lastMs) / 1000) * ratePerSecond);
    this.#lastMs = nowMs;
    while (this.#inFlight < inFlightMax && (ratePerSecond === 0 || this.#allowance >= 1)) {
      const task = this.#life.next(nowMs);
      if (task === undefined) break;
      this.#allowance--;
      void this.#perform(task);
    }
    if (this.#life.isBehind && this.#life.size <= waitingMax / 2) this.#feed?.listAnew();
    this.#timer = clock.setTimer(TICK_MS, () => this.#tick());
  }

  async #perform(task: PodTask): Promise<void> {
    this.#inFlight++;
    const result = await this.#write(task);
    this.#inFlight--;
    if (result.kind === 'failed') {
      this.#trouble.fail(`${task.step} pod ${task.key}: ${result.text}`);
      this.#life.failed(task, this.#options.clock.nowMs());
      return;
    }
    if (result.kind === 'done') {
      this.#trouble.end();
      this.counts[task.step]++;
    }
    this.#life.done(task);
  }

  #write({ key, uid, nodeName, step }: PodTask): Promise<WriteResult> {
    const { writer } = this.#options;
    const [namespace, name] = key.split('/');
    const pod = { namespace, name, uid };
    const isDue = (object: JsonObject): boolean => {
      const now = podViewOf(object);
      return now.uid === uid && stepOf(now) === step;
    };
    if (step === 'remove') return writer.removePod(pod, isDue);
    const change = this.#changeOf(step, nodeName);
    return writer.patchStatus('pods', pod, (object) => (isDue(object) ? change(object) : undefined));
  }

  #changeOf(step: Exclude<PodStep, 'remove'>, nodeName: string): (object: JsonObject) => PlainObject {
    const { clock, hostAddressOf } = this.#options;
    const wallMs = clock.wallMs();
    if (step === 'finish') return (object) => succeededStatus(object, wallMs);
    if (step === 'stop') return (object) => killedStatus(object, wallMs);
    const place = { hostAddress: hostAddressOf(nodeName), podAddress: this.#addresses.take() };
    return (object) => runningStatus(object, place, wallMs);
  }
}
