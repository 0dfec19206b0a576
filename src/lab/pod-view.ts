// What a kubelet of the lab looks at in a pod to know what is due: of any pod as its JSON parses, whole or with the fields named here alone.

import { fieldsBeside } from '../kube/message-schema.ts';
import type { JsonObject } from '../kube-api/kube-api.ts';
import { fieldsOf, textOf } from '../kube-api/object-head.ts';

/** Fields that no view reads, as `MessageDecoder` takes them. */
export const UNVIEWED_FIELDS: readonly string[] = [
  ...fieldsBeside('ObjectMeta', ['name', 'namespace', 'uid', 'deletionTimestamp', 'deletionGracePeriodSeconds']),
  ...fieldsBeside('PodSpec', ['nodeName', 'restartPolicy']),
  ...fieldsBeside('PodStatus', ['phase', 'startTime', 'podIP']),
];

export interface PodView {
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
  /** '' when it waits for a scheduler. */
  readonly nodeName: string;
  readonly phase: string;
  /** '' before it has one. */
  readonly address: string;
  /** Its containers are not started again when they have ended. */
  readonly isToEnd: boolean;
  /** Since 1970; 0 before it runs. */
  readonly startedMs: number;
  readonly isTerminating: boolean;
  /** Of its deletion; 0 when only finalizers hold it. */
  readonly graceSeconds: number;
}

export function podViewOf(pod: JsonObject): PodView {
  const metadata = fieldsOf(pod.metadata);
  const spec = fieldsOf(pod.spec);
  const status = fieldsOf(pod.status);
  return {
    namespace: textOf(metadata.namespace),
    name: textOf(metadata.name),
    uid: textOf(metadata.uid),
    nodeName: textOf(spec.nodeName),
    phase: textOf(status.phase),
    address: textOf(status.podIP),
    isToEnd: spec.restartPolicy === 'Never' || spec.restartPolicy === 'OnFailure',
    startedMs: Date.parse(textOf(status.startTime)) || 0,
    isTerminating: typeof metadata.deletionTimestamp === 'string',
    graceSeconds: typeof metadata.deletionGracePeriodSeconds === 'number' ? metadata.deletionGracePeriodSeconds : 0,
  };
}

export function hasEnded({ phase }: PodView): boolean {
  return phase === 'Succeeded' || phase === 'Failed';
}
