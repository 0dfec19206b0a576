// What a scheduler needs of pods' stored bytes, by the slots of the reflector that follows the pods (kube-api/known-objects.ts):
//
//   kept   of pods without a node, so that a binding need not read them first. Of a pod of a known form (kube/object-forms.ts) only its own bytes: a hundred
//          instead of a thousand.
//   sent   what its binding has written: an event with these bytes is the binding, and need not be read
//
// Limits: BYTES_MAX are kept; beyond it what comes is not, and read from the store when it is bound: the first to come are the first to be bound.
// SENT_MAX bindings are remembered until the watch shows them; the event of another one is read like any.

import type { KeyValue } from '../api/messages.ts';
import { assert } from '../base/assert.ts';
import type { KvView } from '../client/kv-view.ts';
import { type ObjectForm, restore } from '../kube/object-forms.ts';
import type { FormedBytes } from '../kube-api/lookalikes.ts';

const BYTES_MAX = 256 * 1024 * 1024;
/** Of what stands around a pod's bytes. */
const ENTRY_BYTES = 100;
const SENT_MAX = 16_384;
/** Room for most pods. */
const RESTORED_BYTES = 16 * 1024;

/** A pod as it is stored. */
export type StoredPod = Pick<KeyValue, 'value' | 'mod_revision'>;

export interface SentBinding {
  readonly value: Uint8Array;
  readonly uid: string;
  readonly nodeName: string;
}

interface KeptPod {
  /** Undefined: `own` is the pod's whole value. */
  readonly form: ObjectForm<unknown> | undefined;
  readonly own: string | Uint8Array;
  readonly revision: number;
}

export class PodBytes {
  /** By slot. */
  readonly #kept: (KeptPod | undefined)[] = [];
  #keptBytes = 0;
  readonly #restored = Buffer.allocUnsafe(RESTORED_BYTES);
  readonly #sent = new Map<number, SentBinding>();

  /** `formed`: its value, if that is of a form. */
  keep(slot: number, kv: KvView, formed: FormedBytes | undefined): void {
    this.drop(slot);
    const kept = { form: formed?.form, own: formed?.own ?? kv.valueCopy(), revision: kv.modRevision };
    if (this.#keptBytes + sizeOf(kept) > BYTES_MAX) return;
    this.#keptBytes += sizeOf(kept);
    // Without holes, so that it stays an array.
    while (this.#kept.length <= slot) this.#kept.push(undefined);
    this.#kept[slot] = kept;
  }

  /** Its value is valid until the next call. */
  get(slot: number): StoredPod | undefined {
    const kept = this.#kept[slot];
    if (kept === undefined) return undefined;
    const { form, own, revision: mod_revision } = kept;
    if (typeof own !== 'string') return { value: own, mod_revision };
    assert(form !== undefined, 'own bytes of a form');
    return { value: restore(form, own, this.#restored), mod_revision };
  }

  /** It is on a node, or gone. */
  drop(slot: number): void {
    const kept = this.#kept[slot];
    if (kept === undefined) return;
    this.#kept[slot] = undefined;
    this.#keptBytes -= sizeOf(kept);
  }

  /** A binding is on its way. */
  send(slot: number, sent: SentBinding): void {
    if (this.#sent.size < SENT_MAX || this.#sent.has(slot)) this.#sent.set(slot, sent);
  }

  /** It was not carried out. */
  unsend(slot: number, sent: SentBinding): void {
    // The slot may be another pod's by now.
    if (this.#sent.get(slot) === sent) this.#sent.delete(slot);
  }

  /** The binding that these bytes are of, if they are the one that was sent; whatever comes first of a pod ends its being remembered. */
  takeSent(slot: number, { bytes, valueStart, valueEnd }: KvView): SentBinding | undefined {
    const sent = this.#sent.get(slot);
    if (sent === undefined) return undefined;
    this.#sent.delete(slot);
    return bytes.compare(sent.value, 0, sent.value.length, valueStart, valueEnd) === 0 ? sent : undefined;
  }

  /** The slot will be another pod's. */
  forget(slot: number): void {
    this.drop(slot);
    this.#sent.delete(slot);
  }
}

function sizeOf({ own }: KeptPod): number {
  return ENTRY_BYTES + own.length;
}
