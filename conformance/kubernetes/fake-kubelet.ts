/**
 * The kubelets of many nodes that run no container. Each node is registered and renews its node lease with a token of its
 * own, under the Node authorizer; one pod watch serves all of them. A pod that is bound is reported Running and Ready with an
 * address; a pod that is being deleted is deleted for good (grace period 0). Everything is tried again until it succeeds or is moot.
 */
import { sleep } from '../lab/wait.ts';
import { Informer } from './informer.ts';
import { type JsonObject, type KubeClient, KubeError, type KubeObject } from './kube-client.ts';

const renewEveryMs = 4_000;
const retryMs = 300;
const podWorkersMax = 24;

export interface FakeKubeletOptions {
  readonly client: KubeClient;
  readonly nodeCount: number;
  /** Token by user name `system:node:NAME`. */
  readonly tokens: ReadonlyMap<string, string>;
}

/** A renewal's state: the lease as last answered, and when that was. */
interface NodeLease {
  object: KubeObject | undefined;
  renewedMs: number;
  longestGapMs: number;
}

export function nodeName(index: number): string {
  return `node-${String(index).padStart(4, '0')}`;
}

function nodeManifest(index: number): JsonObject {
  const name = nodeName(index);
  const now = new Date().toISOString();
  const resources = { cpu: '32', memory: '256Gi', pods: '110', 'ephemeral-storage': '200Gi' };
  const condition = (type: string, status: string, reason: string): JsonObject => ({
    type,
    status,
    reason,
    message: reason,
    lastHeartbeatTime: now,
    lastTransitionTime: now,
  });
  return {
    apiVersion: 'v1',
    kind: 'Node',
    metadata: {
      name,
      labels: {
        'kubernetes.io/hostname': name,
        'kubernetes.io/os': 'linux',
        'kubernetes.io/arch': 'amd64',
        'topology.kubernetes.io/zone': `zone-${index % 3}`,
      },
    },
    status: {
      capacity: resources,
      allocatable: resources,
      conditions: [
        condition('MemoryPressure', 'False', 'KubeletHasSufficientMemory'),
        condition('DiskPressure', 'False', 'KubeletHasNoDiskPressure'),
        condition('PIDPressure', 'False', 'KubeletHasSufficientPID'),
        condition('Ready', 'True', 'KubeletReady'),
      ],
      addresses: [
        { type: 'InternalIP', address: `10.1.${index >> 8}.${index & 255}` },
        { type: 'Hostname', address: name },
      ],
      daemonEndpoints: { kubeletEndpoint: { Port: 10250 } },
      nodeInfo: {
        machineID: name,
        systemUUID: name,
        bootID: name,
        kernelVersion: '6.8.0',
        osImage: 'None',
        containerRuntimeVersion: 'fake://1.0.0',
        kubeletVersion: 'v1.36.3',
        kubeProxyVersion: '',
        operatingSystem: 'linux',
        architecture: 'amd64',
      },
    },
  };
}

export class FakeKubelet {
  readonly #client: KubeClient;
  readonly #nodeCount: number;
  readonly #tokens: ReadonlyMap<string, string>;
  readonly #leases: NodeLease[] = [];
  readonly #pods: Informer;
  /** Pods that wait for a worker, by namespace/name; the newest state wins. */
  readonly #queue: Map<string, KubeObject> = new Map();
  /** Uids of the pods that the watch has shown and not shown as gone. */
  readonly #there: Map<string, string> = new Map();
  readonly #loops: Promise<void>[] = [];
  #isStopped = false;
  #addressCount = 0;

  constructor({ client, nodeCount, tokens }: FakeKubeletOptions) {
    this.#client = client;
    this.#nodeCount = nodeCount;
    this.#tokens = tokens;
    this.#pods = new Informer({
      client,
      path: '/api/v1/pods',
      fieldSelector: 'spec.nodeName!=',
      onObject: (pod, isDeleted): void => {
        const key = `${pod.metadata.namespace}/${pod.metadata.name}`;
        if (isDeleted) this.#there.delete(key);
        else this.#there.set(key, pod.metadata.uid);
        const isDue = pod.metadata.deletionTimestamp !== undefined || pod.status?.phase === 'Pending';
        if (isDue && !isDeleted) this.#queue.set(key, pod);
        else this.#queue.delete(key);
      },
    });
  }

  get violations(): readonly string[] {
    return this.#pods.violations;
  }

  get longestGapMs(): number {
    return Math.max(...this.#leases.map((lease) => lease.longestGapMs));
  }

  /** Registers the nodes and starts what they do. */
  async start(): Promise<void> {
    for (let index = 0; index < this.#nodeCount; index++) {
      await this.#asNode('POST', '/api/v1/nodes', index, nodeManifest(index));
      this.#leases.push({ object: undefined, renewedMs: Date.now(), longestGapMs: 0 });
    }
    this.#pods.start();
    for (let index = 0; index < this.#nodeCount; index++) this.#loops.push(this.#renewOn(index));
    for (let index = 0; index < podWorkersMax; index++) this.#loops.push(this.#workOn());
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    await this.#pods.stop();
    await Promise.all(this.#loops);
  }

  /** The nodes whose lease was last renewed before that moment. */
  lateCount(sinceMs: number): number {
    return this.#leases.filter((lease) => lease.renewedMs < sinceMs).length;
  }

  #asNode(method: string, path: string, index: number, body: JsonObject): Promise<KubeObject> {
    const token = this.#tokens.get(`system:node:${nodeName(index)}`);
    return this.#client.send(method, path, { body, ...(token === undefined ? {} : { token }) });
  }

  async #renewOn(index: number): Promise<void> {
    await sleep((renewEveryMs * index) / this.#nodeCount);
    while (!this.#isStopped) {
      const isRenewed = await this.#renew(index);
      await sleep(isRenewed ? renewEveryMs : retryMs);
    }
  }

  async #renew(index: number): Promise<boolean> {
    const path = '/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases';
    const lease = this.#leases[index];
    const name = nodeName(index);
    const body = (resourceVersion: string | undefined): JsonObject => ({
      apiVersion: 'coordination.k8s.io/v1',
      kind: 'Lease',
      metadata: { name, namespace: 'kube-node-lease', ...(resourceVersion === undefined ? {} : { resourceVersion }) },
      spec: {
        holderIdentity: name,
        leaseDurationSeconds: 40,
        renewTime: new Date().toISOString().replace('Z', '000Z'),
      },
    });
    try {
      const known = lease.object;
      lease.object =
        known === undefined
          ? await this.#asNode('POST', path, index, body(undefined))
          : await this.#asNode('PUT', `${path}/${name}`, index, body(known.metadata.resourceVersion));
      const nowMs = Date.now();
      lease.longestGapMs = Math.max(lease.longestGapMs, nowMs - lease.renewedMs);
      lease.renewedMs = nowMs;
      return true;
    } catch (error) {
      // A write whose answer was lost may have succeeded: read what is there, as a kubelet does.
      if (error instanceof KubeError && error.status === 409) {
        lease.object = await this.#client.get(`${path}/${name}`).catch(() => lease.object);
      }
      return false;
    }
  }

  async #workOn(): Promise<void> {
    while (!this.#isStopped) {
      const next = this.#queue.entries().next();
      if (next.done === true) {
        await sleep(20);
        continue;
      }
      const [key, pod] = next.value;
      this.#queue.delete(key);
      try {
        await this.#serve(pod);
      } catch (error) {
        // An API server whose own caches lag behind its watches answers 404 for a pod that is there: it is asked again.
        const isRefused = error instanceof KubeError && (error.status === 404 || error.status === 409);
        const isTerminating = pod.metadata.deletionTimestamp !== undefined;
        if (isRefused && !(isTerminating && this.#there.get(key) === pod.metadata.uid)) continue;
        await sleep(retryMs);
        if (!this.#queue.has(key)) this.#queue.set(key, pod);
      }
    }
  }

  async #serve(pod: KubeObject): Promise<void> {
    const path = `/api/v1/namespaces/${pod.metadata.namespace}/pods/${pod.metadata.name}`;
    const index = Number(pod.spec?.nodeName?.slice('node-'.length));
    if (pod.metadata.deletionTimestamp !== undefined) {
      const { uid } = pod.metadata;
      const options = { apiVersion: 'v1', kind: 'DeleteOptions', gracePeriodSeconds: 0, preconditions: { uid } };
      await this.#asNode('DELETE', path, index, options);
      return;
    }
    const token = this.#tokens.get(`system:node:${nodeName(index)}`);
    await this.#client.send('PATCH', `${path}/status`, {
      body: this.#runningStatus(pod, index),
      contentType: 'application/strategic-merge-patch+json',
      ...(token === undefined ? {} : { token }),
    });
  }

  #runningStatus(pod: KubeObject, index: number): JsonObject {
    const now = new Date().toISOString();
    const address = `10.2.${(this.#addressCount >> 8) & 255}.${this.#addressCount & 255}`;
    this.#addressCount++;
    const types = ['PodReadyToStartContainers', 'Initialized', 'Ready', 'ContainersReady'];
    return {
      metadata: { uid: pod.metadata.uid },
      status: {
        phase: 'Running',
        startTime: now,
        hostIP: `10.1.${index >> 8}.${index & 255}`,
        podIP: address,
        podIPs: [{ ip: address }],
        conditions: types.map((type) => ({ type, status: 'True', lastTransitionTime: now })),
        containerStatuses: (pod.spec?.containers ?? []).map(({ name, image }) => ({
          name,
          image,
          imageID: `fake://${image}`,
          containerID: `fake://${pod.metadata.uid}`,
          ready: true,
          started: true,
          restartCount: 0,
          state: { running: { startedAt: now } },
        })),
      },
    };
  }
}
