// The stored bytes of pods that have no node yet, so that a binding need not read them first.
//
// Limit: BYTES_MAX; beyond it the oldest are dropped, and read from the store when they are bound.

import type { KeyValue } from '../api/messages.ts';

const BYTES_MAX = 64 * 1024 * 1024;

export class PendingPods {
  readonly #pods = new Map<string, KeyValue>();
  #bytes = 0;

  /** `name`: the pod's namespace and name. */
  set(name: string, kv: KeyValue): void {
    this.delete(name);
    this.#pods.set(name, kv);
    this.#bytes += kv.value.length;
    for (const oldest of this.#pods.keys()) {
      if (this.#bytes <= BYTES_MAX) return;
      this.delete(oldest);
    }
  }

  get(name: string): KeyValue | undefined {
    return this.#pods.get(name);
  }

  delete(name: string): void {
    const known = this.#pods.get(name);
    if (known === undefined) return;
    this.#pods.delete(name);
    this.#bytes -= known.value.length;
  }
}
