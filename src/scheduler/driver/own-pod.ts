// What a scheduler keeps of each pod that is its own to place. There may be a million that wait: until it is a pod's turn no model of its own is made.

import { nominatedTo } from '../model/command.ts';
import type { PodObject } from '../model/pod-object.ts';
import type { SharedPod } from './pod-models.ts';

/** A pod that waits for a decision, or for the API to show it on its node. */
export class OwnPod {
  #shared: SharedPod;
  #nominated: string;
  /** Made when it is first asked for. */
  #pod: PodObject | undefined;
  /** '' while it waits. */
  assumedNode = '';
  /** In whole milliseconds, which take no memory of their own. */
  readonly addedMs: number;
  /** Bindings of it that failed. */
  failures: number;
  /** The kernel knows it as it is, as far as that counts. */
  isTold = false;

  constructor(shared: SharedPod, nominated: string, { addedMs, failures }: Pick<OwnPod, 'addedMs' | 'failures'>) {
    this.#shared = shared;
    this.#nominated = nominated;
    this.addedMs = Math.floor(addedMs);
    this.failures = failures;
  }

  get pod(): PodObject {
    this.#pod ??= this.#made();
    return this.#pod;
  }

  /** The node that is in force; '' for none. */
  get nominatedNodeName(): string {
    return this.#nominated;
  }

  get resourceVersion(): string {
    return this.#shared.resourceVersion;
  }

  /** Another one when the pod wants something else than before. */
  get template(): PodObject {
    return this.#shared.template;
  }

  get model(): PodObject {
    return this.#shared.model;
  }

  /** Another state that the API shows. */
  update(shared: SharedPod, nominated: string): void {
    this.isTold &&= this.countsAs(shared);
    this.#shared = shared;
    this.#nominated = nominated;
    this.#pod = undefined;
  }

  /** A pod in that state takes as much of a node, and is to others what it is. */
  countsAs({ template, model }: SharedPod): boolean {
    return this.template === template && this.model.requests === model.requests;
  }

  nominate(nodeName: string): void {
    this.#pod = nominatedTo(this.pod, nodeName);
    this.#nominated = nodeName;
  }

  #made(): PodObject {
    const { pod } = this.#shared;
    return pod.nominatedNodeName === this.#nominated ? pod : nominatedTo(pod, this.#nominated);
  }
}

/** Nothing that counts on its node is other than the kernel has it. */
export function isUnchanged(own: OwnPod, shared: SharedPod): boolean {
  const { isTerminating, isFinished } = shared.model;
  return own.isTold && own.countsAs(shared) && !isTerminating && !isFinished;
}
