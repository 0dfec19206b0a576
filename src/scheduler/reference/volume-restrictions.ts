// VolumeRestrictions: disks that cannot be shared, and claims that only one pod at a time may use (ReadWriteOncePod).

import { claimNotFound } from '../model/claim-lookup.ts';
import type { PodObject } from '../model/pod-object.ts';
import type { InlineDisk } from '../model/pod-volume.ts';
import { doClash } from '../model/volume-match.ts';
import type { NodeState } from './cluster.ts';
import {
  type Cycle,
  type NodeCheck,
  type PreFilter,
  type Refusal,
  refused,
  SKIP,
  unresolvable,
  unschedulable,
} from './plugin.ts';

const ONE_POD_REASON =
  'node(s) unavailable due to PersistentVolumeClaim with ReadWriteOncePod access mode already in-use by another pod';

export function volumeRestrictions({ pod, cluster, nodes }: Cycle): PreFilter {
  const exclusive = new Set<string>();
  for (const { claimName, isEphemeral } of pod.volumes) {
    if (claimName === undefined || isEphemeral) continue;
    const claim = cluster.find('PersistentVolumeClaim', `${pod.namespace}/${claimName}`);
    if (claim === undefined) return refused(unresolvable(claimNotFound(claimName)));
    if (claim.accessModes.includes('ReadWriteOncePod')) exclusive.add(claimName);
  }
  const others = nodes.flatMap(({ pods }) => pods).filter(({ namespace }) => namespace === pod.namespace);
  const inUse = [...exclusive].filter((name) => others.some((other) => claimNames(other).includes(name))).length;
  const disks = pod.volumes.flatMap(({ disk }) => (disk === undefined ? [] : [disk]));
  if (disks.length === 0 && inUse === 0) return SKIP;
  return { kind: 'ready', check: new RestrictionCheck(disks, exclusive, inUse) };
}

function claimNames({ volumes }: PodObject): string[] {
  return volumes.flatMap(({ claimName, isEphemeral }) => (claimName === undefined || isEphemeral ? [] : [claimName]));
}

class RestrictionCheck implements NodeCheck {
  readonly #disks: readonly InlineDisk[];
  readonly #exclusive: ReadonlySet<string>;
  #inUse: number;

  constructor(disks: readonly InlineDisk[], exclusive: ReadonlySet<string>, inUse: number) {
    this.#disks = disks;
    this.#exclusive = exclusive;
    this.#inUse = inUse;
  }

  copy(): NodeCheck {
    return new RestrictionCheck(this.#disks, this.#exclusive, this.#inUse);
  }

  /** By the name of the claim alone, whatever the namespace of the pod; as upstream. */
  podMoved(other: PodObject, _: NodeState, count: 1 | -1): void {
    this.#inUse += count * claimNames(other).filter((name) => this.#exclusive.has(name)).length;
  }

  refusal({ pods }: NodeState): Refusal | undefined {
    const there = pods.flatMap(({ volumes }) => volumes.flatMap(({ disk }) => (disk === undefined ? [] : [disk])));
    if (this.#disks.some((disk) => there.some((other) => doClash(disk, other)))) {
      return unschedulable('node(s) had no available disk');
    }
    return this.#inUse > 0 ? unschedulable(ONE_POD_REASON) : undefined;
  }
}
