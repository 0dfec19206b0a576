// What one stream still has to send, in order: bytes, sources and at last trailers. A ring-less FIFO: `head` moves,
// and the array is cut when it runs empty.

import type { HeaderField } from './header-block.ts';
import type { PreparedHeaders } from './prepared-headers.ts';

/** Data that is produced as windows and the socket allow, so that a large reply never exists as a whole. */
export interface DataSource {
  /** Up to bytesMax bytes that never change afterwards; null when nothing is there now (then call Connection.wake). */
  read(bytesMax: number): Uint8Array | null;
  /** Nothing more will come. */
  readonly isDone: boolean;
}

/** Field sections to send: prepared once, or as they are. */
export type HeaderList = PreparedHeaders | readonly HeaderField[];

/** One thing to send. */
type QueueItem = Uint8Array | DataSource | HeaderList;

export class SendQueue {
  readonly items: QueueItem[] = [];
}
