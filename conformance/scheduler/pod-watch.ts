/**
 * All pods of an API server as they are now, by a list and a watch from there, with the answer to "tell me when". The API
 * server ends a watch that does not keep up; then it is listed again.
 */
import type { KubeClient, KubeObject } from '../kubernetes/kube-client.ts';

/** The parts of a pod that a run looks at. */
export interface PodView extends KubeObject {
  readonly spec: { readonly nodeName?: string };
  readonly status: {
    readonly nominatedNodeName?: string;
    readonly conditions?: readonly {
      readonly type: string;
      readonly status: string;
      readonly reason?: string;
      readonly message?: string;
    }[];
  };
}

export class PodWatch {
  readonly #client: KubeClient;
  readonly #abort = new AbortController();
  readonly #pods = new Map<string, PodView>();
  #changed: (() => void)[] = [];
  #running: Promise<void> | undefined;

  constructor(client: KubeClient) {
    this.#client = client;
  }

  start(): void {
    this.#running = this.#follow();
  }

  async stop(): Promise<void> {
    this.#abort.abort();
    await this.#running;
  }

  all(): PodView[] {
    return [...this.#pods.values()];
  }

  get(key: string): PodView | undefined {
    return this.#pods.get(key);
  }

  /** Waits until `test` says yes, at most so long. Whether it did. */
  async when(timeoutMs: number, test: () => boolean): Promise<boolean> {
    const deadlineMs = Date.now() + timeoutMs;
    while (!test()) {
      const left = deadlineMs - Date.now();
      if (left <= 0) return false;
      let timer: NodeJS.Timeout | undefined;
      await new Promise<void>((resolve) => {
        timer = setTimeout(resolve, left);
        this.#changed.push(resolve);
      });
      clearTimeout(timer);
    }
    return true;
  }

  async #follow(): Promise<void> {
    while (!this.#abort.signal.aborted) {
      try {
        const { metadata: list, items } = await this.#client.list('/api/v1/pods');
        this.#pods.clear();
        // The path is that of pods.
        for (const item of items) this.#pods.set(`${item.metadata.namespace}/${item.metadata.name}`, item as PodView);
        const path = `/api/v1/pods?watch=1&resourceVersion=${list.resourceVersion}`;
        for await (const event of this.#client.watch(path, this.#abort.signal)) {
          if (event.type === 'ERROR') break;
          if (event.type === 'BOOKMARK') continue;
          const { metadata } = event.object;
          const key = `${metadata.namespace}/${metadata.name}`;
          if (event.type === 'DELETED') this.#pods.delete(key);
          else this.#pods.set(key, event.object as PodView);
          for (const wake of this.#changed.splice(0)) wake();
        }
      } catch (error) {
        if (!this.#abort.signal.aborted) throw error;
      }
    }
  }
}
