// One accepted connection: HTTP/2 when it begins with the connection preface, HTTP/1.1 otherwise, on the same port.
// Until that is known (one to three bytes suffice), the bytes are kept; a peer that sends nothing is dropped in time.

import type { Clock, Timer } from '../io/clock.ts';
import type { ByteStream, ByteStreamHandler } from '../io/network.ts';

/** RFC 9113 §3.4: no HTTP/1.1 method begins with PRI. */
const PREFACE_START = Buffer.from('PRI');
const FIRST_BYTES_MS_MAX = 10_000;

export interface Protocols {
  /** The handler that takes over; the stream has been started. */
  http2(stream: ByteStream): ByteStreamHandler;
  http1(stream: ByteStream): ByteStreamHandler;
  /** The peer is dropped because it has not sent enough in time. */
  onSilent(): void;
}

export class Acceptor implements ByteStreamHandler {
  readonly #stream: ByteStream;
  readonly #protocols: Protocols;
  readonly #timer: Timer;
  #handler: ByteStreamHandler | undefined;
  #kept: Buffer = Buffer.alloc(0);

  constructor(stream: ByteStream, protocols: Protocols, clock: Clock) {
    this.#stream = stream;
    this.#protocols = protocols;
    this.#timer = clock.setTimer(FIRST_BYTES_MS_MAX, () => {
      protocols.onSilent();
      stream.destroy();
    });
    stream.start(this);
  }

  onData(chunk: Uint8Array): void {
    if (this.#handler !== undefined) {
      this.#handler.onData(chunk);
      return;
    }
    this.#kept = Buffer.concat([this.#kept, chunk]);
    const compared = Math.min(this.#kept.length, PREFACE_START.length);
    const isPreface = this.#kept.subarray(0, compared).equals(PREFACE_START.subarray(0, compared));
    if (isPreface && compared < PREFACE_START.length) return;
    this.#timer.cancel();
    this.#handler = isPreface ? this.#protocols.http2(this.#stream) : this.#protocols.http1(this.#stream);
    const kept = this.#kept;
    this.#kept = Buffer.alloc(0);
    this.#handler.onData(kept);
  }

  onDrain(): void {
    this.#handler?.onDrain();
  }

  onEnd(): void {
    if (this.#handler === undefined) this.#stream.destroy();
    else this.#handler.onEnd();
  }

  onClose(error: Error | undefined): void {
    this.#timer.cancel();
    this.#handler?.onClose(error);
  }
}
