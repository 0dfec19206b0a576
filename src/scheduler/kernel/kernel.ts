// The scheduler's kernel: the state of the cluster in, decisions out. Every node is considered for every pod, and the decision is one
// that kube-scheduler 1.36 could make with percentageOfNodesToScore 100; the reference (../reference) says which those are.
//
//   command ─► ClusterState: columns, counters, change ring
//   pod ─► the node that is nominated for it, if there is one and it fits there
//       ─► its class ─► ClassIndex, brought up to date by the ring ─► Picker: best group ─► a node
//                                                                  └─► none: PreemptionIndex ─► a node and its victims
//
// Deciding changes nothing: whoever asks applies what comes of it (pod-bound). Among equals the node that changed last is taken.
//
// Limit: the memory of classes and their indexes (class-table.ts).
//
// What pods and nodes have in common (shapes, selectors, counters, held terms) is kept as long as one of them is there, or a class that was
// used lately; `tick`, to be called every second or so, sweeps the rest away, a part at a time.
//
// Left alone, with a reason: pods with resource claims.

import { assert } from '../../base/assert.ts';
import type { ClusterChange } from '../model/cluster-change.ts';
import type { ClusterKind, ObjectOf } from '../model/cluster-objects.ts';
import type { ClusterCommand } from '../model/command.ts';
import type { Decision } from '../model/decision.ts';
import type { Labels } from '../model/label-selector.ts';
import { namedNodes } from '../model/node-selector.ts';
import type { PodObject } from '../model/pod-object.ts';
import type { SchedulerProfile } from '../model/scheduler-profile.ts';
import { ClassTable } from './class-table.ts';
import type { ClusterObserver } from './cluster-observer.ts';
import { ClusterState } from './cluster-state.ts';
import { type Failure, FailureTable } from './failure-table.ts';
import type { IndexMaker } from './node-index.ts';
import { ELSEWHERE, pinOf } from './node-pin.ts';
import { LEFT_OUT, leftOut } from './node-verdict.ts';
import { OneCandidate } from './one-candidate.ts';
import type { Picker } from './pick.ts';
import { type PreFilterRefusal, preFilterRefusal, reasonToLeaveAlone } from './pod-refusal.ts';
import {
  type Candidates,
  fitMessage,
  NO_CANDIDATES,
  type OwnNomination,
  type PreemptionOutcome,
  preempt,
} from './preemption.ts';
import { StateSweeper } from './state-sweeper.ts';
import { HOSTNAME } from './topology.ts';
import { volumePinOf, volumePlanAt } from './volume-check.ts';
import { doesBear, isDoubtful } from './volume-users.ts';

const FAILURES_MAX = 2_000;

export type PlacedPod = Pick<PodObject, 'namespace' | 'name' | 'uid' | 'nodeName' | 'isTerminating' | 'isPreempted'>;

/** Nothing is decided yet. */
const AWAITED = { kind: 'awaited' } as const;

export type Outcome = Decision | typeof AWAITED;

export interface KernelOptions {
  /** Memory of class indexes; undefined for the usual limit. */
  readonly indexBytesMax?: number | undefined;
  /** Makes indexes of the nodes for classes without volumes; undefined: they are made here. */
  readonly makeIndex?: IndexMaker | undefined;
  readonly observer?: ClusterObserver | undefined;
}

export class Kernel {
  readonly #profiles: ReadonlyMap<string, SchedulerProfile>;
  /** The same for what fits one node at most, and is not scored. */
  readonly #unscored: ReadonlyMap<SchedulerProfile, SchedulerProfile>;
  readonly #state: ClusterState;
  readonly #failures = new FailureTable();
  readonly #classes: ClassTable;
  readonly #sweeper: StateSweeper;

  constructor(profiles: readonly SchedulerProfile[], { indexBytesMax, makeIndex, observer }: KernelOptions = {}) {
    this.#state = new ClusterState({ observer });
    this.#profiles = new Map(profiles.map((profile) => [profile.schedulerName, profile]));
    this.#unscored = new Map(profiles.map((profile) => [profile, { ...profile, scores: [] }]));
    this.#classes = new ClassTable(this.#state, this.#failures, { bytesMax: indexBytesMax, makeIndex });
    this.#sweeper = new StateSweeper(this.#state, () => this.#sweepRound());
  }

  /** What it has changed, as far as pods may be let in by that. */
  apply(command: ClusterCommand): ClusterChange {
    return this.#state.apply(command);
  }

  /** Forgets what nobody uses any more, a part at a time. */
  tick(nowMs: number): void {
    this.#classes.dropIdle(nowMs);
    this.#sweeper.tick(nowMs);
  }

  /** An index of the nodes was wrong: whatever was made by one is made anew. */
  forgetClasses(): void {
    this.#classes.clear();
  }

  *#sweepRound(): Generator<void> {
    if (this.#classes.count === 0 || this.#failures.count > FAILURES_MAX) {
      // Only classes know failures by their numbers.
      this.#classes.clear();
      this.#failures.clear();
    }
    yield* this.#state.sweep(this.#classes);
    yield* this.#classes.sweep();
  }

  /** Entries of what is kept of pods and nodes beside themselves. */
  get tableSizes(): Readonly<Record<string, number>> {
    return { ...this.#state.tableSizes, ...this.#classes.tableSizes, failures: this.#failures.count };
  }

  /** For who arranges the nodes elsewhere. */
  get state(): ClusterState {
    return this.#state;
  }

  get nodeCount(): number {
    return this.#state.nodes.count;
  }

  /** An object that it was told of. */
  find<K extends ClusterKind>(kind: K, key: string): ObjectOf<K> | undefined {
    return this.#state.objects.find(kind, key);
  }

  /** Undefined for a node that is not there. */
  labelsOf(nodeName: string): Labels | undefined {
    const slot = this.#state.nodes.slotOf(nodeName);
    return slot === undefined ? undefined : this.#state.nodes.labelsAt(slot);
  }

  /** A pod that is on a node, or is taken to be. */
  placedPod(uid: string): PlacedPod | undefined {
    const record = this.#state.placedPod(uid);
    if (record === undefined) return undefined;
    const { name, nodeName, shape } = record;
    const { kind, isTerminating, isPreempted } = shape;
    return { namespace: kind.namespace, name, uid, nodeName, isTerminating, isPreempted };
  }

  /** Pods of the same key are decided alike, as things are. The pod is to be placed. */
  classKey(uid: string): string {
    const pod = this.#state.pending.get(uid);
    const profile = pod === undefined ? undefined : this.#profiles.get(pod.schedulerName);
    assert(pod !== undefined && profile !== undefined, 'a pod that is to be placed by one of the profiles');
    return this.#classes.keyOf(pod, profile);
  }

  /** Of a kernel that has its indexes of the nodes here. */
  decide(uid: string): Decision {
    const outcome = this.tryDecide(uid);
    assert(outcome.kind !== 'awaited', 'nothing is awaited where no shards are asked');
    return outcome;
  }

  /** Awaited: to be asked again when shards have answered. */
  tryDecide(uid: string): Outcome {
    const pod = this.#state.pending.get(uid);
    if (pod === undefined) return { kind: 'left-alone', reason: `no pod ${uid} is to be placed` };
    const profile = this.#profiles.get(pod.schedulerName);
    if (profile === undefined) {
      return { kind: 'left-alone', reason: `no profile has the name ${JSON.stringify(pod.schedulerName)}` };
    }
    const reason = reasonToLeaveAlone(pod);
    if (reason !== undefined) return { kind: 'left-alone', reason };
    if (this.nodeCount === 0) {
      const outcome = { preemption: undefined, losesNomination: true };
      return unschedulable('no nodes available to schedule pods', new Map(), new Set(), outcome);
    }
    return this.#place(pod, profile);
  }

  #place(pod: PodObject, profile: SchedulerProfile): Outcome {
    const terms = pod.requiredNodes.selector?.terms;
    const only = terms !== undefined && profile.filters.includes('NodeAffinity') ? namedNodes(terms) : undefined;
    const refused = preFilterRefusal(pod, profile, { objects: this.#state.objects, only });
    if (refused !== undefined) return this.#refusedForAll(pod, profile, refused);
    const pinned = this.#placePinned(pod, profile, only);
    if (pinned !== undefined) return pinned;
    const own = this.#ownNomination(pod, profile, only);
    if (own?.failure === 0) return this.#bound(pod, profile, own.slot, undefined);
    const atVolumes = only === undefined ? this.#placeAtVolumes(pod, profile) : undefined;
    if (atVolumes !== undefined) return atVolumes;
    const picker = this.#classes.pickerFor(pod, profile, only);
    if (picker === undefined) return AWAITED;
    const isBroken = own !== undefined && this.#failures.at(own.failure).isError === true;
    const broken = isBroken ? own.failure : picker.errorFound();
    if (broken !== undefined) return errorOf(this.#failures.at(broken));
    const picked = picker.pick();
    if (picked === undefined) return this.#nowhere(pod, profile, { picker, only, own });
    const { slot, score } = picked;
    const badTerm = score === undefined ? undefined : preferenceProblem(pod, profile);
    if (badTerm !== undefined) return { kind: 'error', message: `running PreScore plugin "NodeAffinity": ${badTerm}` };
    return this.#bound(pod, profile, slot, score);
  }

  /** By its class's index no node fits. */
  #nowhere(
    pod: PodObject,
    profile: SchedulerProfile,
    {
      picker,
      only,
      own,
    }: {
      readonly picker: Picker;
      readonly only: ReadonlySet<string> | undefined;
      readonly own: OwnNomination | undefined;
    },
  ): Decision {
    const candidates = (): Candidates => this.#classes.preemptionFor(pod, profile, only);
    const counts = countsFor(picker, own);
    return this.#refusal(pod, profile, { counts, isNarrowed: only !== undefined, own, candidates });
  }

  #bound(pod: PodObject, profile: SchedulerProfile, slot: number, score: number | undefined): Decision {
    const node = this.#state.nodes.names[slot];
    const isPlanned = profile.filters.includes('VolumeBinding') && pod.volumes.some(doesBear);
    const volumes = isPlanned ? volumePlanAt(this.#state, pod, slot) : undefined;
    return { kind: 'bound', node, score, ...(volumes === undefined ? {} : { volumes }) };
  }

  /** Its volumes leave a pod one node, which fits; undefined where they do not, or it does not: then all nodes are looked at. */
  #placeAtVolumes(pod: PodObject, profile: SchedulerProfile): Decision | undefined {
    if (!profile.filters.includes('VolumeBinding') || !pod.volumes.some(doesBear)) return undefined;
    if (this.#mayFail(pod)) return undefined;
    const slot = volumePinOf(this.#state, pod);
    if (slot === undefined) return undefined;
    const unscored = this.#unscored.get(profile) ?? profile;
    const failure = this.#classes.classFor(pod, unscored, undefined).failureAlone(slot, pod.uid);
    return failure === 0 ? this.#bound(pod, profile, slot, undefined) : undefined;
  }

  /** A filter of volumes may fail on a node that would not be looked at. */
  #mayFail(pod: PodObject): boolean {
    return this.#state.volumes.users.doubtfulCount > 0 || pod.volumes.some(isDoubtful);
  }

  /** A pod that names the one node it may go to; undefined where it does not, or that cannot be told by one look. */
  #placePinned(pod: PodObject, profile: SchedulerProfile, only: ReadonlySet<string> | undefined): Outcome | undefined {
    if (!profile.filters.includes('NodeAffinity')) return undefined;
    if (pod.volumes.some(doesBear) && this.#mayFail(pod)) return undefined;
    const pin = pinOf(pod.requiredNodes);
    if (pin === undefined || this.#classes.hasHardSpread(pod, profile)) return undefined;
    const { nodes } = this.#state;
    const slots =
      pin.by === 'name' ? [nodes.slotOf(pin.value)] : [...this.#state.topology(HOSTNAME).slotsWith(pin.value)];
    if (slots.length > 1) return undefined;
    const [slot] = slots;
    const unscored = this.#unscored.get(profile) ?? profile;
    const nominated = this.#state.nodes.slotOf(pod.nominatedNodeName);
    if (nominated !== undefined && nominated !== slot) return undefined;
    const podClass = this.#classes.classFor({ ...pod, requiredNodes: pin.rest }, unscored, undefined);
    const failure = slot === undefined ? 0 : podClass.failureAlone(slot, pod.uid);
    if (slot !== undefined && failure === 0) return this.#bound(pod, profile, slot, undefined);
    const isByName = pin.by === 'name';
    const counts = isByName ? new Map<number, number>() : this.#elsewhere(pod, unscored, slot);
    if (counts === undefined) return AWAITED;
    // Other nodes would be candidates for preemption.
    if (
      profile.preempts &&
      [...counts].some(([other, count]) => count > 0 && !this.#failures.at(other).isUnresolvable)
    ) {
      return undefined;
    }
    if (slot !== undefined) counts.set(failure, (counts.get(failure) ?? 0) + 1);
    if (isByName) {
      const left = leftOut(this.#failures);
      counts.set(left, (counts.get(left) ?? 0) + this.nodeCount - (slot === undefined ? 0 : 1));
    }
    const search = this.#classes.victimSearch(podClass);
    const candidates = (): Candidates =>
      new OneCandidate({ podClass, search, failures: this.#failures, slot, failure, uid: pod.uid });
    const own = nominated === undefined ? undefined : { slot: nominated, failure };
    return this.#refusal(pod, profile, { counts, isNarrowed: only !== undefined, own, candidates });
  }

  #ownNomination(
    pod: PodObject,
    profile: SchedulerProfile,
    only: ReadonlySet<string> | undefined,
  ): OwnNomination | undefined {
    const slot = this.#state.nodes.slotOf(pod.nominatedNodeName);
    if (slot === undefined) return undefined;
    return { slot, failure: this.#classes.classFor(pod, profile, only).failureAlone(slot, pod.uid) };
  }

  /** Why nodes that have another hostname refuse the pod: all but the one at the slot. Undefined: that is awaited. */
  #elsewhere(pod: PodObject, profile: SchedulerProfile, slot: number | undefined): Map<number, number> | undefined {
    const nowhere = { ...pod, requiredNodes: ELSEWHERE };
    const picker = this.#classes.pickerFor(nowhere, profile, undefined);
    const counts = picker?.failureCounts();
    if (picker === undefined || counts === undefined || slot === undefined) return counts;
    const failure = picker.failureOf(slot);
    counts.set(failure, (counts.get(failure) ?? 0) - 1);
    return counts;
  }

  /** Of all nodes, by the number of their failure. */
  #refusal(pod: PodObject, profile: SchedulerProfile, { counts, isNarrowed, own, candidates }: Refused): Decision {
    const reasons = new Map<string, number>();
    const plugins = new Set<string>(isNarrowed ? ['NodeAffinity'] : []);
    if (own !== undefined) plugins.add(this.#failures.at(own.failure).plugin);
    // As upstream, with the plugin that has just refused the pod's own node.
    const left = `node(s) didn't satisfy plugin(s) [${[...plugins].sort().join(' ')}]`;
    for (const [failure, count] of counts) {
      if (count === 0) continue;
      const { plugin, reasons: texts } = this.#failures.at(failure);
      plugins.add(plugin);
      for (const text of texts) {
        const said = text === LEFT_OUT ? left : text;
        reasons.set(said, (reasons.get(said) ?? 0) + count);
      }
    }
    const what = fitMessage(this.nodeCount, reasons);
    return this.#afterwards(pod, what, { profile, reasons, plugins, own, candidates });
  }

  #refusedForAll(pod: PodObject, profile: SchedulerProfile, { plugin, refusal, isError }: PreFilterRefusal): Decision {
    if (isError) return { kind: 'error', message: `running PreFilter plugin "${plugin}": ${refusal}` };
    const what = `0/${this.nodeCount} nodes are available: ${refusal}.`;
    const plugins = new Set([plugin]);
    // The PostFilter of DynamicResources looks for what its PreFilter has left, which never ran.
    if (profile.hasDynamicResources) return unschedulable(`${what} not found`, new Map(), plugins, NOTHING_CHANGED);
    const nothingAsked = { own: undefined, candidates: () => NO_CANDIDATES };
    return this.#afterwards(pod, what, { profile, reasons: new Map(), plugins, ...nothingAsked });
  }

  /** PostFilter: DynamicResources, then DefaultPreemption. */
  #afterwards(pod: PodObject, what: string, { profile, reasons, plugins, own, candidates }: Unplaced): Decision {
    const claims = profile.hasDynamicResources ? ['no new claims to deallocate'] : [];
    if (!profile.preempts) {
      const outcome = { preemption: undefined, losesNomination: !profile.hasDynamicResources };
      return unschedulable([what, ...claims].join(' '), reasons, plugins, outcome);
    }
    const outcome = preempt({ state: this.#state, failures: this.#failures, pod, own, candidates });
    if (outcome.preemption !== undefined) return unschedulable(what, reasons, plugins, outcome);
    const words = [...claims, `preemption: ${outcome.words}`].join(', ');
    return unschedulable(`${what} ${words}`, reasons, plugins, outcome);
  }
}

interface Refused {
  /** Nodes by the number of the failure. */
  readonly counts: ReadonlyMap<number, number>;
  /** NodeAffinity has left nodes out. */
  readonly isNarrowed: boolean;
  readonly own: OwnNomination | undefined;
  readonly candidates: () => Candidates;
}

interface Unplaced extends Pick<Refused, 'own' | 'candidates'> {
  readonly profile: SchedulerProfile;
  readonly reasons: ReadonlyMap<string, number>;
  readonly plugins: ReadonlySet<string>;
}

/** Its own node fails as the pod sees it, the others as the class does. */
function countsFor(picker: Picker, own: OwnNomination | undefined): ReadonlyMap<number, number> {
  const counts = picker.failureCounts();
  if (own === undefined) return counts;
  const shared = picker.failureOf(own.slot);
  counts.set(shared, (counts.get(shared) ?? 0) - 1);
  return counts.set(own.failure, (counts.get(own.failure) ?? 0) + 1);
}

type Effects = Pick<PreemptionOutcome, 'preemption' | 'losesNomination'>;

const NOTHING_CHANGED: Effects = { preemption: undefined, losesNomination: false };

function unschedulable(
  message: string,
  reasons: ReadonlyMap<string, number>,
  plugins: ReadonlySet<string>,
  { preemption, losesNomination }: Effects,
): Decision {
  return { kind: 'unschedulable', message, reasons, plugins, preemption, losesNomination };
}

function errorOf({ plugin, reasons }: Failure): Decision {
  return { kind: 'error', message: `running "${plugin}" filter plugin: ${reasons.join(', ')}` };
}

/** A preferred term that cannot be parsed, once there is something to score. */
function preferenceProblem({ preferredNodes }: PodObject, { scores }: SchedulerProfile): string | undefined {
  if (!scores.some(({ name }) => name === 'NodeAffinity')) return undefined;
  return preferredNodes.map(({ term }) => term.problem).find((text) => text !== undefined);
}
