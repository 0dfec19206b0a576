// A list in pages, as kube-apiserver reads one: Range{prefix, limit} and then, from behind the last key and at the revision of
// the first page, the rest. A request is a page; each slot goes through the list again and again.

import { RangeRequest as Message, type RangeRequest } from '../api/messages.ts';
import * as methods from '../api/methods.ts';
import { ByteWriter } from '../base/byte-writer.ts';
import type { EtcdClient } from '../client/etcd-client.ts';
import { keyBytes, prefixEnd } from '../client/key-range.ts';
import type { KeySet } from './key-set.ts';
import type { Load, Slot } from './load.ts';
import { fieldEnd, headerRevision, skipVarint, varintAt } from './reply-fields.ts';

const TAG_KVS = 0x12;
const TAG_KEY = 0x0a;
const TAG_MORE = 0x18;

/** Where a slot's list goes on. */
interface Page {
  key: Uint8Array;
  revision: number;
}

export class ListLoad implements Load {
  readonly path: string = methods.range.path;
  /** Read from the replies. `lists`: those that were read to their end. */
  readonly counts = { keys: 0, bytes: 0, lists: 0 };
  readonly #setup: (client: EtcdClient) => Promise<void>;
  readonly #limit: number;
  readonly #start: Uint8Array;
  readonly #rangeEnd: Uint8Array;
  readonly #writer = new ByteWriter();
  readonly #pages = new Map<Slot, Page>();

  /** Limit 0: all in one page. */
  constructor(keys: KeySet, setup: (client: EtcdClient) => Promise<void>, limit: number) {
    this.#setup = setup;
    this.#limit = limit;
    this.#start = keyBytes(keys.prefix);
    this.#rangeEnd = prefixEnd(this.#start);
  }

  get buffer(): Uint8Array {
    return this.#writer.buffer;
  }

  setup(client: EtcdClient): Promise<void> {
    return this.#setup(client);
  }

  write(slot: Slot): number {
    const page = this.#pages.get(slot);
    const request: Partial<RangeRequest> = {
      key: page?.key ?? this.#start,
      range_end: this.#rangeEnd,
      limit: this.#limit,
      revision: page?.revision ?? 0,
    };
    this.#writer.reset();
    Message.encode(request, this.#writer);
    return this.#writer.position;
  }

  read(slot: Slot, buffer: Uint8Array, start: number, end: number): void {
    let lastKv = -1;
    let isMore = false;
    for (let at = fieldEnd(buffer, start, end); at < end; at = fieldEnd(buffer, at, end)) {
      if (buffer[at] === TAG_KVS) {
        this.counts.keys++;
        lastKv = at;
      } else if (buffer[at] === TAG_MORE) isMore = buffer[at + 1] === 1;
    }
    this.counts.bytes += end - start;
    if (!isMore || lastKv < 0) {
      this.counts.lists++;
      this.#pages.delete(slot);
      return;
    }
    const revision = this.#pages.get(slot)?.revision ?? headerRevision(buffer, start, end);
    this.#pages.set(slot, { key: keyBehind(buffer, lastKv, end), revision });
  }

  /** After an error (the revision may be compacted) the list begins anew. */
  done(slot: Slot, code: number): void {
    if (code !== 0) this.#pages.delete(slot);
  }
}

/** The first possible key after that of the KeyValue field at `at`. */
function keyBehind(buffer: Uint8Array, at: number, end: number): Uint8Array {
  const body = skipVarint(buffer, at + 1, end);
  if (buffer[body] !== TAG_KEY) return new Uint8Array(1);
  const keyStart = skipVarint(buffer, body + 1, end);
  const keyEnd = keyStart + varintAt(buffer, body + 1, end);
  const key = new Uint8Array(keyEnd - keyStart + 1);
  key.set(buffer.subarray(keyStart, keyEnd));
  return key;
}
