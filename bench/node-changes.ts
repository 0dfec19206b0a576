// Nodes that change while pods are placed: at so many writes a second one node after another is put as somebody would have changed it.
//
// A node goes round through three states, neighbours begin with different ones: another label; a heartbeat in its conditions; room for one pod more.
// So of three writes one adds a label and one room, either of which may let in a pod that waits, and each takes back the one before. The values
// are encoded before, of NODES_MAX nodes spread over the cluster: a change costs its put alone.
//
// An open loop: what is due while IN_FLIGHT_MAX are on their way is sent when one has come back. It ends at the first write that fails.

import { ArrivalSchedule } from '../src/bench/arrival-schedule.ts';
import type { EtcdClient } from '../src/client/etcd-client.ts';
import { MessageDecoder, type PlainObject } from '../src/kube/message-decoder.ts';
import { rawOf } from '../src/kube/message-edit.ts';
import { fieldsOf } from '../src/kube-api/object-head.ts';
import { RegistryKeys } from '../src/kube-store/registry-key.ts';
import { encodedObject } from '../src/lab/encoded-object.ts';
import { healthyConditions } from '../src/lab/lab-node.ts';
import { NODE_PREFIX } from '../src/lab/lab-target.ts';
import { nameOf } from '../src/lab/numbered-bytes.ts';
import { storeClient } from './decided-pods.ts';

const NODES_MAX = 999;
const IN_FLIGHT_MAX = 64;
const TICK_MS = 5;
const HEARTBEAT_TIME = '2026-01-01T00:00:00Z';
/** The lab's have 110. */
const PODS_MORE = '111';

interface ChangingNode {
  readonly key: string;
  readonly states: readonly Uint8Array[];
}

export class NodeChanges {
  readonly #client: EtcdClient;
  readonly #nodes: readonly ChangingNode[];
  readonly #schedule: ArrivalSchedule;
  readonly #inFlight = new Set<Promise<void>>();
  #written = 0;
  #next = 0;
  #startMs = 0;
  #timer: NodeJS.Timeout | undefined;
  #failure: unknown;

  private constructor(client: EtcdClient, nodes: readonly ChangingNode[], ratePerSecond: number) {
    this.#client = client;
    this.#nodes = nodes;
    this.#schedule = new ArrivalSchedule(ratePerSecond);
  }

  /** Of a store with so many of the lab's nodes. */
  static async prepare(endpoint: string, nodeCount: number, ratePerSecond: number): Promise<NodeChanges> {
    const client = storeClient(endpoint);
    const folder = new RegistryKeys().folder('nodes');
    const count = Math.min(NODES_MAX, nodeCount);
    const nodes: ChangingNode[] = [];
    for (let i = 0; i < count; i++) {
      const key = nameOf(folder + NODE_PREFIX, Math.floor((i * nodeCount) / count));
      const pair = await client.get(key);
      if (pair === undefined) throw new Error(`there is no ${key}`);
      nodes.push({ key, states: statesOf(pair.value) });
    }
    return new NodeChanges(client, nodes, ratePerSecond);
  }

  start(): void {
    this.#startMs = performance.now();
    this.#schedule.start(this.#startMs);
    this.#timer = setInterval(() => this.#send(), TICK_MS);
  }

  /** How many were written, for people. Rejects with what a write has failed with. */
  async stop(): Promise<string> {
    clearInterval(this.#timer);
    const seconds = (performance.now() - this.#startMs) / 1000;
    await Promise.all(this.#inFlight);
    this.#client.close();
    if (this.#failure !== undefined) throw this.#failure;
    return `${this.#written}, ${Math.round(this.#written / seconds)}/s`;
  }

  #send(): void {
    while (this.#inFlight.size < IN_FLIGHT_MAX && this.#schedule.due(performance.now()) > 0) {
      this.#schedule.take();
      const change = this.#change(this.#next++).finally(() => this.#inFlight.delete(change));
      this.#inFlight.add(change);
    }
  }

  async #change(turn: number): Promise<void> {
    const index = turn % this.#nodes.length;
    const round = Math.floor(turn / this.#nodes.length);
    const { key, states } = this.#nodes[index];
    try {
      await this.#client.put(key, states[(index + round) % states.length]);
      this.#written++;
    } catch (error) {
      this.#failure ??= error;
      clearInterval(this.#timer);
    }
  }
}

function statesOf(value: Uint8Array): readonly Uint8Array[] {
  const { start, end } = rawOf(value);
  const node = new MessageDecoder().decode('Node', value, start, end) ?? {};
  const metadata = fieldsOf(node.metadata);
  const status = fieldsOf(node.status);
  const labels = { ...fieldsOf(metadata.labels), 'example.com/generation': '1' };
  const allocatable = { ...fieldsOf(status.allocatable), pods: PODS_MORE };
  const states: readonly PlainObject[] = [
    { ...node, metadata: { ...metadata, labels } },
    { ...node, status: { ...status, conditions: healthyConditions(node, HEARTBEAT_TIME) } },
    { ...node, status: { ...status, allocatable } },
  ];
  return states.map((state) => encodedObject('Node', state));
}
