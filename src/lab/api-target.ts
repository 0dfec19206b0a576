// The lab behind an API server: objects are written as kubelets and users write them.

import { RefusedError } from '../base/refused-error.ts';
import type { Clock } from '../io/clock.ts';
import { NODE_LEASE_NAMESPACE } from '../kube/node-lease.ts';
import type { HttpKubeApi } from '../kube-api/http-kube-api.ts';
import type { JsonObject, Reflection } from '../kube-api/kube-api.ts';
import { fieldsOf, headOf, type ObjectHead } from '../kube-api/object-head.ts';
import { failureText } from '../kube-api/outcome.ts';
import type { ResourceName } from '../kube-api/resource.ts';
import { ApiCreation } from './api-creation.ts';
import { ApiNodeLeases } from './api-node-leases.ts';
import { ApiObjectWriter } from './api-object-writer.ts';
import { ApiPodFeed } from './api-pod-feed.ts';
import type { BoundSample } from './bound-sample.ts';
import {
  type Creation,
  type CreationOptions,
  type LabTarget,
  type LeaseOptions,
  type LeaseRenewal,
  NODE_PREFIX,
  numberIn,
  POD_PREFIX,
  type Removal,
} from './lab-target.ts';
import { nameOf } from './numbered-bytes.ts';
import type { ObjectMaker } from './object-maker.ts';
import type { ObjectWriter } from './object-writer.ts';
import type { PodFeed } from './pod-feed.ts';

/** Some 10 KB each, as objects. */
const WAITING_MAX = 50_000;
const REMOVED_AT_ONCE = 64;

export interface ApiWorld {
  readonly clock: Clock;
  readonly signal: AbortSignal;
  /** For a log. */
  readonly onProblem: (text: string) => void;
}

export class ApiTarget implements LabTarget {
  readonly writer: ObjectWriter;
  readonly feed: PodFeed;
  readonly waitingMax: number = WAITING_MAX;
  readonly #world: ApiWorld;
  readonly #api: HttpKubeApi;
  #bound: Reflection | undefined;

  constructor(world: ApiWorld, api: HttpKubeApi) {
    this.#world = world;
    this.#api = api;
    const atHand = new Map<string, JsonObject>();
    this.writer = new ApiObjectWriter({ api, objects: api.objects, atHand });
    this.feed = new ApiPodFeed(api, atHand);
  }

  async open(): Promise<void> {
    const outcome = await this.#api.readVersion();
    if (outcome.kind !== 'found') throw new RefusedError(`cannot reach the API server: ${failureText(outcome)}`);
  }

  close(): Promise<void> {
    this.#bound?.close();
    return this.#api.close();
  }

  create(maker: ObjectMaker, options: CreationOptions): Creation {
    const count = new ApiCreation({ objects: this.#api.objects, ...this.#world }, maker, options);
    return { count, done: count.run() };
  }

  leases({ count }: LeaseOptions): LeaseRenewal {
    return new ApiNodeLeases({
      ...this.#world,
      api: this.#api,
      objects: this.#api.objects,
      nameOf: (index) => nameOf(NODE_PREFIX, index),
      count,
      nodeUids: async () => new Map((await this.#listed('nodes')).map(({ name, uid }) => [name, uid])),
    });
  }

  tellBound(sample: BoundSample, namespaces: readonly string[]): Promise<void> {
    return new Promise((resolve) => {
      const onSet = (pod: JsonObject): void => {
        const { namespace, name } = fieldsOf(pod.metadata);
        const { nodeName } = fieldsOf(pod.spec);
        const isOurs = typeof namespace === 'string' && namespaces.includes(namespace);
        if (isOurs && typeof nodeName === 'string' && nodeName !== '')
          sample.onBound(numberIn(String(name), POD_PREFIX));
      };
      const { onProblem } = this.#world;
      this.#bound = this.#api.reflect('pods', { onSet, onDeleted: () => {}, onSynced: resolve, onProblem });
    });
  }

  async removeNodes(removal: Removal): Promise<void> {
    const nodes = (await this.#listed('nodes')).filter(({ name }) => numberIn(name, NODE_PREFIX) >= 0);
    // Leases are found by their nodes: those go last, so that a removal that was interrupted can be taken up.
    const leases = nodes.map(({ name }) => ({ namespace: NODE_LEASE_NAMESPACE, name }));
    await this.#removeAll('leases', leases, removal);
    await this.#removeAll('nodes', nodes, removal);
  }

  async removePods(namespaces: readonly string[] | undefined, removal: Removal): Promise<void> {
    const pods = (await this.#listed('pods')).filter(
      ({ name, namespace }) => numberIn(name, POD_PREFIX) >= 0 && (namespaces?.includes(namespace) ?? true),
    );
    await this.#removeAll('pods', pods, removal);
  }

  /** All there are now. Rejects with RefusedError. */
  #listed(resource: ResourceName): Promise<readonly ObjectHead[]> {
    return new Promise((resolve, reject) => {
      const heads = new Map<string, ObjectHead>();
      const handler = {
        onSet: (object: JsonObject) => {
          const head = headOf(object);
          if (head !== undefined) heads.set(head.uid, head);
        },
        onDeleted: ({ uid }: { readonly uid: string }) => heads.delete(uid),
        onSynced: () => {
          reflection.close();
          resolve([...heads.values()]);
        },
        onProblem: (text: string) => {
          // Without trouble it is an object that was skipped.
          if (reflection.trouble === undefined) return;
          reflection.close();
          reject(new RefusedError(text));
        },
      };
      const reflection = this.#api.reflect(resource, handler, { isNewest: true });
    });
  }

  /** At once, without grace: nobody would tell of their end. Rejects with RefusedError. */
  async #removeAll(
    resource: ResourceName,
    objects: readonly { readonly namespace: string; readonly name: string }[],
    { onRemoved, signal }: Removal,
  ): Promise<void> {
    let next = 0;
    const work = async (): Promise<void> => {
      while (next < objects.length && signal?.aborted !== true) {
        const outcome = await this.#api.objects.remove(resource, objects[next++], { graceSeconds: 0 });
        if (outcome.kind === 'done') onRemoved(1);
        else if (outcome.kind !== 'gone') throw new RefusedError(failureText(outcome));
      }
    };
    await Promise.all(Array.from({ length: Math.min(REMOVED_AT_ONCE, objects.length) }, work));
  }
}
