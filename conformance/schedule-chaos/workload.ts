/**
 * What a cluster's users, kubelets and operators do meanwhile: pods are created and deleted, nearly more than the nodes hold; what is
 * being deleted goes; nodes are cordoned, tainted, deleted, and come back. Requests that fail are left: the API is away at times.
 */
import {
  drawPod,
  HOST_KEY,
  NODE_STATES,
  nodeSpec,
  PRIORITIES,
  ZONE_KEY,
  ZONES,
} from '../../src/testing/placement-workload.ts';
import type { Random } from '../../src/testing/random.ts';
import { type JsonObject, type KubeClient, KubeError } from '../kubernetes/kube-client.ts';
import { sleep } from '../lab/wait.ts';

const podsPath = '/api/v1/namespaces/default/pods';
const nodesPath = '/api/v1/nodes';
const podEveryMs = 40;
const podChangers = 5;
const nodeEveryMs = 600;
const reapEveryMs = 400;
const retryMs = 150;
/** Pods for each node that are there or asked for; about 3 of them fit. */
const podsPerNode = 4;

export class ChaosWorkload {
  readonly #client: KubeClient;
  readonly #random: Random;
  readonly #nodeCount: number;
  readonly #pods: string[] = [];
  readonly #loops: Promise<void>[] = [];
  #isOver = false;
  #created = 0;
  #deleted = 0;
  #nodeChanges = 0;

  constructor(client: KubeClient, random: Random, nodeCount: number) {
    this.#client = client;
    this.#random = random;
    this.#nodeCount = nodeCount;
  }

  get counts(): string {
    return `${this.#created} pods created, ${this.#deleted} deleted, ${this.#nodeChanges} changes of nodes`;
  }

  /** What has to be there before a scheduler starts. */
  async prepare(): Promise<void> {
    for (const value of new Set(PRIORITIES.filter((priority) => priority > 0))) {
      const metadata = { name: `chaos-${value}` };
      const body = { apiVersion: 'scheduling.k8s.io/v1', kind: 'PriorityClass', metadata, value };
      await this.#client.create('/apis/scheduling.k8s.io/v1/priorityclasses', body);
    }
    for (let index = 0; index < this.#nodeCount; index++) await this.#client.create(nodesPath, nodeManifest(index));
  }

  start(): void {
    this.#loops.push(
      ...Array.from({ length: podChangers }, () => this.#repeat(podEveryMs, () => this.#changePods())),
      this.#repeat(nodeEveryMs, () => this.#changeNode()),
      this.#repeat(reapEveryMs, () => this.#reap()),
    );
  }

  /** Many go at once, and others come, for bindings to be on their way. */
  async burst(count: number): Promise<void> {
    const going = Array.from({ length: Math.min(count, this.#pods.length) }, () => this.#delete(0));
    await Promise.allSettled([...going, ...Array.from({ length: count }, () => this.#create())]);
  }

  /** Ends what changes; all nodes are there and open. */
  async calm(): Promise<void> {
    this.#isOver = true;
    await Promise.all(this.#loops);
    for (let index = 0; index < this.#nodeCount; index++) {
      await this.#client.create(nodesPath, nodeManifest(index)).catch(() => this.#open(index));
    }
    await this.#reap();
  }

  async #repeat(everyMs: number, act: () => Promise<void>): Promise<void> {
    while (!this.#isOver) {
      try {
        await act();
        await sleep(everyMs);
      } catch {
        await sleep(retryMs);
      }
    }
  }

  async #changePods(): Promise<void> {
    const wanted = podsPerNode * this.#nodeCount;
    if (this.#random.between(0, 2 * wanted) >= this.#pods.length) await this.#create();
    else await this.#delete(this.#random.chance(0.5) ? 0 : 1);
  }

  async #create(): Promise<void> {
    const name = `pod-${this.#created++}`;
    const { labels, spec, priority } = drawPod(this.#random);
    const priorityClassName = priority === 0 ? {} : { priorityClassName: `chaos-${priority}` };
    const more = { terminationGracePeriodSeconds: 1, automountServiceAccountToken: false, ...priorityClassName };
    this.#pods.push(name);
    // The specification is JSON by its making.
    const body = {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name, labels },
      spec: { ...spec, ...more },
    } as JsonObject;
    await this.#client.create(podsPath, body);
  }

  async #delete(gracePeriodSeconds: number): Promise<void> {
    const index = this.#random.between(0, this.#pods.length - 1);
    const [name] = this.#pods.splice(index, 1);
    this.#deleted++;
    const body = { apiVersion: 'v1', kind: 'DeleteOptions', gracePeriodSeconds };
    try {
      await this.#client.send('DELETE', `${podsPath}/${name}`, { body });
    } catch (error) {
      // It may be there still, and somebody has to delete it.
      if (!(error instanceof KubeError && error.status === 404)) this.#pods.push(name);
      throw error;
    }
  }

  /** As kubelets do, of whatever is being deleted, by whomever. */
  async #reap(): Promise<void> {
    const { items } = await this.#client.list(podsPath);
    const dying = items.filter(({ metadata }) => metadata.deletionTimestamp !== undefined);
    const body = { apiVersion: 'v1', kind: 'DeleteOptions', gracePeriodSeconds: 0 };
    await Promise.allSettled(
      dying.map(({ metadata }) => this.#client.send('DELETE', `${podsPath}/${metadata.name}`, { body })),
    );
    const there = new Set(items.map(({ metadata }) => metadata.name));
    // Those that a scheduler has evicted.
    for (const { metadata } of dying) if (there.has(metadata.name)) this.#forget(metadata.name);
  }

  #forget(name: string): void {
    const index = this.#pods.indexOf(name);
    if (index >= 0) this.#pods.splice(index, 1);
  }

  /** The first of each zone stays as it is. */
  async #changeNode(): Promise<void> {
    const index = this.#random.between(ZONES.length, this.#nodeCount - 1);
    this.#nodeChanges++;
    if (this.#random.chance(0.25)) await this.#client.delete(`${nodesPath}/${nodeName(index)}`);
    else if (this.#random.chance(0.4)) await this.#client.create(nodesPath, nodeManifest(index));
    else {
      const spec = { unschedulable: null, taints: null, ...nodeSpec(this.#random.pick(NODE_STATES)) };
      await this.#client.patch(`${nodesPath}/${nodeName(index)}`, { spec } as JsonObject);
    }
  }

  async #open(index: number): Promise<void> {
    await this.#client.patch(`${nodesPath}/${nodeName(index)}`, { spec: { unschedulable: null, taints: null } });
  }
}

function nodeName(index: number): string {
  return `node-${index}`;
}

function nodeManifest(index: number): JsonObject {
  const resources = { cpu: '4', memory: '8Gi', pods: '8' };
  const name = nodeName(index);
  return {
    apiVersion: 'v1',
    kind: 'Node',
    metadata: { name, labels: { [HOST_KEY]: name, [ZONE_KEY]: ZONES[index % ZONES.length] } },
    status: {
      capacity: resources,
      allocatable: resources,
      conditions: [{ type: 'Ready', status: 'True', reason: 'KubeletReady', message: 'ready' }],
    },
  };
}
