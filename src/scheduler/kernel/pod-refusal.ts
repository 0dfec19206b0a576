// What is said of a pod before any node is looked at: that it is not the scheduler's business, or that no node will do whatever they are (PreFilter).

import type { ObjectLookup } from '../model/cluster-objects.ts';
import { type PodObject, podKey } from '../model/pod-object.ts';
import type { FilterPluginName, SchedulerProfile } from '../model/scheduler-profile.ts';
import { type PodRefusal, volumeRefusal } from './volume-prefilter.ts';

export interface PreFilterRefusal extends PodRefusal {
  readonly plugin: FilterPluginName;
}

export interface PreFilterOptions {
  readonly objects: ObjectLookup;
  /** Names of the only nodes that come into question; undefined: all. */
  readonly only: ReadonlySet<string> | undefined;
}

/** Of the first plugin that refuses or fails, in the profile's order. */
export function preFilterRefusal(
  pod: PodObject,
  profile: SchedulerProfile,
  options: PreFilterOptions,
): PreFilterRefusal | undefined {
  const hasClaims = pod.volumes.some(({ claimName }) => claimName !== undefined);
  for (const plugin of profile.filters) {
    const ofVolumes = hasClaims ? volumeRefusal(plugin, pod, options.objects) : undefined;
    const refusal = ofVolumes ?? refusalOf(plugin, pod, options);
    if (refusal !== undefined) return { ...refusal, plugin };
  }
  return undefined;
}

/** Of what it says itself. */
function refusalOf(plugin: FilterPluginName, pod: PodObject, { only }: PreFilterOptions): PodRefusal | undefined {
  if (plugin === 'NodeAffinity' && only?.size === 0) return { refusal: 'pod affinity terms conflict', isError: false };
  if (plugin === 'PodTopologySpread' && pod.spreadProblem !== '') {
    const what = "get constraints from pod: obtaining pod's hard topology spread constraints";
    return { refusal: `${what}: ${pod.spreadProblem}`, isError: true };
  }
  if (plugin === 'InterPodAffinity' && pod.affinityProblem !== '') {
    return { refusal: `parsing pod: ${pod.affinityProblem}`, isError: false };
  }
  return undefined;
}

export function reasonToLeaveAlone(pod: PodObject): string | undefined {
  if (pod.isFinished) return `pod ${podKey(pod)} has finished`;
  if (pod.isTerminating) return `skip schedule deleting pod: ${podKey(pod)}`;
  if (pod.schedulingGates.length > 0) return `waiting for scheduling gates: [${pod.schedulingGates.join(' ')}]`;
  return pod.resourceClaims.length > 0 ? 'pods with resource claims are not scheduled' : undefined;
}
