// A pod as scheduling sees it: everything that a default plugin of kube-scheduler 1.36 reads, read once (pod-reader.ts).

import type { LabelSelector, Labels } from './label-selector.ts';
import type { PreferredNodeTerm, RequiredNodes } from './node-selector.ts';
import type { EffectiveRequests } from './pod-requests.ts';
import type { PodVolume } from './pod-volume.ts';
import type { Toleration } from './toleration.ts';

export interface AffinityTerm {
  /** The labels of the other pods. */
  readonly selector: LabelSelector;
  readonly topologyKey: string;
  /** The pod's own namespace where the term names none and selects none. */
  readonly namespaces: ReadonlySet<string>;
  /** Over the labels of namespaces; `nothing` where the term has none. */
  readonly namespaceSelector: LabelSelector;
}

export interface WeightedAffinityTerm extends AffinityTerm {
  /** 1..100; API validation. */
  readonly weight: number;
}

export interface PodAffinity {
  readonly required: readonly AffinityTerm[];
  readonly preferred: readonly WeightedAffinityTerm[];
}

export interface SpreadConstraint {
  readonly maxSkew: number;
  readonly topologyKey: string;
  /** DoNotSchedule, otherwise ScheduleAnyway. */
  readonly isHard: boolean;
  /** With the pod's values of matchLabelKeys. A default constraint has one made for each pod. */
  readonly selector: LabelSelector;
  /** 1 where it is not set. */
  readonly minDomains: number;
  readonly honorsAffinity: boolean;
  readonly honorsTaints: boolean;
}

export interface HostPort {
  /** `0.0.0.0` for all. */
  readonly ip: string;
  readonly protocol: string;
  /** Above 0. */
  readonly port: number;
}

export interface Owner {
  readonly apiVersion: string;
  readonly kind: string;
  readonly name: string;
  readonly uid: string;
}

export interface PodObject {
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
  readonly labels: Labels;
  readonly schedulerName: string;
  /** The node it is bound to, '' for none. */
  readonly nodeName: string;
  /** status.nominatedNodeName: where preemption makes room for it; '' for none. */
  readonly nominatedNodeName: string;
  readonly priority: number;
  /** preemptionPolicy is Never. */
  readonly neverPreempts: boolean;
  readonly createdAtMs: number;
  /** status.startTime; a pod without one counts as started now. */
  readonly startedAtMs: number | undefined;
  /** Has a deletionTimestamp. */
  readonly isTerminating: boolean;
  /** Phase Succeeded or Failed: takes nothing of its node any more. */
  readonly isFinished: boolean;
  /** Condition DisruptionTarget is true with reason PreemptionByScheduler: a victim on its way out. */
  readonly isPreempted: boolean;
  /** metadata.generation: grows with each change of the spec. */
  readonly generation: number;
  /** Its condition PodScheduled is False: it has been told that it has no place. */
  readonly isToldUnplaced: boolean;
  readonly schedulingGates: readonly string[];
  readonly requiredNodes: RequiredNodes;
  readonly preferredNodes: readonly PreferredNodeTerm[];
  readonly affinity: PodAffinity;
  readonly antiAffinity: PodAffinity;
  /** Why pod affinity terms cannot be parsed; the list concerned is empty then. '' when they can. */
  readonly affinityProblem: string;
  readonly tolerations: readonly Toleration[];
  /** The pod's own; empty means that the profile's defaults apply. */
  readonly spreadConstraints: readonly SpreadConstraint[];
  /** Why a selector of them cannot be parsed, '' when it can: an error when the pod is to be placed. */
  readonly spreadProblem: string;
  readonly hostPorts: readonly HostPort[];
  /** Normalised names of the images of init containers, containers and image volumes; one that is used twice twice. */
  readonly images: readonly string[];
  /** Init containers and containers. */
  readonly containerCount: number;
  readonly volumes: readonly PodVolume[];
  /** Names of spec.resourceClaims. */
  readonly resourceClaims: readonly string[];
  readonly requests: EffectiveRequests;
  /** The controlling owner. */
  readonly controller: Owner | undefined;
  /** Features of the kubelet that the pod needs (NodeDeclaredFeatures). */
  readonly neededFeatures: ReadonlySet<string>;
}

/** `namespace/name`. */
export function podKey(pod: { readonly namespace: string; readonly name: string }): string {
  return `${pod.namespace}/${pod.name}`;
}
