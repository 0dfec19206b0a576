// The pods on nodes that have volumes: who uses a claim, whose disks are on a node.

import { type ClaimUser, claimKeyOf } from '../model/claim-lookup.ts';
import type { PodObject } from '../model/pod-object.ts';
import type { PodVolume } from '../model/pod-volume.ts';
import type { NodeLoad } from './node-load.ts';
import type { PodRecord } from './pod-table.ts';

/** What volumes of a pod bear on where it, and others, may run; kept for pods that have any. */
export interface VolumeUse extends ClaimUser {
  readonly volumes: readonly PodVolume[];
}

export function volumeUseOf({ namespace, name, uid, volumes }: PodObject): VolumeUse | undefined {
  const bearing = volumes.filter(doesBear);
  return bearing.length === 0 ? undefined : { namespace, name, uid, volumes: bearing };
}

export function doesBear({ claimName, isEphemeral, disk, migrated }: PodVolume): boolean {
  return claimName !== undefined || isEphemeral || disk !== undefined || migrated !== undefined;
}

/** Its claim may be another pod's, or has no name. */
export function isDoubtful({ claimName, isEphemeral }: PodVolume): boolean {
  return isEphemeral || claimName === '';
}

export class VolumeUsers {
  /** By slot. */
  readonly #there = new Map<number, Set<PodRecord>>();
  readonly #byClaim = new Map<string, Set<PodRecord>>();
  /** Pods with volumes whose claims may turn out to be another's: NodeVolumeLimits fails on their nodes then, and with it every decision. */
  doubtfulCount = 0;
  /** Inline volumes that stand for a CSI volume, by its handle. */
  readonly #inlineCounts = new Map<string, number>();

  put(record: PodRecord, use: VolumeUse, slot: number): void {
    addTo(this.#there, slot, record);
    if (use.volumes.some(isDoubtful)) this.doubtfulCount++;
    for (const { claimName, migrated } of use.volumes) {
      if (claimName !== undefined) addTo(this.#byClaim, claimKeyOf(use, claimName), record);
      else if (migrated !== undefined) this.#countInline(`${migrated.driver}/${migrated.handle}`, 1);
    }
  }

  take(record: PodRecord, use: VolumeUse, slot: number): void {
    removeFrom(this.#there, slot, record);
    if (use.volumes.some(isDoubtful)) this.doubtfulCount--;
    for (const { claimName, migrated } of use.volumes) {
      if (claimName !== undefined) removeFrom(this.#byClaim, claimKeyOf(use, claimName), record);
      else if (migrated !== undefined) this.#countInline(`${migrated.driver}/${migrated.handle}`, -1);
    }
  }

  get size(): number {
    return this.#there.size + this.#byClaim.size + this.#inlineCounts.size;
  }

  /** Pods of the node that have volumes. */
  at(slot: number): ReadonlySet<PodRecord> {
    return this.#there.get(slot) ?? NO_RECORDS;
  }

  /** Volumes of the pods on a node with that load. */
  usesAt(slot: number, { volumesAdded, volumesRemoved }: NodeLoad): VolumeUse[] {
    const there = [...this.at(slot)].flatMap(({ volumes }) => volumes ?? []);
    return [...there.filter((use) => !volumesRemoved.has(use)), ...volumesAdded];
  }

  of(claimKey: string): ReadonlySet<PodRecord> {
    return this.#byClaim.get(claimKey) ?? NO_RECORDS;
  }

  inlineCount(handleKey: string): number {
    return this.#inlineCounts.get(handleKey) ?? 0;
  }

  slots(): Iterable<number> {
    return this.#there.keys();
  }

  #countInline(key: string, sign: 1 | -1): void {
    const count = this.inlineCount(key) + sign;
    if (count === 0) this.#inlineCounts.delete(key);
    else this.#inlineCounts.set(key, count);
  }
}

const NO_RECORDS: ReadonlySet<PodRecord> = new Set();

function addTo<K>(sets: Map<K, Set<PodRecord>>, key: K, record: PodRecord): void {
  const there = sets.get(key);
  if (there === undefined) sets.set(key, new Set([record]));
  else there.add(record);
}

function removeFrom<K>(sets: Map<K, Set<PodRecord>>, key: K, record: PodRecord): void {
  const there = sets.get(key);
  there?.delete(record);
  if (there?.size === 0) sets.delete(key);
}
