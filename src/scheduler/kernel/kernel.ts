// The scheduler's kernel: the state of the cluster in, decisions out. Every node is considered for every pod, and the decision is one
// that kube-scheduler 1.36 could make with percentageOfNodesToScore 100; the reference (../reference) says which those are.
//
//   command ─► ClusterState: columns, counters, change ring
//   pod ─► its class ─► ClassIndex, brought up to date by the ring ─► Picker: best group ─► a node
//
// Deciding changes nothing: whoever asks applies what comes of it (boundTo). Among equals the node that changed last is taken.
//
// Limit: INDEX_BYTES_MAX for classes and their indexes (class-table.ts).
//
// What pods and nodes have in common (shapes, selectors, counters, held terms) is kept as long as one of them is there, or a class that was
// used lately; `tick`, to be called every second or so, sweeps the rest away, a part at a time.
//
// Left alone, with a reason: pods with resource claims, and any pod while a node is nominated for a pod of the same or a
// higher priority. Preemption is not worked out: `preemption` is always undefined, and the message has no part for it.

import { assert } from '../../base/assert.ts';
import type { ClusterCommand } from '../model/command.ts';
import type { Decision } from '../model/decision.ts';
import type { Labels } from '../model/label-selector.ts';
import { namedNodes } from '../model/node-selector.ts';
import { type PodObject, podKey } from '../model/pod-object.ts';
import type { FilterPluginName, SchedulerProfile } from '../model/scheduler-profile.ts';
import { ClassTable } from './class-table.ts';
import { ClusterState } from './cluster-state.ts';
import { type Failure, FailureTable } from './failure-table.ts';
import { ELSEWHERE, pinOf } from './node-pin.ts';
import { leftOut } from './node-verdict.ts';
import { HOSTNAME } from './topology.ts';
import { volumePlanAt } from './volume-check.ts';
import { volumeRefusal } from './volume-prefilter.ts';
import { doesBear } from './volume-users.ts';

const INDEX_BYTES_MAX = 384 * 1024 * 1024;
/** A round of the sweep begins when so much of its tables has changed, … */
const SWEEP_SHARE = 1 / 8;
/** … or anything, this long ago. */
const SWEEP_MS = 60_000;
/** After so many rounds without a change there is nothing left to forget. */
const SWEEPS_AFTER_CHANGE = 3;
/** Parts of a round in one tick at least, each of about a hundred entries; more when more has come. */
const SWEEP_PARTS = 16;
const FAILURES_MAX = 2_000;

export interface KernelOptions {
  /** Memory of class indexes; undefined for the usual limit. */
  readonly indexBytesMax?: number;
}

export class Kernel {
  readonly #profiles: ReadonlyMap<string, SchedulerProfile>;
  /** The same for what fits one node at most, and is not scored. */
  readonly #unscored: ReadonlyMap<SchedulerProfile, SchedulerProfile>;
  readonly #state = new ClusterState();
  readonly #failures = new FailureTable();
  readonly #classes: ClassTable;
  /** Of the last tick. */
  #nowMs = 0;
  #sweep: Generator<void> | undefined;
  #sweptMs = 0;
  #sweepsDue = 0;
  /** Changes that a tick has seen of the sweep's round. */
  #changesSeen = 0;

  constructor(profiles: readonly SchedulerProfile[], { indexBytesMax = INDEX_BYTES_MAX }: KernelOptions = {}) {
    this.#profiles = new Map(profiles.map((profile) => [profile.schedulerName, profile]));
    this.#unscored = new Map(profiles.map((profile) => [profile, { ...profile, scores: [] }]));
    this.#classes = new ClassTable(this.#state, this.#failures, indexBytesMax);
  }

  apply(command: ClusterCommand): void {
    this.#state.apply(command);
  }

  /** Forgets what nobody uses any more, a part at a time. */
  tick(nowMs: number): void {
    this.#nowMs = nowMs;
    const { rounds } = this.#state;
    this.#classes.dropIdle(nowMs);
    if (this.#sweep === undefined) {
      if (!this.#isSweepDue()) return;
      this.#sweepsDue = rounds.changeCount > 0 ? SWEEPS_AFTER_CHANGE : this.#sweepsDue - 1;
      this.#sweptMs = nowMs;
      this.#changesSeen = 0;
      this.#sweep = this.#sweepRound();
    }
    const parts = SWEEP_PARTS + Math.ceil((rounds.changeCount - this.#changesSeen) / SWEEP_PARTS);
    this.#changesSeen = rounds.changeCount;
    for (let part = 0; part < parts; part++) {
      if (this.#sweep.next().done !== true) continue;
      this.#sweep = undefined;
      return;
    }
  }

  #isSweepDue(): boolean {
    const { changeCount } = this.#state.rounds;
    if (changeCount > SWEEP_SHARE * this.#state.entryCount) return true;
    return (changeCount > 0 || this.#sweepsDue > 0) && this.#nowMs - this.#sweptMs >= SWEEP_MS;
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

  get nodeCount(): number {
    return this.#state.nodes.count;
  }

  /** Undefined for a node that is not there. */
  labelsOf(nodeName: string): Labels | undefined {
    const slot = this.#state.nodes.slotOf(nodeName);
    return slot === undefined ? undefined : this.#state.nodes.labelsAt(slot);
  }

  /** Pods of the same key are decided alike, as things are. The pod is to be placed. */
  classKey(uid: string): string {
    const pod = this.#state.pending.get(uid);
    const profile = pod === undefined ? undefined : this.#profiles.get(pod.schedulerName);
    assert(pod !== undefined && profile !== undefined, 'a pod that is to be placed by one of the profiles');
    return this.#classes.keyOf(pod, profile);
  }

  decide(uid: string): Decision {
    const pod = this.#state.pending.get(uid);
    if (pod === undefined) return { kind: 'left-alone', reason: `no pod ${uid} is to be placed` };
    const profile = this.#profiles.get(pod.schedulerName);
    if (profile === undefined) {
      return { kind: 'left-alone', reason: `no profile has the name ${JSON.stringify(pod.schedulerName)}` };
    }
    const reason = reasonToLeaveAlone(pod);
    if (reason !== undefined) return { kind: 'left-alone', reason };
    const nomination = this.#nominationReason(pod);
    if (nomination !== undefined) return { kind: 'left-alone', reason: nomination, isPassing: true };
    if (this.nodeCount === 0) return unschedulable('no nodes available to schedule pods', new Map(), new Set());
    return this.#place(pod, profile);
  }

  #place(pod: PodObject, profile: SchedulerProfile): Decision {
    const only = profile.filters.includes('NodeAffinity')
      ? namedNodes(pod.requiredNodes.selector?.terms ?? [])
      : undefined;
    const refused = this.#refusedAtOnce(pod, profile, only);
    if (refused !== undefined) return refused;
    const pinned = this.#placePinned(pod, profile, only);
    if (pinned !== undefined) return pinned;
    const picker = this.#classes.pickerFor(pod, profile, only);
    const broken = picker.errorFound();
    if (broken !== undefined) return errorOf(this.#failures.at(broken));
    const picked = picker.pick();
    if (picked === undefined) return this.#refusal(picker.failureCounts(), profile, only !== undefined);
    const { slot, score } = picked;
    const badTerm = score === undefined ? undefined : preferenceProblem(pod, profile);
    if (badTerm !== undefined) return { kind: 'error', message: `running PreScore plugin "NodeAffinity": ${badTerm}` };
    const node = this.#state.nodes.names[slot];
    const volumes = profile.filters.includes('VolumeBinding') ? volumePlanAt(this.#state, pod, slot) : undefined;
    return { kind: 'bound', node, score, ...(volumes === undefined ? {} : { volumes }) };
  }

  /** A pod that names the one node it may go to; undefined where it does not, or that cannot be told by one look. */
  #placePinned(pod: PodObject, profile: SchedulerProfile, only: ReadonlySet<string> | undefined): Decision | undefined {
    if (!profile.filters.includes('NodeAffinity') || pod.volumes.some(doesBear)) return undefined;
    const pin = pinOf(pod.requiredNodes);
    if (pin === undefined || this.#classes.hasHardSpread(pod, profile)) return undefined;
    const { nodes } = this.#state;
    const slots =
      pin.by === 'name' ? [nodes.slotOf(pin.value)] : [...this.#state.topology(HOSTNAME).slotsWith(pin.value)];
    if (slots.length > 1) return undefined;
    const [slot] = slots;
    const unscored = this.#unscored.get(profile) ?? profile;
    const failure =
      slot === undefined ? 0 : this.#classes.failureAt({ ...pod, requiredNodes: pin.rest }, unscored, slot);
    if (slot !== undefined && failure === 0) return { kind: 'bound', node: nodes.names[slot], score: undefined };
    const isByName = pin.by === 'name';
    const counts = isByName ? new Map<number, number>() : this.#elsewhere(pod, unscored, slot);
    if (slot !== undefined) counts.set(failure, (counts.get(failure) ?? 0) + 1);
    if (isByName) {
      const left = leftOut(this.#failures);
      counts.set(left, (counts.get(left) ?? 0) + this.nodeCount - (slot === undefined ? 0 : 1));
    }
    return this.#refusal(counts, profile, only !== undefined);
  }

  /** Why nodes that have another hostname refuse the pod: all but the one at the slot. */
  #elsewhere(pod: PodObject, profile: SchedulerProfile, slot: number | undefined): Map<number, number> {
    const nowhere = { ...pod, requiredNodes: ELSEWHERE };
    const counts = this.#classes.pickerFor(nowhere, profile, undefined).failureCounts();
    if (slot === undefined) return counts;
    const failure = this.#classes.failureAt(nowhere, profile, slot);
    counts.set(failure, (counts.get(failure) ?? 0) - 1);
    return counts;
  }

  /** A pod that waits for its preemption has room set aside on a node, which others have to leave to it. */
  #nominationReason({ uid, priority, nominatedNodeName }: PodObject): string | undefined {
    if (nominatedNodeName !== '') return 'pods with a nominated node are not placed';
    for (const other of this.#state.nominated.values()) {
      if (other.uid !== uid && other.priority >= priority)
        return `node ${other.nominatedNodeName} is nominated for another pod`;
    }
    return undefined;
  }

  /** Nodes by the number of their failure; `isNarrowed`: NodeAffinity has left nodes out. */
  #refusal(counts: ReadonlyMap<number, number>, profile: SchedulerProfile, isNarrowed: boolean): Decision {
    const reasons = new Map<string, number>();
    const plugins = new Set<string>(isNarrowed ? ['NodeAffinity'] : []);
    for (const [failure, count] of counts) {
      if (count === 0) continue;
      const { plugin, reasons: texts } = this.#failures.at(failure);
      plugins.add(plugin);
      for (const text of texts) reasons.set(text, (reasons.get(text) ?? 0) + count);
    }
    const parts = [...reasons].map(([text, count]) => `${count} ${text}`).sort();
    const what = `0/${this.nodeCount} nodes are available:${parts.length === 0 ? '' : ` ${parts.join(', ')}.`}`;
    return unschedulable(withClaimsPart(what, profile, 'no new claims to deallocate'), reasons, plugins);
  }

  /** What PreFilter plugins refuse or fail for whatever the nodes are, in their order. */
  #refusedAtOnce(
    pod: PodObject,
    profile: SchedulerProfile,
    only: ReadonlySet<string> | undefined,
  ): Decision | undefined {
    for (const plugin of profile.filters) {
      const volumes = pod.volumes.length === 0 ? undefined : volumeRefusal(plugin, pod, this.#state);
      if (volumes?.isError === true) return preFilterError(plugin, volumes.refusal);
      if (volumes !== undefined) return this.#refusedForAll(profile, volumes.refusal, plugin);
      if (plugin === 'NodeAffinity' && only?.size === 0) {
        return this.#refusedForAll(profile, 'pod affinity terms conflict', plugin);
      }
      if (plugin === 'PodTopologySpread' && pod.spreadProblem !== '') {
        const what = "get constraints from pod: obtaining pod's hard topology spread constraints";
        return preFilterError(plugin, `${what}: ${pod.spreadProblem}`);
      }
      if (plugin === 'InterPodAffinity' && pod.affinityProblem !== '') {
        return this.#refusedForAll(profile, `parsing pod: ${pod.affinityProblem}`, plugin);
      }
    }
    return undefined;
  }

  #refusedForAll(profile: SchedulerProfile, reason: string, plugin: FilterPluginName): Decision {
    const what = `0/${this.nodeCount} nodes are available: ${reason}.`;
    return unschedulable(withClaimsPart(what, profile, 'not found'), new Map(), new Set([plugin]));
  }
}

/** What the PostFilter of DynamicResources adds to every message. */
function withClaimsPart(what: string, { hasDynamicResources }: SchedulerProfile, part: string): string {
  return hasDynamicResources ? `${what} ${part}` : what;
}

function unschedulable(message: string, reasons: ReadonlyMap<string, number>, plugins: ReadonlySet<string>): Decision {
  return { kind: 'unschedulable', message, reasons, plugins, preemption: undefined };
}

function reasonToLeaveAlone(pod: PodObject): string | undefined {
  const key = podKey(pod);
  if (pod.isFinished) return `pod ${key} has finished`;
  if (pod.isTerminating) return `skip schedule deleting pod: ${key}`;
  if (pod.schedulingGates.length > 0) return `waiting for scheduling gates: [${pod.schedulingGates.join(' ')}]`;
  return pod.resourceClaims.length > 0 ? 'pods with resource claims are not scheduled' : undefined;
}

function preFilterError(plugin: FilterPluginName, problem: string): Decision {
  return { kind: 'error', message: `running PreFilter plugin "${plugin}": ${problem}` };
}

function errorOf({ plugin, reasons }: Failure): Decision {
  return { kind: 'error', message: `running "${plugin}" filter plugin: ${reasons.join(', ')}` };
}

/** A preferred term that cannot be parsed, once there is something to score. */
function preferenceProblem({ preferredNodes }: PodObject, { scores }: SchedulerProfile): string | undefined {
  if (!scores.some(({ name }) => name === 'NodeAffinity')) return undefined;
  return preferredNodes.map(({ term }) => term.problem).find((text) => text !== undefined);
}
