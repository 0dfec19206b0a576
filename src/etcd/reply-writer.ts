// Writes reply messages with key-value pairs copied straight from the store's segments.

import { HeaderWriter } from '../api/header-writer.ts';
import { KeyValueView } from '../store/key-value.ts';
import type { Store } from '../store/store.ts';

export class ReplyWriter extends HeaderWriter {
  readonly #view = new KeyValueView();

  /** A KeyValue field with `tag`, copied from the store. */
  keyValue(tag: number, store: Store, address: number): void {
    const start = store.kvStart(address);
    const end = store.kvEnd(address);
    this.varint(tag);
    this.varint(end - start);
    this.bytes(store.segmentOf(address), start, end);
  }

  /** As `keyValue`, without value and lease: etcd 3.7 answers keys_only from its index. */
  keyOnly(tag: number, store: Store, address: number, hasLease = false): void {
    const segment = store.segmentOf(address);
    const start = store.kvStart(address);
    const view = hasLease ? this.#view.read(segment, start, store.kvEnd(address)) : this.#view.readHead(segment, start);
    const body = this.open(tag);
    this.lengthDelimited(0x0a, segment, view.keyStart, view.keyEnd);
    this.int(0x10, view.createRevision);
    this.int(0x18, view.modRevision);
    this.int(0x20, view.version);
    if (hasLease) this.int64(0x30, view.lease);
    this.close(body);
  }
}
