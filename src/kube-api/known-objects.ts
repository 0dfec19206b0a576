// Which objects a handler has been told of, so that it hears of each change once: over duplicates, reconnections and lists again.
//
// Order is the caller's: events older than their stream are not handed in. A list is believed whatever its versions, since the store may
// have been put back to an older state.
//
// Per object: its identity, the version told, and the round of the last list that held it. Objects themselves are not kept.

import type { ObjectIdentity } from './kube-api.ts';
import { keyOf, type ObjectHead } from './object-head.ts';

interface Known {
  head: ObjectHead;
  round: number;
}

export class KnownObjects {
  readonly #onDeleted: (identity: ObjectIdentity) => void;
  readonly #known = new Map<string, Known>();
  #round = 0;

  constructor(onDeleted: (identity: ObjectIdentity) => void) {
    this.#onDeleted = onDeleted;
  }

  get size(): number {
    return this.#known.size;
  }

  /** A list begins, or begins anew: what is not set until endList is no more. */
  beginList(): void {
    this.#round++;
  }

  /** An item that cannot be read: not set, and not deleted either where it is known. */
  keepListed(key: string): void {
    const known = this.#known.get(key);
    if (known !== undefined) known.round = this.#round;
  }

  endList(): void {
    for (const [key, { head, round }] of this.#known) {
      if (round !== this.#round) this.#delete(key, head);
    }
  }

  /** Whether it is news, which the caller is to tell: the version differs from what was told. Another one of that name is told deleted here. */
  set(head: ObjectHead): boolean {
    const key = keyOf(head);
    const known = this.#known.get(key);
    if (known === undefined) {
      this.#known.set(key, { head, round: this.#round });
      return true;
    }
    known.round = this.#round;
    const told = known.head;
    if (told.resourceVersion === head.resourceVersion && told.uid === head.uid) return false;
    known.head = head;
    if (told.uid !== head.uid) this.#onDeleted(identityOf(told));
    return true;
  }

  /** Another version of an object that is known by its uid, told by other means. False where it is not. */
  renew(head: ObjectHead): boolean {
    const known = this.#known.get(keyOf(head));
    if (known === undefined || known.head.uid !== head.uid) return false;
    known.round = this.#round;
    known.head = head;
    return true;
  }

  /** Undefined for an object that is not known. */
  head(key: string): ObjectHead | undefined {
    return this.#known.get(key)?.head;
  }

  /** Whether it is news: the object was known. */
  delete(object: { readonly namespace: string; readonly name: string }): boolean {
    return this.deleteKey(keyOf(object));
  }

  /** The same by `keyOf` of the object. */
  deleteKey(key: string): boolean {
    const known = this.#known.get(key);
    if (known === undefined) return false;
    this.#delete(key, known.head);
    return true;
  }

  #delete(key: string, head: ObjectHead): void {
    this.#known.delete(key);
    this.#onDeleted(identityOf(head));
  }
}

function identityOf({ namespace, name, uid }: ObjectHead): { namespace: string; name: string; uid: string } {
  return { namespace, name, uid };
}
