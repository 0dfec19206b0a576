// The watch hub: from the store's history to the watchers' streams. A core: it is told what is visible and what time
// it is, and writes messages into sinks.
//
//   history  …──────────────┬──────────── dispatched ──────── visible
//            lagging watchers read here    └ dispatch() reads here once and gives each event to all synced watchers
//
// Invariants (etcd 3.7 watch semantics):
//  - per watcher: revisions strictly ascend, nothing is missing, nothing comes twice, one revision is never split over
//    messages unless `fragment` was asked for;
//  - a progress message of revision R comes behind every event ≤ R of all watchers it speaks for, in the same queue;
//  - a watcher is dropped only when the store has compacted past it, and is then told so.
//
// Limits: a stream whose queue holds more than `queueBytesMax`, or than its share of `queuesBytesMax`, turns its watchers into lagging ones
// as they have events; they go on from the history when the queue has drained. So a queue is longer than that by one message. A round of events is cut at `messageBytesMax` and `messageRevisionsMax`.

import { WATCH_COMPACTED, WATCH_ID_DUPLICATE, WATCH_RANGE_EMPTY } from '../api/errors.ts';
import type { HeaderWriter } from '../api/header-writer.ts';
import { compareArrays } from '../base/bytes.ts';
import { KeyValueView } from '../store/key-value.ts';
import type { Store } from '../store/store.ts';
import { EventWriter } from './event-writer.ts';
import { Interest } from './interest.ts';
import { type WatchSink, WatchStream } from './watch-stream.ts';
import { Watcher, type WatchSpec } from './watcher.ts';

export interface WatchLimits {
  /** Bytes queued on one stream before its watchers read from history instead. */
  readonly queueBytesMax: number;
  /** The same of all streams together: of many each has its share, but no less than `queueBytesMin`, at which sinks tell that they have drained. */
  readonly queuesBytesMax: number;
  readonly queueBytesMin: number;
  /** Events of several revisions share a message up to this size and count; one revision may exceed the size. */
  readonly messageBytesMax: number;
  readonly messageRevisionsMax: number;
  /** A message above this is cut for watchers that asked for fragments: --max-request-bytes + 512 KiB. */
  readonly fragmentBytesMax: number;
}

export const WATCH_LIMITS: WatchLimits = {
  queueBytesMax: 1 << 20,
  queuesBytesMax: 256 << 20,
  queueBytesMin: 64 << 10,
  messageBytesMax: 1 << 20,
  messageRevisionsMax: 1000,
  fragmentBytesMax: 2 << 20,
};

export interface WatchHubOptions {
  readonly store: Store;
  readonly writer: HeaderWriter;
  readonly limits: WatchLimits;
  /** --watch-progress-notify-interval. */
  readonly progressIntervalMs: number;
  /** A number in [0, 1), for the jitter of progress notifications. */
  readonly random: () => number;
}

/** An id that no watcher has: in answers to failed creates and to progress requests. */
const NO_WATCHER = -1n;

export class WatchHub {
  readonly #store: Store;
  readonly #writer: HeaderWriter;
  readonly #limits: WatchLimits;
  readonly #progressIntervalMs: number;
  readonly #random: () => number;
  readonly #interest = new Interest();
  readonly #events: EventWriter;
  readonly #view = new KeyValueView();
  readonly #streams = new Set<WatchStream>();
  /** Streams with lagging watchers whose queues have room. */
  readonly #work: WatchStream[] = [];
  readonly #touched: Watcher[] = [];
  #dispatchedRevision: number;
  // For metrics.
  watcherCount = 0;
  laggingCount = 0;
  eventsSent = 0;

  constructor(options: WatchHubOptions) {
    this.#store = options.store;
    this.#writer = options.writer;
    this.#limits = options.limits;
    this.#progressIntervalMs = options.progressIntervalMs;
    this.#random = options.random;
    this.#events = new EventWriter(options.store);
    this.#dispatchedRevision = options.store.currentRevision;
  }

  get streamCount(): number {
    return this.#streams.size;
  }

  /** Lagging watchers wait for `step`. */
  get hasWork(): boolean {
    return this.#work.length > 0;
  }

  openStream(sink: WatchSink, nowMs: number): WatchStream {
    const stream = new WatchStream(sink, nowMs + this.#progressDelayMs());
    this.#streams.add(stream);
    return stream;
  }

  /** The stream is gone, with all its watchers. */
  closeStream(stream: WatchStream): void {
    for (const watcher of [...stream.watchers.values()]) this.#remove(watcher);
    this.#streams.delete(stream);
  }

  /** Answers a create request; `id` 0 lets the server choose. */
  create(stream: WatchStream, id: bigint, spec: WatchSpec): void {
    const refusal = refusalOf(stream, id, spec);
    if (refusal !== undefined) {
      this.#sendCreated(stream, NO_WATCHER, refusal);
      return;
    }
    const chosen = id === 0n ? stream.takeId() : id;
    const from = spec.startRevision;
    const isSynced = from === 0 || from > this.#dispatchedRevision;
    const watcher = new Watcher(
      chosen,
      stream,
      spec,
      isSynced ? Math.max(from, this.#dispatchedRevision + 1) : from,
      isSynced,
    );
    stream.watchers.set(chosen, watcher);
    this.watcherCount++;
    this.#sendCreated(stream, chosen, '');
    if (isSynced) this.#interest.add(watcher);
    else this.#lag(watcher);
  }

  /** Answers a cancel request; an unknown id gets no answer. */
  cancel(stream: WatchStream, id: bigint): void {
    const watcher = stream.watchers.get(id);
    if (watcher === undefined) return;
    this.#remove(watcher);
    const writer = this.#begin(id, this.#dispatchedRevision);
    writer.bool(0x20, true);
    this.#send(stream);
  }

  /** Answers a progress request if every watcher of the stream is up to date; otherwise not at all. */
  requestProgress(stream: WatchStream): void {
    if (stream.watchers.size === 0) return;
    for (const watcher of stream.watchers.values()) if (!this.#isComplete(watcher)) return;
    this.#begin(NO_WATCHER, this.#dispatchedRevision);
    this.#send(stream);
  }

  /** Everything up to `revision` may be shown: gives new events to the synced watchers. */
  dispatch(revision: number): void {
    const from = this.#dispatchedRevision + 1;
    if (revision < from) return;
    this.#dispatchedRevision = revision;
    if (this.#interest.isEmpty) return;
    const store = this.#store;
    let position = store.historySeek(from);
    let revisions = 0;
    let main = 0;
    for (; position < store.historyTail; position++) {
      const entryMain = store.historyMain(position);
      if (entryMain > revision) break;
      if (entryMain !== main) {
        const isFull = this.#events.bytes >= this.#limits.messageBytesMax;
        if (isFull || revisions >= this.#limits.messageRevisionsMax) {
          this.#flushTouched();
          revisions = 0;
        }
        main = entryMain;
        revisions++;
      }
      this.#offer(position, main);
    }
    this.#flushTouched();
  }

  /** The stream's queue has drained: its lagging watchers may go on. */
  drained(stream: WatchStream): void {
    this.#enqueue(stream);
  }

  /** Lets lagging watchers read up to about `units` history entries. */
  step(units: number): void {
    let left = units;
    while (left > 0) {
      const stream = this.#work.shift();
      if (stream === undefined) return;
      stream.isQueued = false;
      const watcher = stream.lagging[0];
      if (watcher === undefined) continue;
      left -= this.#catchUp(watcher, left);
      this.#enqueue(stream);
    }
  }

  /** Periodic progress notifications. */
  tick(nowMs: number): void {
    for (const stream of this.#streams) {
      if (stream.nextProgressMs > nowMs) continue;
      stream.nextProgressMs = nowMs + this.#progressDelayMs();
      for (const watcher of stream.watchers.values()) {
        if (!watcher.spec.isProgressWanted) continue;
        if (!watcher.hadEvents && this.#isComplete(watcher)) {
          this.#begin(watcher.id, this.#dispatchedRevision);
          this.#send(stream);
        }
        watcher.hadEvents = false;
      }
    }
  }

  /** Nothing ≤ the dispatched revision is owed to the watcher, and it has begun. */
  #isComplete(watcher: Watcher): boolean {
    return watcher.isSynced && this.#dispatchedRevision >= watcher.spec.startRevision;
  }

  #progressDelayMs(): number {
    return this.#progressIntervalMs * (1 + this.#random() / 10);
  }

  #offer(position: number, main: number): void {
    const store = this.#store;
    const address = store.historyKeyAddress(position);
    const segment = store.segmentOf(address);
    const view = this.#view.readHead(segment, store.kvStart(address));
    this.#offerTo(this.#interest.ofRanges(segment, view.keyStart, view.keyEnd), position, main);
    this.#offerTo(this.#interest.ofKey(segment, view.keyStart, view.keyEnd), position, main);
  }

  #offerTo(watchers: readonly Watcher[], position: number, main: number): void {
    for (let i = 0; i < watchers.length; i++) {
      const watcher = watchers[i];
      if (main < watcher.nextRevision || !wants(watcher, this.#store.historyIsDelete(position))) continue;
      if (watcher.slices.length === 0) this.#touched.push(watcher);
      this.#add(watcher, position, main);
    }
  }

  #add(watcher: Watcher, position: number, main: number): void {
    this.#events.encode(position, watcher.spec.isPrevWanted);
    watcher.slices.push(this.#events.start, this.#events.end);
    watcher.lastRevision = main;
  }

  #flushTouched(): void {
    for (const watcher of this.#touched) {
      if (this.#isFull(watcher.stream)) {
        // It will find in the history what it is not given now.
        watcher.slices.length = 0;
        this.#interest.remove(watcher);
        watcher.isSynced = false;
        this.#lag(watcher);
        continue;
      }
      watcher.nextRevision = watcher.lastRevision + 1;
      this.#sendEvents(watcher, watcher.lastRevision);
    }
    this.#touched.length = 0;
    this.#events.reset();
  }

  #lag(watcher: Watcher): void {
    watcher.stream.lagging.push(watcher);
    this.laggingCount++;
    this.#enqueue(watcher.stream);
  }

  #enqueue(stream: WatchStream): void {
    if (stream.isQueued || stream.lagging.length === 0) return;
    if (this.#isFull(stream)) return;
    stream.isQueued = true;
    this.#work.push(stream);
  }

  #isFull({ sink }: WatchStream): boolean {
    const { queueBytesMax, queuesBytesMax, queueBytesMin } = this.#limits;
    const share = Math.max(queuesBytesMax / this.#streams.size, queueBytesMin);
    return sink.queuedBytes > Math.min(queueBytesMax, share);
  }

  /** Reads on for one watcher; returns the entries read. Ends at the dispatched revision, where it is synced. */
  #catchUp(watcher: Watcher, units: number): number {
    const store = this.#store;
    const { stream } = watcher;
    stream.lagging.shift();
    if (watcher.nextRevision < store.compactedRevision) {
      this.laggingCount--;
      this.#sendCompacted(watcher);
      return 1;
    }
    const first = store.historySeek(watcher.nextRevision);
    const revision = this.#dispatchedRevision;
    let position = first;
    let main = watcher.nextRevision - 1;
    let revisions = 0;
    let isDone = true;
    for (; position < store.historyTail; position++) {
      const entryMain = store.historyMain(position);
      if (entryMain > revision) break;
      if (entryMain !== main) {
        const isFull = this.#events.bytes >= this.#limits.messageBytesMax;
        if (isFull || revisions >= this.#limits.messageRevisionsMax || position - first >= units) {
          isDone = false;
          break;
        }
        main = entryMain;
      }
      if (this.#offerLagging(watcher, position, main)) revisions++;
    }
    watcher.nextRevision = isDone ? revision + 1 : main + 1;
    if (watcher.slices.length > 0) this.#sendEvents(watcher, revision);
    this.#events.reset();
    if (isDone) {
      this.laggingCount--;
      watcher.isSynced = true;
      this.#interest.add(watcher);
    } else stream.lagging.push(watcher);
    return Math.max(position - first, 1);
  }

  #offerLagging(watcher: Watcher, position: number, main: number): boolean {
    const store = this.#store;
    if (!wants(watcher, store.historyIsDelete(position))) return false;
    const address = store.historyKeyAddress(position);
    const segment = store.segmentOf(address);
    const view = this.#view.readHead(segment, store.kvStart(address));
    if (!watcher.covers(segment, view.keyStart, view.keyEnd)) return false;
    this.#add(watcher, position, main);
    return true;
  }

  #remove(watcher: Watcher): void {
    const { stream } = watcher;
    stream.watchers.delete(watcher.id);
    this.watcherCount--;
    if (watcher.isSynced) {
      this.#interest.remove(watcher);
      return;
    }
    const place = stream.lagging.indexOf(watcher);
    if (place < 0) return;
    stream.lagging.splice(place, 1);
    this.laggingCount--;
  }

  /** Starts a WatchResponse; what follows is appended to the writer. */
  #begin(id: bigint, revision: number): HeaderWriter {
    const writer = this.#writer;
    writer.reset();
    writer.header(revision);
    writer.int64(0x10, id);
    return writer;
  }

  #send(stream: WatchStream): void {
    const message = this.#writer.copy();
    stream.sink.send(message, 0, message.length);
  }

  #sendCreated(stream: WatchStream, id: bigint, refusal: string): void {
    const writer = this.#begin(id, this.#dispatchedRevision);
    writer.bool(0x18, true);
    writer.bool(0x20, refusal !== '');
    writer.string(0x32, refusal);
    this.#send(stream);
  }

  /** etcd leaves revision and reason out here. */
  #sendCompacted(watcher: Watcher): void {
    this.#remove(watcher);
    const writer = this.#begin(watcher.id, 0);
    writer.bool(0x20, true);
    writer.int(0x28, this.#store.compactedRevision);
    this.#send(watcher.stream);
  }

  #sendEvents(watcher: Watcher, revision: number): void {
    const { slices, stream } = watcher;
    const { fragmentBytesMax } = this.#limits;
    watcher.hadEvents = true;
    this.eventsSent += slices.length / 2;
    let bytes = 0;
    for (let i = 0; i < slices.length; i += 2) bytes += slices[i + 1] - slices[i];
    if (watcher.spec.isFragmented && bytes >= fragmentBytesMax && slices.length > 2) {
      this.#sendFragments(watcher, revision);
    } else {
      const writer = this.#begin(watcher.id, revision);
      writer.ensure(bytes);
      for (let i = 0; i < slices.length; i += 2) writer.bytes(this.#events.buffer, slices[i], slices[i + 1]);
      this.#send(stream);
    }
    slices.length = 0;
  }

  /** Pieces back to back, all but the last marked, each with an event at least. */
  #sendFragments(watcher: Watcher, revision: number): void {
    const { slices, stream } = watcher;
    let at = 0;
    while (at < slices.length) {
      const writer = this.#begin(watcher.id, revision);
      const first = at;
      let bytes = 0;
      while (
        at < slices.length &&
        (at === first || bytes + slices[at + 1] - slices[at] < this.#limits.fragmentBytesMax)
      ) {
        bytes += slices[at + 1] - slices[at];
        at += 2;
      }
      writer.bool(0x38, at < slices.length);
      for (let i = first; i < at; i += 2) writer.bytes(this.#events.buffer, slices[i], slices[i + 1]);
      this.#send(stream);
    }
  }
}

function wants(watcher: Watcher, isDelete: boolean): boolean {
  return isDelete ? !watcher.spec.skipsDeletes : !watcher.spec.skipsPuts;
}

/** Why a watch cannot be created; undefined when it can. */
function refusalOf(stream: WatchStream, id: bigint, spec: WatchSpec): string | undefined {
  const { key, end } = spec;
  if (spec.startRevision < 0) return WATCH_COMPACTED;
  if (end !== undefined && end !== null && compareArrays(key, end) >= 0) return WATCH_RANGE_EMPTY;
  if (id !== 0n && stream.watchers.has(id)) return WATCH_ID_DUPLICATE;
  return undefined;
}
