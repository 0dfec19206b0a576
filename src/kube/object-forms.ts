// Forms: what stored objects of one template share in bytes, with what their owner keeps of each. Two objects are of one form only if they are the same
// byte for byte outside of their cuts (cuts.ts), and cut at the same places.
//
//   text of a form:  the bytes outside of the cuts, then for each cut and end its place in them: 3 bytes, and 1 for which of both it is
//
// It is found by a hash over that text and compared with it. `ownBytes` and `restore` take an object apart and put it together again: of a
// million objects only their own bytes have to be kept.
//
// Limits: FORMS_MAX, of FORMS_BYTES_MAX together; when there are more, all are forgotten and learned anew.

import { type BytesRange, copyBytes } from '../base/bytes.ts';
import type { Cuts } from './cuts.ts';

const FORMS_MAX = 4096;
/** A template has about 1 KB, and the largest value that a store takes 1.5 MiB. */
const FORMS_BYTES_MAX = 32 * 1024 * 1024;
const PLACE_BYTES = 4;
const TWO_BYTES = 0x80;

export interface ObjectForm<T> {
  /** Of the first object of the form that was learned. */
  readonly kept: T;
  readonly text: Uint8Array;
  readonly fixedBytes: number;
  /** Of those with the same hash: the next. */
  readonly next: ObjectForm<T> | undefined;
}

export class ObjectForms<T> {
  readonly #byHash = new Map<number, ObjectForm<T>>();
  #count = 0;
  #bytes = 0;
  /** The text of the form that was looked for last, and room behind it. */
  #text: Buffer = Buffer.alloc(4096);
  #words: Int32Array = new Int32Array(this.#text.buffer, this.#text.byteOffset, this.#text.length / 4);
  #length = 0;
  #fixedBytes = 0;
  #hash = 0;

  /** Undefined for a form that is not known: `learn` may follow. */
  find(cuts: Cuts): ObjectForm<T> | undefined {
    this.#write(cuts);
    const text = this.#text;
    const length = this.#length;
    for (let form = this.#byHash.get(this.#hash); form !== undefined; form = form.next) {
      const isAlike = form.text.length === length && form.fixedBytes === this.#fixedBytes;
      if (isAlike && text.compare(form.text, 0, length, 0, length) === 0) return form;
    }
    return undefined;
  }

  /** The form that `find` has just not found. */
  learn(kept: T): ObjectForm<T> {
    const length = this.#length;
    if (this.#count >= FORMS_MAX || this.#bytes + length > FORMS_BYTES_MAX) {
      this.#byHash.clear();
      this.#count = 0;
      this.#bytes = 0;
    }
    const text = Buffer.from(this.#text.subarray(0, length));
    const form = { kept, text, fixedBytes: this.#fixedBytes, next: this.#byHash.get(this.#hash) };
    this.#byHash.set(this.#hash, form);
    this.#count++;
    this.#bytes += length;
    return form;
  }

  #write(cuts: Cuts): void {
    const { bytes, start, end, count, starts, ends } = cuts;
    this.#grow(end - start + count * PLACE_BYTES);
    const text = this.#text;
    let from = start;
    let at = 0;
    for (let i = 0; i < count; i++) {
      copyBytes(text, at, bytes, from, starts[i]);
      at += starts[i] - from;
      from = ends[i];
    }
    copyBytes(text, at, bytes, from, end);
    at += end - from;
    this.#fixedBytes = at;
    // A cut's place is where it starts less all that was cut before it.
    let cutBytes = start;
    for (let i = 0; i < count; i++) {
      const place = starts[i] - cutBytes;
      cutBytes += ends[i] - starts[i];
      text[at++] = place;
      text[at++] = place >>> 8;
      text[at++] = place >>> 16;
      text[at++] = starts[i] === ends[i] ? 1 : 0;
    }
    this.#length = at;
    this.#hash = this.#hashOf(at);
  }

  #hashOf(length: number): number {
    const words = this.#words;
    // The last word is filled up.
    this.#text.fill(0, length, (length + 3) & ~3);
    const count = (length + 3) >>> 2;
    let hash = length;
    for (let i = 0; i < count; i++) {
      hash = Math.imul(hash ^ words[i], 0x9e3779b1);
      hash ^= hash >>> 15;
    }
    return hash;
  }

  #grow(bytes: number): void {
    if (bytes + PLACE_BYTES <= this.#text.length) return;
    this.#text = Buffer.alloc(2 ** Math.ceil(Math.log2(bytes + PLACE_BYTES)));
    this.#words = new Int32Array(this.#text.buffer, this.#text.byteOffset, this.#text.length / 4);
  }
}

/** What was cut, each cut behind its length, in `target` from its beginning on: how many bytes. −1 where there is no room, or one of them is too long. */
export function ownBytes({ bytes, count, starts, ends }: Cuts, target: Uint8Array): number {
  let at = 0;
  for (let i = 0; i < count; i++) {
    const length = ends[i] - starts[i];
    if (length === 0) continue;
    if (length >= TWO_BYTES * TWO_BYTES || at + length + 2 > target.length) return -1;
    if (length >= TWO_BYTES) target[at++] = TWO_BYTES | (length & (TWO_BYTES - 1));
    target[at++] = length >= TWO_BYTES ? length >>> 7 : length;
    copyBytes(target, at, bytes, starts[i], ends[i]);
    at += length;
  }
  return at;
}

/** The object whose own bytes are bytes[start, end), in `scratch` where it has room. */
export function restore({ text, fixedBytes }: ObjectForm<unknown>, own: BytesRange, scratch: Buffer): Uint8Array {
  const { bytes, start, end } = own;
  const bytesMax = fixedBytes + end - start;
  const object = bytesMax > scratch.length ? Buffer.allocUnsafe(bytesMax) : scratch;
  let at = 0;
  let from = 0;
  let ownAt = start;
  for (let entry = fixedBytes; entry < text.length; entry += PLACE_BYTES) {
    if (text[entry + 3] === 1) continue;
    const place = text[entry] | (text[entry + 1] << 8) | (text[entry + 2] << 16);
    copyBytes(object, at, text, from, place);
    at += place - from;
    from = place;
    const low = bytes[ownAt++];
    const length = low < TWO_BYTES ? low : (low & (TWO_BYTES - 1)) | (bytes[ownAt++] << 7);
    copyBytes(object, at, bytes, ownAt, ownAt + length);
    at += length;
    ownAt += length;
  }
  copyBytes(object, at, text, from, fixedBytes);
  return object.subarray(0, at + fixedBytes - from);
}
