// Events as bytes: each change is encoded once (once more with prev_kv if somebody wants that), whoever watches it.
//
//   WatchResponse.events entry:   5a length Event{ 08 01 if DELETE, 12 length kv, 1a length prev_kv }
//
// The buffer holds the events of one round; watchers keep offsets into it.

import { ByteWriter } from '../base/byte-writer.ts';
import { KeyValueView } from '../store/key-value.ts';
import type { Store } from '../store/store.ts';

const TAG_EVENT = 0x5a;
const TAG_TYPE = 0x08;
const TAG_KV = 0x12;
const TAG_PREV_KV = 0x1a;

export class EventWriter {
  readonly #store: Store;
  readonly #writer = new ByteWriter(64 << 10);
  readonly #view = new KeyValueView();
  #position = -1;
  #plainStart = -1;
  #plainEnd = 0;
  #prevStart = -1;
  #prevEnd = 0;
  /** Where the last event given by `encode` lies. */
  start = 0;
  end = 0;

  constructor(store: Store) {
    this.#store = store;
  }

  get bytes(): number {
    return this.#writer.position;
  }

  get buffer(): Uint8Array {
    return this.#writer.buffer;
  }

  /** Forgets the round's events. */
  reset(): void {
    this.#writer.reset();
    this.#position = -1;
  }

  /** The event of the history entry at `position`: sets start and end. */
  encode(position: number, isPrevWanted: boolean): void {
    if (position !== this.#position) {
      this.#position = position;
      this.#plainStart = -1;
      this.#prevStart = -1;
    }
    const previous = isPrevWanted ? this.#previous(position) : 0;
    if (previous === 0) {
      if (this.#plainStart < 0) {
        this.#plainStart = this.#writer.position;
        this.#write(position, 0);
        this.#plainEnd = this.#writer.position;
      }
      this.start = this.#plainStart;
      this.end = this.#plainEnd;
      return;
    }
    if (this.#prevStart < 0) {
      this.#prevStart = this.#writer.position;
      this.#write(position, previous);
      this.#prevEnd = this.#writer.position;
    }
    this.start = this.#prevStart;
    this.end = this.#prevEnd;
  }

  /** What the key was at the revision before; a put that begins its life has none, even if the same Txn ended another. */
  #previous(position: number): number {
    const store = this.#store;
    const previous = store.historyPrevious(position);
    if (previous === 0 || store.historyIsDelete(position)) return previous;
    const address = store.historyRecord(position);
    const { createRevision } = this.#view.readHead(store.segmentOf(address), store.kvStart(address));
    return createRevision === store.historyMain(position) ? 0 : previous;
  }

  #write(position: number, previous: number): void {
    const writer = this.#writer;
    const store = this.#store;
    const event = writer.open(TAG_EVENT);
    if (store.historyIsDelete(position)) {
      const address = store.historyKeyAddress(position);
      const segment = store.segmentOf(address);
      const view = this.#view.readHead(segment, store.kvStart(address));
      writer.int(TAG_TYPE, 1);
      const kv = writer.open(TAG_KV);
      writer.lengthDelimited(0x0a, segment, view.keyStart, view.keyEnd);
      writer.int(0x18, store.historyMain(position));
      writer.close(kv);
    } else this.#copy(TAG_KV, store.historyRecord(position));
    if (previous !== 0) this.#copy(TAG_PREV_KV, previous);
    writer.close(event);
  }

  #copy(tag: number, address: number): void {
    const store = this.#store;
    const start = store.kvStart(address);
    const end = store.kvEnd(address);
    this.#writer.lengthDelimited(tag, store.segmentOf(address), start, end);
  }
}
