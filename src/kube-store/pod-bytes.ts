// What a scheduler needs of pods' stored bytes, by the slots of the reflector that follows the pods (kube-api/known-objects.ts):
//
//   kept   of pods without a node, so that a binding need not read them first (slot-bytes.ts). Of a pod of a known form (kube/object-forms.ts) only its own
//          bytes: a hundred instead of a thousand.
//   sent   what its binding has written: an event with these bytes is the binding, and need not be read
//
// Limits: BYTES_MAX are kept; beyond it what comes is not, and read from the store when it is bound: the first to come are the first to be bound.
// SENT_MAX bindings are remembered until the watch shows them; the event of another one is read like any.

import type { KeyValue } from '../api/messages.ts';
import type { KvView } from '../client/kv-view.ts';
import { type ObjectForm, restore } from '../kube/object-forms.ts';
import type { FormedBytes } from '../kube-api/lookalikes.ts';
import { SlotBytes } from './slot-bytes.ts';

const BYTES_MAX = 256 * 1024 * 1024;
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

export class PodBytes {
  readonly #kept = new SlotBytes();
  /** Of those of which only their own bytes are kept, by slot. */
  readonly #forms: (ObjectForm<unknown> | undefined)[] = [];
  readonly #restored = Buffer.allocUnsafe(RESTORED_BYTES);
  readonly #sent = new Map<number, SentBinding>();

  /** `formed`: its value, if that is of a form. */
  keep(slot: number, kv: KvView, formed: FormedBytes | undefined): void {
    this.drop(slot);
    const { bytes, start, end } = formed ?? { bytes: kv.bytes, start: kv.valueStart, end: kv.valueEnd };
    if (this.#kept.liveBytes + SlotBytes.sizeOf(end - start) > BYTES_MAX) return;
    this.#kept.put(slot, kv.modRevision, { bytes, start, end });
    if (formed === undefined) return;
    // Without holes, so that it stays an array.
    while (this.#forms.length <= slot) this.#forms.push(undefined);
    this.#forms[slot] = formed.form;
  }

  /** Its value is valid until the next call. */
  get(slot: number): StoredPod | undefined {
    const found = this.#kept.find(slot);
    if (found === undefined) return undefined;
    const form = this.#forms[slot];
    const { bytes, start, end, revision: mod_revision } = found;
    const value = form === undefined ? bytes.subarray(start, end) : restore(form, found, this.#restored);
    return { value, mod_revision };
  }

  /** It is on a node, or gone. */
  drop(slot: number): void {
    this.#kept.drop(slot);
    if (slot < this.#forms.length) this.#forms[slot] = undefined;
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
