// What a pod makes of a node whatever pods are on it: filters and raw scores that depend on the node's labels, taints, images
// and features only. The same for all nodes of a shape, and therefore looked up once for each, unless the pod names nodes.

import {
  matchesNodeSelector,
  matchesRequiredNodes,
  type NodeSelectorTerm,
  preferenceOf,
} from '../model/node-selector.ts';
import type { PodObject } from '../model/pod-object.ts';
import type { FilterPluginName, SchedulerProfile } from '../model/scheduler-profile.ts';
import { intolerableCount, isTolerated, toleratesNode } from '../model/toleration.ts';
import type { ClusterState } from './cluster-state.ts';
import type { FailureTable } from './failure-table.ts';
import { HOSTNAME } from './topology.ts';

const CORDONED = { key: 'node.kubernetes.io/unschedulable', value: '', effect: 'NoSchedule' };

export interface Verdict {
  /** The first of these filters that refuses; 0: none does. */
  readonly failure: number;
  /** Its place in the profile; infinite where none refuses. */
  readonly place: number;
  /** What tells apart nodes that pass, in `traits`. */
  readonly trait: number;
}

export interface Trait {
  /** PreferNoSchedule taints that are not tolerated. */
  readonly taints: number;
  /** Σ of the weights of preferred terms that match. */
  readonly preference: number;
  /** Images of the pod that the node has; one that the pod uses twice twice. */
  readonly images: readonly string[];
}

export class NodeVerdicts {
  readonly traits: Trait[] = [];
  readonly #state: ClusterState;
  readonly #failures: FailureTable;
  readonly #pod: PodObject;
  readonly #profile: SchedulerProfile;
  /** Names of the only nodes that come into question; undefined: all. */
  readonly #only: ReadonlySet<string> | undefined;
  readonly #isByNode: boolean;
  readonly #byShape: (Verdict | undefined)[] = [];
  readonly #traitIds = new Map<string, number>();

  constructor(
    state: ClusterState,
    failures: FailureTable,
    pod: PodObject,
    profile: SchedulerProfile,
    only: ReadonlySet<string> | undefined,
  ) {
    this.#state = state;
    this.#failures = failures;
    this.#pod = pod;
    this.#profile = profile;
    this.#only = only;
    this.#isByNode = only !== undefined || namesNodes(pod, profile);
  }

  at(slot: number): Verdict {
    if (this.#isByNode) return this.#judge(slot);
    const shape = this.#state.nodes.shapeIds[slot];
    let verdict = this.#byShape[shape];
    if (verdict === undefined) {
      verdict = this.#judge(slot);
      this.#byShape[shape] = verdict;
    }
    return verdict;
  }

  /** No node has them any more: their numbers will stand for others. */
  forgetShapes(shapes: readonly number[]): void {
    for (const shape of shapes) this.#byShape[shape] = undefined;
  }

  /** As if no nodes were named. */
  alone(slot: number): Verdict {
    return this.#only === undefined ? this.at(slot) : this.#judge(slot, true);
  }

  #identityAt(slot: number): { name: string; labels: ReadonlyMap<string, string> } {
    const { nodes } = this.#state;
    // Labels without the hostname will do where nobody asks for it.
    const labels = this.#isByNode ? nodes.labelsAt(slot) : nodes.shapeAt(slot).labels;
    return { name: nodes.names[slot], labels };
  }

  #judge(slot: number, isAlone = false): Verdict {
    const { nodes } = this.#state;
    const shape = nodes.shapeAt(slot);
    const identity = this.#identityAt(slot);
    if (this.#only !== undefined && !isAlone && !this.#only.has(identity.name)) {
      return { failure: leftOut(this.#failures), place: -1, trait: 0 };
    }
    let failure = 0;
    let place = Number.POSITIVE_INFINITY;
    for (const [index, plugin] of this.#profile.filters.entries()) {
      const reason = this.#refusalOf(plugin, shape, identity);
      if (reason === undefined) continue;
      failure = this.#failures.idOf({ plugin, reasons: [reason], isUnresolvable: true });
      place = index;
      break;
    }
    const { tolerations, preferredNodes, images } = this.#pod;
    return {
      failure,
      place,
      trait: this.#traitOf({
        taints: intolerableCount(tolerations, shape.taints),
        preference:
          preferenceOf(this.#profile.nodeAffinity.addedPreferred, identity) + preferenceOf(preferredNodes, identity),
        images: images.filter((name) => shape.imageNames.has(name)),
      }),
    };
  }

  #refusalOf(
    plugin: FilterPluginName,
    shape: {
      readonly taints: Parameters<typeof toleratesNode>[1];
      readonly isUnschedulable: boolean;
      readonly declaredFeatures: ReadonlySet<string>;
    },
    identity: Parameters<typeof matchesNodeSelector>[1],
  ): string | undefined {
    const pod = this.#pod;
    switch (plugin) {
      case 'NodeUnschedulable':
        return shape.isUnschedulable && !isTolerated(pod.tolerations, CORDONED)
          ? 'node(s) were unschedulable'
          : undefined;
      case 'TaintToleration':
        return toleratesNode(pod.tolerations, shape.taints) ? undefined : 'node(s) had untolerated taint(s)';
      case 'NodeAffinity': {
        const { addedRequired } = this.#profile.nodeAffinity;
        if (addedRequired !== undefined && !matchesNodeSelector(addedRequired, identity)) {
          return "node(s) didn't match scheduler-enforced node affinity";
        }
        return matchesRequiredNodes(pod.requiredNodes, identity)
          ? undefined
          : "node(s) didn't match Pod's node affinity/selector";
      }
      case 'NodeDeclaredFeatures':
        return [...pod.neededFeatures].every((feature) => shape.declaredFeatures.has(feature))
          ? undefined
          : "node(s) didn't match Pod's required features";
      default:
        return undefined;
    }
  }

  #traitOf(trait: Trait): number {
    const text = JSON.stringify([trait.taints, trait.preference, trait.images]);
    let id = this.#traitIds.get(text);
    if (id === undefined) {
      id = this.traits.length;
      this.#traitIds.set(text, id);
      this.traits.push(trait);
    }
    return id;
  }
}

/** Their reason, but for a pod whose nominated node another plugin has just refused. */
export const LEFT_OUT = "node(s) didn't satisfy plugin(s) [NodeAffinity]";

/** Of nodes that NodeAffinity leaves out before any filter, since the pod names others. */
export function leftOut(failures: FailureTable): number {
  return failures.idOf({ plugin: 'NodeAffinity', reasons: [LEFT_OUT], isUnresolvable: true });
}

/** Infinite for a plugin that the profile has not. */
export function placeOf({ filters }: SchedulerProfile, name: FilterPluginName): number {
  const place = filters.indexOf(name);
  return place < 0 ? Number.POSITIVE_INFINITY : place;
}

/** Whether anything asks for a node's name or hostname. */
function namesNodes({ requiredNodes, preferredNodes }: PodObject, { nodeAffinity }: SchedulerProfile): boolean {
  const terms: readonly NodeSelectorTerm[] = [
    ...(requiredNodes.selector?.terms ?? []),
    ...(nodeAffinity.addedRequired?.terms ?? []),
    ...preferredNodes.map(({ term }) => term),
    ...nodeAffinity.addedPreferred.map(({ term }) => term),
  ];
  if (requiredNodes.pairs.has(HOSTNAME)) return true;
  return terms.some(({ expressions, fields }) => fields.length > 0 || expressions.some(({ key }) => key === HOSTNAME));
}
