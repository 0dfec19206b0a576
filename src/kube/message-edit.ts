// Encoded messages copied with some of their fields changed. What is not changed stays byte for byte, known to us or not.

import { ByteReader, WireError } from '../base/byte-reader.ts';
import type { KubeWriter } from './kube-writer.ts';
import { eachLengthDelimited } from './length-delimited.ts';
import { MAGIC } from './stored-object.ts';

const LENGTH_DELIMITED = 2;
/** Of Unknown. */
const RAW = 2;
const CONTENT_ENCODING = 3;
const CONTENT_TYPE = 4;

/** A range of the bytes. */
export interface Range {
  readonly start: number;
  readonly end: number;
}

const NOWHERE: Range = { start: 0, end: 0 };

/** What is written in place of a field. */
export interface Edit {
  readonly number: number;
  /** Of several fields of that number: which. */
  readonly matches?: (value: Range) => boolean;
  /** Every field of the number that matches goes, and what is written stands before those that stay. Else the first one that matches is replaced. */
  readonly isWhole?: boolean;
  /** Writes the field, tag and all; an empty range where there was none, or where it is whole. */
  readonly write: (value: Range) => void;
}

/** Copies a message field by field, with edits in order of their numbers, one a number; each is made once, where its field is or would be. */
export function copyFields(writer: KubeWriter, bytes: Uint8Array, { start, end }: Range, edits: readonly Edit[]): void {
  const reader = new ByteReader(bytes, start, end);
  let made = 0;
  /** What has not been copied yet begins here. */
  let from = start;
  const copyTo = (at: number, next: number): void => {
    if (at > from) writer.bytes(bytes, from, at);
    from = next;
  };
  while (reader.hasMore) {
    const fieldStart = reader.position;
    const tag = reader.tag();
    const number = tag >>> 3;
    const isDelimited = (tag & 7) === LENGTH_DELIMITED;
    if (isDelimited) reader.lengthDelimited();
    else reader.skip(tag);
    while (made < edits.length && isDue(edits[made], number)) {
      copyTo(fieldStart, fieldStart);
      edits[made++].write(NOWHERE);
    }
    const whole = made === 0 ? undefined : edits[made - 1];
    const edit = whole?.number === number && whole.isWhole === true ? whole : edits.at(made);
    if (edit?.number !== number || (edit !== whole && !isDelimited)) continue;
    const value = isDelimited ? { start: reader.valueStart, end: reader.valueEnd } : NOWHERE;
    if (edit.matches?.(value) === false) continue;
    copyTo(fieldStart, reader.position);
    if (edit !== whole) edits[made++].write(value);
  }
  copyTo(end, end);
  while (made < edits.length) edits[made++].write(NOWHERE);
}

function isDue({ number, isWhole }: Edit, next: number): boolean {
  return number < next || (number === next && isWhole === true);
}

/** Where the own message of a stored object lies. Throws WireError. */
export function rawOf(stored: Uint8Array, start = 0, end: number = stored.length): Range {
  let raw = NOWHERE;
  eachLengthDelimited(stored, start + MAGIC.length, end, (number, from, to) => {
    if (number === RAW) raw = { start: from, end: to };
    else if ((number === CONTENT_ENCODING || number === CONTENT_TYPE) && from < to)
      throw new WireError('the object is encoded or of another content type');
  });
  return raw;
}

/** A stored object, envelope and all, with edits of its own message; bytes of their own. Throws WireError where the bytes are none. */
export function rewriteObject(writer: KubeWriter, stored: Uint8Array, edits: readonly Edit[]): Uint8Array {
  const object = rawOf(stored);
  writer.reset();
  writer.bytes(stored, 0, MAGIC.length);
  const write = (): void => writer.message(RAW, () => copyFields(writer, stored, object, edits));
  copyFields(writer, stored, { start: MAGIC.length, end: stored.length }, [{ number: RAW, write }]);
  return writer.take();
}
