/**
 * Whether everything is settled: no pod waits that the reference scheduler would place on the cluster as it is, and each that waits
 * is told why not.
 */

import { readNode } from '../../src/scheduler/model/node-object.ts';
import { readPod } from '../../src/scheduler/model/pod-reader.ts';
import { DEFAULT_PROFILE } from '../../src/scheduler/model/scheduler-profile.ts';
import { ReferenceScheduler } from '../../src/scheduler/reference/reference-scheduler.ts';
import type { KubeClient, KubeObject } from '../kubernetes/kube-client.ts';

export interface Settlement {
  readonly bound: number;
  readonly waiting: number;
  /** Names with what is wrong. */
  readonly problems: readonly string[];
}

export async function settlementOf(client: KubeClient): Promise<Settlement> {
  const { items: nodes } = await client.list('/api/v1/nodes');
  const { items: pods } = await client.list('/api/v1/pods');
  const reference = new ReferenceScheduler([DEFAULT_PROFILE]);
  for (const object of nodes) {
    const read = readNode(object);
    if ('object' in read) reference.apply({ kind: 'node-set', node: read.object });
  }
  for (const object of pods) {
    const read = readPod(object);
    if ('object' in read) reference.apply({ kind: 'pod-set', pod: read.object });
  }
  const waiting = pods.filter(({ spec }) => spec?.nodeName === undefined);
  const problems = waiting.flatMap((pod) => problemOf(pod, reference));
  return { bound: pods.length - waiting.length, waiting: waiting.length, problems };
}

function problemOf({ metadata, status }: KubeObject, reference: ReferenceScheduler): string[] {
  const { name, uid } = metadata;
  const decision = reference.decide(uid, Date.now());
  if (decision.kind !== 'unschedulable') return [`${name}: ${decision.kind}`];
  const condition = status?.conditions?.find(({ type }) => type === 'PodScheduled');
  return condition?.reason === 'Unschedulable' ? [] : [`${name} is not told that it fits nowhere`];
}
