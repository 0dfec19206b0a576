// All pods that are on nodes, followed through the API server; those that are going to be written are kept as they were told.

import type { JsonObject, KubeApi, Reflection } from '../kube-api/kube-api.ts';
import { keyOf } from '../kube-api/object-head.ts';
import type { PodFeed, PodFeedListener } from './pod-feed.ts';
import { podViewOf } from './pod-view.ts';

const ON_NODES = 'spec.nodeName!=';

export class ApiPodFeed implements PodFeed {
  readonly #api: KubeApi;
  /** By namespace and name. As many as the listener wants written. */
  readonly #atHand: Map<string, JsonObject>;
  #listener: PodFeedListener | undefined;
  #reflection: Reflection | undefined;

  constructor(api: KubeApi, atHand: Map<string, JsonObject>) {
    this.#api = api;
    this.#atHand = atHand;
  }

  start(listener: PodFeedListener): void {
    this.#listener = listener;
    this.listAnew();
  }

  listAnew(): void {
    const listener = this.#listener;
    if (listener === undefined || this.#reflection?.isSynced === false) return;
    this.#reflection?.close();
    this.#atHand.clear();
    listener.onListBegins();
    const handler = {
      onSet: (pod: JsonObject) => {
        const view = podViewOf(pod);
        if (listener.onPod(view)) this.#atHand.set(keyOf(view), pod);
        else this.#atHand.delete(keyOf(view));
      },
      onDeleted: (pod: { readonly namespace: string; readonly name: string }) => {
        this.#atHand.delete(keyOf(pod));
        listener.onGone(keyOf(pod));
      },
      onSynced: () => listener.onListEnds(),
      onProblem: (text: string) => listener.onProblem(text),
    };
    this.#reflection = this.#api.reflect('pods', handler, { fieldSelector: ON_NODES, isNewest: true });
  }

  close(): void {
    this.#reflection?.close();
    this.#listener = undefined;
  }
}
