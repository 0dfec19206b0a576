// What updates write: the Lease of a node, renewed; or opaque bytes of some size, with a counter.

import { encodeNodeLease, type NodeLease } from '../kube/node-lease.ts';
import { endsOf, KEY_DIGITS, numbered, writeDigits } from './key-digits.ts';
import type { SeededChance } from './seeded-chance.ts';
import type { UpdateValue } from './update-load.ts';

/** From 2^28 on, nanoseconds below a second take five bytes as a varint: renewals differ in bytes, not in length. */
const MICROS_MIN = 268_436;
const MICROS_COUNT = 1_000_000 - MICROS_MIN;
const UID_START = '2b1f0c52-0f4e-4b0a-9a55-00000';
/** Before the digits of a node's number in its uid. */
export const NODE_UID_START = '7b0c4f2a-6d1e-4a53-8c90-00000';
/** Lease.spec.renewTime: the message's tag and length, then seconds (tag and five bytes), then the tag of nanos. */
const RENEW_TIME_TAG = 0x22;
const RENEW_TIME_BYTES = 12;
const SECONDS_OFFSET = 3;
const VARINT_BYTES = 5;
const NANOS_OFFSET = SECONDS_OFFSET + VARINT_BYTES + 1;
const COUNTER_MAX = 10_000_000;

export class NodeLeaseValue implements UpdateValue {
  readonly marks: readonly string[];
  readonly #nodePrefix: string;
  readonly #valueBytes: number;
  readonly #seconds: number;
  readonly #secondsNow: (() => number) | undefined;
  #micros = 0;
  #template: { readonly bytes: Uint8Array; readonly ends: readonly number[] } | undefined;
  /** Of the last buffer touched: where its nanoseconds are. */
  #touched: Uint8Array | undefined;
  #nanosAt = 0;

  /**
   * `seconds`: the time of creation, and of all renewals, which differ in microseconds, unless `secondsNow` tells theirs. Seconds since 1970, as
   * long as they are below 2^35.
   */
  constructor(nodePrefix: string, valueBytes: number, seconds: number, secondsNow?: () => number) {
    this.#nodePrefix = nodePrefix;
    this.#secondsNow = secondsNow;
    this.#valueBytes = valueBytes;
    this.#seconds = seconds;
    this.marks = [nodePrefix, UID_START, NODE_UID_START];
  }

  /** Leases differ in the digits behind the marks only, so one is encoded and the others are made from it. */
  makeValue(index: number): Uint8Array {
    this.#template ??= this.#encode(0);
    const { bytes, ends } = this.#template;
    const value = Uint8Array.prototype.slice.call(bytes);
    for (const end of ends) writeDigits(value, end - KEY_DIGITS, index);
    return value;
  }

  #encode(index: number): { bytes: Uint8Array; ends: readonly number[] } {
    const node: NodeLease = {
      nodeName: numbered(this.#nodePrefix, index),
      uid: numbered(UID_START, index),
      nodeUid: numbered(NODE_UID_START, index),
      creationSeconds: this.#seconds,
      renewSeconds: this.#seconds,
      renewMicros: MICROS_MIN,
    };
    const bytes = encodeNodeLease(node, this.#valueBytes);
    return { bytes, ends: this.marks.flatMap((mark) => endsOf(bytes, numbered(mark, index))) };
  }

  touch(buffer: Uint8Array, start: number, end: number): void {
    if (this.#touched !== buffer) {
      this.#touched = buffer;
      this.#nanosAt = nanosOffset(buffer, start, end);
    }
    this.#micros = this.#micros + 1 === MICROS_COUNT ? 0 : this.#micros + 1;
    writeFiveBytes(buffer, this.#nanosAt, (MICROS_MIN + this.#micros) * 1000);
    if (this.#secondsNow === undefined) return;
    writeFiveBytes(buffer, this.#nanosAt - NANOS_OFFSET + SECONDS_OFFSET, this.#secondsNow());
  }
}

/** A varint of a number from 2^28 up to 2^35. */
function writeFiveBytes(buffer: Uint8Array, at: number, value: number): void {
  let rest = value;
  for (let i = 0; i < VARINT_BYTES - 1; i++) {
    buffer[at + i] = (rest % 128) | 128;
    rest = Math.floor(rest / 128);
  }
  buffer[at + VARINT_BYTES - 1] = rest;
}

/** The last renewTime in the value. */
function nanosOffset(buffer: Uint8Array, start: number, end: number): number {
  for (let at = end - RENEW_TIME_BYTES - 2; at >= start; at--) {
    if (buffer[at] === RENEW_TIME_TAG && buffer[at + 1] === RENEW_TIME_BYTES && buffer[at + 2] === 0x08) {
      return at + NANOS_OFFSET;
    }
  }
  throw new RangeError('a lease without renewTime');
}

export class OpaqueValue implements UpdateValue {
  readonly marks: readonly string[] = [];
  readonly #bytes: Uint8Array;
  #counter = 0;

  constructor(valueBytes: number, chance: SeededChance) {
    this.#bytes = chance.text(valueBytes);
  }

  makeValue(): Uint8Array {
    return this.#bytes;
  }

  touch(buffer: Uint8Array, start: number): void {
    this.#counter = (this.#counter + 1) % COUNTER_MAX;
    writeDigits(buffer, start, this.#counter);
  }
}
