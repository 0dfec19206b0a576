// The effects of a batch body as records, one by one, with their offsets: for looking at a log, and for bodies whose checksum does
// not match. Nothing is believed: a body is read up to the first byte that no writer puts there, and no further.
//
// What is checked beyond the layout (src/journal/format.ts): the KeyValue is in the one form that the writer gives it
// (src/store/key-value.ts); keys are not empty; revisions lie within what the batch can hold, and ascend; varints are below 2^53.

import {
  ALARM,
  CLEAN,
  COMPACT,
  DELETE,
  LEASE_GRANT,
  LEASE_REVOKE,
  MARK,
  META,
  OPEN,
  PUT,
  readId,
  TIME,
} from '../journal/format.ts';
import type { JournalIdentity } from '../journal/journal.ts';
import type { NumberRange } from './damage.ts';

/** Offsets are into the buffer that was parsed. */
export interface PutEffect {
  readonly kind: 'put';
  readonly main: number;
  readonly sub: number;
  readonly keyStart: number;
  readonly keyEnd: number;
  readonly createRevision: number;
  readonly version: number;
  readonly valueStart: number;
  readonly valueEnd: number;
  /** 0n: none. */
  readonly lease: bigint;
}

export interface DeleteEffect {
  readonly kind: 'delete';
  readonly main: number;
  readonly sub: number;
  readonly keyStart: number;
  readonly keyEnd: number;
}

export type Effect =
  | PutEffect
  | DeleteEffect
  | { readonly kind: 'lease-grant'; readonly lease: bigint; readonly ttlSeconds: number }
  | { readonly kind: 'lease-revoke'; readonly lease: bigint }
  | { readonly kind: 'compact' | 'mark' | 'open' | 'clean'; readonly revision: number }
  | { readonly kind: 'alarm'; readonly alarm: number; readonly isRaised: boolean }
  | { readonly kind: 'meta'; readonly identity: JournalIdentity }
  | { readonly kind: 'time'; readonly wallMs: number };

export interface ParsedEffect {
  readonly offset: number;
  readonly effect: Effect;
}

export interface ParsedBody {
  readonly effects: readonly ParsedEffect[];
  /** Up to here everything was read. */
  readonly end: number;
  /** What is wrong there; undefined when all of the body was read. */
  readonly reason: string | undefined;
}

const ALARM_TYPE_MAX = 2;
/** What a JavaScript date can be. */
const WALL_MS_MAX = 8_640_000_000_000_000;
const TAG_KEY = 0x0a;
const TAG_CREATE_REVISION = 0x10;
const TAG_MOD_REVISION = 0x18;
const TAG_VERSION = 0x20;
const TAG_VALUE = 0x2a;
const TAG_LEASE = 0x30;
/** Of a varint of 64 bits. */
const VARINT_BYTES_MAX = 10;
const SUB_MAX = 0xffff_ffff;

/** Reads buffer[start, end). `revisions` are those that it may hold; undefined: any. */
export function parseBody(buffer: Uint8Array, start: number, end: number, revisions?: NumberRange): ParsedBody {
  return new BodyParser(buffer, start, end, revisions ?? { first: 1, last: Number.MAX_SAFE_INTEGER }).run();
}

/** Thrown and caught in this file. */
class Malformed extends Error {}

class BodyParser {
  readonly #buffer: Uint8Array;
  readonly #end: number;
  readonly #revisions: NumberRange;
  #at: number;
  #main = 0;
  #sub = -1;

  constructor(buffer: Uint8Array, start: number, end: number, revisions: NumberRange) {
    this.#buffer = buffer;
    this.#at = start;
    this.#end = end;
    this.#revisions = revisions;
  }

  run(): ParsedBody {
    const effects: ParsedEffect[] = [];
    let offset = this.#at;
    try {
      while (this.#at < this.#end) {
        offset = this.#at;
        effects.push({ offset, effect: this.#effect() });
      }
    } catch (error) {
      if (!(error instanceof Malformed)) throw error;
      return { effects, end: offset, reason: error.message };
    }
    return { effects, end: this.#at, reason: undefined };
  }

  #effect(): Effect {
    const type = this.#buffer[this.#at++];
    switch (type) {
      case PUT:
        return this.#put();
      case DELETE:
        return this.#delete();
      case LEASE_GRANT:
        return { kind: 'lease-grant', lease: this.#id(), ttlSeconds: this.#varint() };
      case LEASE_REVOKE:
        return { kind: 'lease-revoke', lease: this.#id() };
      case COMPACT:
        return { kind: 'compact', revision: this.#varint() };
      case ALARM:
        return this.#alarm();
      case MARK:
        return { kind: 'mark', revision: this.#varint() };
      case OPEN:
        return { kind: 'open', revision: this.#varint() };
      case CLEAN:
        return { kind: 'clean', revision: this.#varint() };
      case META:
        return { kind: 'meta', identity: { memberId: this.#id(), clusterId: this.#id() } };
      case TIME:
        return this.#time();
      default:
        throw new Malformed(`effect type ${type} is unknown`);
    }
  }

  #put(): PutEffect {
    const sub = this.#varint();
    const end = this.#stretch();
    this.#tag(TAG_KEY);
    const keyEnd = this.#stretch(end);
    const keyStart = this.#at;
    if (keyStart === keyEnd) throw new Malformed('a key is empty');
    this.#at = keyEnd;
    this.#tag(TAG_CREATE_REVISION);
    const createRevision = this.#varint();
    this.#tag(TAG_MOD_REVISION);
    const main = this.#varint();
    this.#tag(TAG_VERSION);
    const version = this.#varint();
    if (createRevision < 1 || createRevision > main || version < 1)
      throw new Malformed('a KeyValue contradicts itself');
    let [valueStart, valueEnd] = [this.#at, this.#at];
    if (this.#isTag(TAG_VALUE, end)) {
      valueEnd = this.#stretch(end);
      valueStart = this.#at;
      this.#at = valueEnd;
    }
    const lease = this.#isTag(TAG_LEASE, end) ? this.#lease() : 0n;
    if (this.#at !== end) throw new Malformed('a KeyValue does not end where it should');
    this.#ascend(main, sub);
    return { kind: 'put', main, sub, keyStart, keyEnd, createRevision, version, valueStart, valueEnd, lease };
  }

  #delete(): DeleteEffect {
    const main = this.#varint();
    const sub = this.#varint();
    const keyEnd = this.#stretch();
    const keyStart = this.#at;
    if (keyStart === keyEnd) throw new Malformed('a key is empty');
    this.#at = keyEnd;
    this.#ascend(main, sub);
    return { kind: 'delete', main, sub, keyStart, keyEnd };
  }

  #alarm(): Effect {
    const alarm = this.#varint();
    const raised = this.#varint();
    if (alarm > ALARM_TYPE_MAX || raised > 1) throw new Malformed('an alarm of this kind is unknown');
    return { kind: 'alarm', alarm, isRaised: raised === 1 };
  }

  #time(): Effect {
    const wallMs = this.#varint();
    if (wallMs > WALL_MS_MAX) throw new Malformed('a time is none');
    return { kind: 'time', wallMs };
  }

  #ascend(main: number, sub: number): void {
    const { first, last } = this.#revisions;
    if (main < first || main > last) throw new Malformed(`revision ${main} is none of this batch's`);
    if (main < this.#main || (main === this.#main && sub <= this.#sub) || sub > SUB_MAX) {
      throw new Malformed('revisions do not ascend');
    }
    this.#main = main;
    this.#sub = sub;
  }

  #tag(tag: number): void {
    if (!this.#isTag(tag, this.#end)) throw new Malformed('a KeyValue has another form');
  }

  /** Passes over the tag when it is there. */
  #isTag(tag: number, end: number): boolean {
    if (this.#at >= end || this.#buffer[this.#at] !== tag) return false;
    this.#at++;
    return true;
  }

  /** Reads a length; returns where what it measures ends. */
  #stretch(limit: number = this.#end): number {
    const length = this.#varint();
    if (length > limit - this.#at) throw new Malformed('an effect is cut off');
    return this.#at + length;
  }

  #id(): bigint {
    if (this.#at + 8 > this.#end) throw new Malformed('an effect is cut off');
    this.#at += 8;
    return readId(this.#buffer, this.#at - 8);
  }

  #lease(): bigint {
    let value = 0n;
    for (let i = 0; i < VARINT_BYTES_MAX; i++) {
      if (this.#at >= this.#end) break;
      const byte = this.#buffer[this.#at++];
      value |= BigInt(byte & 127) << BigInt(7 * i);
      if (byte < 128) return BigInt.asIntN(64, value);
    }
    throw new Malformed('a number is cut off');
  }

  #varint(): number {
    let value = 0;
    let multiplier = 1;
    for (let i = 0; i < VARINT_BYTES_MAX; i++, multiplier *= 128) {
      if (this.#at >= this.#end) break;
      const byte = this.#buffer[this.#at++];
      value += (byte & 127) * multiplier;
      if (value > Number.MAX_SAFE_INTEGER) throw new Malformed('a number is too large');
      if (byte < 128) return value;
    }
    throw new Malformed('a number is cut off');
  }
}
