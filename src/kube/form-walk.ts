// What walks over stored objects for their forms have in common (pod-cuts.ts, node-cuts.ts): the envelope, messages with cuts in them, and times.
//
// A walk stands on one reader; whoever steps into a message steps out again.

import { ByteReader, WireError } from '../base/byte-reader.ts';
import { Cuts } from './cuts.ts';
import { MAGIC } from './stored-object.ts';

/** Places of cuts have three bytes. */
const OBJECT_BYTES_MAX = 0xff_ffff;
/** Tags of length-delimited fields. Of Unknown: */
const RAW = 0x12;
/** Of an object. */
const METADATA = 0x0a;
const SPEC = 0x12;
const STATUS = 0x1a;
/** Of a time. */
const SECONDS = 0x08;
/** The year 10000, where times have another form as text. */
const SECONDS_MAX = 253_402_300_799;

export abstract class FormWalk {
  readonly cuts: Cuts = new Cuts();
  protected readonly reader: ByteReader = new ByteReader();
  /** Where the value of the last length-delimited field begins with its length. */
  protected lengthStart = 0;
  nameStart = 0;
  nameEnd = 0;
  uidStart = 0;
  uidEnd = 0;
  /** Empty in a store. */
  versionStart = 0;
  versionEnd = 0;

  /** `bytes[start, end)` is an object stored as protobuf. False: it has to be read whole. */
  walk(bytes: Uint8Array, start: number, end: number): boolean {
    return this.#walk(bytes, start, end, () => {
      this.reader.position += MAGIC.length;
      return this.#envelope();
    });
  }

  /** The same of an object's message alone, without an envelope around it. */
  walkMessage(bytes: Uint8Array, start: number, end: number): boolean {
    return this.#walk(bytes, start, end, () => this.#object());
  }

  #walk(bytes: Uint8Array, start: number, end: number, go: () => boolean): boolean {
    this.cuts.reset(bytes, start, end);
    this.nameStart = 0;
    this.nameEnd = 0;
    this.uidStart = 0;
    this.uidEnd = 0;
    this.versionStart = 0;
    this.versionEnd = 0;
    this.begin();
    if (end - start > OBJECT_BYTES_MAX) return false;
    this.reader.reset(bytes, start, end);
    try {
      return go() && this.nameEnd > this.nameStart && this.uidEnd > this.uidStart;
    } catch (error) {
      if (error instanceof WireError) return false;
      throw error;
    }
  }

  /** Facts of the walk before are no more. */
  protected abstract begin(): void;
  /** A look at the spec, which is stepped into, before anything is cut. */
  protected abstract look(): void;
  /** Each of them stands in its message, and goes to its end. False: to be read whole. */
  protected abstract metadata(): boolean;
  protected abstract spec(): boolean;
  protected abstract status(): boolean;

  #envelope(): boolean {
    const { reader } = this;
    let objects = 0;
    while (reader.hasMore) {
      const tag = this.field();
      if (tag !== RAW) continue;
      objects++;
      const outer = this.enter();
      if (!this.#object()) return false;
      this.leave(outer);
    }
    return objects === 1;
  }

  #object(): boolean {
    const { reader } = this;
    const start = reader.position;
    // A message that comes twice counts as it came last; nobody writes that.
    let seen = 0;
    while (reader.hasMore) {
      const tag = this.field();
      if (tag !== METADATA && tag !== SPEC && tag !== STATUS) continue;
      const bit = 1 << (tag >>> 3);
      if ((seen & bit) !== 0) return false;
      seen |= bit;
      if (tag !== SPEC) continue;
      const outer = reader.enter();
      this.look();
      reader.leave(outer);
    }
    reader.position = start;
    while (reader.hasMore) {
      const tag = this.field();
      if (tag !== METADATA && tag !== SPEC && tag !== STATUS) continue;
      const outer = this.enter();
      const isPlain = tag === METADATA ? this.metadata() : tag === SPEC ? this.spec() : this.status();
      if (!isPlain) return false;
      this.leave(outer);
    }
    return true;
  }

  /** The next field's tag, stepped over; of a length-delimited one it is known where its value lies. */
  protected field(): number {
    const { reader } = this;
    const tag = reader.tag();
    this.lengthStart = reader.position;
    if ((tag & 7) === 2) reader.lengthDelimited();
    else reader.skip(tag);
    return tag;
  }

  /** Into the message that has just been stepped over, whose length may differ. To be given to `leave`: the end of what holds it. */
  protected enter(): number {
    this.cuts.add(this.lengthStart, this.reader.valueStart);
    return this.reader.enter();
  }

  protected leave(outer: number): void {
    this.cuts.endMessage(this.reader.end);
    this.reader.leave(outer);
  }

  /** The name has just been stepped over. */
  protected cutName(): void {
    this.nameStart = this.reader.valueStart;
    this.nameEnd = this.reader.valueEnd;
    this.cutValue();
  }

  protected cutUid(): void {
    this.uidStart = this.reader.valueStart;
    this.uidEnd = this.reader.valueEnd;
    this.cutValue();
  }

  protected noteVersion(): void {
    this.versionStart = this.reader.valueStart;
    this.versionEnd = this.reader.valueEnd;
  }

  /** The value that has just been stepped over is the object's own, with its length. */
  protected cutValue(): void {
    this.cuts.add(this.lengthStart, this.reader.valueEnd);
  }

  /** The field that began at `start`, and has just been stepped over, counts for nothing. */
  protected cutField(start: number): void {
    this.cuts.add(start, this.reader.position);
  }

  /** Seconds of the time that has just been stepped over; −1: it is not set. Throws WireError where it is none of these centuries. */
  protected seconds(): number {
    const { reader } = this;
    const { valueStart, valueEnd } = reader;
    if (valueStart === valueEnd) return -1;
    const outer = reader.enter();
    let seconds = 0;
    while (reader.hasMore) {
      const tag = reader.tag();
      if (tag === SECONDS) seconds = reader.varint();
      else reader.skip(tag);
    }
    reader.leave(outer);
    reader.valueStart = valueStart;
    reader.valueEnd = valueEnd;
    if (seconds < 0 || seconds > SECONDS_MAX) throw new WireError('a time of another age');
    return seconds;
  }
}
