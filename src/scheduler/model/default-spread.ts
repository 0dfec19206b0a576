// The constraints of PodTopologySpread for a pod: its own, or the profile's defaults with a selector made for the pod.

import type { ObjectLookup } from './cluster-objects.ts';
import {
  andSelectors,
  isEmptySelector,
  type LabelSelector,
  matchesLabels,
  NOTHING,
  selectorOfPairs,
} from './label-selector.ts';
import type { PodObject, SpreadConstraint } from './pod-object.ts';
import type { SchedulerProfile } from './scheduler-profile.ts';

const SYSTEM_DEFAULTS: readonly SpreadConstraint[] = [
  systemDefault('kubernetes.io/hostname', 3),
  systemDefault('topology.kubernetes.io/zone', 5),
];

function systemDefault(topologyKey: string, maxSkew: number): SpreadConstraint {
  return {
    maxSkew,
    topologyKey,
    isHard: false,
    selector: NOTHING,
    minDomains: 1,
    honorsAffinity: true,
    honorsTaints: false,
  };
}

/** The hard ones or the soft ones. */
export function spreadConstraints(
  pod: PodObject,
  profile: SchedulerProfile,
  objects: ObjectLookup,
  isHard: boolean,
): SpreadConstraint[] {
  if (pod.spreadConstraints.length > 0) return pod.spreadConstraints.filter((own) => own.isHard === isHard);
  const { defaulting, defaults } = profile.spread;
  const constraints = (defaulting === 'System' ? SYSTEM_DEFAULTS : defaults).filter((own) => own.isHard === isHard);
  const selector = defaultSelector(pod, objects);
  return isEmptySelector(selector) ? [] : constraints.map((constraint) => ({ ...constraint, selector }));
}

/** What selects the pod and its like: the services that select it and its controller, together. */
function defaultSelector(pod: PodObject, objects: ObjectLookup): LabelSelector {
  const pairs = new Map<string, string>();
  for (const service of objects.servicesFor(pod.namespace, pod.labels)) {
    if (service.namespace !== pod.namespace || service.selector === undefined) continue;
    if (!matchesLabels(selectorOfPairs(service.selector), pod.labels)) continue;
    for (const [key, value] of service.selector) pairs.set(key, value);
  }
  const owned = selectorOfPairs(pairs);
  const controller = pod.controller;
  if (controller === undefined) return owned;
  const key = `${pod.namespace}/${controller.name}`;
  switch (`${controller.apiVersion} ${controller.kind}`) {
    case 'v1 ReplicationController': {
      for (const { key: label, values } of objects.find('ReplicationController', key)?.selector.requirements ?? []) {
        pairs.set(label, values[0]);
      }
      return selectorOfPairs(pairs);
    }
    case 'apps/v1 ReplicaSet':
      return withOwner(owned, objects.find('ReplicaSet', key)?.selector);
    case 'apps/v1 StatefulSet':
      return withOwner(owned, objects.find('StatefulSet', key)?.selector);
    default:
      return owned;
  }
}

/** An owner that is not there, or has no selector, adds nothing. */
function withOwner(selector: LabelSelector, owner: LabelSelector | undefined): LabelSelector {
  return owner === undefined || owner.matchesNothing ? selector : andSelectors(selector, owner);
}
