// NodeVolumeLimits: each CSI driver attaches only so many volumes to a node. In-tree disks count as the CSI volumes that
// stand for them, on nodes that have a CSINode.

import { claimNotFound, claimOf, ownershipProblem } from '../model/claim-lookup.ts';
import type { CsiNodeObject } from '../model/cluster-objects.ts';
import type { PodObject } from '../model/pod-object.ts';
import { type CsiSource, MIGRATED_PROVISIONERS, type PodVolume } from '../model/pod-volume.ts';
import type { Cluster, NodeState } from './cluster.ts';
import {
  type Cycle,
  failed,
  type PreFilter,
  type Refusal,
  ready,
  SKIP,
  unresolvable,
  unschedulable,
} from './plugin.ts';

export function nodeVolumeLimits(cycle: Cycle): PreFilter {
  const counts = ({ claimName, migrated }: PodVolume): boolean => claimName !== undefined || migrated !== undefined;
  return cycle.pod.volumes.some(counts) ? ready((state) => refusalOn(cycle, state)) : SKIP;
}

function refusalOn({ pod, cluster }: Cycle, state: NodeState): Refusal | undefined {
  const csiNode = cluster.find('CSINode', state.node.name);
  const added = volumesOf(pod, cluster, csiNode, true);
  if ('code' in added) return added;
  if (csiNode === undefined || csiNode.limits.size === 0) return undefined;
  const attached = new Map<string, CsiSource>();
  for (const other of state.pods) {
    const volumes = volumesOf(other, cluster, csiNode, false);
    if ('code' in volumes) return volumes;
    for (const [key, volume] of volumes) attached.set(key, volume);
  }
  for (const key of attached.keys()) added.delete(key);
  for (const volume of attachments(cluster, state.node.name)) attached.set(keyOf(volume), volume);
  const countOf = (volumes: ReadonlyMap<string, CsiSource>, driver: string): number =>
    [...volumes.values()].filter((volume) => volume.driver === driver).length;
  for (const driver of new Set([...added.values()].map((volume) => volume.driver))) {
    const limit = csiNode.limits.get(driver);
    if (limit !== undefined && countOf(attached, driver) + countOf(added, driver) > limit) {
      return unschedulable('node(s) exceed max volume count');
    }
  }
  return undefined;
}

function keyOf({ driver, handle }: CsiSource): string {
  return `${driver}/${handle}`;
}

/** The pod's CSI volumes, each once. `isNew`: a claim that is not there matters. */
function volumesOf(
  pod: PodObject,
  cluster: Cluster,
  csiNode: CsiNodeObject | undefined,
  isNew: boolean,
): Map<string, CsiSource> | Refusal {
  const volumes = new Map<string, CsiSource>();
  for (const volume of pod.volumes) {
    if (volume.claimName === undefined) {
      if (volume.migrated !== undefined && csiNode !== undefined) volumes.set(keyOf(volume.migrated), volume.migrated);
      continue;
    }
    if (volume.claimName === '') return failed('PersistentVolumeClaim had no name');
    const claim = claimOf(cluster, pod, volume);
    if (claim === undefined) {
      if (!isNew) continue;
      return unresolvable(`looking up PVC ${pod.namespace}/${volume.claimName}: ${claimNotFound(volume.claimName)}`);
    }
    const problem = volume.isEphemeral ? ownershipProblem(pod, claim) : undefined;
    if (problem !== undefined) return failed(problem);
    const source = sourceOf(cluster, claim, csiNode);
    if (source !== undefined && source.driver !== '' && source.handle !== '') volumes.set(keyOf(source), source);
  }
  return volumes;
}

function sourceOf(
  cluster: Cluster,
  claim: NonNullable<ReturnType<typeof claimOf>>,
  csiNode: CsiNodeObject | undefined,
): CsiSource | undefined {
  const bound = claim.volumeName === '' ? undefined : cluster.find('PersistentVolume', claim.volumeName);
  if (bound !== undefined) return bound.isMigrated && csiNode === undefined ? undefined : bound.csi;
  // Not bound yet: a volume of its own, of the class's driver.
  const provisioner = cluster.find('StorageClass', claim.storageClass)?.provisioner;
  if (provisioner === undefined) return undefined;
  const migrated = MIGRATED_PROVISIONERS.get(provisioner);
  if (migrated !== undefined && csiNode === undefined) return undefined;
  return { driver: migrated ?? provisioner, handle: `unbound ${claim.namespace}/${claim.name}` };
}

function attachments(cluster: Cluster, nodeName: string): CsiSource[] {
  return cluster.all('VolumeAttachment').flatMap((attachment) => {
    if (attachment.nodeName !== nodeName || attachment.attacher === '') return [];
    const volume = cluster.find('PersistentVolume', attachment.volumeName ?? '');
    if (volume?.csi === undefined || volume.isMigrated) return [];
    return [{ driver: attachment.attacher, handle: volume.csi.handle }];
  });
}
