// The stored bytes of pods that are going to be written, so that they need not be read first.
//
// Limit: BYTES_MAX; what comes beyond it is not kept, and is read when it is written.

import type { KvView } from '../client/kv-view.ts';

const BYTES_MAX = 64 * 1024 * 1024;

export interface StoredBytes {
  readonly value: Uint8Array;
  readonly mod_revision: number;
}

export class PodsAtHand {
  readonly #pods = new Map<string, StoredBytes>();
  #bytes = 0;

  /** `key`: the pod's namespace and name. */
  set(key: string, kv: KvView): void {
    this.delete(key);
    const length = kv.valueEnd - kv.valueStart;
    if (this.#bytes + length > BYTES_MAX) return;
    this.#bytes += length;
    this.#pods.set(key, { value: kv.valueCopy(), mod_revision: kv.modRevision });
  }

  /** Once. */
  take(key: string): StoredBytes | undefined {
    const known = this.#pods.get(key);
    this.delete(key);
    return known;
  }

  clear(): void {
    this.#pods.clear();
    this.#bytes = 0;
  }

  delete(key: string): void {
    const known = this.#pods.get(key);
    if (known === undefined) return;
    this.#pods.delete(key);
    this.#bytes -= known.value.length;
  }
}
