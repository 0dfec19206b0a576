// What one stream still has to send, in order: bytes, sources, and at last trailers.
//
// A FIFO over an array: #head moves on, and the array is cut when it runs empty.

import type { HeaderField } from './header-block.ts';
import type { PreparedHeaders, SplitHeaders } from './prepared-headers.ts';

/** Data that is produced as windows and the socket allow, so that a large reply never exists as a whole. */
export interface DataSource {
  /**
   * Up to room.length bytes: written to the beginning of `room`, and then a view of that, or elsewhere in memory that never changes.
   * Null when nothing is there now (then call Connection.wake). Nothing may be sent on the connection meanwhile.
   */
  read(room: Uint8Array): Uint8Array | null;
  /** Nothing more will come. */
  readonly isDone: boolean;
}

/** Field sections to send: prepared once, or as they are. Extra fields follow them, or stand between the parts of split ones. */
export type HeaderList = PreparedHeaders | SplitHeaders | readonly HeaderField[];

export interface QueuedBytes {
  readonly kind: 'bytes';
  readonly bytes: Uint8Array;
  /** Moves on as frames are sent. */
  start: number;
  readonly end: number;
  readonly endStream: boolean;
}

export interface QueuedSource {
  readonly kind: 'source';
  readonly source: DataSource;
  readonly endStream: boolean;
}

export interface QueuedHeaders {
  readonly kind: 'headers';
  readonly headers: HeaderList;
  readonly extra: readonly HeaderField[] | null;
  readonly endStream: boolean;
}

export type QueueItem = QueuedBytes | QueuedSource | QueuedHeaders;

export class SendQueue {
  #items: QueueItem[] = [];
  #head = 0;

  get isEmpty(): boolean {
    return this.#head === this.#items.length;
  }

  get first(): QueueItem | undefined {
    return this.#items[this.#head];
  }

  push(item: QueueItem): void {
    this.#items.push(item);
  }

  shift(): void {
    this.#head++;
    if (this.#head === this.#items.length) this.clear();
    else if (this.#head >= 64 && this.#head * 2 >= this.#items.length) {
      this.#items = this.#items.slice(this.#head);
      this.#head = 0;
    }
  }

  clear(): void {
    this.#items = [];
    this.#head = 0;
  }
}
