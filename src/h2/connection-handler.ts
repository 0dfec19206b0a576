// What the layer above a connection implements. All calls come from within receive, tick, setTransportBacklog, the
// send functions (onReset on an overfull queue only) or transportClosed; each may call back into the connection.

import type { HeaderBlock } from './header-block.ts';
import type { Stream } from './stream.ts';

export interface ConnectionHandler {
  /** Server: a request. Client: the (final) response headers. */
  onHeaders(stream: Stream, block: HeaderBlock, endStream: boolean): void;
  /** Trailers; they always end the peer's side. */
  onTrailers(stream: Stream, block: HeaderBlock): void;
  /** The bytes are valid until `onBatchEnd`; start === end for an empty frame that ends the stream. */
  onData(stream: Stream, buffer: Uint8Array, start: number, end: number, endStream: boolean): void;
  /**
   * DATA and HEADERS that came together have been handed on, and something else follows: what the handler has put off, it does now.
   * Often there is nothing.
   */
  onBatchEnd(): void;
  /**
   * The stream ended before both sides finished: by the peer's RST_STREAM, a stream error, GOAWAY (REFUSED_STREAM: it was
   * not processed, a retry is safe), or the connection's end (the connection's code, or CANCEL). Once per stream;
   * not after the layer's own reset().
   */
  onReset(stream: Stream, errorCode: number): void;
  /** The stream's queue fell to streamQueueLowBytes after it was above. */
  onDrain(stream: Stream): void;
  /** The peer's SETTINGS arrived (each time): on a client, limits such as peerStreamsMax are known from now on. */
  onSettings(): void;
  /** The peer will take no more streams (client: those above lastStreamId get onReset(REFUSED_STREAM) first). */
  onGoaway(lastStreamId: number, errorCode: number, debug: Uint8Array): void;
  /** The answer to ping(); `payload` is the number given to it. */
  onPingAck(payload: number): void;
  /** The connection is over; the streams' onReset came before. `errorCode` NO_ERROR after a graceful end. */
  onClose(errorCode: number, reason: string): void;
}
