// A socket of node:net or node:tls as a ByteStream.
//
// noDelay is the caller's: whoever writes has gathered what belongs together. Several chunks go out in one writev between cork
// and uncork. What node's stream queues (`writableLength`) is what the operating system has not taken, but for the write under way, of which its handle
// knows how much is left. Over TCP most is taken at once; over TLS nothing is, and each write says when it was.
//
// Sockets read into a buffer that their owner shares among them, whose bytes are valid until onData returns. Without it node makes
// 64 KiB of external memory for each read, which fills the heap's budget and causes a major collection every 100 ms
// under load. Node offers this (`onread`) for sockets that it makes.

import type { OnReadOpts, Socket } from 'node:net';
import { TLSSocket } from 'node:tls';
import type { ByteStream, ByteStreamHandler } from './network.ts';

export const READ_BYTES_MAX: number = 256 << 10;
const EMPTY: Uint8Array = Buffer.allocUnsafeSlow(0);

/** Where a socket's reads go; set when its stream is started, which is before anything can have come. */
export interface ReadTarget {
  handler: ByteStreamHandler | undefined;
}

export function readInto(buffer: Uint8Array, target: ReadTarget): OnReadOpts {
  return {
    buffer,
    callback: (bytes, chunk) => {
      target.handler?.onData(bytes === chunk.length ? chunk : chunk.subarray(0, bytes));
      return true;
    },
  };
}

/** A socket with node's side of the operating system's; its types leave it out. */
type Handled = Socket & {
  readonly _handle?: { readonly writeQueueSize?: number; readonly bytesWritten?: number } | null;
};

export class SocketStream implements ByteStream {
  readonly remoteAddress: string;
  readonly #socket: Socket;
  readonly #target: ReadTarget;
  #failure: Error | undefined;
  #writtenBytes = 0;
  /** An empty write with a callback stands behind the last one. */
  #isMarked = false;
  /** What a write over TLS calls when it was taken. */
  readonly #onTaken: (() => void) | undefined;

  constructor(socket: Socket, target: ReadTarget, remoteAddress: string) {
    this.remoteAddress = remoteAddress;
    this.#socket = socket;
    this.#target = target;
    if (socket instanceof TLSSocket) {
      this.#onTaken = () => {
        if (!socket.destroyed && socket.writableLength === 0) target.handler?.onDrain();
      };
    }
    socket.on('error', (error) => {
      this.#failure = error;
    });
  }

  get bufferedBytes(): number {
    const socket: Handled = this.#socket;
    const { writableLength, _handle: handle } = socket;
    if (writableLength === 0 || this.#onTaken !== undefined) return writableLength;
    const { writeQueueSize, bytesWritten } = handle ?? {};
    if (writeQueueSize === undefined || bytesWritten === undefined) return writableLength;
    // `bytesWritten` are those that the handle was given. Not 0 before the write has ended, since `onDrain` is owed.
    return Math.max(1, this.#writtenBytes - (bytesWritten - writeQueueSize));
  }

  start(handler: ByteStreamHandler): void {
    const socket = this.#socket;
    this.#target.handler = handler;
    socket.on('drain', () => handler.onDrain());
    socket.on('end', () => handler.onEnd());
    socket.on('close', () => handler.onClose(this.#failure));
    socket.resume();
  }

  write(chunk: Uint8Array): void {
    const socket = this.#socket;
    if (!socket.writable) return;
    this.#writtenBytes += chunk.length;
    socket.write(chunk, this.#onTaken);
    if (socket.writableLength > 0) this.#mark();
  }

  writeAll(chunks: readonly Uint8Array[]): void {
    const socket = this.#socket;
    if (!socket.writable) return;
    socket.cork();
    const last = chunks.length - 1;
    for (let i = 0; i <= last; i++) this.#writtenBytes += chunks[i].length;
    for (let i = 0; i < last; i++) socket.write(chunks[i]);
    if (last >= 0) socket.write(chunks[last], this.#onTaken);
    socket.uncork();
    if (socket.writableLength > 0) this.#mark();
  }

  pause(): void {
    this.#socket.pause();
  }

  resume(): void {
    this.#socket.resume();
  }

  end(): void {
    this.#socket.end();
  }

  destroy(): void {
    this.#socket.destroy();
  }

  /** Node tells 'drain' only above its high-water mark; below it the callback of an empty write does. */
  #mark(): void {
    const socket = this.#socket;
    if (this.#isMarked || this.#onTaken !== undefined || socket.writableNeedDrain) return;
    this.#isMarked = true;
    socket.write(EMPTY, () => {
      this.#isMarked = false;
      if (socket.destroyed) return;
      if (socket.writableLength > 0) this.#mark();
      else this.#target.handler?.onDrain();
    });
  }
}
