// VolumeZone: a volume with a zone or region label is used in that zone or region.

import { claimNotFound, claimOf } from '../model/claim-lookup.ts';
import type { PodObject } from '../model/pod-object.ts';
import { isInPlaces, placesOf, type VolumePlace } from '../model/volume-match.ts';
import type { Cluster } from './cluster.ts';
import { type Cycle, type PreFilter, ready, refused, SKIP, unresolvable } from './plugin.ts';

export function volumeZone({ pod, cluster }: Cycle): PreFilter {
  const places = placesOfPod(pod, cluster);
  if (typeof places === 'string') return refused(unresolvable(places));
  if (places.length === 0) return SKIP;
  return ready(({ node }) =>
    isInPlaces(places, node.labels) ? undefined : unresolvable('node(s) had no available volume zone'),
  );
}

/** What the bound volumes of the pod ask for, or why the pod cannot be placed at all. */
function placesOfPod(pod: PodObject, cluster: Cluster): VolumePlace[] | string {
  const places: VolumePlace[] = [];
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
    places.push(...placesOf(bound));
  }
  return places;
}
