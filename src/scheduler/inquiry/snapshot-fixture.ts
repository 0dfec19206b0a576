// Small clusters for tests of inquiries, in few words.

import { type JsonFields, mustRead } from '../model/plan-fixture.ts';
import type { PodObject } from '../model/pod-object.ts';
import { readPod } from '../model/pod-reader.ts';
import { ClusterSnapshot } from './cluster-snapshot.ts';

export interface NodeWords {
  readonly zone?: string;
  readonly labels?: JsonFields;
  readonly taints?: readonly JsonFields[];
  readonly cpu?: string;
  readonly memory?: string;
}

export interface PodWords {
  readonly on?: string;
  readonly labels?: JsonFields;
  readonly asks?: JsonFields;
  readonly spec?: JsonFields;
  readonly metadata?: JsonFields;
  readonly namespace?: string;
}

export function nodeJson(
  name: string,
  { zone = 'a', labels = {}, taints = [], cpu = '4', memory = '8Gi' }: NodeWords = {},
): JsonFields {
  return {
    apiVersion: 'v1',
    kind: 'Node',
    metadata: {
      name,
      uid: name,
      labels: { 'kubernetes.io/hostname': name, 'topology.kubernetes.io/zone': zone, ...labels },
    },
    spec: { taints },
    status: { allocatable: { cpu, memory, pods: '110' } },
  };
}

export function podJson(name: string, words: PodWords = {}): JsonFields {
  const { on = '', labels = {}, asks = {}, spec = {}, metadata = {}, namespace = 'default' } = words;
  const containers = [{ name: 'c', image: 'i', resources: { requests: asks } }];
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { namespace, name, uid: `uid-${name}`, labels, ...metadata },
    spec: { containers, ...(on === '' ? {} : { nodeName: on }), ...spec },
  };
}

export function podOf(name: string, words: PodWords = {}): PodObject {
  return mustRead(readPod(podJson(name, words)));
}

export class Fixture {
  readonly snapshot: ClusterSnapshot = new ClusterSnapshot();

  node(name: string, words: NodeWords = {}): this {
    this.snapshot.set('Node', nodeJson(name, words));
    return this;
  }

  pod(name: string, words: PodWords = {}): this {
    this.snapshot.set('Pod', podJson(name, words));
    return this;
  }
}
