// VolumeZone: a volume with a zone or region label is used in that zone or region.

import type { VolumeObject } from '../model/cluster-objects.ts';
import type { PodObject } from '../model/pod-object.ts';
import { claimNotFound, claimOf } from './claim-lookup.ts';
import type { Cluster } from './cluster.ts';
import { type Cycle, type PreFilter, ready, refused, SKIP, unresolvable } from './plugin.ts';

const BETA_ZONE = 'failure-domain.beta.kubernetes.io/zone';
const BETA_REGION = 'failure-domain.beta.kubernetes.io/region';
const ZONE = 'topology.kubernetes.io/zone';
const REGION = 'topology.kubernetes.io/region';

const LABELS = [BETA_ZONE, BETA_REGION, ZONE, REGION];
const SUCCESSORS: ReadonlyMap<string, string> = new Map([
  [BETA_ZONE, ZONE],
  [BETA_REGION, REGION],
]);

interface Topology {
  readonly key: string;
  readonly values: ReadonlySet<string>;
}

export function volumeZone({ pod, cluster }: Cycle): PreFilter {
  const topologies = topologiesOf(pod, cluster);
  if (typeof topologies === 'string') return refused(unresolvable(topologies));
  if (topologies.length === 0) return SKIP;
  return ready(({ node }) => {
    if (!LABELS.some((key) => node.labels.has(key))) return undefined;
    const isAllowed = topologies.every(({ key, values }) => {
      const value = node.labels.get(key) ?? node.labels.get(SUCCESSORS.get(key) ?? key);
      return value !== undefined && values.has(value);
    });
    return isAllowed ? undefined : unresolvable('node(s) had no available volume zone');
  });
}

/** What the bound volumes of the pod ask for, or why the pod cannot be placed at all. */
function topologiesOf(pod: PodObject, cluster: Cluster): Topology[] | string {
  const topologies: Topology[] = [];
  for (const volume of pod.volumes) {
    if (volume.claimName === undefined || volume.isEphemeral) continue;
    if (volume.claimName === '') return 'PersistentVolumeClaim had no name';
    const claim = claimOf(cluster, pod, volume);
    if (claim === undefined) return claimNotFound(volume.claimName);
    if (claim.volumeName === '') {
      if (claim.storageClass === '') return 'PersistentVolumeClaim had no pv name and storageClass name';
      const storageClass = cluster.find('StorageClass', claim.storageClass);
      if (storageClass === undefined)
        return `storageclass.storage.k8s.io ${JSON.stringify(claim.storageClass)} not found`;
      if (storageClass.isDelayed === undefined) {
        return `VolumeBindingMode not set for StorageClass ${JSON.stringify(claim.storageClass)}`;
      }
      if (!storageClass.isDelayed) return 'PersistentVolume had no name';
      continue;
    }
    const bound = cluster.find('PersistentVolume', claim.volumeName);
    if (bound === undefined) return `persistentvolume ${JSON.stringify(claim.volumeName)} not found`;
    topologies.push(...topologiesOfVolume(bound));
  }
  return topologies;
}

/** A label may name several, with `__` between them; one that names an empty one does not count. */
function topologiesOfVolume({ labels }: VolumeObject): Topology[] {
  return LABELS.flatMap((key) => {
    const values = labels
      .get(key)
      ?.split('__')
      .map((value) => value.trim());
    return values === undefined || values.includes('') ? [] : [{ key, values: new Set(values) }];
  });
}
