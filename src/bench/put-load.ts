// Put{key, value}, keys in turn. The value is text that does not compress, with the number of the write in front, so that
// no two values are the same. kube-apiserver sends no plain Put; this is for comparison with other etcd benchmarks.

import { PutRequest } from '../api/messages.ts';
import * as methods from '../api/methods.ts';
import { ByteWriter } from '../base/byte-writer.ts';
import type { EtcdClient } from '../client/etcd-client.ts';
import { keyBytes } from '../client/key-range.ts';
import { endsOf, KEY_DIGITS, KEYS_MAX, writeDigits } from './key-digits.ts';
import type { KeySet } from './key-set.ts';
import type { Load, Slot } from './load.ts';
import type { SeededChance } from './seeded-chance.ts';

/** Two numbers of seven digits: the write's number below 10^14. */
export const WRITE_NUMBER_BYTES: number = 2 * KEY_DIGITS;

/** Hears of the writes: the watch load measures from them. */
export interface WriteObserver {
  /** A write gets its number; `intendedMs` is what its latency counts from. */
  onWrite(number: number, intendedMs: number): void;
  /** Status code 0: it was carried out; else it may have been. */
  onWritten(number: number, code: number): void;
}

export class PutLoad implements Load {
  readonly path: string = methods.put.path;
  readonly buffer: Uint8Array;
  readonly counts: Record<string, number> = {};
  readonly #keys: KeySet;
  readonly #value: Uint8Array;
  readonly #keyDigitsAt: number;
  readonly #numberAt: number;
  readonly #observer: WriteObserver | undefined;
  /** The number of the write that each busy key has in flight. */
  readonly #numbers: Float64Array;
  #nextNumber = 0;

  constructor(keys: KeySet, valueBytes: number, chance: SeededChance, observer?: WriteObserver) {
    if (valueBytes < WRITE_NUMBER_BYTES) throw new RangeError(`values need ${WRITE_NUMBER_BYTES} bytes or more`);
    this.#keys = keys;
    this.#observer = observer;
    this.#numbers = new Float64Array(keys.count);
    this.#value = chance.text(valueBytes);
    const writer = new ByteWriter();
    PutRequest.encode({ key: keyBytes(keys.name(0)), value: this.#value }, writer);
    this.buffer = writer.copy();
    this.#keyDigitsAt = endsOf(this.buffer, keys.name(0))[0] - KEY_DIGITS;
    this.#numberAt = this.buffer.length - valueBytes;
  }

  setup(client: EtcdClient): Promise<void> {
    return this.#keys.create(client, () => this.#value);
  }

  write(slot: Slot): number {
    const index = this.#keys.takeNext();
    const number = this.#nextNumber++;
    slot.keyIndex = index;
    this.#numbers[index] = number;
    const high = Math.floor(number / KEYS_MAX);
    writeDigits(this.buffer, this.#keyDigitsAt, index);
    writeDigits(this.buffer, this.#numberAt, high);
    writeDigits(this.buffer, this.#numberAt + KEY_DIGITS, number - high * KEYS_MAX);
    this.#observer?.onWrite(number, slot.intendedMs);
    return this.buffer.length;
  }

  read(): void {}

  done(slot: Slot, code: number): void {
    this.#keys.release(slot.keyIndex);
    this.#observer?.onWritten(this.#numbers[slot.keyIndex], code);
  }
}
