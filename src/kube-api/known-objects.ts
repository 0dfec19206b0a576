// Which objects a handler has been told of, so that it hears of each change once: over duplicates, reconnections and lists again.
//
// Per object: its identity, the version told, and the round of the last list that held it. Objects themselves are not kept.

import type { JsonObject, ObjectIdentity } from './kube-api.ts';
import { isOlder, keyOf, type ObjectHead } from './object-head.ts';

export interface ChangeHandler {
  onSet(object: JsonObject): void;
  onDeleted(identity: ObjectIdentity): void;
}

interface Known {
  head: ObjectHead;
  round: number;
}

export class KnownObjects {
  readonly #handler: ChangeHandler;
  readonly #known = new Map<string, Known>();
  #round = 0;

  constructor(handler: ChangeHandler) {
    this.#handler = handler;
  }

  get size(): number {
    return this.#known.size;
  }

  /** A list begins, or begins anew: what is not set until endList is no more. */
  beginList(): void {
    this.#round++;
  }

  /** An item of a list. A list is believed whatever its versions: the store may have been put back to an older state. */
  setListed(head: ObjectHead, object: JsonObject): void {
    this.#set(head, object, true);
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

  /** Of a watch. False when it tells nothing new. */
  set(head: ObjectHead, object: JsonObject): boolean {
    return this.#set(head, object, false);
  }

  /** Of a watch. False when it tells nothing new. */
  delete(head: ObjectHead): boolean {
    const key = keyOf(head);
    const known = this.#known.get(key);
    // The deletion of an earlier object of the same name.
    if (
      known === undefined ||
      (known.head.uid !== head.uid && isOlder(head.resourceVersion, known.head.resourceVersion))
    ) {
      return false;
    }
    this.#delete(key, known.head);
    return true;
  }

  #set(head: ObjectHead, object: JsonObject, isListed: boolean): boolean {
    const key = keyOf(head);
    const known = this.#known.get(key);
    if (known === undefined) {
      this.#known.set(key, { head, round: this.#round });
      this.#handler.onSet(object);
      return true;
    }
    if (isListed) known.round = this.#round;
    const told = known.head;
    if (told.resourceVersion === head.resourceVersion && told.uid === head.uid) return false;
    if (!isListed && isOlder(head.resourceVersion, told.resourceVersion)) return false;
    known.head = head;
    if (told.uid !== head.uid) this.#handler.onDeleted(identityOf(told));
    this.#handler.onSet(object);
    return true;
  }

  #delete(key: string, head: ObjectHead): void {
    this.#known.delete(key);
    this.#handler.onDeleted(identityOf(head));
  }
}

function identityOf({ namespace, name, uid }: ObjectHead): { namespace: string; name: string; uid: string } {
  return { namespace, name, uid };
}
