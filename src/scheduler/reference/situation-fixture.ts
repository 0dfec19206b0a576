// Small clusters for tests, in few words: nodes and pods by name, the rest as the API has it.

import type { ClusterKind } from '../model/cluster-objects.ts';
import { readNode } from '../model/node-object.ts';
import { type JsonFields, mustRead, objectSet, podSet } from '../model/plan-fixture.ts';
import { DEFAULT_PROFILE, type SchedulerProfile } from '../model/scheduler-profile.ts';
import type { Explanation } from './explanation.ts';
import { ReferenceScheduler } from './reference-scheduler.ts';

export const NOW_MS: number = Date.parse('2026-01-01T00:00:00Z');

export interface NodeWords {
  readonly labels?: JsonFields;
  readonly taints?: readonly JsonFields[];
  readonly unschedulable?: boolean;
  /** Instead of 4 CPUs, 8 GiB and 110 pods. */
  readonly allocatable?: JsonFields;
  readonly images?: readonly JsonFields[];
  readonly declaredFeatures?: readonly string[];
}

export interface PodWords {
  readonly namespace?: string;
  readonly labels?: JsonFields;
  /** Requests of its only container. */
  readonly asks?: JsonFields;
  readonly spec?: JsonFields;
  readonly status?: JsonFields;
  readonly metadata?: JsonFields;
}

export class Situation {
  readonly #scheduler: ReferenceScheduler;

  constructor(profile: Partial<SchedulerProfile> = {}) {
    this.#scheduler = new ReferenceScheduler([{ ...DEFAULT_PROFILE, ...profile }]);
  }

  node(name: string, words: NodeWords = {}): this {
    const { labels = {}, taints = [], unschedulable = false, images = [], declaredFeatures = [] } = words;
    const allocatable = { cpu: '4', memory: '8Gi', pods: '110', ...words.allocatable };
    const json = {
      metadata: { name, labels: { 'kubernetes.io/hostname': name, ...labels } },
      spec: { taints, unschedulable },
      status: { allocatable, images, declaredFeatures },
    };
    this.#scheduler.apply({ kind: 'node-set', node: mustRead(readNode(json)) });
    return this;
  }

  object(kind: ClusterKind, json: JsonFields): this {
    this.#scheduler.apply(objectSet(kind, json));
    return this;
  }

  /** A pod that is on the node, or, with '', nowhere yet. */
  pod(name: string, nodeName: string, words: PodWords = {}): this {
    const { namespace = 'ns', labels = {}, asks = {}, spec = {}, status = {}, metadata = {} } = words;
    const json = {
      metadata: { name, namespace, uid: name, labels, ...metadata },
      spec: { nodeName, containers: [{ name: 'c', image: 'i', resources: { requests: asks } }], ...spec },
      status,
    };
    this.#scheduler.apply(podSet(json));
    return this;
  }

  explain(words: PodWords = {}): Explanation {
    this.pod('incoming', '', words);
    return this.#scheduler.explain('incoming', NOW_MS);
  }

  /** Reasons by node, of those that were refused. */
  refusals(words: PodWords = {}): Record<string, string> {
    const { refusals } = this.explain(words);
    return Object.fromEntries(
      [...refusals].map(([node, { code, reasons }]) => [node, `${code}: ${reasons.join(', ')}`]),
    );
  }

  /** Weighted scores of a plugin by node; undefined for a plugin that has nothing to say. */
  scores(plugin: string, words: PodWords = {}): Record<string, number | undefined> {
    const { scores } = this.explain(words);
    return Object.fromEntries(
      [...scores].map(([node, { byPlugin }]) => [node, new Map<string, number>(byPlugin).get(plugin)]),
    );
  }

  message(words: PodWords = {}): string {
    const { decision } = this.explain(words);
    return 'message' in decision ? decision.message : JSON.stringify(decision);
  }
}
