// Volumes and claims as the API shows them, and over that what the scheduler has decided about them and the API does not show yet: a volume that
// is set aside for a claim, a node that a claim's volume is to be made for. The kernel is told the two as one, so that nobody else takes
// the volume (upstream's assume cache).
//
// What the API shows goes first: an assumption is not seen where the object says something else of its own. An assumption is held by as many pods as
// have made it (pods that share a claim), and is over when the last of them has released it.

import { assert } from '../../base/assert.ts';
import type { ClaimObject, ClusterObject, VolumeObject } from '../model/cluster-objects.ts';
import { objectKey } from '../model/cluster-objects.ts';
import { type ClusterCommand, selectedOn, setAsideFor } from '../model/command.ts';
import type { VolumePlan } from '../model/decision.ts';

/** An object as the API shows it. */
export interface Shown<T> {
  readonly object: T;
  readonly uid: string;
  readonly resourceVersion: string;
}

interface Assumption<T> {
  readonly value: T;
  /** Pods that hold it. */
  holders: number;
}

export class AssumedStorage {
  readonly #tell: (command: ClusterCommand) => void;
  readonly #claims = new Map<string, Shown<ClaimObject>>();
  readonly #volumes = new Map<string, Shown<VolumeObject>>();
  /** By claim: the node. */
  readonly #nodes = new Map<string, Assumption<string>>();
  /** By volume: the claim. */
  readonly #takers = new Map<string, Assumption<ClaimObject>>();

  /** Told what the kernel is to know. */
  constructor(tell: (command: ClusterCommand) => void) {
    this.#tell = tell;
  }

  claim(key: string): Shown<ClaimObject> | undefined {
    return this.#claims.get(key);
  }

  volume(name: string): Shown<VolumeObject> | undefined {
    return this.#volumes.get(name);
  }

  set(shown: Shown<ClusterObject>): void {
    const { object, uid, resourceVersion } = shown;
    if (object.kind === 'PersistentVolumeClaim') {
      this.#claims.set(objectKey(object), { object, uid, resourceVersion });
      this.#tellClaim(objectKey(object));
    } else if (object.kind === 'PersistentVolume') {
      this.#volumes.set(object.name, { object, uid, resourceVersion });
      this.#tellVolume(object.name);
    }
  }

  delete(objectKind: 'PersistentVolumeClaim' | 'PersistentVolume', key: string): void {
    if (objectKind === 'PersistentVolumeClaim') this.#claims.delete(key);
    else this.#volumes.delete(key);
    this.#tell({ kind: 'object-deleted', objectKind, key });
  }

  /** Takes for granted what the kernel has decided; to be released once. */
  assume({ found, provisioned }: VolumePlan, nodeName: string): void {
    for (const { claimKey, volumeName } of found) {
      const claim = this.#claims.get(claimKey)?.object;
      assert(claim !== undefined, 'a volume is found for a claim that is shown');
      hold(this.#takers, volumeName, claim);
      this.#tellVolume(volumeName);
    }
    for (const key of provisioned) {
      hold(this.#nodes, key, nodeName);
      this.#tellClaim(key);
    }
  }

  release({ found, provisioned }: VolumePlan): void {
    for (const { volumeName } of found) {
      letGo(this.#takers, volumeName);
      this.#tellVolume(volumeName);
    }
    for (const key of provisioned) {
      letGo(this.#nodes, key);
      this.#tellClaim(key);
    }
  }

  #tellClaim(key: string): void {
    const shown = this.#claims.get(key)?.object;
    const node = this.#nodes.get(key)?.value;
    if (shown === undefined) return;
    const isOpen = shown.volumeName === '' && shown.selectedNode === undefined;
    const object = node === undefined || !isOpen ? shown : selectedOn(shown, node);
    this.#tell({ kind: 'object-set', object });
  }

  #tellVolume(name: string): void {
    const shown = this.#volumes.get(name)?.object;
    const taker = this.#takers.get(name)?.value;
    if (shown === undefined) return;
    const object = taker === undefined || shown.claim !== undefined ? shown : setAsideFor(shown, taker);
    this.#tell({ kind: 'object-set', object });
  }
}

function hold<T>(assumptions: Map<string, Assumption<T>>, key: string, value: T): void {
  const there = assumptions.get(key);
  if (there === undefined) assumptions.set(key, { value, holders: 1 });
  else there.holders++;
}

function letGo<T>(assumptions: Map<string, Assumption<T>>, key: string): void {
  const there = assumptions.get(key);
  if (there !== undefined && --there.holders === 0) assumptions.delete(key);
}
