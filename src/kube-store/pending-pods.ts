// The stored bytes of pods that have no node yet, so that a binding need not read them first. Of a pod of a known form (kube/object-forms.ts) only its own
// bytes are kept: a hundred instead of a thousand.
//
// Limit: BYTES_MAX; beyond it what comes is not kept, and read from the store when it is bound: the first to come are the first to be bound.

import type { KeyValue } from '../api/messages.ts';
import type { KvView } from '../client/kv-view.ts';
import { restore } from '../kube/object-forms.ts';
import type { FormedBytes } from './lookalikes.ts';

const BYTES_MAX = 256 * 1024 * 1024;
/** Of what stands around a pod's bytes. */
const ENTRY_BYTES = 100;

/** A pod as it is stored. */
export type StoredPod = Pick<KeyValue, 'value' | 'mod_revision'>;

interface Pending {
  readonly bytes: FormedBytes | Uint8Array;
  readonly revision: number;
}

export class PendingPods {
  readonly #pods = new Map<string, Pending>();
  #bytes = 0;

  /** `name`: the pod's namespace and name. `formed`: its value, if that is of a form. */
  set(name: string, kv: KvView, formed: FormedBytes | undefined): void {
    this.delete(name);
    const pending = { bytes: formed ?? kv.valueCopy(), revision: kv.modRevision };
    if (this.#bytes + sizeOf(pending) > BYTES_MAX) return;
    this.#bytes += sizeOf(pending);
    this.#pods.set(name, pending);
  }

  get(name: string): StoredPod | undefined {
    const pending = this.#pods.get(name);
    if (pending === undefined) return undefined;
    const { bytes, revision: mod_revision } = pending;
    return { value: 'form' in bytes ? restore(bytes.form, bytes.own) : bytes, mod_revision };
  }

  delete(name: string): void {
    const known = this.#pods.get(name);
    if (known === undefined) return;
    this.#pods.delete(name);
    this.#bytes -= sizeOf(known);
  }
}

function sizeOf({ bytes }: Pending): number {
  return ENTRY_BYTES + ('form' in bytes ? bytes.own.length : bytes.length);
}
