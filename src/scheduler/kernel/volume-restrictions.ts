// VolumeRestrictions: disks that cannot be shared, and claims that only one pod at a time may use (ReadWriteOncePod).

import { claimKeyOf } from '../model/claim-lookup.ts';
import type { PodObject } from '../model/pod-object.ts';
import type { InlineDisk } from '../model/pod-volume.ts';
import type { FilterPluginName } from '../model/scheduler-profile.ts';
import { doClash } from '../model/volume-match.ts';
import type { ClusterState } from './cluster-state.ts';
import type { FailureTable } from './failure-table.ts';
import { canonicalText } from './interner.ts';
import type { NodeFilter } from './node-filter.ts';
import type { NodeLoad } from './node-load.ts';
import { isRefusal, sharedClaims } from './volume-prefilter.ts';
import type { VolumeUse } from './volume-users.ts';

const IN_USE =
  'node(s) unavailable due to PersistentVolumeClaim with ReadWriteOncePod access mode already in-use by another pod';

function disksOf({ volumes }: Pick<PodObject, 'volumes'>): InlineDisk[] {
  return volumes.flatMap(({ disk }) => (disk === undefined ? [] : [disk]));
}

/** Claims of the pod that one pod at a time may use. */
interface ExclusiveClaims {
  readonly names: ReadonlySet<string>;
  /** Those of them that a pod on a node uses. */
  readonly inUse: number;
}

function exclusiveClaims(state: ClusterState, pod: PodObject): ExclusiveClaims {
  const claims = sharedClaims(pod, state.objects);
  const exclusive = isRefusal(claims)
    ? []
    : claims.filter(({ accessModes }) => accessModes.includes('ReadWriteOncePod'));
  const names = new Set(exclusive.map(({ name }) => name));
  const isInUse = (name: string): boolean => {
    const users = state.volumes.users.of(claimKeyOf(pod, name));
    return [...users].some(({ volumes }) => volumes !== undefined && exclusiveUses(volumes, new Set([name])) > 0);
  };
  return { names, inUse: [...names].filter(isInUse).length };
}

/** By the name of the claim alone, whatever the namespace of the pod; as upstream. */
function exclusiveUses({ volumes }: VolumeUse, names: ReadonlySet<string>): number {
  return volumes.filter(({ claimName = '', isEphemeral }) => !isEphemeral && names.has(claimName)).length;
}

/** Says all of the pod that it goes by. Names only matter where there is anything to look at. */
export function restrictionKeyOf(state: ClusterState, pod: PodObject): string {
  const disks = disksOf(pod);
  const { names, inUse } = exclusiveClaims(state, pod);
  if (inUse === 0 && disks.length === 0) return '';
  return JSON.stringify([canonicalText(disks), [...names].sort(), inUse]);
}

export class Restrictions implements NodeFilter {
  readonly #state: ClusterState;
  readonly #disks: readonly InlineDisk[];
  readonly #exclusive: ExclusiveClaims;
  readonly #clash: number;
  readonly #taken: number;

  constructor(state: ClusterState, failures: FailureTable, pod: PodObject) {
    this.#state = state;
    this.#disks = disksOf(pod);
    const plugin: FilterPluginName = 'VolumeRestrictions';
    this.#exclusive = exclusiveClaims(state, pod);
    this.#clash = failures.idOf({ plugin, reasons: ['node(s) had no available disk'], isUnresolvable: false });
    this.#taken = failures.idOf({ plugin, reasons: [IN_USE], isUnresolvable: false });
  }

  failureAt(slot: number, load: NodeLoad): number {
    const { names, inUse } = this.#exclusive;
    // The plugin is passed over, in what-ifs as well.
    if (this.#disks.length === 0 && inUse === 0) return 0;
    for (const use of this.#disks.length === 0 ? [] : this.#state.volumes.users.usesAt(slot, load)) {
      const there = disksOf(use);
      if (this.#disks.some((disk) => there.some((other) => doClash(disk, other)))) return this.#clash;
    }
    let users = inUse;
    for (const use of load.volumesAdded) users += exclusiveUses(use, names);
    for (const use of load.volumesRemoved) users -= exclusiveUses(use, names);
    return users > 0 ? this.#taken : 0;
  }
}
