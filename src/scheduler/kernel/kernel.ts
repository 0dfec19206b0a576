// The scheduler's kernel: the state of the cluster in, decisions out. Every node is considered for every pod, and the decision is one
// that kube-scheduler 1.36 could make with percentageOfNodesToScore 100; the reference (../reference) says which those are.
//
//   command ─► ClusterState: columns, counters, change ring
//   pod ─► its class ─► ClassIndex, brought up to date by the ring ─► Picker: best group ─► a node
//
// Deciding changes nothing: whoever asks applies what comes of it (boundTo). Among equals the node that changed last is taken.
//
// Limit: indexes take INDEX_BYTES_MAX at most; those that were not used for longest go, and are made anew, in one pass over the
// nodes, when a pod of their class comes again.
//
// Not limited yet: what pods and nodes have in common (shapes, selectors, counters, held terms) is kept when the last of them has gone, and
// so are the groups of an index.
//
// Left alone, with a reason: pods with volumes or resource claims, and any pod while a node is nominated for a pod of the same or a
// higher priority. Preemption is not worked out: `preemption` is always undefined, and the message has no part for it.

import { assert } from '../../base/assert.ts';
import type { ClusterCommand } from '../model/command.ts';
import type { Decision } from '../model/decision.ts';
import { spreadConstraints } from '../model/default-spread.ts';
import { namedNodes } from '../model/node-selector.ts';
import { type PodObject, podKey } from '../model/pod-object.ts';
import type { FilterPluginName, SchedulerProfile } from '../model/scheduler-profile.ts';
import { ClassIndex } from './class-index.ts';
import { ClusterState } from './cluster-state.ts';
import { FailureTable } from './failure-table.ts';
import { canonicalText, Interner } from './interner.ts';
import { Picker } from './pick.ts';
import { PodClass } from './pod-class.ts';

const INDEX_BYTES_MAX = 384 * 1024 * 1024;
const INDEX_BYTES_A_NODE = 16;
const SPREAD_KEYS_MAX = 10_000;

interface ClassEntry {
  readonly podClass: PodClass;
  index: ClassIndex;
  picker: Picker;
}

export interface KernelOptions {
  /** Memory of class indexes; undefined for the usual limit. */
  readonly indexBytesMax?: number;
}

export class Kernel {
  readonly #profiles: ReadonlyMap<string, SchedulerProfile>;
  readonly #state = new ClusterState();
  readonly #failures = new FailureTable();
  readonly #indexBytesMax: number;
  /** By key, the one used last at the end. */
  readonly #classes = new Map<string, ClassEntry>();
  readonly #parts = new Interner<object>();
  /** Of kinds of pods (#defaultSpreadKey), as long as no object changes. */
  readonly #spreadKeys = new Map<string, string>();
  #objectVersion = 0;
  #mentionVersion = 0;

  constructor(profiles: readonly SchedulerProfile[], { indexBytesMax = INDEX_BYTES_MAX }: KernelOptions = {}) {
    this.#profiles = new Map(profiles.map((profile) => [profile.schedulerName, profile]));
    this.#indexBytesMax = indexBytesMax;
  }

  apply(command: ClusterCommand): void {
    this.#state.apply(command);
  }

  get nodeCount(): number {
    return this.#state.nodes.count;
  }

  /** Pods of the same key are decided alike, as things are. The pod is to be placed. */
  classKey(uid: string): string {
    const pod = this.#state.pending.get(uid);
    const profile = pod === undefined ? undefined : this.#profiles.get(pod.schedulerName);
    assert(pod !== undefined && profile !== undefined, 'a pod that is to be placed by one of the profiles');
    return this.#keyOf(pod, profile);
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
    const { picker } = this.#entryOf(pod, profile, only);
    const picked = picker.pick();
    if (picked === undefined) return this.#refusal(picker, profile, only);
    const { slot, score } = picked;
    const badTerm = score === undefined ? undefined : preferenceProblem(pod, profile);
    if (badTerm !== undefined) return { kind: 'error', message: `running PreScore plugin "NodeAffinity": ${badTerm}` };
    return { kind: 'bound', node: this.#state.nodes.names[slot], score };
  }

  #entryOf(pod: PodObject, profile: SchedulerProfile, only: ReadonlySet<string> | undefined): ClassEntry {
    let key = this.#keyOf(pod, profile);
    const { mentionVersion } = this.#state.selectors;
    if (this.#mentionVersion !== mentionVersion) {
      // Pods of one class may be told apart now by a label that nobody had asked for, also this one.
      this.#classes.clear();
      this.#mentionVersion = mentionVersion;
      key = this.#keyOf(pod, profile);
    }
    let entry = this.#classes.get(key);
    if (entry === undefined) entry = this.#entryFor(new PodClass(this.#state, this.#failures, pod, profile, only));
    else {
      this.#classes.delete(key);
      const isRemade = entry.podClass.refreshRules();
      if (isRemade || !entry.index.refresh()) entry = this.#entryFor(entry.podClass);
    }
    this.#classes.set(key, entry);
    this.#evict();
    return entry;
  }

  #entryFor(podClass: PodClass): ClassEntry {
    const index = new ClassIndex(podClass);
    return { podClass, index, picker: new Picker(podClass, index, this.#failures) };
  }

  #evict(): void {
    const classesMax = Math.max(
      1,
      Math.floor(this.#indexBytesMax / (INDEX_BYTES_A_NODE * Math.max(64, this.nodeCount))),
    );
    for (const key of this.#classes.keys()) {
      if (this.#classes.size <= classesMax) return;
      this.#classes.delete(key);
    }
  }

  /** Says all of the pod that any node could tell apart. Of labels only those that a selector looks at. */
  #keyOf(pod: PodObject, profile: SchedulerProfile): string {
    if (this.#objectVersion !== this.#state.objectVersion) {
      // Selectors that were made for pods may be others now.
      this.#classes.clear();
      this.#spreadKeys.clear();
      this.#objectVersion = this.#state.objectVersion;
    }
    const id = (part: object): number => this.#parts.idOf(part);
    const spread = pod.spreadConstraints.length > 0 ? '' : this.#defaultSpreadKey(pod, profile);
    return [
      pod.schedulerName,
      pod.namespace,
      this.#labelsKey(pod),
      id(pod.requests),
      id(pod.hostPorts),
      id(pod.requiredNodes),
      id(pod.preferredNodes),
      id(pod.affinity),
      id(pod.antiAffinity),
      id(pod.tolerations),
      id(pod.spreadConstraints),
      spread,
      id(pod.images),
      pod.containerCount,
      JSON.stringify([pod.affinityProblem, pod.spreadProblem]),
      id(pod.neededFeatures),
    ].join(' ');
  }

  #labelsKey({ labels, affinity, antiAffinity, spreadConstraints: own }: PodObject): string {
    const { selectors } = this.#state;
    for (const term of [
      ...affinity.required,
      ...affinity.preferred,
      ...antiAffinity.required,
      ...antiAffinity.preferred,
    ]) {
      selectors.mention(term.selector);
    }
    for (const { selector } of own) selectors.mention(selector);
    const { mentionedKeys } = selectors;
    if (mentionedKeys.size === 0) return '';
    const telling = [...labels].filter(([key]) => mentionedKeys.has(key));
    return canonicalText(new Map(telling));
  }

  /** The selectors of the default constraints, which take a look at every service to make: once for each kind of pod. */
  #defaultSpreadKey(pod: PodObject, profile: SchedulerProfile): string {
    const { namespace, labels, controller, schedulerName } = pod;
    const owner = controller === undefined ? '' : `${controller.apiVersion} ${controller.kind} ${controller.name}`;
    const kind = `${this.#parts.idOf(labels)} ${namespace} ${schedulerName} ${owner}`;
    const known = this.#spreadKeys.get(kind);
    if (known !== undefined) return known;
    const constraints = [true, false].flatMap((isHard) => spreadConstraints(pod, profile, this.#state, isHard));
    for (const { selector } of constraints) this.#state.selectors.mention(selector);
    const key = constraints.length === 0 ? '' : canonicalText(constraints.map(({ selector }) => selector));
    if (this.#spreadKeys.size >= SPREAD_KEYS_MAX) this.#spreadKeys.clear();
    this.#spreadKeys.set(kind, key);
    return key;
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

  #refusal(picker: Picker, profile: SchedulerProfile, only: ReadonlySet<string> | undefined): Decision {
    const reasons = new Map<string, number>();
    const plugins = new Set<string>(only === undefined ? [] : ['NodeAffinity']);
    for (const [failure, count] of picker.failureCounts()) {
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
      if (plugin === 'NodeAffinity' && only?.size === 0) {
        return this.#refusedForAll(profile, 'pod affinity terms conflict', plugin);
      }
      if (plugin === 'PodTopologySpread' && pod.spreadProblem !== '') {
        const what = "get constraints from pod: obtaining pod's hard topology spread constraints";
        return {
          kind: 'error',
          message: `running PreFilter plugin "PodTopologySpread": ${what}: ${pod.spreadProblem}`,
        };
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
  if (pod.resourceClaims.length > 0) return 'pods with resource claims are not scheduled';
  const hasVolumes = pod.volumes.some(
    ({ claimName, isEphemeral, disk, migrated }) =>
      claimName !== undefined || isEphemeral || disk !== undefined || migrated !== undefined,
  );
  return hasVolumes ? 'pods with volumes that bear on their node are not scheduled' : undefined;
}

/** A preferred term that cannot be parsed, once there is something to score. */
function preferenceProblem({ preferredNodes }: PodObject, { scores }: SchedulerProfile): string | undefined {
  if (!scores.some(({ name }) => name === 'NodeAffinity')) return undefined;
  return preferredNodes.map(({ term }) => term.problem).find((text) => text !== undefined);
}
