// What becomes of volumes and claims once it is decided what to do about them (Reserve of VolumeBinding).

import type { ClaimObject, ObjectLookup, VolumeObject } from './cluster-objects.ts';
import { selectedOn, setAsideFor } from './command.ts';
import type { VolumePlan } from './decision.ts';

/** The volumes set aside and the claims with a node, as they are to be taken for granted; of what is there. */
export function assumedObjects(
  objects: Pick<ObjectLookup, 'find'>,
  { found, provisioned }: VolumePlan,
  nodeName: string,
): (VolumeObject | ClaimObject)[] {
  const volumes = found.flatMap(({ claimKey, volumeName }) => {
    const volume = objects.find('PersistentVolume', volumeName);
    const claim = objects.find('PersistentVolumeClaim', claimKey);
    return volume === undefined || claim === undefined ? [] : [setAsideFor(volume, claim)];
  });
  const claims = provisioned.flatMap((key) => {
    const claim = objects.find('PersistentVolumeClaim', key);
    return claim === undefined ? [] : [selectedOn(claim, nodeName)];
  });
  return [...volumes, ...claims];
}
