/** All pods of an API server as they are now, by a watch, with the answer to "tell me when". */
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
        // From now on, with what there is told first as added.
        for await (const event of this.#client.watch('/api/v1/pods?watch=1', this.#abort.signal)) {
          if (event.type === 'ERROR' || event.type === 'BOOKMARK') continue;
          const { metadata } = event.object;
          const key = `${metadata.namespace}/${metadata.name}`;
          if (event.type === 'DELETED') this.#pods.delete(key);
          // The path is that of pods.
          else this.#pods.set(key, event.object as PodView);
          for (const wake of this.#changed.splice(0)) wake();
        }
      } catch (error) {
        if (!this.#abort.signal.aborted) throw error;
      }
    }
  }
}
