// Pods that wait for a node that is nominated for them, by that node: preemption makes room for them there, which others of the same or
// a lower priority have to leave to them. There are few.

import { claimKeyOf } from '../model/claim-lookup.ts';
import type { PodObject } from '../model/pod-object.ts';
import { handleKeyOf } from './attached-volumes.ts';
import type { PodShape } from './pod-table.ts';
import { type VolumeUse, volumeUseOf } from './volume-users.ts';

export interface NominatedPod {
  readonly uid: string;
  readonly priority: number;
  readonly nodeName: string;
  readonly shape: PodShape;
  readonly volumes: VolumeUse | undefined;
}

const NONE: readonly NominatedPod[] = [];

export class Nominations {
  readonly #byUid = new Map<string, NominatedPod>();
  readonly #byNode = new Map<string, NominatedPod[]>();
  /** Claims and handles of inline volumes that they use, with how often. */
  readonly #volumes = new Map<string, number>();

  get size(): number {
    return this.#byUid.size;
  }

  /** Nodes that are nominated for some pod. */
  get nodeNames(): Iterable<string> {
    return this.#byNode.keys();
  }

  get nodeCount(): number {
    return this.#byNode.size;
  }

  on(nodeName: string): readonly NominatedPod[] {
    return this.#byNode.get(nodeName) ?? NONE;
  }

  add(object: PodObject, shape: PodShape): void {
    const { uid, priority, nominatedNodeName: nodeName } = object;
    const volumes = volumeUseOf(object);
    const pod = { uid, priority, nodeName, shape, volumes };
    this.#countVolumes(volumes, 1);
    this.#byUid.set(uid, pod);
    const there = this.#byNode.get(nodeName);
    if (there === undefined) this.#byNode.set(nodeName, [pod]);
    else there.push(pod);
  }

  /** One of them uses the claim, or an inline volume of that handle. */
  useVolume(key: string): boolean {
    return this.#volumes.has(key);
  }

  /** Undefined: no node is nominated for it. */
  of(uid: string): NominatedPod | undefined {
    return this.#byUid.get(uid);
  }

  remove(uid: string): void {
    const pod = this.#byUid.get(uid);
    if (pod === undefined) return;
    this.#byUid.delete(uid);
    this.#countVolumes(pod.volumes, -1);
    const there = (this.#byNode.get(pod.nodeName) ?? []).filter((other) => other !== pod);
    if (there.length === 0) this.#byNode.delete(pod.nodeName);
    else this.#byNode.set(pod.nodeName, there);
  }

  #countVolumes(use: VolumeUse | undefined, sign: 1 | -1): void {
    for (const { claimName, migrated } of use?.volumes ?? []) {
      let key: string | undefined;
      if (use !== undefined && claimName !== undefined) key = claimKeyOf(use, claimName);
      else if (migrated !== undefined) key = handleKeyOf(migrated);
      if (key === undefined) continue;
      const count = (this.#volumes.get(key) ?? 0) + sign;
      if (count === 0) this.#volumes.delete(key);
      else this.#volumes.set(key, count);
    }
  }
}
