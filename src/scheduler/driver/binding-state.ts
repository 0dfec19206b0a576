// How far the claims of a pod are on their way to be bound, by what the API shows, and when there is no way any more (upstream's checkBindings).

import { isOlder } from '../../kube-api/object-head.ts';
import { isFullyBound } from '../model/claim-lookup.ts';
import type { VolumeObject } from '../model/cluster-objects.ts';
import type { FoundVolume, VolumePlan } from '../model/decision.ts';
import type { Labels } from '../model/label-selector.ts';
import { isReachable } from '../model/volume-match.ts';
import type { AssumedStorage } from './assumed-storage.ts';

export type BindingState = 'ready' | 'waiting' | { readonly problem: string };

export interface BindingContext {
  readonly storage: AssumedStorage;
  readonly nodeName: string;
  /** Undefined where there is no such node. */
  readonly labels: Labels | undefined;
  /** resourceVersions that our writes have given, by volumeKey and claimKey: what is older has not seen them. */
  readonly written: ReadonlyMap<string, string>;
  /** A volume is named that is not shown yet. */
  readonly onMissing: (volumeName: string) => void;
}

export function volumeKey(name: string): string {
  return `volume ${name}`;
}

export function claimKey(key: string): string {
  return `claim ${key}`;
}

export function bindingState({ found, provisioned }: VolumePlan, context: BindingContext): BindingState {
  const node = JSON.stringify(context.nodeName);
  const { labels } = context;
  if (labels === undefined) return { problem: `failed to get node ${node}: node ${node} not found` };
  for (const one of found) {
    const state = foundState(context, labels, one);
    if (state !== 'ready') return state;
  }
  for (const key of provisioned) {
    const state = provisionedState(context, labels, key);
    if (state !== 'ready') return state;
  }
  return 'ready';
}

function foundState(context: BindingContext, labels: Labels, { claimKey: key, volumeName }: FoundVolume): BindingState {
  const { storage, written, nodeName } = context;
  const version = written.get(volumeKey(volumeName));
  // A second volume for a claim that the pod names twice.
  if (version === undefined) return 'ready';
  const volume = storage.volume(volumeName);
  const claim = storage.claim(key);
  if (volume === undefined) return notFound('failed to check binding', 'v1.PersistentVolume', volumeName);
  if (claim === undefined) return notFound('failed to check binding', 'v1.PersistentVolumeClaim', key);
  if (isOlder(volume.resourceVersion, version)) return 'waiting';
  const where = elsewhere(volume.object, labels, nodeName);
  if (where !== undefined) return where;
  if ((volume.object.claim?.uid ?? '') === '') {
    return { problem: `ClaimRef got reset for pv ${JSON.stringify(volumeName)}` };
  }
  return isFullyBound(claim.object) ? 'ready' : 'waiting';
}

function provisionedState(context: BindingContext, labels: Labels, key: string): BindingState {
  const { storage, written, nodeName } = context;
  const claim = storage.claim(key);
  if (claim === undefined) return notFound('failed to check provisioning pvc', 'v1.PersistentVolumeClaim', key);
  const { name, selectedNode, volumeName } = claim.object;
  if (isOlder(claim.resourceVersion, written.get(claimKey(key)) ?? '')) return 'waiting';
  if (selectedNode !== nodeName) return { problem: `provisioning failed for PVC ${JSON.stringify(name)}` };
  if (volumeName !== '') {
    const volume = storage.volume(volumeName);
    if (volume === undefined) {
      context.onMissing(volumeName);
      return 'waiting';
    }
    const where = elsewhere(volume.object, labels, nodeName);
    if (where !== undefined) return where;
  }
  return isFullyBound(claim.object) ? 'ready' : 'waiting';
}

function notFound(what: string, type: string, key: string): BindingState {
  return { problem: `${what}: could not find ${type} ${JSON.stringify(key)}` };
}

function elsewhere(volume: VolumeObject, labels: Labels, nodeName: string): BindingState | undefined {
  if (isReachable(volume, labels)) return undefined;
  const [name, node] = [volume.name, nodeName].map((text) => JSON.stringify(text));
  return { problem: `pv ${name} node affinity doesn't match node ${node}: no matching NodeSelectorTerms` };
}
