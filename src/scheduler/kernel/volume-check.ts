// What a class of pods makes of a node because of its volumes: the filters of VolumeRestrictions, NodeVolumeLimits, VolumeBinding and VolumeZone.
//
// Pods of a class have volumes that mean the same (`volumeKeyOf`): each pod of a StatefulSet has a claim of its own, and all want one more
// volume of one driver, reachable from the same nodes.
//
// Cost: of a node, what it has of volumes in use, where its driver has a limit; VolumeBinding and VolumeZone once for each shape of node,
// unless a selector looks at hostnames.

import type { VolumePlan } from '../model/decision.ts';
import type { PodObject } from '../model/pod-object.ts';
import type { FilterPluginName, SchedulerProfile } from '../model/scheduler-profile.ts';
import { isInPlaces, type VolumePlace } from '../model/volume-match.ts';
import { ClaimBinding } from './claim-binding.ts';
import type { ClusterState } from './cluster-state.ts';
import type { FailureTable } from './failure-table.ts';
import { canonicalText } from './interner.ts';
import type { NodeFilter } from './node-filter.ts';
import type { NodeLoad } from './node-load.ts';
import { placeOf } from './node-verdict.ts';
import { HOSTNAME } from './topology.ts';
import { Limits, NewVolumes } from './volume-limits.ts';
import { isRefusal, placesOfPod, sortedClaims } from './volume-prefilter.ts';
import { Restrictions, restrictionKeyOf } from './volume-restrictions.ts';
import { doesBear } from './volume-users.ts';

/** What the pod's volumes mean; '' for a pod without any that bear on its node. */
export function volumeKeyOf(state: ClusterState, pod: PodObject): string {
  if (!pod.volumes.some(doesBear)) return '';
  const claims = sortedClaims(pod, state.objects);
  return JSON.stringify([
    restrictionKeyOf(state, pod),
    new NewVolumes(state, pod).key,
    isRefusal(claims) ? claims.refusal : new ClaimBinding(state, claims).key(),
    canonicalText(placesOfPod(pod, state.objects)),
  ]);
}

/** What is to be done for the pod's claims before it is bound to the node, which fits; undefined where nothing is. */
export function volumePlanAt(state: ClusterState, pod: PodObject, slot: number): VolumePlan | undefined {
  const claims = sortedClaims(pod, state.objects);
  if (isRefusal(claims)) return undefined;
  const { nodes } = state;
  return new ClaimBinding(state, claims).planAt({ name: nodes.names[slot], labels: nodes.labelsAt(slot) });
}

/**
 * The slot of the only node that the pod's volumes leave it: where a disk of its own is, or where one is being made. Undefined where
 * they leave a choice, or that node is not there.
 */
export function volumePinOf(state: ClusterState, pod: PodObject): number | undefined {
  const claims = sortedClaims(pod, state.objects);
  if (isRefusal(claims)) return undefined;
  const { nodes, volumes } = state;
  const selected = claims.delayed.find(({ selectedNode }) => selectedNode !== undefined)?.selectedNode;
  if (selected !== undefined) return nodes.slotOf(selected);
  for (const { volumeName } of claims.bound) {
    const volume = state.objects.find('PersistentVolume', volumeName);
    const pin = volume === undefined ? undefined : volumes.storage.pinOf(volume);
    if (pin?.key !== HOSTNAME || pin.values.size !== 1) continue;
    const [hostname] = pin.values;
    const slots = [...state.topology(HOSTNAME).slotsWith(hostname ?? '')];
    return slots.length === 1 ? slots[0] : undefined;
  }
  return undefined;
}

export class VolumeCheck {
  /** Numbers of failures that were errors; as many as nodes have had different ones. */
  readonly errors: ReadonlySet<number>;
  /** In the profile's order. */
  readonly #filters: { readonly place: number; readonly filter: NodeFilter }[] = [];

  constructor(state: ClusterState, failures: FailureTable, pod: PodObject, profile: SchedulerProfile) {
    const claims = sortedClaims(pod, state.objects);
    const places = placesOfPod(pod, state.objects);
    const add = (plugin: FilterPluginName, filter: NodeFilter): void => {
      const place = placeOf(profile, plugin);
      if (Number.isFinite(place)) this.#filters.push({ place, filter });
    };
    add('VolumeRestrictions', new Restrictions(state, failures, pod));
    const limits = new Limits(state, failures, pod);
    this.errors = limits.errors;
    add('NodeVolumeLimits', limits);
    // PreFilter has refused pods whose claims are not as they should be.
    if (!isRefusal(claims)) add('VolumeBinding', bindingFilter(state, failures, new ClaimBinding(state, claims)));
    if (!isRefusal(places) && places.length > 0) add('VolumeZone', zoneFilter(state, failures, places));
    this.#filters.sort((a, b) => a.place - b.place);
  }

  /** No node has them any more: their numbers will stand for others. */
  forgetShapes(shapes: readonly number[]): void {
    for (const { filter } of this.#filters) filter.forgetShapes?.(shapes);
  }

  /** Of the first filter that refuses, of those before the place in the profile; 0: none does. */
  failureBefore(place: number, slot: number, load: NodeLoad): number {
    for (const { place: own, filter } of this.#filters) {
      if (own >= place) return 0;
      const failure = filter.failureAt(slot, load);
      if (failure !== 0) return failure;
    }
    return 0;
  }
}

function bindingFilter(state: ClusterState, failures: FailureTable, binding: ClaimBinding): NodeFilter {
  return new LabelFilter(state, {
    judge: (slot, labels) => {
      const reasons = binding.reasonsAt({ name: state.nodes.names[slot], labels });
      return reasons.length === 0 ? 0 : failures.idOf({ plugin: 'VolumeBinding', reasons, isUnresolvable: true });
    },
    isByNode: () => binding.isByNode,
    changeCount: () => binding.changeCount,
  });
}

function zoneFilter(state: ClusterState, failures: FailureTable, places: readonly VolumePlace[]): NodeFilter {
  const reasons = ['node(s) had no available volume zone'];
  const failure = failures.idOf({ plugin: 'VolumeZone', reasons, isUnresolvable: true });
  return new LabelFilter(state, {
    judge: (_, labels) => (isInPlaces(places, labels) ? 0 : failure),
    isByNode: () => false,
    changeCount: () => 0,
  });
}

interface LabelFilterOptions {
  readonly judge: (slot: number, labels: ReadonlyMap<string, string>) => number;
  /** Names or hostnames count. */
  readonly isByNode: () => boolean;
  /** Another number when judgements may be others. */
  readonly changeCount: () => number;
}

/** What goes by a node's labels, looked up once for each shape where that will do. */
class LabelFilter implements NodeFilter {
  readonly #state: ClusterState;
  readonly #options: LabelFilterOptions;
  #byShape: (number | undefined)[] = [];
  #seen = -1;
  #isByNode = false;

  constructor(state: ClusterState, options: LabelFilterOptions) {
    this.#state = state;
    this.#options = options;
  }

  forgetShapes(shapes: readonly number[]): void {
    for (const shape of shapes) this.#byShape[shape] = undefined;
  }

  failureAt(slot: number): number {
    const { nodes } = this.#state;
    const { judge, isByNode, changeCount } = this.#options;
    const count = changeCount();
    if (count !== this.#seen) {
      this.#seen = count;
      this.#byShape = [];
      this.#isByNode = isByNode();
    }
    if (this.#isByNode) return judge(slot, nodes.labelsAt(slot));
    const shape = nodes.shapeIds[slot];
    let failure = this.#byShape[shape];
    if (failure === undefined) {
      failure = judge(slot, nodes.shapeAt(slot).labels);
      this.#byShape[shape] = failure;
    }
    return failure;
  }
}
