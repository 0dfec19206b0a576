/**
 * Plays a plan on kube-scheduler and on the reference: the cluster first, then one pod after another. What kube-scheduler
 * decides is applied to both, so that one of several best nodes does not part their ways.
 *
 * The reference is given the objects as the API server has them, defaults and all.
 */
import type { ClusterKind } from '../../src/scheduler/model/cluster-objects.ts';
import type { ClusterCommand } from '../../src/scheduler/model/command.ts';
import { readNode } from '../../src/scheduler/model/node-object.ts';
import {
  type ClusterPlan,
  type JsonFields,
  mustRead,
  type NodeChange,
  objectSet,
  podSet,
} from '../../src/scheduler/model/plan-fixture.ts';
import { PROFILES } from '../../src/scheduler/model/profile-fixture.ts';
import type { Explanation } from '../../src/scheduler/reference/explanation.ts';
import { ReferenceScheduler } from '../../src/scheduler/reference/reference-scheduler.ts';
import { type JsonObject, KubeError, type KubeObject } from '../kubernetes/kube-client.ts';
import { sleep } from '../lab/wait.ts';
import { compareDecision, type Difference, type RealDecision } from './decision-compare.ts';
import type { Peers } from './peers.ts';
import type { PodView } from './pod-watch.ts';
import { VolumeController } from './volume-controller.ts';

const decisionTimeoutMs = 30_000;
const victimsTimeoutMs = 3_000;
const volumeStepMs = 60;
/** Objects whose arrival the scheduler does not tell are created this long before it is asked. */
const settleMs = 40;

/** Later than any start of a plan. */
const firstStartMs = Date.parse('2024-01-01T00:00:00Z');

export interface PlayedDecision {
  /** Which of the plan's pods. */
  readonly index: number;
  readonly kind: string;
  readonly differences: readonly Difference[];
}

export interface Played {
  readonly decisions: readonly PlayedDecision[];
  /** Objects that the API server refused, which the plan then is without. */
  readonly refused: readonly string[];
}

const PATHS: Readonly<Record<ClusterKind, (namespace: string) => string>> = {
  Namespace: () => '/api/v1/namespaces',
  Service: (namespace) => `/api/v1/namespaces/${namespace}/services`,
  ReplicationController: (namespace) => `/api/v1/namespaces/${namespace}/replicationcontrollers`,
  ReplicaSet: (namespace) => `/apis/apps/v1/namespaces/${namespace}/replicasets`,
  StatefulSet: (namespace) => `/apis/apps/v1/namespaces/${namespace}/statefulsets`,
  PersistentVolumeClaim: (namespace) => `/api/v1/namespaces/${namespace}/persistentvolumeclaims`,
  PersistentVolume: () => '/api/v1/persistentvolumes',
  StorageClass: () => '/apis/storage.k8s.io/v1/storageclasses',
  CSINode: () => '/apis/storage.k8s.io/v1/csinodes',
  CSIDriver: () => '/apis/storage.k8s.io/v1/csidrivers',
  CSIStorageCapacity: (namespace) => `/apis/storage.k8s.io/v1/namespaces/${namespace}/csistoragecapacities`,
  VolumeAttachment: () => '/apis/storage.k8s.io/v1/volumeattachments',
  PodDisruptionBudget: (namespace) => `/apis/policy/v1/namespaces/${namespace}/poddisruptionbudgets`,
};

export class Play {
  readonly #peers: Peers;
  readonly #reference = new ReferenceScheduler(PROFILES);
  readonly #created: string[] = [];
  readonly #nodes: string[] = [];
  readonly #refused: string[] = [];
  #startedCount = 0;
  #changeCount = 0;
  readonly #volumes: VolumeController;

  constructor(peers: Peers) {
    this.#peers = peers;
    this.#volumes = new VolumeController(peers.client);
  }

  /** The peers are as empty afterwards as before. `patience`: how many times as long to wait where nothing tells. */
  async run(plan: ClusterPlan, patience = 1): Promise<Played> {
    const decisions: PlayedDecision[] = [];
    try {
      this.#peers.log.mark();
      for (const { kind, object } of plan.objects) await this.#createObject(kind, object);
      await this.#createNodes(plan.nodes);
      await this.#createBound(plan.bound);
      for (const pod of plan.nominated) await this.#createNominated(pod);
      await sleep(settleMs * patience);
      for (const [index, pod] of plan.pending.entries()) {
        for (const change of plan.changes) if (change.after === index) await this.#change(change);
        const played = await this.#decide(pod, patience);
        if (played !== undefined) decisions.push({ index, ...played });
      }
    } finally {
      await this.#clear();
    }
    return { decisions, refused: this.#refused };
  }

  async #createObject(kind: ClusterKind, object: JsonFields): Promise<void> {
    const { client } = this.#peers;
    const metadata = object.metadata as JsonFields;
    const path = PATHS[kind](String(metadata.namespace));
    if (kind === 'Namespace') {
      const labels = { team: null, env: null, ...(metadata.labels as JsonObject) };
      const patched = await client.patch(`${path}/${metadata.name}`, { metadata: { labels } });
      this.#reference.apply(objectSet(kind, patched));
      return;
    }
    const made = await this.#create(path, object);
    if (made === undefined) return;
    this.#created.push(`${path}/${made.metadata.name}`);
    const now =
      object.status !== undefined
        ? await client.patch(`${path}/${made.metadata.name}/status`, { status: object.status as JsonObject })
        : made;
    this.#reference.apply(objectSet(kind, now));
  }

  /** The object as the API server has it; undefined when it refuses it. */
  async #create(path: string, object: JsonFields): Promise<KubeObject | undefined> {
    try {
      return await this.#peers.client.create(path, object as JsonObject);
    } catch (error) {
      if (!(error instanceof KubeError) || error.status !== 422) throw error;
      this.#refused.push(error.message);
      return undefined;
    }
  }

  async #createNodes(nodes: readonly JsonFields[]): Promise<void> {
    const made: string[] = [];
    // One after another: an image has the size that the first node says.
    for (const json of nodes) {
      const node = await this.#create('/api/v1/nodes', json);
      if (node === undefined) continue;
      made.push(node.metadata.name);
      this.#reference.apply({ kind: 'node-set', node: mustRead(readNode(node)) });
    }
    this.#nodes.push(...made);
    await this.#peers.log.seen('Add event for node', made);
  }

  /** Two writes, each of which the scheduler is certain to be told of. */
  async #change({ node, isGone }: NodeChange): Promise<void> {
    const { client, log } = this.#peers;
    const metadata = node.metadata as JsonFields;
    const name = String(metadata.name);
    const path = `/api/v1/nodes/${name}`;
    const at = this.#nodes.indexOf(name);
    log.mark();
    if (isGone) {
      if (at < 0) return;
      this.#nodes.splice(at, 1);
      await client.delete(path);
      await log.seen('Delete event for node', [name]);
      this.#reference.apply({ kind: 'node-deleted', name });
      return;
    }
    if (at < 0) {
      await this.#createNodes([node]);
      return;
    }
    const change = String(this.#changeCount++);
    const conditions = [{ type: 'Ready', status: 'True', reason: `change-${change}` }];
    const body = {
      ...node,
      metadata: { ...metadata, annotations: { change } },
      status: { ...(node.status as JsonFields), conditions },
    } as unknown as JsonObject;
    await client.send('PUT', path, { body });
    const now = await client.send<unknown>('PUT', `${path}/status`, { body });
    await log.seen('Update event for node', [name], 2);
    this.#reference.apply({ kind: 'node-set', node: mustRead(readNode(now)) });
  }

  async #createBound(bound: ClusterPlan['bound']): Promise<void> {
    const { log } = this.#peers;
    const changed: string[] = [];
    const finished: string[] = [];
    for (const { pod, isTerminating, phase } of bound) {
      const made = await this.#create(podsPath(pod), pod);
      if (made === undefined) continue;
      const status = { ...(pod.status as JsonObject), phase };
      const key = keyOf(made);
      const path = `${podsPath(pod)}/${made.metadata.name}`;
      await this.#peers.client.patch(`${path}/status`, { status });
      (phase === 'Succeeded' ? finished : changed).push(key);
      if (isTerminating) await this.#peers.client.delete(path);
      this.#reference.apply(podSet(await this.#peers.client.get(path)));
    }
    await log.seen('Update event for scheduled pod', changed);
    await log.seen('Delete event for scheduled pod', finished);
  }

  async #decide(json: JsonFields, patience: number): Promise<Omit<PlayedDecision, 'index'> | undefined> {
    const { client, pods, log } = this.#peers;
    const made = await this.#createPending(json);
    if (made === undefined) return undefined;
    const key = keyOf(made);
    const path = `${podsPath(json)}/${made.metadata.name}`;
    this.#reference.apply(podSet(made));
    const nowMs = Date.now();
    const ours = this.#reference.explain(made.metadata.uid, nowMs);
    const pod = await this.#decided(key);
    const real = await this.#realDecision(pod, ours);
    // A conflict over a claim with the volume controller of this run comes after the decision, and hides it.
    const isHidden = real.kind === 'error' && real.message.startsWith('running PreBind plugin');
    const differences = isHidden ? [] : compareDecision(real, ours, nowMs);
    if (real.kind === 'bound') {
      // As a kubelet would: pods that have not started have no order among victims.
      const startTime = new Date(firstStartMs + this.#startedCount++ * 60_000).toISOString();
      await client.patch(`${path}/status`, { status: { phase: 'Running', startTime: startTime.replace('.000', '') } });
      await log.seen('Add event for scheduled pod', [key]);
      await log.seen('Update event for scheduled pod', [key]);
      this.#reference.apply(podSet(await client.get(path)));
    } else {
      for (const other of pods.all()) this.#reference.apply(podSet(other));
      await client.delete(`${path}?gracePeriodSeconds=0`);
      this.#reference.apply({ kind: 'pod-deleted', uid: made.metadata.uid });
      await log.seen('Delete event for unscheduled pod', [key]);
    }
    await sleep(2 * (patience - 1) * settleMs);
    return { kind: isHidden ? 'not known' : kindOf(real), differences };
  }

  /** A pod that is nominated for a node comes through a gate: the status can be set once it exists. */
  async #createPending(json: JsonFields): Promise<KubeObject | undefined> {
    const status = json.status as JsonFields | undefined;
    if (status?.nominatedNodeName === undefined) return this.#create(podsPath(json), json);
    const gates = [{ name: 'example.com/gate' }];
    const gated = await this.#createNominated({
      ...json,
      spec: { ...(json.spec as JsonFields), schedulingGates: gates },
    });
    if (gated === undefined) return undefined;
    return this.#peers.client.patch(`${podsPath(json)}/${gated.metadata.name}`, { spec: { schedulingGates: [] } });
  }

  async #createNominated(json: JsonFields): Promise<KubeObject | undefined> {
    const { client, log } = this.#peers;
    const made = await this.#create(podsPath(json), json);
    if (made === undefined) return undefined;
    await log.seen('Add event for unscheduled pod', [keyOf(made)]);
    const status = json.status as JsonObject;
    const pod = await client.patch(`${podsPath(json)}/${made.metadata.name}/status`, { status });
    await log.seen('Update event for unscheduled pod', [keyOf(made)]);
    this.#reference.apply(podSet(pod));
    return pod;
  }

  /** Waits for the decision, and does what the scheduler may wait for with a pod that uses volumes. */
  async #decided(key: string): Promise<PodView> {
    const { pods } = this.#peers;
    const deadlineMs = Date.now() + decisionTimeoutMs;
    const isDecided = (): boolean => {
      const pod = pods.get(key);
      return pod?.spec.nodeName !== undefined || refusalOf(pod) !== undefined;
    };
    const commands: ClusterCommand[] = [];
    while (!(await pods.when(volumeStepMs, isDecided))) {
      if (Date.now() > deadlineMs) throw new Error(`kube-scheduler does not decide on ${key}`);
      commands.push(...(await this.#volumes.step()));
    }
    if (commands.length > 0) await sleep(settleMs);
    for (const command of commands) this.#reference.apply(command);
    const pod = pods.get(key);
    if (pod === undefined) throw new Error(`${key} is gone`);
    return pod;
  }

  async #realDecision(pod: PodView, ours: Explanation): Promise<RealDecision> {
    const { log } = this.#peers;
    if (pod.spec.nodeName !== undefined) {
      return { kind: 'bound', node: pod.spec.nodeName, scores: log.scoresOf(keyOf(pod)) };
    }
    const refusal = refusalOf(pod);
    const message = refusal?.message ?? '';
    // Nothing is said of a preemption that makes room. A node that was nominated before stays when there is none.
    const makesRoom = !/ (?:no new claims to deallocate|not found)/.test(message);
    const nominatedNode = makesRoom ? (pod.status.nominatedNodeName ?? '') : '';
    const [victims, cleared] = nominatedNode === '' ? [[], []] : await this.#roomMade(nominatedNode, ours);
    return {
      kind: refusal?.reason === 'Unschedulable' ? 'unschedulable' : 'error',
      message,
      nominatedNode,
      victims,
      cleared,
    };
  }

  /** Waits, not for ever, for as much as the reference expects to come of a preemption. What has come of it. */
  async #roomMade(node: string, ours: Explanation): Promise<[victims: string[], cleared: string[]]> {
    const { pods } = this.#peers;
    const uids = (test: (pod: PodView) => boolean): string[] =>
      pods
        .all()
        .filter(test)
        .map(({ metadata }) => metadata.uid);
    const victims = (): string[] =>
      uids(({ metadata }) => {
        return metadata.deletionTimestamp !== undefined && this.#reference.pod(metadata.uid)?.isTerminating === false;
      });
    const cleared = (): string[] =>
      uids(({ metadata, status }) => {
        const before = this.#reference.pod(metadata.uid)?.nominatedNodeName ?? '';
        return before !== '' && (status.nominatedNodeName ?? '') === '';
      });
    const { decision, candidates } = ours;
    const leaving = candidates.find((one) => one.node === node)?.victims.filter(({ isTerminating }) => !isTerminating);
    const preemption = decision.kind === 'unschedulable' ? decision.preemption : undefined;
    const losing = preemption?.nominatedNode === node ? preemption.clearedNominations.length : 0;
    await pods.when(victimsTimeoutMs, () => {
      return victims().length >= (leaving?.length ?? 1) && cleared().length >= losing;
    });
    return [victims(), cleared()];
  }

  /** Of what may be gone already. */
  async #delete(path: string): Promise<void> {
    try {
      await this.#peers.client.delete(path);
    } catch (error) {
      if (!(error instanceof KubeError) || error.status !== 404) throw error;
    }
  }

  async #clear(): Promise<void> {
    const { pods, log } = this.#peers;
    log.mark();
    const left = pods.all();
    await Promise.all(
      left.map(({ metadata }) => this.#delete(`${podsPath({ metadata })}/${metadata.name}?gracePeriodSeconds=0`)),
    );
    await pods.when(decisionTimeoutMs, () => pods.all().length === 0);
    const bound = left.filter((pod) => pod.spec.nodeName !== undefined && phaseOf(pod) !== 'Succeeded').map(keyOf);
    await log.seen('Delete event for scheduled pod', bound);
    await Promise.all(this.#nodes.map((name) => this.#delete(`/api/v1/nodes/${name}`)));
    await log.seen('Delete event for node', this.#nodes);
    await Promise.all(
      [...this.#created, ...this.#volumes.made].map((path) =>
        this.#delete(`${path}?gracePeriodSeconds=0&propagationPolicy=Background`),
      ),
    );
    await sleep(settleMs);
  }
}

function kindOf(real: RealDecision): string {
  if (real.kind !== 'bound') return real.nominatedNode === '' ? real.kind : 'preemption';
  return real.scores.size === 0 ? 'bound, single' : 'bound';
}

function podsPath({ metadata }: JsonFields): string {
  return `/api/v1/namespaces/${String((metadata as JsonFields).namespace)}/pods`;
}

function keyOf({ metadata }: KubeObject): string {
  return `${metadata.namespace}/${metadata.name}`;
}

function phaseOf(pod: KubeObject): string {
  return pod.status?.phase ?? '';
}

function refusalOf(pod: PodView | undefined): { readonly reason?: string; readonly message?: string } | undefined {
  return pod?.status.conditions?.find(
    ({ type, status, reason }) => type === 'PodScheduled' && status === 'False' && reason !== 'SchedulingGated',
  );
}
