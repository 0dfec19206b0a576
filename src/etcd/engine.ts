// The state machine: requests in, replies and effects out. No I/O, no clock, no promise.
//
// Every method that changes something either throws StatusError and has changed no key (reaching the quota raises the
// NOSPACE alarm), or applies everything under
// one new main revision, appends its effects to the log's open batch and leaves the reply's bytes in `reply`. Whether
// the reply may leave is not decided here: `log.note…` says how durable the change has to be first, and
// the committer (committer.ts) holds the reply until then.
//
// Two revisions matter. `store.currentRevision` is the newest one, on which conditions are evaluated.
// `visibleRevision` ≤ it is the newest one that is as durable as it has to be: plain reads and watches see that.
//
// Effects are read back from the store's history: what is logged is what was applied.

import {
  compacted,
  corruptCluster,
  futureRevision,
  keyNotFound,
  leaseExists,
  leaseNotFound,
  leaseTtlTooLarge,
  noSpace,
  requestTooLarge,
} from '../api/errors.ts';
import type { ServerIdentity } from '../api/header-writer.ts';
import { ALARM_CORRUPT, ALARM_NOSPACE, SORT_BY_VALUE } from '../api/messages.ts';
import type { BatchWriter } from '../journal/batch-writer.ts';
import { type Lease, type Lessor, TTL_SECONDS_MAX } from '../lease/lessor.ts';
import { KeyValueView } from '../store/key-value.ts';
import type { Store } from '../store/store.ts';
import { compareTxn } from './compare.ts';
import { CLASS_BUFFERED, CLASS_FSYNC, CLASS_NONE, type DurabilityClass, type DurabilityMap } from './durability.ts';
import { GuardedPut } from './guarded-put.ts';
import { isEmptyRange, isSingleKey, liveRows, lowerBound, upperBound } from './key-interval.ts';
import {
  type DeleteOp,
  OP_DELETE,
  OP_PUT,
  OP_RANGE,
  OP_TXN,
  type Op,
  OperationDecoder,
  type PutOp,
  type RangeOp,
  type TxnOp,
} from './operations.ts';
import { RangeQuery } from './range-query.ts';
import { ReplyWriter } from './reply-writer.ts';
import { checkDelete, checkPut, checkTxn } from './request-check.ts';
import { noRest, RevisionReply, restOfGuardedPut } from './revision-reply.ts';

/** Where effects go. */
export interface EffectLog {
  /** The open batch. */
  readonly batch: BatchWriter;
  /** The revision just applied has this class; its effects are in the batch unless the class is `none`. */
  noteRevision(durability: DurabilityClass): void;
  /** An effect without a revision (a lease, an alarm, a compaction) is in the batch; it is of the class fsync. */
  noteEffect(): void;
}

/** The place of the log. */
export interface EngineSpace {
  /** Whether a write that adds about `bytes` may be taken. */
  hasRoom(bytes: number): boolean;
  /** Writes that add are refused. */
  readonly isLow: boolean;
  /** Nothing at all can be logged. */
  readonly isSpent: boolean;
}

const ENDLESS_SPACE: EngineSpace = { hasRoom: () => true, isLow: false, isSpent: false };

export interface EngineLimits {
  /** --max-request-bytes: of a write, as etcd would put it into its log. */
  readonly requestBytesMax: number;
  /** --max-txn-ops. */
  readonly txnOpsMax: number;
  /** --quota-backend-bytes in force; 0 for no quota. */
  readonly quotaBytes: number;
}

export interface EngineOptions {
  readonly store: Store;
  readonly lessor: Lessor;
  readonly log: EffectLog;
  readonly durability: DurabilityMap;
  readonly limits: EngineLimits;
  readonly identity: ServerIdentity;
  /** Undefined: there is always room. */
  readonly space?: EngineSpace | undefined;
  /** Those that stood before a restart. */
  readonly alarms?: Set<number>;
}

/** What etcd's envelope around a request adds to its size (InternalRaftRequest: header with a 64-bit id, tag, length). */
const ENVELOPE_BYTES = 18;

export class Engine {
  readonly store: Store;
  readonly lessor: Lessor;
  readonly identity: ServerIdentity;
  readonly limits: EngineLimits;
  /** For what is to be answered: bytes from 0 to reply.position, valid until the next request. */
  readonly reply: ReplyWriter;
  /** The reply to the last put, deletion or transaction, likewise; to be read only. */
  answer: ReplyWriter;
  /** Alarms in the log: they stand until disarmed. */
  readonly alarms: Set<number>;
  /** Newest revision that plain reads and watches may show. */
  visibleRevision: number;
  /** The highest compaction asked for; the store follows when it is durable. */
  compactTarget: number;
  // For metrics (etcd_mvcc_{put,delete,txn,range}_total).
  puts = 0;
  deletes = 0;
  txns = 0;
  ranges = 0;
  putBytes = 0;
  readonly #log: EffectLog;
  readonly #durability: DurabilityMap;
  readonly #space: EngineSpace;
  readonly #decoder = new OperationDecoder();
  readonly #view = new KeyValueView();
  readonly #guarded = new GuardedPut();
  readonly #putReply: RevisionReply;
  readonly #guardedReply: RevisionReply;
  /** The revision being made, and the next sub revision in it. */
  #main = 0;
  #sub = 0;

  constructor(options: EngineOptions) {
    this.store = options.store;
    this.lessor = options.lessor;
    this.identity = options.identity;
    this.limits = options.limits;
    this.reply = new ReplyWriter(options.identity);
    this.answer = this.reply;
    this.#putReply = new RevisionReply(options.identity, noRest);
    this.#guardedReply = new RevisionReply(options.identity, restOfGuardedPut);
    this.visibleRevision = options.store.currentRevision;
    this.compactTarget = options.store.compactedRevision;
    this.alarms = options.alarms ?? new Set();
    this.#log = options.log;
    this.#durability = options.durability;
    this.#space = options.space ?? ENDLESS_SPACE;
  }

  /** Those in the log, and NOSPACE while the disk has little room: that one ends by itself. */
  get standingAlarms(): number[] {
    const alarms = new Set(this.alarms);
    if (this.#space.isLow) alarms.add(ALARM_NOSPACE);
    return [...alarms];
  }

  /** PutRequest → PutResponse. */
  put(buffer: Uint8Array, start: number, end: number): void {
    const op = this.#decoder.put(buffer, start, end);
    checkPut(op);
    this.#checkSize(end - start);
    this.#refuseCorrupt();
    this.#refuseNoSpace(putCost(op));
    this.#checkPutState(op);
    this.#begin();
    const { reply } = this;
    if (op.isPrevWanted) {
      reply.reset();
      reply.header(this.#main);
    } else this.answer = this.#putReply.at(this.#main);
    this.#applyPut(op, this.store.find(op.buffer, op.keyStart, op.keyEnd));
    this.#end();
  }

  /** DeleteRangeRequest → DeleteRangeResponse. */
  deleteRange(buffer: Uint8Array, start: number, end: number): void {
    const op = this.#decoder.deleteRange(buffer, start, end);
    checkDelete(op);
    this.#checkSize(end - start);
    this.#refuseCorrupt();
    this.#refuseSpent();
    this.#begin();
    const { reply } = this;
    reply.reset();
    const rows = this.#rowsIn(op);
    reply.header(rows.length > 0 ? this.#main : this.store.currentRevision);
    this.#applyDelete(op, rows);
    this.#end();
  }

  /** TxnRequest → TxnResponse. */
  txn(buffer: Uint8Array, start: number, end: number): void {
    const guarded = this.#guarded;
    if (guarded.read(buffer, start, end) && this.#putGuarded(guarded, end - start)) return;
    const txn = this.#decoder.txn(buffer, start, end);
    this.#checkTxnRequest(txn, end - start);
    compareTxn(this.store, txn);
    this.#checkTxnState(txn);
    this.txns++;
    this.#begin();
    const { reply } = this;
    reply.reset();
    // The header comes first but needs the revision, known only after the operations: they are written behind a
    // header of the likely revision, which is corrected when nothing changed.
    reply.header(this.#main);
    const bodyStart = reply.position;
    this.#applyTxn(txn);
    if (this.#sub === 0) this.#correctHeader(bodyStart);
    this.#end();
  }

  /** What `txn` does when the compare holds; false: it does not, and nothing was done. */
  #putGuarded({ put, revision }: GuardedPut, bytes: number): boolean {
    const { store } = this;
    const row = store.find(put.buffer, put.keyStart, put.keyEnd);
    if ((row < 0 ? 0 : store.modRevision(row)) !== revision) return false;
    this.#checkSize(bytes);
    this.#refuseCorrupt();
    this.#refuseNoSpace(putCost(put));
    this.#checkPutState(put);
    this.txns++;
    this.#begin();
    this.#applyPut(put, row);
    this.#end();
    this.answer = this.#guardedReply.at(this.#main);
    return true;
  }

  /** CompactionRequest: from now on older revisions are refused; the store follows when the effect is durable. */
  compact(revision: number): void {
    this.#refuseCorrupt();
    if (revision <= this.compactTarget) throw compacted();
    if (revision > this.store.currentRevision) throw futureRevision();
    this.#refuseSpent();
    this.compactTarget = revision;
    this.#log.batch.appendCompact(revision);
    this.#log.noteEffect();
  }

  /** Checks a plain read's revision; returns the one to read at. */
  readRevision(requested: number): number {
    if (requested <= 0) return this.visibleRevision;
    if (requested > this.visibleRevision) throw futureRevision();
    if (requested < this.store.compactedRevision) throw compacted();
    return requested;
  }

  /** RangeRequest, decoded: the operation is valid until the next decode. */
  decodeRange(buffer: Uint8Array, start: number, end: number): RangeOp {
    return this.#decoder.range(buffer, start, end);
  }

  grantLease(id: bigint, ttlSeconds: number, nowMs: number): Lease {
    this.#refuseCorrupt();
    if (ttlSeconds > TTL_SECONDS_MAX) throw leaseTtlTooLarge();
    this.#refuseNoSpace(64);
    if (this.lessor.find(id) !== undefined) throw leaseExists();
    const lease = this.lessor.grant(id, this.lessor.effectiveTtlSeconds(ttlSeconds), nowMs);
    this.#log.batch.appendLeaseGrant(lease.id, lease.ttlSeconds);
    this.#log.noteEffect();
    return lease;
  }

  /** Revokes a lease and deletes its keys, at one revision, in key order. */
  revokeLease(id: bigint): void {
    this.#refuseCorrupt();
    const lease = this.lessor.find(id);
    if (lease === undefined) throw leaseNotFound();
    this.#refuseSpent();
    this.#begin();
    for (const row of this.#inKeyOrder(this.lessor.rows(lease))) this.#deleteRow(row);
    this.#end();
    this.lessor.remove(lease);
    this.#log.batch.appendLeaseRevoke(id);
    this.#log.noteEffect();
  }

  /** The keys of a lease. */
  leaseKeys(lease: Lease): Uint8Array[] {
    return this.lessor.rows(lease).map((row) => this.#keyOf(row));
  }

  setAlarm(alarm: number, isRaised: boolean): void {
    if (this.alarms.has(alarm) === isRaised) return;
    if (isRaised) this.alarms.add(alarm);
    else this.alarms.delete(alarm);
    this.#log.batch.appendAlarm(alarm, isRaised);
    this.#log.noteEffect();
  }

  #begin(): void {
    this.#main = this.store.currentRevision + 1;
    this.#sub = 0;
    this.answer = this.reply;
  }

  /** Commits the revision if anything changed and logs its effects. */
  #end(): void {
    if (this.#sub === 0) return;
    const { store } = this;
    const tail = store.historyTail;
    const head = tail - this.#sub;
    store.commit(this.#main);
    const strictest = this.#durability.only ?? this.#strictest(head, tail);
    if (strictest !== CLASS_NONE) this.#append(head, tail, strictest);
    else store.markUnlogged(head, tail);
    this.#log.noteRevision(strictest);
  }

  /** The strictest class of the keys that changed. */
  #strictest(head: number, tail: number): DurabilityClass {
    const { store } = this;
    let strictest: DurabilityClass = CLASS_NONE;
    for (let at = head; at < tail && strictest < CLASS_FSYNC; at++) {
      const address = store.historyKeyAddress(at);
      const segment = store.segmentOf(address);
      const view = this.#view.readHead(segment, store.kvStart(address));
      const durability = this.#durability.classOf(segment, view.keyStart, view.keyEnd);
      if (durability > strictest) strictest = durability;
    }
    return strictest;
  }

  #append(head: number, tail: number, durability: DurabilityClass): void {
    const { store } = this;
    const { batch } = this.#log;
    batch.beginRevision(this.#main, durability === CLASS_BUFFERED ? 'buffered' : 'fsync');
    for (let at = head; at < tail; at++) {
      const address = store.historyKeyAddress(at);
      const segment = store.segmentOf(address);
      const start = store.kvStart(address);
      if (store.historyIsDelete(at)) {
        const view = this.#view.readHead(segment, start);
        batch.appendDelete(store.historySub(at), segment, view.keyStart, view.keyEnd);
      } else batch.appendPut(store.historySub(at), segment, start, store.kvEnd(address));
    }
  }

  #applyTxn(txn: TxnOp): void {
    const { reply } = this;
    reply.bool(0x10, txn.isSuccess);
    for (const op of txn.taken) {
      const outer = reply.open(0x1a);
      this.#applyOp(op);
      reply.close(outer);
    }
  }

  #applyOp(op: Op): void {
    const { reply } = this;
    switch (op.kind) {
      case OP_PUT: {
        const body = reply.open(0x12);
        reply.innerHeader(this.#main);
        this.#applyPut(op, this.store.find(op.buffer, op.keyStart, op.keyEnd));
        reply.close(body);
        return;
      }
      case OP_RANGE: {
        const body = reply.open(0x0a);
        reply.innerHeader(this.#seenRevision);
        this.#applyRange(op);
        reply.close(body);
        return;
      }
      case OP_DELETE: {
        const body = reply.open(0x1a);
        const rows = this.#rowsIn(op);
        reply.innerHeader(rows.length > 0 ? this.#main : this.#seenRevision);
        this.#applyDelete(op, rows);
        reply.close(body);
        return;
      }
      case OP_TXN: {
        const body = reply.open(0x22);
        reply.varint(0x0a);
        reply.byte(0);
        this.#applyTxn(op);
        reply.close(body);
        return;
      }
    }
  }

  /** What a Range inside the transaction sees as the current revision. */
  get #seenRevision(): number {
    return this.#sub > 0 ? this.#main : this.store.currentRevision;
  }

  #applyRange(op: RangeOp): void {
    const revision = op.revision > 0 ? op.revision : this.#main;
    this.ranges++;
    const query = new RangeQuery(this.store, op, revision).run();
    writeRange(this.reply, this.store, op, query);
  }

  /** `row` is what the store finds for the key now. */
  #applyPut(op: PutOp, row: number): void {
    const { store, reply } = this;
    let value = op.buffer;
    let { valueStart, valueEnd, lease } = op;
    if (op.isPrevWanted || op.isValueIgnored || op.isLeaseIgnored) {
      const address = row < 0 ? 0 : store.recordAt(row, this.#main);
      if (op.isPrevWanted && address !== 0) reply.keyValue(0x12, store, address);
      if (op.isLeaseIgnored) lease = row < 0 ? 0n : store.lease(row);
      if (op.isValueIgnored && address !== 0) {
        value = store.segmentOf(address);
        const view = this.#view.read(value, store.kvStart(address), store.kvEnd(address));
        valueStart = view.valueStart;
        valueEnd = view.valueEnd;
      }
    }
    const written = store.put(
      this.#main,
      this.#sub++,
      row,
      op.buffer,
      op.keyStart,
      op.keyEnd,
      value,
      valueStart,
      valueEnd,
      lease,
    );
    this.puts++;
    this.putBytes += op.keyEnd - op.keyStart + valueEnd - valueStart;
    if (lease !== 0n || store.attachment(written) !== 0) {
      this.lessor.attach(written, lease === 0n ? undefined : this.lessor.find(lease));
    }
  }

  #applyDelete(op: DeleteOp, rows: readonly number[]): void {
    const { reply, store } = this;
    reply.int(0x10, rows.length);
    if (op.isPrevWanted) for (const row of rows) reply.keyValue(0x1a, store, store.recordAt(row, this.#main));
    for (const row of rows) this.#deleteRow(row);
  }

  #deleteRow(row: number): void {
    if (this.store.attachment(row) !== 0) this.lessor.attach(row, undefined);
    this.store.delete(this.#main, this.#sub++, row);
    this.deletes++;
  }

  /** Live rows of a delete's range, in key order. */
  #rowsIn(op: DeleteOp): number[] {
    const { store } = this;
    if (isSingleKey(op)) {
      const row = store.find(op.buffer, op.keyStart, op.keyEnd);
      return row >= 0 && store.isLive(row) ? [row] : [];
    }
    if (isEmptyRange(op)) return [];
    return liveRows(store, lowerBound(op), upperBound(op));
  }

  #inKeyOrder(rows: readonly number[]): number[] {
    const keys = new Map(rows.map((row) => [row, Buffer.from(this.#keyOf(row))]));
    const keyOf = (row: number): Buffer => keys.get(row) ?? Buffer.alloc(0);
    return [...rows].sort((a, b) => Buffer.compare(keyOf(a), keyOf(b)));
  }

  /** A copy of a live row's key. */
  #keyOf(row: number): Uint8Array {
    const address = this.store.recordAt(row, this.store.currentRevision);
    const segment = this.store.segmentOf(address);
    const view = this.#view.readHead(segment, this.store.kvStart(address));
    return Uint8Array.prototype.slice.call(segment, view.keyStart, view.keyEnd);
  }

  #checkTxnRequest(txn: TxnOp, bytes: number): void {
    checkTxn(txn, this.limits.txnOpsMax);
    if (!hasWrites(txn)) return;
    this.#checkSize(bytes);
    this.#refuseCorrupt();
    this.#refuseSpent();
    if (hasPuts(txn)) this.#refuseNoSpace(txnCost(txn));
  }

  #checkPutState(op: PutOp): void {
    if (op.lease !== 0n && this.lessor.find(op.lease) === undefined) throw leaseNotFound();
    if (op.isValueIgnored || op.isLeaseIgnored) {
      const row = this.store.find(op.buffer, op.keyStart, op.keyEnd);
      if (row < 0 || !this.store.isLive(row)) throw keyNotFound();
    }
  }

  /** Puts and ranges of the branches taken, in their order, against the state before the transaction. */
  #checkTxnState(txn: TxnOp): void {
    for (const op of txn.taken) {
      if (op.kind === OP_PUT) this.#checkPutState(op);
      else if (op.kind === OP_TXN) this.#checkTxnState(op);
      else if (op.kind === OP_RANGE && op.revision !== 0) {
        if (op.revision > this.store.currentRevision) throw futureRevision();
        if (op.revision < this.store.compactedRevision) throw compacted();
      }
    }
  }

  #checkSize(bytes: number): void {
    if (bytes + ENVELOPE_BYTES > this.limits.requestBytesMax) throw requestTooLarge();
  }

  #refuseCorrupt(): void {
    if (this.alarms.size > 0 && this.alarms.has(ALARM_CORRUPT)) throw corruptCluster();
  }

  /** For what etcd takes also under NOSPACE. */
  #refuseSpent(): void {
    if (this.#space.isSpent) throw noSpace();
  }

  /** `cost` is what etcd reckons the request adds (server/storage/quota.go). Raises the alarm at the quota. */
  #refuseNoSpace(cost: number): void {
    if (this.alarms.size > 0 && this.alarms.has(ALARM_NOSPACE)) throw noSpace();
    if (!this.#space.hasRoom(cost)) throw noSpace();
    const { quotaBytes } = this.limits;
    if (quotaBytes === 0 || this.store.memoryBytes + cost < quotaBytes) return;
    this.setAlarm(ALARM_NOSPACE, true);
    throw noSpace();
  }

  /** Nothing changed: the header in front of the reply must hold the current revision. */
  #correctHeader(bodyStart: number): void {
    const { reply } = this;
    const body = Uint8Array.prototype.slice.call(reply.buffer, bodyStart, reply.position);
    reply.reset();
    reply.header(this.store.currentRevision);
    reply.bytes(body);
  }
}

/** The fields of a RangeResponse after its header. */
export function writeRange(reply: ReplyWriter, store: Store, op: RangeOp, query: RangeQuery): void {
  const { addresses } = query;
  for (let i = 0; i < addresses.length; i++) {
    // etcd answers from its index, which knows no leases, unless it had to read the values to sort by them.
    if (op.isKeysOnly) reply.keyOnly(0x12, store, addresses.at(i), op.sortTarget === SORT_BY_VALUE);
    else reply.keyValue(0x12, store, addresses.at(i));
  }
  reply.bool(0x18, query.hasMore);
  reply.int(0x20, query.count);
}

/** etcd's estimate of what a put adds (server/storage/quota.go). */
function putCost(op: PutOp): number {
  return 256 + op.keyEnd - op.keyStart + op.valueEnd - op.valueStart;
}

function hasWrites(txn: TxnOp): boolean {
  return txn.success.some(isWrite) || txn.failure.some(isWrite);
}

function isWrite(op: Op): boolean {
  return op.kind === OP_PUT || op.kind === OP_DELETE || (op.kind === OP_TXN && hasWrites(op));
}

function hasPuts(txn: TxnOp): boolean {
  return txn.success.some(isPut) || txn.failure.some(isPut);
}

function isPut(op: Op): boolean {
  return op.kind === OP_PUT || (op.kind === OP_TXN && hasPuts(op));
}

function txnCost(txn: TxnOp): number {
  return Math.max(branchCost(txn.success), branchCost(txn.failure));
}

function branchCost(ops: readonly Op[]): number {
  let cost = 0;
  for (const op of ops) {
    if (op.kind === OP_PUT) cost += putCost(op);
    else if (op.kind === OP_TXN) cost += txnCost(op);
  }
  return cost;
}
