// DefaultPreemption once nothing fits: whether the pod may preempt, the best node and its victims, or the words for the message.

import type { Preemption } from '../model/decision.ts';
import type { PodObject } from '../model/pod-object.ts';
import type { ClusterState } from './cluster-state.ts';
import type { FailureTable } from './failure-table.ts';
import type { PodRecord } from './pod-table.ts';

export interface PreemptionOutcome {
  readonly preemption: Preemption | undefined;
  /** Empty when there is a preemption. */
  readonly words: string;
  readonly losesNomination: boolean;
}

/** The node that is nominated for the pod itself. */
export interface OwnNomination {
  readonly slot: number;
  /** Why the pod does not fit there. */
  readonly failure: number;
}

/** The nodes where removing pods may help. */
export interface Candidates {
  /** The node is taken as the pod sees it that it is nominated for, with the reason why it does not fit there. */
  lookFor(uid: string, slot: number, failure: number): void;
  /** The slot of the best node; −1: there is none. */
  best(): number;
  /** On the best node; most important first. */
  victimsOn(slot: number, uid: string): readonly PodRecord[];
  /** Of a node that the what-if failed on; undefined: there is none. */
  readonly error: string | undefined;
  /** Nodes that were asked and are not helped, and their reasons. */
  readonly refusedCount: number;
  refusals(): Map<string, number>;
}

/** No node was looked at. */
export const NO_CANDIDATES: Candidates = {
  lookFor: () => {},
  best: () => -1,
  victimsOn: () => [],
  error: undefined,
  refusedCount: 0,
  refusals: () => new Map(),
};

export const NO_VICTIMS_FOUND = 'No preemption victims found for incoming pod';
const NOT_HELPFUL = 'Preemption is not helpful for scheduling';

export function noVictimOn(nodeName: string): string {
  return `expected at least one victim pod on node ${JSON.stringify(nodeName)}`;
}

export interface PreemptionRequest {
  readonly state: ClusterState;
  readonly failures: FailureTable;
  readonly pod: PodObject;
  readonly own: OwnNomination | undefined;
  /** Not called for a pod that may not preempt. */
  readonly candidates: () => Candidates;
}

export function preempt(request: PreemptionRequest): PreemptionOutcome {
  const ineligible = ineligibility(request);
  if (ineligible !== undefined) return { preemption: undefined, words: ineligible, losesNomination: false };
  const { state, pod, own } = request;
  const candidates = request.candidates();
  if (own !== undefined) candidates.lookFor(pod.uid, own.slot, own.failure);
  const slot = candidates.best();
  if (slot >= 0) {
    const victims = candidates.victimsOn(slot, slot === own?.slot ? pod.uid : '');
    return { preemption: preemptionOn(state, pod, slot, victims), words: '', losesNomination: false };
  }
  const { error } = candidates;
  if (error !== undefined) return { preemption: undefined, words: error, losesNomination: false };
  const reasons = candidates.refusals();
  const rest = state.nodes.count - candidates.refusedCount;
  if (rest > 0) reasons.set(NOT_HELPFUL, rest);
  return { preemption: undefined, words: fitMessage(state.nodes.count, reasons), losesNomination: true };
}

function preemptionOn(state: ClusterState, pod: PodObject, slot: number, victims: readonly PodRecord[]): Preemption {
  const nominatedNode = state.nodes.names[slot];
  // Where all victims are on their way out already, upstream does nothing but nominate.
  const isUnderWay = victims.every(({ shape }) => shape.isTerminating);
  const losing = isUnderWay
    ? []
    : state.nominations.on(nominatedNode).filter(({ priority }) => priority < pod.priority);
  return {
    nominatedNode,
    victims: victims.map((record) => state.uidOf(record)),
    clearedNominations: losing.map(({ uid }) => uid),
  };
}

function ineligibility({ state, failures, pod, own }: PreemptionRequest): string | undefined {
  if (pod.neverPreempts) return 'not eligible due to preemptionPolicy=Never.';
  if (own === undefined || failures.at(own.failure).isUnresolvable) return undefined;
  for (const { shape } of state.podsAt(own.slot)) {
    if (shape.priority < pod.priority && shape.isTerminating && shape.isPreempted) {
      return 'not eligible due to a terminating pod on the nominated node.';
    }
  }
  return undefined;
}

/** `0/5 nodes are available: 2 Insufficient cpu, 3 Too many pods.`; sorted as strings, the count first. */
export function fitMessage(nodeCount: number, reasons: ReadonlyMap<string, number>): string {
  const parts = [...reasons].map(([text, count]) => `${count} ${text}`).sort();
  return `0/${nodeCount} nodes are available:${parts.length === 0 ? '' : ` ${parts.join(', ')}.`}`;
}
