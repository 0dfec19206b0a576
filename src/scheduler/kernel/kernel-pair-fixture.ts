// A kernel and the reference side by side: told the same, asked the same, and compared. What comes of a decision is applied to both.

import assert from 'node:assert/strict';
import { type ClusterCommand, nominatedTo } from '../model/command.ts';
import type { Decision, Preemption, Unschedulable } from '../model/decision.ts';
import type { PodObject } from '../model/pod-object.ts';
import type { SchedulerProfile } from '../model/scheduler-profile.ts';
import { StorageMirror } from '../model/storage-fixture.ts';
import { assumedObjects } from '../model/volume-plan.ts';
import { preference } from '../reference/default-preemption.ts';
import type { Explanation } from '../reference/explanation.ts';
import { ReferenceScheduler } from '../reference/reference-scheduler.ts';
import { Kernel } from './kernel.ts';

/** After the start of every pod. */
const NOW_MS = 1_800_000_000_000;
export interface Counts {
  bound: number;
  /** Of those: on the node that was nominated for them. */
  onNominated: number;
  unschedulable: number;
  /** Of those: with victims. */
  preemptions: number;
  leftAlone: number;
  errors: number;
  /** Of the bound, pods whose claims have volumes found or made for them. */
  assumed: number;
  withVolumes: number;
}

export const NO_COUNTS: Counts = {
  bound: 0,
  onNominated: 0,
  unschedulable: 0,
  preemptions: 0,
  leftAlone: 0,
  errors: 0,
  assumed: 0,
  withVolumes: 0,
};

/** Told the same, and to decide the same, to the node. */
export interface Twin {
  apply(command: ClusterCommand): void;
  tick(nowMs: number): void;
  decide(uid: string): Decision;
}

/** Kernel and reference side by side. */
export class Pair {
  readonly kernel: Kernel;
  readonly reference: ReferenceScheduler;
  readonly counts: Counts;
  readonly storage: StorageMirror = new StorageMirror();
  /** Pods that wait with a node nominated for them, by uid. */
  readonly nominated: Map<string, PodObject> = new Map();

  readonly #twins: readonly Twin[];

  constructor(
    counts: Counts,
    profiles: readonly SchedulerProfile[],
    indexBytesMax: number,
    twins: readonly Twin[] = [],
  ) {
    this.#twins = twins;
    this.reference = new ReferenceScheduler(profiles);
    this.kernel = new Kernel(profiles, { indexBytesMax });
    this.counts = counts;
  }

  apply(command: ClusterCommand): void {
    this.kernel.apply(command);
    this.reference.apply(command);
    this.storage.apply(command);
    for (const twin of this.#twins) twin.apply(command);
  }

  tick(nowMs: number): void {
    this.kernel.tick(nowMs);
    for (const twin of this.#twins) twin.tick(nowMs);
  }

  /** Decides on the pod, and places it where the kernel did. `chance` says what becomes of victims. */
  decide(pod: PodObject, chance = 0): Decision {
    this.apply({ kind: 'pod-set', pod });
    const expected = this.reference.explain(pod.uid, NOW_MS);
    const decision = this.kernel.decide(pod.uid);
    for (const twin of this.#twins) assert.deepEqual(twin.decide(pod.uid), decision);
    if (decision.kind !== 'left-alone' && pod.volumes.length > 0) this.counts.withVolumes++;
    this.nominated.delete(pod.uid);
    switch (decision.kind) {
      case 'left-alone':
        this.counts.leftAlone++;
        this.apply({ kind: 'pod-deleted', uid: pod.uid });
        break;
      case 'bound':
        this.counts.bound++;
        if (decision.node === pod.nominatedNodeName) this.counts.onNominated++;
        assertBest(decision.node, decision.score, expected);
        assert.deepEqual(decision.volumes, this.reference.volumePlan(pod.uid, decision.node));
        if (decision.volumes !== undefined) {
          this.counts.assumed++;
          const assumed = assumedObjects(this.kernel, decision.volumes, decision.node);
          for (const object of assumed) this.apply({ kind: 'object-set', object });
        }
        this.apply({ kind: 'pod-bound', uid: pod.uid, nodeName: decision.node });
        break;
      case 'error':
        this.counts.errors++;
        assert.deepEqual(anyOwner(decision), anyOwner(expected.decision));
        break;
      case 'unschedulable':
        this.counts.unschedulable++;
        assertRefused(decision, expected);
        if (decision.preemption !== undefined) this.#preempt(pod, decision.preemption, chance);
        else if (decision.losesNomination) this.apply({ kind: 'pod-set', pod: nominatedTo(pod, '') });
        else if (pod.nominatedNodeName !== '') this.nominated.set(pod.uid, pod);
    }
    return decision;
  }

  #preempt(pod: PodObject, { nominatedNode, victims, clearedNominations }: Preemption, chance: number): void {
    this.counts.preemptions++;
    const nominated = nominatedTo(pod, nominatedNode);
    this.apply({ kind: 'pod-set', pod: nominated });
    this.nominated.set(pod.uid, nominated);
    for (const uid of clearedNominations) {
      const other = this.reference.pod(uid);
      if (other !== undefined) this.apply({ kind: 'pod-set', pod: nominatedTo(other, '') });
      this.nominated.delete(uid);
    }
    for (const [index, uid] of victims.entries()) {
      const victim = this.reference.pod(uid);
      assert.ok(victim);
      const fate = (chance + index) % 3;
      if (fate === 0) this.apply({ kind: 'pod-deleted', uid });
      else if (fate === 1) this.apply({ kind: 'pod-set', pod: { ...victim, isTerminating: true, isPreempted: true } });
    }
  }
}

/** The same, but for the choice among equals. */
function assertRefused(decision: Unschedulable, { decision: expected, candidates }: Explanation): void {
  assert.ok(expected.kind === 'unschedulable', `refused, where the reference says ${JSON.stringify(expected)}`);
  const plain = (one: Unschedulable): object => {
    const message = one.message.replace(/(victim pod on node ).*/, '$1any');
    return { ...one, message, preemption: one.preemption !== undefined };
  };
  assert.deepEqual(plain(decision), plain(expected));
  const { preemption } = decision;
  if (preemption === undefined || expected.preemption === undefined) return;
  const [taken, best] = [preemption, expected.preemption].map(({ nominatedNode }) =>
    candidates.find(({ node }) => node === nominatedNode),
  );
  assert.ok(taken !== undefined && best !== undefined, `${preemption.nominatedNode} is no candidate`);
  assert.deepEqual(preference(taken, NOW_MS), preference(best, NOW_MS));
  assert.deepEqual(
    preemption.victims,
    taken.victims.map(({ uid }) => uid),
  );
  if (taken === best) {
    const [cleared, wanted] = [preemption, expected.preemption].map((one) => one.clearedNominations.toSorted());
    assert.deepEqual(cleared, wanted);
  }
}

/** Of several ephemeral volumes with claims of others any may be told. */
function anyOwner(decision: Decision): Decision {
  if (decision.kind !== 'error') return decision;
  return { ...decision, message: decision.message.replace(/PVC \S+ was not created for pod \S+/, 'PVC …') };
}

function assertBest(node: string, score: number | undefined, { decision, best }: Explanation): void {
  assert.equal(decision.kind, 'bound', `${node} is taken, where the reference says ${JSON.stringify(decision)}`);
  assert.ok(best.includes(node), `${node} is taken, best are ${best.join(' ')}`);
  assert.equal(score, decision.kind === 'bound' ? decision.score : undefined);
}
