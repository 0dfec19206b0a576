// One connection that carries watchers: each a stream of its own with one watch, as kube-apiserver's clients have them.
// Events are read where they lie and told to an observer; a stream that ends is not opened again, but counted.

import { WatchRequest } from '../api/messages.ts';
import * as methods from '../api/methods.ts';
import { WireError } from '../base/byte-reader.ts';
import { ByteWriter } from '../base/byte-writer.ts';
import { MessageReader } from '../client/message-reader.ts';
import { HAS_LEADER, requestFields } from '../client/request-fields.ts';
import { Connection } from '../h2/connection.ts';
import type { ConnectionHandler } from '../h2/connection-handler.ts';
import type { ConnectionOptions } from '../h2/connection-options.ts';
import type { Stream } from '../h2/stream.ts';
import { fieldEnd, headerRevision, skipVarint, varintAt } from './reply-fields.ts';

const TAG_CREATED = 0x18;
const TAG_CANCELED = 0x20;
const TAG_EVENTS = 0x5a;
const TAG_EVENT_KV = 0x12;
const TAG_KV_MOD_REVISION = 0x18;
const TAG_KV_VALUE = 0x2a;

export interface WatchObserver {
  /** The server has the watch. */
  onCreated(watcher: Watcher): void;
  /** The event's value is buffer[valueStart, valueEnd); empty for a deletion. */
  onEvent(watcher: Watcher, revision: number, buffer: Uint8Array, valueStart: number, valueEnd: number): void;
  onProgress(watcher: Watcher, revision: number): void;
  onBroken(watcher: Watcher): void;
}

/** One watch and what it has received. */
export class Watcher {
  readonly key: Uint8Array;
  readonly rangeEnd: Uint8Array;
  readonly startRevision: number;
  lastRevision = 0;
  received = 0;
  /** Events at or below a revision already received. */
  repeated = 0;
  isBroken = false;
  /** When progress was asked for; 0: no answer is due. */
  progressSentMs = 0;
  stream: Stream | undefined;
  readonly reader: MessageReader = new MessageReader();
  sink: (buffer: Uint8Array, start: number, end: number) => void = () => undefined;

  constructor(key: Uint8Array, rangeEnd: Uint8Array, startRevision: number) {
    this.key = key;
    this.rangeEnd = rangeEnd;
    this.startRevision = startRevision;
  }
}

export class WatchConnection implements ConnectionHandler {
  readonly h2: Connection;
  readonly #authority: string;
  readonly #watchers: readonly Watcher[];
  readonly #observer: WatchObserver;
  #hasBegun = false;

  constructor(h2: ConnectionOptions, authority: string, watchers: readonly Watcher[], observer: WatchObserver) {
    this.#authority = authority;
    this.#watchers = watchers;
    this.#observer = observer;
    this.h2 = new Connection('client', h2, this);
  }

  /** The caller flushes. */
  requestProgress(nowMs: number): void {
    const request = encodeWatchRequest({ progress_request: {} });
    for (const watcher of this.#watchers) {
      if (watcher.stream === undefined || watcher.progressSentMs > 0) continue;
      watcher.progressSentMs = nowMs;
      this.h2.sendMessage(watcher.stream, request, 0, request.length, false);
    }
  }

  onSettings(): void {
    if (this.#hasBegun) return;
    this.#hasBegun = true;
    for (const watcher of this.#watchers) this.#open(watcher);
  }

  onHeaders(stream: Stream, _block: unknown, endStream: boolean): void {
    if (endStream) this.#broken(stream);
  }

  onData(stream: Stream, buffer: Uint8Array, start: number, end: number): void {
    const watcher = stream.userData;
    if (watcher instanceof Watcher) watcher.reader.receive(buffer, start, end, watcher.sink);
  }

  onTrailers(stream: Stream): void {
    this.#broken(stream);
  }

  onReset(stream: Stream): void {
    this.#broken(stream);
  }

  onDrain(): void {}
  onGoaway(): void {}
  onBatchEnd(): void {}
  onPingAck(): void {}

  onClose(): void {
    for (const watcher of this.#watchers) this.#break(watcher);
  }

  #open(watcher: Watcher): void {
    const headers = requestFields(this.#authority, methods.watch.path);
    const stream = this.h2.openStream(headers, [HAS_LEADER], false);
    if (stream === null) {
      this.#break(watcher);
      return;
    }
    watcher.stream = stream;
    watcher.sink = (buffer, start, end) => this.#receive(watcher, buffer, start, end);
    stream.userData = watcher;
    const request = encodeWatchRequest({
      create_request: createRequest(watcher),
    });
    this.h2.sendMessage(stream, request, 0, request.length, false);
  }

  #receive(watcher: Watcher, buffer: Uint8Array, start: number, end: number): void {
    let hasEvents = false;
    let isCreated = false;
    let isCanceled = false;
    for (let at = fieldEnd(buffer, start, end); at < end; at = fieldEnd(buffer, at, end)) {
      switch (buffer[at]) {
        case TAG_EVENTS:
          hasEvents = true;
          this.#event(watcher, buffer, skipVarint(buffer, at + 1, end), fieldEnd(buffer, at, end));
          break;
        case TAG_CREATED:
          isCreated = buffer[at + 1] === 1;
          break;
        case TAG_CANCELED:
          isCanceled = buffer[at + 1] === 1;
          break;
      }
    }
    if (isCanceled) this.#break(watcher);
    else if (isCreated) this.#observer.onCreated(watcher);
    else if (!hasEvents) this.#observer.onProgress(watcher, headerRevision(buffer, start, end));
  }

  #event(watcher: Watcher, buffer: Uint8Array, start: number, end: number): void {
    let at = start;
    while (at < end && buffer[at] !== TAG_EVENT_KV) at = fieldEnd(buffer, at, end);
    if (at >= end) throw new WireError('an event without its key');
    const kvEnd = fieldEnd(buffer, at, end);
    let revision = 0;
    let valueStart = kvEnd;
    let valueEnd = kvEnd;
    for (let field = skipVarint(buffer, at + 1, end); field < kvEnd; field = fieldEnd(buffer, field, kvEnd)) {
      if (buffer[field] === TAG_KV_MOD_REVISION) revision = varintAt(buffer, field + 1, kvEnd);
      else if (buffer[field] === TAG_KV_VALUE) {
        valueStart = skipVarint(buffer, field + 1, kvEnd);
        valueEnd = fieldEnd(buffer, field, kvEnd);
      }
    }
    this.#observer.onEvent(watcher, revision, buffer, valueStart, valueEnd);
  }

  #broken(stream: Stream): void {
    const watcher = stream.userData;
    if (watcher instanceof Watcher) this.#break(watcher);
  }

  #break(watcher: Watcher): void {
    if (watcher.isBroken) return;
    watcher.isBroken = true;
    watcher.stream = undefined;
    this.#observer.onBroken(watcher);
  }
}

function createRequest(watcher: Watcher): WatchRequest['create_request'] {
  return {
    key: watcher.key,
    range_end: watcher.rangeEnd,
    start_revision: watcher.startRevision,
    progress_notify: true,
    filters: [],
    prev_kv: true,
    watch_id: 0n,
    fragment: false,
  };
}

function encodeWatchRequest(request: Partial<WatchRequest>): Uint8Array {
  const writer = new ByteWriter();
  WatchRequest.encode(request, writer);
  return writer.copy();
}
