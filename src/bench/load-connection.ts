// One HTTP/2 connection of the load generator: requests out of templates, replies read where they lie. In its loop there is
// neither a promise nor a closure nor, beyond the connection core's pooled streams, an object for a request.
//
// `stream.userData` is the Slot. The time of a reply is that of the chunk it came in (RememberingClock): one clock
// reading serves all replies of a chunk and the requests that follow them.

import { OK, UNAVAILABLE, UNKNOWN } from '../api/errors.ts';
import { outcomeOf } from '../client/outcome.ts';
import { requestFields } from '../client/request-fields.ts';
import { Connection } from '../h2/connection.ts';
import type { ConnectionHandler } from '../h2/connection-handler.ts';
import type { ConnectionOptions } from '../h2/connection-options.ts';
import type { HeaderBlock } from '../h2/header-block.ts';
import { PreparedHeaders } from '../h2/prepared-headers.ts';
import type { Stream } from '../h2/stream.ts';
import type { Load, Slot } from './load.ts';
import type { RememberingClock } from './remembering-clock.ts';

const PREFIX_BYTES = 5;

export interface LoadConnectionOptions {
  readonly h2: ConnectionOptions;
  readonly authority: string;
  readonly clock: RememberingClock;
  readonly onReady: () => void;
  readonly onLost: (reason: string) => void;
}

/** An outcome kept with the header block it was read from. */
interface Outcome {
  readonly code: number;
}

export class LoadConnection implements ConnectionHandler {
  readonly #options: LoadConnectionOptions;
  #h2: Connection;
  #headers = new Map<string, PreparedHeaders>();
  #lastPath = '';
  #lastHeaders: PreparedHeaders | undefined;
  #isReady = false;
  /** Slots that have no request because the connection could not take it. */
  #parked: Slot[] = [];

  constructor(options: LoadConnectionOptions) {
    this.#options = options;
    this.#h2 = new Connection('client', options.h2, this);
  }

  get h2(): Connection {
    return this.#h2;
  }

  get isReady(): boolean {
    return this.#isReady;
  }

  get canSend(): boolean {
    return this.#isReady && this.#h2.canOpenStream;
  }

  /** A fresh HTTP/2 connection in place of the one that has closed; the slots stay. */
  renew(): Connection {
    this.#h2 = new Connection('client', this.#options.h2, this);
    this.#headers = new Map();
    this.#lastPath = '';
    this.#lastHeaders = undefined;
    return this.#h2;
  }

  /** Only when canSend. */
  send(slot: Slot, load: Load, end: number): void {
    const stream = this.#h2.request(this.#prepared(load.path), null, load.buffer, 0, end);
    if (stream !== null) stream.userData = slot;
  }

  /** When nothing is in flight any more, a connection that is used up closes, and is made again. */
  park(slot: Slot): void {
    this.#parked.push(slot);
    if (this.#h2.isUsedUp) this.#h2.shutdown();
  }

  onHeaders(stream: Stream, block: HeaderBlock, endStream: boolean): void {
    if (endStream) this.#finish(stream, block);
  }

  onData(stream: Stream, buffer: Uint8Array, start: number, end: number, endStream: boolean): void {
    const slot = slotOf(stream);
    if (slot === undefined) return;
    if (isWholeMessage(buffer, start, end) && !slot.isGathering) {
      slot.flow.load.read(slot, buffer, start + PREFIX_BYTES, end);
    } else slot.gather(buffer, start, end);
    if (endStream) this.#end(stream, slot, UNKNOWN);
  }

  onTrailers(stream: Stream, block: HeaderBlock): void {
    this.#finish(stream, block);
  }

  onReset(stream: Stream): void {
    const slot = slotOf(stream);
    if (slot !== undefined) this.#end(stream, slot, UNAVAILABLE);
  }

  onSettings(): void {
    if (this.#isReady) return;
    this.#isReady = true;
    this.#options.onReady();
    const parked = this.#parked;
    this.#parked = [];
    for (const slot of parked) slot.flow.resume(slot, this.#options.clock.lastMs);
  }

  onDrain(): void {}
  onGoaway(): void {}
  onBatchEnd(): void {}
  onPingAck(): void {}

  onClose(_errorCode: number, reason: string): void {
    this.#isReady = false;
    this.#options.onLost(reason);
  }

  #finish(stream: Stream, block: HeaderBlock): void {
    const slot = slotOf(stream);
    if (slot === undefined) return;
    // Only this function sets the memo.
    let outcome = block.memo as Outcome | undefined;
    if (outcome === undefined) {
      outcome = { code: outcomeOf(block)?.code ?? OK };
      block.memo = outcome;
    }
    this.#end(stream, slot, outcome.code);
  }

  #end(stream: Stream, slot: Slot, code: number): void {
    stream.userData = undefined;
    slot.flow.finish(slot, code, this.#options.clock.lastMs);
  }

  /** Of this connection alone, so that its encoding stays valid. */
  #prepared(path: string): PreparedHeaders {
    if (this.#lastHeaders !== undefined && this.#lastPath === path) return this.#lastHeaders;
    let headers = this.#headers.get(path);
    if (headers === undefined) {
      headers = new PreparedHeaders(requestFields(this.#options.authority, path));
      this.#headers.set(path, headers);
    }
    this.#lastPath = path;
    this.#lastHeaders = headers;
    return headers;
  }
}

/** Undefined once the slot's request has ended. */
function slotOf(stream: Stream): Slot | undefined {
  // Only send() sets userData to something.
  return stream.userData as Slot | undefined;
}

function isWholeMessage(buffer: Uint8Array, start: number, end: number): boolean {
  if (end - start < PREFIX_BYTES || buffer[start] !== 0) return false;
  const length =
    buffer[start + 1] * 0x100_0000 + (buffer[start + 2] << 16) + (buffer[start + 3] << 8) + buffer[start + 4];
  return length === end - start - PREFIX_BYTES;
}
