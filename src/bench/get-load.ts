// Range{key, limit 1} for keys chosen at random: what kube-apiserver sends for a GET of one object.

import { RangeRequest } from '../api/messages.ts';
import * as methods from '../api/methods.ts';
import { ByteWriter } from '../base/byte-writer.ts';
import type { EtcdClient } from '../client/etcd-client.ts';
import { keyBytes } from '../client/key-range.ts';
import { endsOf, KEY_DIGITS, writeDigits } from './key-digits.ts';
import type { KeySet } from './key-set.ts';
import type { Load, Slot } from './load.ts';
import { fieldEnd } from './reply-fields.ts';
import type { SeededChance } from './seeded-chance.ts';

const TAG_KVS = 0x12;

export class GetLoad implements Load {
  readonly path: string = methods.range.path;
  readonly buffer: Uint8Array;
  /** `missing`: replies without the key. */
  readonly counts = { missing: 0 };
  readonly #keys: KeySet;
  readonly #setup: (client: EtcdClient) => Promise<void>;
  readonly #chance: SeededChance;
  readonly #digitsAt: number;

  constructor(keys: KeySet, setup: (client: EtcdClient) => Promise<void>, chance: SeededChance) {
    this.#keys = keys;
    this.#setup = setup;
    this.#chance = chance;
    const writer = new ByteWriter();
    RangeRequest.encode({ key: keyBytes(keys.name(0)), limit: 1 }, writer);
    this.buffer = writer.copy();
    this.#digitsAt = endsOf(this.buffer, keys.name(0))[0] - KEY_DIGITS;
  }

  setup(client: EtcdClient): Promise<void> {
    return this.#setup(client);
  }

  write(_slot: Slot): number {
    writeDigits(this.buffer, this.#digitsAt, this.#chance.below(this.#keys.count));
    return this.buffer.length;
  }

  read(_slot: Slot, buffer: Uint8Array, start: number, end: number): void {
    const at = fieldEnd(buffer, start, end);
    if (at >= end || buffer[at] !== TAG_KVS) this.counts.missing++;
  }

  done(): void {}
}
