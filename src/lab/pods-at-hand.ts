// The stored bytes of pods that are going to be written, so that they need not be read first.
//
// Limit: BYTES_MAX; what comes beyond it is not kept, and is read when it is written.

import type { KeyValue } from '../api/messages.ts';

const BYTES_MAX = 64 * 1024 * 1024;

export class PodsAtHand {
  readonly #pods = new Map<string, KeyValue>();
  #bytes = 0;

  /** `key`: the pod's namespace and name. */
  set(key: string, kv: KeyValue): void {
    this.delete(key);
    if (this.#bytes + kv.value.length > BYTES_MAX) return;
    this.#bytes += kv.value.length;
    this.#pods.set(key, kv);
  }

  get(key: string): KeyValue | undefined {
    return this.#pods.get(key);
  }

  delete(key: string): void {
    const known = this.#pods.get(key);
    if (known === undefined) return;
    this.#pods.delete(key);
    this.#bytes -= known.value.length;
  }
}
