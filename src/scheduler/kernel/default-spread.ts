// The spread constraints of a pod: its own, or the profile's defaults with a selector made for the pod from the services that
// select it and its controller (kube-scheduler 1.36, podtopologyspread/common.go and plugins/helper/spread.go).

import {
  andSelectors,
  isEmptySelector,
  type LabelSelector,
  matchesLabels,
  NOTHING,
  selectorOfPairs,
} from '../model/label-selector.ts';
import type { PodObject, SpreadConstraint } from '../model/pod-object.ts';
import type { SchedulerProfile } from '../model/scheduler-profile.ts';
import type { ClusterState } from './cluster-state.ts';
import { HOSTNAME } from './topology.ts';

const SYSTEM_DEFAULTS: readonly SpreadConstraint[] = [
  softDefault(HOSTNAME, 3),
  softDefault('topology.kubernetes.io/zone', 5),
];

function softDefault(topologyKey: string, maxSkew: number): SpreadConstraint {
  const policies = { honorsAffinity: true, honorsTaints: false };
  return { maxSkew, topologyKey, isHard: false, selector: NOTHING, minDomains: 1, ...policies };
}

export function spreadConstraints(
  state: ClusterState,
  pod: PodObject,
  { spread }: SchedulerProfile,
  isHard: boolean,
): SpreadConstraint[] {
  const { spreadConstraints: own } = pod;
  if (own.length > 0) return own.filter((constraint) => constraint.isHard === isHard);
  const defaults = spread.defaulting === 'System' ? SYSTEM_DEFAULTS : spread.defaults;
  const wanted = defaults.filter((constraint) => constraint.isHard === isHard);
  if (wanted.length === 0) return [];
  const selector = selectorFor(state, pod);
  return isEmptySelector(selector) ? [] : wanted.map((constraint) => ({ ...constraint, selector }));
}

function selectorFor(state: ClusterState, pod: PodObject): LabelSelector {
  const pairs = new Map<string, string>();
  for (const service of state.all('Service')) {
    if (service.namespace !== pod.namespace || service.selector === undefined) continue;
    const selector = selectorOfPairs(service.selector);
    state.selectors.mention(selector);
    if (!matchesLabels(selector, pod.labels)) continue;
    for (const [key, value] of service.selector) pairs.set(key, value);
  }
  const { controller } = pod;
  if (controller === undefined) return selectorOfPairs(pairs);
  const key = `${pod.namespace}/${controller.name}`;
  switch (`${controller.apiVersion} ${controller.kind}`) {
    case 'v1 ReplicationController':
      for (const { key: label, values } of state.find('ReplicationController', key)?.selector.requirements ?? []) {
        pairs.set(label, values[0]);
      }
      return selectorOfPairs(pairs);
    case 'apps/v1 ReplicaSet':
      return withOwner(selectorOfPairs(pairs), state.find('ReplicaSet', key)?.selector);
    case 'apps/v1 StatefulSet':
      return withOwner(selectorOfPairs(pairs), state.find('StatefulSet', key)?.selector);
    default:
      return selectorOfPairs(pairs);
  }
}

/** An owner that is not there, or has no selector, adds nothing. */
function withOwner(selector: LabelSelector, owner: LabelSelector | undefined): LabelSelector {
  return owner === undefined || owner.matchesNothing ? selector : andSelectors(selector, owner);
}
