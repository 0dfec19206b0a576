// The binding of a plain pod, as an API server has created it and nobody has touched it since: one walk over its bytes, one copy with what a binding
// adds. What `PodRewriter.bind` (stored-pod.ts) does with any pod, for the millions that are like this:
//
//   raw ▒ { metadata { … uid … } spec ▒ { … nodeName "" ▒▒▒▒ … } status ▒ { phase … conditions ▒▒▒ … nominatedNodeName "" … } }      ▒ changed or added
//
// A pod with anything to refuse, with the condition PodScheduled, or with fields that are not in order as API servers write them is none.

import { ByteReader } from '../base/byte-reader.ts';
import { copyBytes } from '../base/bytes.ts';
import { varintBytes } from '../base/varint.ts';
import { MAGIC } from './stored-object.ts';

const LENGTH_DELIMITED = 2;
/** Tags of length-delimited fields. Of Unknown: */
const TYPE_META = 0x0a;
const RAW = 0x12;
/** Of Pod. */
const METADATA = 0x0a;
const SPEC = 0x12;
const STATUS = 0x1a;
/** Of ObjectMeta. */
const UID = 0x2a;
const DELETION_TIMESTAMP = 0x4a;
/** Of PodSpec. */
const NODE_NAME = 0x52;
const SCHEDULING_GATES = 38 * 8 + LENGTH_DELIMITED;
/** Of PodStatus. */
const CONDITIONS = 0x12;
const NOMINATED_NODE_NAME = 0x5a;
/** Of PodCondition. */
const CONDITION_TYPE = 0x0a;
const SCHEDULED = 'PodScheduled';

/** A message and the place of its length. */
interface Part {
  lengthAt: number;
  start: number;
  end: number;
}

export class PlainBinding {
  readonly #reader = new ByteReader();
  #stored: Uint8Array = new Uint8Array(0);
  readonly #raw: Part = { lengthAt: 0, start: 0, end: 0 };
  readonly #spec: Part = { lengthAt: 0, start: 0, end: 0 };
  readonly #status: Part = { lengthAt: 0, start: 0, end: 0 };
  /** Where the length of the empty node's name stands. */
  #nodeAt = 0;
  /** Where the condition belongs. */
  #conditionAt = 0;

  /**
   * The bytes of the pod bound to the node, `condition` being the field that is added; undefined for a pod that is not plain. Throws WireError where
   * the bytes are no pod.
   */
  bind(stored: Uint8Array, uid: string, nodeName: string, condition: Uint8Array): Uint8Array | undefined {
    this.#stored = stored;
    return this.#isPlain(uid) && isAscii(nodeName) ? this.#bound(nodeName, condition) : undefined;
  }

  #isPlain(uid: string): boolean {
    const reader = this.#reader;
    reader.reset(this.#stored, MAGIC.length, this.#stored.length);
    let count = 0;
    while (reader.hasMore) {
      const tag = reader.tag();
      const lengthAt = reader.position;
      reader.skip(tag);
      if (tag === RAW) {
        count++;
        note(this.#raw, lengthAt, reader);
        if (!this.#isPlainPod(uid)) return false;
      } else if (count === 0 ? tag !== TYPE_META : reader.position !== lengthAt + 1) {
        // Behind it stand an encoding and a content type, empty.
        return false;
      }
    }
    return count === 1;
  }

  #isPlainPod(uid: string): boolean {
    const reader = this.#reader;
    const outer = reader.enter();
    let before = 0;
    let parts = 0;
    while (reader.hasMore) {
      const tag = reader.tag();
      const lengthAt = reader.position;
      reader.skip(tag);
      if (tag <= before) return false;
      before = tag;
      if (tag === METADATA) {
        parts++;
        if (!this.#isPlainMetadata(uid)) return false;
      } else if (tag === SPEC) {
        parts++;
        note(this.#spec, lengthAt, reader);
        if (!this.#isPlainSpec()) return false;
      } else if (tag === STATUS) {
        parts++;
        note(this.#status, lengthAt, reader);
        if (!this.#isPlainStatus()) return false;
      }
    }
    reader.leave(outer);
    return parts === 3;
  }

  #isPlainMetadata(uid: string): boolean {
    const reader = this.#reader;
    const outer = reader.enter();
    let is = false;
    while (reader.hasMore) {
      const tag = reader.tag();
      reader.skip(tag);
      if (tag === UID) is = this.#isText(reader.valueStart, reader.valueEnd, uid);
      else if (tag === DELETION_TIMESTAMP) return false;
    }
    reader.leave(outer);
    return is;
  }

  #isPlainSpec(): boolean {
    const reader = this.#reader;
    const outer = reader.enter();
    this.#nodeAt = 0;
    let before = 0;
    while (reader.hasMore) {
      const tag = reader.tag();
      const lengthAt = reader.position;
      reader.skip(tag);
      const number = tag >>> 3;
      if (number < before || tag === SCHEDULING_GATES) return false;
      before = number;
      if (tag !== NODE_NAME) continue;
      // Once, and empty.
      if (this.#nodeAt !== 0 || reader.position !== lengthAt + 1) return false;
      this.#nodeAt = lengthAt;
    }
    reader.leave(outer);
    return this.#nodeAt !== 0;
  }

  #isPlainStatus(): boolean {
    const reader = this.#reader;
    const outer = reader.enter();
    this.#conditionAt = 0;
    let before = 0;
    let nominations = 0;
    while (reader.hasMore) {
      const start = reader.position;
      const tag = reader.tag();
      reader.skip(tag);
      const number = tag >>> 3;
      if (number < before) return false;
      before = number;
      if (number > CONDITIONS >>> 3 && this.#conditionAt === 0) this.#conditionAt = start;
      if (tag === CONDITIONS && this.#isScheduled()) return false;
      if (tag !== NOMINATED_NODE_NAME) continue;
      nominations++;
      if (reader.position !== start + 2) return false;
    }
    reader.leave(outer);
    // A nomination's field, which is always written, stands behind.
    return nominations === 1;
  }

  /** The condition that has just been stepped over. */
  #isScheduled(): boolean {
    const reader = this.#reader;
    const outer = reader.enter();
    let is = false;
    while (reader.hasMore) {
      const tag = reader.tag();
      reader.skip(tag);
      if (tag === CONDITION_TYPE) is = this.#isText(reader.valueStart, reader.valueEnd, SCHEDULED);
    }
    reader.leave(outer);
    return is;
  }

  #isText(start: number, end: number, text: string): boolean {
    if (end - start !== text.length || !isAscii(text)) return false;
    for (let i = 0; i < text.length; i++) if (text.charCodeAt(i) !== this.#stored[start + i]) return false;
    return true;
  }

  #bound(nodeName: string, condition: Uint8Array): Uint8Array {
    const [stored, raw, spec, status] = [this.#stored, this.#raw, this.#spec, this.#status];
    // One byte is the length of the empty name.
    const specLength = spec.end - spec.start + varintBytes(nodeName.length) - 1 + nodeName.length;
    const statusLength = status.end - status.start + condition.length;
    const rawLength = raw.end - raw.start + grownBy(spec, specLength) + grownBy(status, statusLength);
    const bound = Buffer.allocUnsafe(stored.length + grownBy(raw, rawLength));
    let at = copy(bound, 0, stored, 0, raw.lengthAt);
    at = varint(bound, at, rawLength);
    at = copy(bound, at, stored, raw.start, spec.lengthAt);
    at = varint(bound, at, specLength);
    at = copy(bound, at, stored, spec.start, this.#nodeAt);
    at = varint(bound, at, nodeName.length);
    for (let i = 0; i < nodeName.length; i++) bound[at++] = nodeName.charCodeAt(i);
    at = copy(bound, at, stored, this.#nodeAt + 1, status.lengthAt);
    at = varint(bound, at, statusLength);
    at = copy(bound, at, stored, status.start, this.#conditionAt);
    at = copy(bound, at, condition, 0, condition.length);
    copy(bound, at, stored, this.#conditionAt, stored.length);
    return bound;
  }
}

function note(part: Part, lengthAt: number, { valueStart, valueEnd }: ByteReader): void {
  part.lengthAt = lengthAt;
  part.start = valueStart;
  part.end = valueEnd;
}

/** How many bytes more the message takes, its length included, that has so many now. */
function grownBy({ lengthAt, start, end }: Part, length: number): number {
  return varintBytes(length) - (start - lengthAt) + length - (end - start);
}

function copy(target: Uint8Array, at: number, source: Uint8Array, start: number, end: number): number {
  copyBytes(target, at, source, start, end);
  return at + end - start;
}

function varint(target: Uint8Array, at: number, value: number): number {
  let rest = value;
  let end = at;
  for (; rest > 127; rest >>>= 7) target[end++] = (rest & 127) | 128;
  target[end++] = rest;
  return end;
}

function isAscii(text: string): boolean {
  for (let i = 0; i < text.length; i++) if (text.charCodeAt(i) > 0x7f) return false;
  return true;
}
