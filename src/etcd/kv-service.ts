// etcdserverpb.KV over the engine.
//
// Reads see the visible revision and never wait for the disk. Writes, and transactions that read, answer through the
// committer. Small ranges are answered at once; larger ones are collected in slices and sent while they are read.

import { requestTimedOut, StatusError, UNIMPLEMENTED } from '../api/errors.ts';
import { CompactionRequest, SORT_BY_VALUE, SORT_NONE } from '../api/messages.ts';
import * as methods from '../api/methods.ts';
import type { CallListener, Registry, RequestHint, UnaryHandler } from '../grpc/registry.ts';
import type { ServerCall } from '../grpc/server-call.ts';
import type { Store } from '../store/store.ts';
import type { Committer } from './committer.ts';
import { type Engine, writeRange } from './engine.ts';
import { isSingleKey } from './key-interval.ts';
import { OperationDecoder, type RangeOp } from './operations.ts';
import { isNaturalOrder, RangeQuery } from './range-query.ts';
import { RangeReply, RangeReplySize } from './range-reply.ts';
import { RangeStream } from './range-stream.ts';
import type { ReplyBudget } from './reply-budget.ts';
import { checkRange } from './request-check.ts';
import { RequestKey } from './request-key.ts';
import type { Slices } from './slices.ts';

/** Keys looked at in one piece of work: about a millisecond. */
const SLICE_KEYS = 2_000;
/** A range up to this many pairs is answered without a job. */
const INLINE_PAIRS_MAX = 512;
/** A reply up to this size is written in one go. */
const INLINE_BYTES_MAX = 256 << 10;
/** How often a range of the newest revision begins anew because compaction overtook it. */
const RESTARTS_MAX = 3;
/** A tenth of a millisecond. */
const COMPACT_SLICE_UNITS = 300;

export interface KvServiceOptions {
  readonly engine: Engine;
  readonly committer: Committer;
  readonly slices: Slices;
  readonly budget: ReplyBudget;
}

export class KvService {
  readonly #engine: Engine;
  readonly #store: Store;
  readonly #committer: Committer;
  readonly #slices: Slices;
  readonly #budget: ReplyBudget;
  #isCompacting = false;
  /** Whoever waits for the end of the removal. */
  readonly #compactionWaiters: (() => void)[] = [];

  constructor(options: KvServiceOptions) {
    this.#engine = options.engine;
    this.#store = options.engine.store;
    this.#committer = options.committer;
    this.#slices = options.slices;
    this.#budget = options.budget;
  }

  register(registry: Registry): void {
    const engine = this.#engine;
    const { hints } = this.#store;
    const key = new RequestKey();
    const hintKeyed: RequestHint = (buffer, start, end) => {
      if (key.ofKeyed(buffer, start, end)) hints.add(buffer, key.start, key.end);
    };
    const hintTxn: RequestHint = (buffer, start, end) => {
      if (key.ofTxn(buffer, start, end)) hints.add(buffer, key.start, key.end);
    };
    registry.onHinted = () => hints.read();
    const range: UnaryHandler = (call, buffer, start, end) => this.#range(call, buffer, start, end);
    const put: UnaryHandler = (call, buffer, start, end) => this.#write(call, () => engine.put(buffer, start, end));
    const txn: UnaryHandler = (call, buffer, start, end) => this.#write(call, () => engine.txn(buffer, start, end));
    registry.unary(methods.range, range, hintKeyed);
    registry.unary(methods.put, put, hintKeyed);
    registry.unary(methods.txn, txn, hintTxn);
    registry.unary(methods.deleteRange, (call, buffer, start, end) => {
      this.#write(call, () => engine.deleteRange(buffer, start, end));
    });
    registry.unary(methods.compact, (call, buffer, start, end) => this.#compact(call, buffer, start, end));
    registry.stream(methods.rangeStream, (call) => this.#rangeStream(call));
  }

  /** Begins the removal of what a compaction made unreachable. */
  startCompaction(onDone: () => void): void {
    this.#compactionWaiters.push(onDone);
    // A job under way goes on to the newer revision.
    if (this.#isCompacting) return;
    this.#isCompacting = true;
    const job = (): boolean => {
      if (this.#store.compactionHeld) {
        this.#store.whenCompactionReleased(() => this.#slices.addBackground(job));
        return true;
      }
      if (!this.#store.compactStep(COMPACT_SLICE_UNITS)) return false;
      this.#isCompacting = false;
      for (const waiter of this.#compactionWaiters.splice(0)) waiter();
      return true;
    };
    this.#slices.addBackground(job);
  }

  #write(call: ServerCall, change: () => void): void {
    const committer = this.#committer;
    committer.admit();
    if (!committer.attempt(call, change)) return;
    const { answer } = this.#engine;
    committer.reply(call, answer.buffer, answer.position);
  }

  #range(call: ServerCall, buffer: Uint8Array, start: number, end: number): void {
    const engine = this.#engine;
    const op = engine.decodeRange(buffer, start, end);
    checkRange(op);
    engine.ranges++;
    const revision = engine.readRevision(op.revision);
    if (isSingleKey(op) && !op.hasFilters) {
      this.#getOne(call, op, revision);
      return;
    }
    const query = new RangeQuery(this.#store, op, revision);
    if (query.step(INLINE_PAIRS_MAX)) {
      const size = new RangeReplySize();
      size.step(this.#store, query, Number.MAX_SAFE_INTEGER);
      if (size.bytes <= INLINE_BYTES_MAX || op.isKeysOnly) {
        this.#answerRange(call, op, query);
        return;
      }
    }
    const copy = Uint8Array.prototype.slice.call(buffer, start, end);
    this.#rangeInSlices(call, copy, 0);
  }

  /** The hot path of Range. */
  #getOne(call: ServerCall, op: RangeOp, revision: number): void {
    const { reply, visibleRevision } = this.#engine;
    const store = this.#store;
    const row = store.find(op.buffer, op.keyStart, op.keyEnd);
    const address = row < 0 ? 0 : store.recordAt(row, revision);
    reply.reset();
    reply.header(visibleRevision);
    if (address !== 0) {
      if (op.isCountOnly) reply.int(0x20, 1);
      else {
        if (op.isKeysOnly) reply.keyOnly(0x12, store, address, op.sortTarget === SORT_BY_VALUE);
        else reply.keyValue(0x12, store, address);
        reply.int(0x20, 1);
      }
    }
    this.#send(call);
  }

  #answerRange(call: ServerCall, op: RangeOp, query: RangeQuery): void {
    const { reply, visibleRevision } = this.#engine;
    reply.reset();
    reply.header(visibleRevision);
    writeRange(reply, this.#store, op, query);
    this.#send(call);
  }

  /** Sends the reply at once; from 4 KiB on as a copy, since the connection keeps a reference. */
  #send(call: ServerCall): void {
    const { reply } = this.#engine;
    if (reply.position < 4096) call.reply(reply.buffer, 0, reply.position);
    else call.reply(reply.copy(), 0, reply.position);
  }

  #rangeInSlices(call: ServerCall, request: Uint8Array, restarts: number): void {
    const op = new OperationDecoder().range(request, 0, request.length);
    const revision = this.#engine.readRevision(op.revision);
    const query = new RangeQuery(this.#store, op, revision);
    const size = new RangeReplySize();
    const headerRevision = this.#engine.visibleRevision;
    let isCollected = false;
    this.#store.pin();
    this.#slices.add(() => {
      if (!call.isOpen) {
        this.#store.unpin();
        return true;
      }
      if (!isCollected && this.#store.compactedRevision > revision) {
        this.#store.unpin();
        this.#overtaken(call, request, op, restarts);
        return true;
      }
      isCollected ||= query.step(SLICE_KEYS);
      if (!isCollected || !size.step(this.#store, query, SLICE_KEYS)) return false;
      this.#sendLarge(call, op, query, size.bytes, headerRevision);
      return true;
    });
  }

  /** Compaction passed the revision while it was being read. */
  #overtaken(call: ServerCall, request: Uint8Array, op: RangeOp, restarts: number): void {
    try {
      // A request for the newest revision begins anew; one for a given revision is refused by readRevision.
      if (restarts >= RESTARTS_MAX) throw requestTimedOut();
      this.#rangeInSlices(call, request, op.revision > 0 ? 0 : restarts + 1);
    } catch (error) {
      if (!(error instanceof StatusError)) throw error;
      call.fail(error);
    }
  }

  /** The store is pinned; the reply takes the pin over. */
  #sendLarge(call: ServerCall, op: RangeOp, query: RangeQuery, pairBytes: number, headerRevision: number): void {
    const store = this.#store;
    if (op.isKeysOnly || pairBytes <= INLINE_BYTES_MAX) {
      this.#answerRange(call, op, query);
      store.unpin();
      return;
    }
    const send = (): void => {
      const reply = new RangeReply({
        store,
        identity: this.#engine.identity,
        op,
        query,
        headerRevision,
        onEnd: () => this.#releaseLater(pairBytes),
      });
      store.unpin();
      call.replyFrom(reply, reply.totalBytes(pairBytes));
    };
    try {
      this.#budget.acquire(pairBytes, send);
    } catch (error) {
      store.unpin();
      if (!(error instanceof StatusError)) throw error;
      call.fail(error);
    }
  }

  /** Not at once: the next reply would be read while the one that ends is still being copied. */
  #releaseLater(bytes: number): void {
    this.#slices.add(() => {
      this.#budget.release(bytes);
      return true;
    });
  }

  #rangeStream(call: ServerCall): CallListener {
    let stream: RangeStream | undefined;
    return {
      onMessage: (buffer, start, end) => {
        // One request a call; another stream would leave the first one's pin behind.
        if (stream !== undefined) return;
        const request = Uint8Array.prototype.slice.call(buffer, start, end);
        const op = new OperationDecoder().range(request, 0, request.length);
        checkRange(op);
        if (op.sortOrder !== SORT_NONE && !isNaturalOrder(op))
          throw new StatusError(UNIMPLEMENTED, 'RangeStream does not support custom sort orders');
        if (op.hasFilters) throw new StatusError(UNIMPLEMENTED, 'RangeStream does not support revision filters');
        this.#engine.ranges++;
        const revision = this.#engine.readRevision(op.revision);
        stream = new RangeStream(call, this.#engine, op, revision);
        const job = stream;
        this.#slices.add(() => job.step(SLICE_KEYS));
      },
      onHalfClose: () => {},
      onDrain: () => {
        const job = stream;
        if (job?.isWaiting === true) this.#slices.add(() => job.step(SLICE_KEYS));
      },
      onCancel: () => stream?.close(),
    };
  }

  /** Compacts; `onDone` is called when the removal is over. Throws as the request would be refused. */
  compactTo(revision: number, onDone: () => void, onCompacted: () => void = () => {}): void {
    this.#engine.compact(revision);
    this.#committer.whenVisible(() => {
      this.#store.compact(revision);
      onCompacted();
      this.startCompaction(onDone);
    });
  }

  #compact(call: ServerCall, buffer: Uint8Array, start: number, end: number): void {
    const { revision, physical } = CompactionRequest.decode(buffer, start, end);
    const answer = (): void => {
      const { reply } = this.#engine;
      reply.reset();
      reply.header(this.#engine.visibleRevision);
      this.#send(call);
    };
    this.#committer.attempt(call, () => {
      if (physical) this.compactTo(revision, answer);
      else this.compactTo(revision, () => {}, answer);
    });
  }
}
