// Which objects a handler has been told of, so that it hears of each change once: over duplicates, reconnections and lists again.
//
// Order is the caller's: events older than their stream are not handed in. A list is believed whatever its versions, since the store may
// have been put back to an older state.
//
// Per object: its key (keyOf) in a table of bytes, and in columns by its slot there the version told, the uid and the round of the last list that held it.
// Objects themselves are not kept. There may be a million: what is not a decimal version or a UUID, as all that API servers make are, lies in maps beside
// the columns.

import { KeyTable } from '../base/key-table.ts';
import { readUuid, UUID_BYTES, uuidText } from '../base/uuid.ts';
import type { ObjectIdentity } from './kube-api.ts';
import { keyOf, type ObjectHead, ODD, versionNumber } from './object-head.ts';

const CAPACITY_MIN = 64;
const KEY_BYTES_MIN = 1024;

export class KnownObjects {
  readonly #onDeleted: (identity: ObjectIdentity, slot: number) => void;
  readonly #keys: KeyTable;
  /** ODD: in #oddVersions. */
  #versions = new Float64Array(CAPACITY_MIN);
  #rounds = new Uint32Array(CAPACITY_MIN);
  /** Zeros: in #oddUids. */
  #uids = new Uint8Array(CAPACITY_MIN * UUID_BYTES);
  readonly #oddVersions = new Map<number, string>();
  readonly #oddUids = new Map<number, string>();
  readonly #scratch = new Uint8Array(UUID_BYTES);
  #key: Buffer = Buffer.allocUnsafe(KEY_BYTES_MIN);
  #keyBytes = 0;
  #round = 0;

  /** `onDeleted` is told the slot as well, which is given to another object afterwards. 0 <= chance() < 1. */
  constructor(onDeleted: (identity: ObjectIdentity, slot: number) => void, chance: () => number) {
    this.#onDeleted = onDeleted;
    this.#keys = new KeyTable(Math.floor(chance() * 2 ** 32));
  }

  get size(): number {
    return this.#keys.size;
  }

  /** A list begins, or begins anew: what is not set until endList is no more. */
  beginList(): void {
    this.#round++;
  }

  /** An item that cannot be read: not set, and not deleted either where it is known. */
  keepListed(key: string): void {
    const slot = this.slotOf(key);
    if (slot >= 0) this.#rounds[slot] = this.#round;
  }

  endList(): void {
    for (let slot = 0; slot < this.#keys.end; slot++) {
      if (this.#keys.has(slot) && this.#rounds[slot] !== this.#round) this.deleteAt(slot);
    }
  }

  /** The number of a known object as long as it is known, small; −1 for one that is not. */
  slotOf(key: string): number {
    this.#encode(key);
    return this.#keys.find(this.#key, 0, this.#keyBytes);
  }

  /** The same for a key that lies in bytes[start, end). */
  slotOfBytes(bytes: Uint8Array, start: number, end: number): number {
    return this.#keys.find(bytes, start, end);
  }

  /** The slot of an object that was not known, which is news. Its key is bytes[start, end). */
  add(bytes: Uint8Array, start: number, end: number, told: Pick<ObjectHead, 'uid' | 'resourceVersion'>): number {
    const slot = this.#keys.add(bytes, start, end);
    if (slot >= this.#rounds.length) this.#grow();
    this.#rounds[slot] = this.#round;
    this.#setUid(slot, told.uid);
    this.#setVersion(slot, told.resourceVersion);
    return slot;
  }

  /** Whether it is news, which the caller is to tell: the version differs from what was told. Another one of that name is told deleted here. */
  set(head: ObjectHead): boolean {
    const slot = this.slotOf(keyOf(head));
    if (slot >= 0) return this.setAt(slot, head);
    this.add(this.#key, 0, this.#keyBytes, head);
    return true;
  }

  /** The same for a known object. */
  setAt(slot: number, { uid, resourceVersion }: Pick<ObjectHead, 'uid' | 'resourceVersion'>): boolean {
    this.#rounds[slot] = this.#round;
    const isSame = this.isAt(slot, uid);
    if (isSame && this.#isVersion(slot, resourceVersion)) return false;
    this.#setVersion(slot, resourceVersion);
    if (isSame) return true;
    const told = this.#uidAt(slot);
    this.#setUid(slot, uid);
    this.#onDeleted(identityOf(this.#keys.textAt(slot), told), slot);
    return true;
  }

  /** Whether it is news: the object was known. */
  delete(object: { readonly namespace: string; readonly name: string }): boolean {
    return this.deleteAt(this.slotOf(keyOf(object)));
  }

  /** The same by its slot; −1: it was not known. */
  deleteAt(slot: number): boolean {
    if (slot < 0) return false;
    const identity = identityOf(this.#keys.textAt(slot), this.#uidAt(slot));
    this.#keys.remove(slot);
    this.#oddVersions.delete(slot);
    this.#oddUids.delete(slot);
    this.#onDeleted(identity, slot);
    return true;
  }

  #encode(key: string): void {
    const length = Buffer.byteLength(key);
    if (length > this.#key.length) this.#key = Buffer.allocUnsafe(length);
    this.#key.write(key);
    this.#keyBytes = length;
  }

  #setVersion(slot: number, version: string): void {
    const number = versionNumber(version);
    this.#versions[slot] = number;
    if (number === ODD) this.#oddVersions.set(slot, version);
    else if (this.#oddVersions.size > 0) this.#oddVersions.delete(slot);
  }

  #isVersion(slot: number, version: string): boolean {
    const told = this.#versions[slot];
    return told === ODD ? this.#oddVersions.get(slot) === version : told === versionNumber(version);
  }

  #setUid(slot: number, uid: string): void {
    const at = slot * UUID_BYTES;
    if (readUuid(uid, this.#scratch)) {
      this.#uids.set(this.#scratch, at);
      if (this.#oddUids.size > 0) this.#oddUids.delete(slot);
    } else {
      this.#uids.fill(0, at, at + UUID_BYTES);
      this.#oddUids.set(slot, uid);
    }
  }

  /** Whether the one at the slot is known by that uid. */
  isAt(slot: number, uid: string): boolean {
    const scratch = this.#scratch;
    if (this.#oddUids.size > 0) {
      const odd = this.#oddUids.get(slot);
      if (odd !== undefined) return odd === uid;
    }
    if (!readUuid(uid, scratch)) return false;
    const at = slot * UUID_BYTES;
    for (let i = 0; i < UUID_BYTES; i++) if (this.#uids[at + i] !== scratch[i]) return false;
    return true;
  }

  #uidAt(slot: number): string {
    const at = slot * UUID_BYTES;
    return this.#oddUids.get(slot) ?? uuidText(this.#uids, at);
  }

  #grow(): void {
    const length = 2 * this.#rounds.length;
    const [versions, rounds, uids] = [this.#versions, this.#rounds, this.#uids];
    this.#versions = new Float64Array(length);
    this.#versions.set(versions);
    this.#rounds = new Uint32Array(length);
    this.#rounds.set(rounds);
    this.#uids = new Uint8Array(length * UUID_BYTES);
    this.#uids.set(uids);
  }
}

function identityOf(key: string, uid: string): ObjectIdentity {
  const slash = key.indexOf('/');
  return { namespace: slash < 0 ? '' : key.slice(0, slash), name: key.slice(slash + 1), uid };
}
