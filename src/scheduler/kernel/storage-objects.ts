// Volumes, claims and storage capacities, arranged by who asks for them.
//
//   storage class ─► free volumes (available, set aside for nobody)   ─┐ by the nodes that reach them
//                 ─► storage capacities                               ─┘ (reach-index.ts)
//   claim         ─► volumes set aside for it
//   volume        ─► claims that name it; volumes of the same CSI handle are counted
//
// What a pod with claims makes of nodes is part of its class's key (volume-binding.ts), so a class knows nothing of objects that change. What
// is too much for a key has a version there: it grows when a change may concern nodes that are not named in the change ring. A thing
// that is pinned to hostnames concerns these nodes alone, which are named: a local disk that is taken costs one node.

import type { ClaimObject, ClusterObject, StorageCapacityObject, VolumeObject } from '../model/cluster-objects.ts';
import type { Requirement } from '../model/label-selector.ts';
import { isEmptyTerm } from '../model/node-selector.ts';
import { canonicalText } from './interner.ts';
import { type Pin, pinOf, pinOfAny, ReachIndex } from './reach-index.ts';
import { HOSTNAME } from './topology.ts';

/** Nodes that are named one by one at most. */
const NAMED_VALUES_MAX = 16;

/** Of one storage class. */
export class ReachedByClass<T> {
  readonly index: ReachIndex<T> = new ReachIndex();
  /** Another one, never used before, when a change concerns nodes that are not named. */
  version: number;
  /** Things whose selector looks at the hostname. */
  hostnameCount = 0;

  constructor(version: number) {
    this.version = version;
  }
}

export class StorageObjects {
  /** Grows when a storage class or a driver changes. */
  rulesVersion = 0;
  readonly #touchHostname: (hostname: string) => void;
  readonly #free = new Map<string, ReachedByClass<VolumeObject>>();
  readonly #capacities = new Map<string, ReachedByClass<StorageCapacityObject>>();
  readonly #setAside = new Map<string, Set<VolumeObject>>();
  readonly #naming = new Map<string, Set<string>>();
  readonly #handleCounts = new Map<string, number>();
  /** By selector. */
  readonly #reachTexts = new WeakMap<object, string>();
  #version = 0;

  /** Told the hostname of nodes that have to be looked at again. */
  constructor(touchHostname: (hostname: string) => void) {
    this.#touchHostname = touchHostname;
  }

  get size(): number {
    const tables = [this.#free, this.#capacities, this.#setAside, this.#naming, this.#handleCounts];
    return tables.reduce((sum, { size }) => sum + size, 0);
  }

  changed(before: ClusterObject | undefined, after: ClusterObject | undefined): void {
    const { kind } = before ?? after ?? { kind: undefined };
    switch (kind) {
      case 'StorageClass':
      case 'CSIDriver':
        this.rulesVersion++;
        break;
      case 'PersistentVolume':
        if (before?.kind === kind) this.#countVolume(before, -1);
        if (after?.kind === kind) this.#countVolume(after, 1);
        break;
      case 'PersistentVolumeClaim':
        if (before?.kind === kind) this.#countClaim(before, -1);
        if (after?.kind === kind) this.#countClaim(after, 1);
        break;
      case 'CSIStorageCapacity':
        if (before?.kind === kind) this.#countCapacity(before, -1);
        if (after?.kind === kind) this.#countCapacity(after, 1);
        break;
    }
  }

  /** Undefined where there is none. */
  freeVolumes(storageClass: string): ReachedByClass<VolumeObject> | undefined {
    return this.#free.get(storageClass);
  }

  /** Undefined where there is none. */
  capacities(storageClass: string): ReachedByClass<StorageCapacityObject> | undefined {
    return this.#capacities.get(storageClass);
  }

  /** The same for volumes that the same nodes reach; '' where every node does. */
  reachOf({ nodeSelector }: VolumeObject): string {
    if (nodeSelector === undefined) return '';
    let text = this.#reachTexts.get(nodeSelector);
    if (text === undefined) {
      text = canonicalText(nodeSelector);
      this.#reachTexts.set(nodeSelector, text);
    }
    return text;
  }

  /** What pins the volume to a few nodes. */
  pinOf({ nodeSelector }: VolumeObject): Pin | undefined {
    const terms = (nodeSelector?.terms ?? []).filter((term) => term.problem === undefined && !isEmptyTerm(term));
    return pinOfAny(terms.map(({ expressions }) => pinOf(expressions)));
  }

  /** Volumes that name the claim, maybe one of that name that is gone. */
  setAsideFor(claimKey: string): Iterable<VolumeObject> {
    return this.#setAside.get(claimKey) ?? [];
  }

  /** Keys of the claims that name the volume. */
  claimsNaming(volumeName: string): ReadonlySet<string> {
    return this.#naming.get(volumeName) ?? NO_KEYS;
  }

  /** Volumes with this CSI handle. */
  handleCount(handleKey: string): number {
    return this.#handleCounts.get(handleKey) ?? 0;
  }

  #countVolume(volume: VolumeObject, sign: 1 | -1): void {
    const { csi, claim, storageClass, nodeSelector } = volume;
    if (csi !== undefined) addTo(this.#handleCounts, `${csi.driver}/${csi.handle}`, sign);
    if (claim !== undefined) {
      countIn(this.#setAside, `${claim.namespace}/${claim.name}`, volume, sign);
      return;
    }
    if (!volume.isAvailable || volume.isTerminating) return;
    const asked = (nodeSelector?.terms ?? []).flatMap(({ expressions }) => expressions);
    this.#countReached(this.#free, storageClass, { thing: volume, pin: this.pinOf(volume), asked, sign });
  }

  #countCapacity(capacity: StorageCapacityObject, sign: 1 | -1): void {
    const { nodes, storageClass, bytes } = capacity;
    if (nodes === undefined || nodes.matchesNothing || bytes === undefined) return;
    const { requirements: asked } = nodes;
    this.#countReached(this.#capacities, storageClass, { thing: capacity, pin: pinOf(asked), asked, sign });
  }

  #countReached<T>(classes: Map<string, ReachedByClass<T>>, storageClass: string, counted: Counted<T>): void {
    const { thing, pin, asked, sign } = counted;
    let ofClass = classes.get(storageClass);
    if (ofClass === undefined) {
      ofClass = new ReachedByClass(++this.#version);
      classes.set(storageClass, ofClass);
    }
    const { index } = ofClass;
    if (sign > 0) index.add(thing, pin);
    else index.remove(thing, pin);
    if (index.size === 0) {
      classes.delete(storageClass);
      return;
    }
    if (asked.some(({ key }) => key === HOSTNAME)) ofClass.hostnameCount += sign;
    if (pin?.key !== HOSTNAME || pin.values.size > NAMED_VALUES_MAX) ofClass.version = ++this.#version;
    else for (const value of pin.values) this.#touchHostname(value);
  }

  #countClaim({ namespace, name, volumeName }: ClaimObject, sign: 1 | -1): void {
    if (volumeName !== '') countIn(this.#naming, volumeName, `${namespace}/${name}`, sign);
  }
}

interface Counted<T> {
  readonly thing: T;
  readonly pin: Pin | undefined;
  /** All requirements of its selector. */
  readonly asked: readonly Requirement[];
  readonly sign: 1 | -1;
}

const NO_KEYS: ReadonlySet<string> = new Set();

function countIn<T>(sets: Map<string, Set<T>>, key: string, thing: T, sign: 1 | -1): void {
  const there = sets.get(key);
  if (sign > 0) {
    if (there === undefined) sets.set(key, new Set([thing]));
    else there.add(thing);
    return;
  }
  there?.delete(thing);
  if (there?.size === 0) sets.delete(key);
}

function addTo(counts: Map<string, number>, key: string, sign: 1 | -1): void {
  const count = (counts.get(key) ?? 0) + sign;
  if (count === 0) counts.delete(key);
  else counts.set(key, count);
}
