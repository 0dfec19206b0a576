// Messages over a byte stream: each goes behind its length, four bytes, the highest first. One that is too long ends the stream.
//
// Memory: one message of bytesMax that has not come in whole; what goes out waits in the stream, and whoever sends has to heed that (bufferedBytes).

import { writeUint32 } from '../base/bytes.ts';
import type { MessagePipe, MessagePipeHandler } from './message-pipe.ts';
import type { ByteStream } from './network.ts';

const HEAD_BYTES = 4;

export class StreamPipe implements MessagePipe {
  readonly #stream: ByteStream;
  readonly #bytesMax: number;
  #handler: MessagePipeHandler | undefined;
  readonly #head = new Uint8Array(HEAD_BYTES);
  #headBytes = 0;
  /** The message that is coming in, once its head has. */
  #message: Uint8Array | undefined;
  #messageBytes = 0;

  /** `bytesMax`: of a message. */
  constructor(stream: ByteStream, bytesMax: number) {
    this.#stream = stream;
    this.#bytesMax = bytesMax;
  }

  start(handler: MessagePipeHandler): void {
    this.#handler = handler;
    this.#stream.start({
      onData: (chunk) => this.#take(chunk),
      onDrain: () => {},
      onEnd: () => this.#fail('the other side has ended the connection'),
      onClose: (error) => this.#end(error?.message ?? 'the connection is closed'),
    });
  }

  send(message: Uint8Array): void {
    const head = new Uint8Array(HEAD_BYTES);
    writeUint32(head, 0, message.length);
    this.#stream.writeAll([head, message]);
  }

  close(): void {
    this.#handler = undefined;
    this.#stream.destroy();
  }

  #fail(reason: string): void {
    this.#end(reason);
    this.#stream.destroy();
  }

  #end(reason: string): void {
    const handler = this.#handler;
    this.#handler = undefined;
    handler?.onClose(reason);
  }

  #take(chunk: Uint8Array): void {
    let at = 0;
    while (at < chunk.length && this.#handler !== undefined) {
      at += this.#message === undefined ? this.#takeHead(chunk, at) : this.#takeBody(this.#message, chunk, at);
    }
  }

  /** Returns how many bytes of the chunk were taken. */
  #takeHead(chunk: Uint8Array, at: number): number {
    const bytes = Math.min(HEAD_BYTES - this.#headBytes, chunk.length - at);
    this.#head.set(chunk.subarray(at, at + bytes), this.#headBytes);
    this.#headBytes += bytes;
    if (this.#headBytes < HEAD_BYTES) return bytes;
    this.#headBytes = 0;
    const length = new DataView(this.#head.buffer).getUint32(0);
    if (length === 0 || length > this.#bytesMax) this.#fail(`a message of ${length} bytes`);
    else this.#message = new Uint8Array(length);
    this.#messageBytes = 0;
    return bytes;
  }

  #takeBody(message: Uint8Array, chunk: Uint8Array, at: number): number {
    const bytes = Math.min(message.length - this.#messageBytes, chunk.length - at);
    message.set(chunk.subarray(at, at + bytes), this.#messageBytes);
    this.#messageBytes += bytes;
    if (this.#messageBytes === message.length) {
      this.#message = undefined;
      this.#handler?.onMessage(message);
    }
    return bytes;
  }
}
