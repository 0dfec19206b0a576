// KV requests as the engine executes them: offsets into the request's bytes, nothing copied. Valid while those bytes are.
//
// A decoder owns pools of these objects and hands them out again for each request, so that decoding a Txn makes no
// garbage: what it returned is valid until its next decode call.

import { ByteReader, WireError } from '../base/byte-reader.ts';

export const OP_RANGE = 1;
export const OP_PUT = 2;
export const OP_DELETE = 3;
export const OP_TXN = 4;
/** A RequestOp with nothing set. */
export const OP_NONE = 5;

/** Tags of Compare.target_union's members. */
export const UNION_VERSION = 0x20;
export const UNION_CREATE = 0x28;
export const UNION_MOD = 0x30;
export const UNION_VALUE = 0x3a;
export const UNION_LEASE = 0x40;

/** Nested transactions deeper than this are malformed. */
const NESTING_DEPTH_MAX = 100;

export class RangeOp {
  readonly kind: typeof OP_RANGE = OP_RANGE;
  buffer: Uint8Array = new Uint8Array(0);
  keyStart = 0;
  keyEnd = 0;
  endStart = 0;
  endEnd = 0;
  limit = 0;
  revision = 0;
  sortOrder = 0;
  sortTarget = 0;
  isKeysOnly = false;
  isCountOnly = false;
  minModRevision = 0;
  maxModRevision = 0;
  minCreateRevision = 0;
  maxCreateRevision = 0;

  reset(buffer: Uint8Array): void {
    if (this.buffer !== buffer) this.buffer = buffer;
    this.keyStart = this.keyEnd = this.endStart = this.endEnd = 0;
    this.limit = this.revision = this.sortOrder = this.sortTarget = 0;
    this.isKeysOnly = this.isCountOnly = false;
    this.minModRevision = this.maxModRevision = this.minCreateRevision = this.maxCreateRevision = 0;
  }

  get hasFilters(): boolean {
    return (
      this.minModRevision !== 0 ||
      this.maxModRevision !== 0 ||
      this.minCreateRevision !== 0 ||
      this.maxCreateRevision !== 0
    );
  }
}

export class PutOp {
  readonly kind: typeof OP_PUT = OP_PUT;
  buffer: Uint8Array = new Uint8Array(0);
  keyStart = 0;
  keyEnd = 0;
  valueStart = 0;
  valueEnd = 0;
  lease = 0n;
  isPrevWanted = false;
  isValueIgnored = false;
  isLeaseIgnored = false;

  reset(buffer: Uint8Array): void {
    if (this.buffer !== buffer) this.buffer = buffer;
    this.keyStart = this.keyEnd = this.valueStart = this.valueEnd = 0;
    this.lease = 0n;
    this.isPrevWanted = this.isValueIgnored = this.isLeaseIgnored = false;
  }
}

export class DeleteOp {
  readonly kind: typeof OP_DELETE = OP_DELETE;
  buffer: Uint8Array = new Uint8Array(0);
  keyStart = 0;
  keyEnd = 0;
  endStart = 0;
  endEnd = 0;
  isPrevWanted = false;

  reset(buffer: Uint8Array): void {
    if (this.buffer !== buffer) this.buffer = buffer;
    this.keyStart = this.keyEnd = this.endStart = this.endEnd = 0;
    this.isPrevWanted = false;
  }
}

export class CompareOp {
  buffer: Uint8Array = new Uint8Array(0);
  result = 0;
  target = 0;
  keyStart = 0;
  keyEnd = 0;
  endStart = 0;
  endEnd = 0;
  /** The tag of the target_union member that was set last; 0 for none. A member that is not the target's counts as zero. */
  unionTag = 0;
  /** version, create_revision or mod_revision. */
  revision = 0;
  valueStart = 0;
  valueEnd = 0;
  lease = 0n;

  reset(buffer: Uint8Array): void {
    if (this.buffer !== buffer) this.buffer = buffer;
    this.result = this.target = 0;
    this.keyStart = this.keyEnd = this.endStart = this.endEnd = 0;
    this.unionTag = this.revision = this.valueStart = this.valueEnd = 0;
    this.lease = 0n;
  }
}

export class NoneOp {
  readonly kind: typeof OP_NONE = OP_NONE;
}

export class TxnOp {
  readonly kind: typeof OP_TXN = OP_TXN;
  readonly compares: CompareOp[] = [];
  readonly success: Op[] = [];
  readonly failure: Op[] = [];
  /** Set by the evaluation: which branch is taken. */
  isSuccess = false;

  reset(): void {
    empty(this.compares);
    empty(this.success);
    empty(this.failure);
    this.isSuccess = false;
  }

  get taken(): readonly Op[] {
    return this.isSuccess ? this.success : this.failure;
  }
}

/** Unlike `length = 0` this keeps the array's memory, and it is no call into the runtime. */
function empty(items: unknown[]): void {
  while (items.length > 0) items.pop();
}

export type Op = RangeOp | PutOp | DeleteOp | TxnOp | NoneOp;

const NONE = new NoneOp();

class Pool<T> {
  readonly #make: () => T;
  readonly #items: T[] = [];
  #used = 0;

  constructor(make: () => T) {
    this.#make = make;
  }

  rewind(): void {
    this.#used = 0;
  }

  take(): T {
    if (this.#used === this.#items.length) this.#items.push(this.#make());
    return this.#items[this.#used++];
  }
}

export class OperationDecoder {
  readonly #reader = new ByteReader();
  readonly #ranges = new Pool(() => new RangeOp());
  readonly #puts = new Pool(() => new PutOp());
  readonly #deletes = new Pool(() => new DeleteOp());
  readonly #compares = new Pool(() => new CompareOp());
  readonly #txns = new Pool(() => new TxnOp());

  /** RangeRequest. Throws WireError. */
  range(buffer: Uint8Array, start: number, end: number): RangeOp {
    this.#ranges.rewind();
    return this.#range(buffer, start, end);
  }

  put(buffer: Uint8Array, start: number, end: number): PutOp {
    this.#puts.rewind();
    return this.#put(buffer, start, end);
  }

  deleteRange(buffer: Uint8Array, start: number, end: number): DeleteOp {
    this.#deletes.rewind();
    return this.#delete(buffer, start, end);
  }

  txn(buffer: Uint8Array, start: number, end: number): TxnOp {
    this.#ranges.rewind();
    this.#puts.rewind();
    this.#deletes.rewind();
    this.#compares.rewind();
    this.#txns.rewind();
    return this.#txn(buffer, start, end, 0);
  }

  #begin(buffer: Uint8Array, start: number, end: number): ByteReader {
    this.#reader.reset(buffer, start, end);
    return this.#reader;
  }

  #range(buffer: Uint8Array, start: number, end: number): RangeOp {
    const op = this.#ranges.take();
    op.reset(buffer);
    const reader = this.#begin(buffer, start, end);
    while (reader.hasMore) {
      const tag = reader.tag();
      if (tag === 0x0a) {
        reader.lengthDelimited();
        op.keyStart = reader.valueStart;
        op.keyEnd = reader.valueEnd;
      } else if (tag === 0x12) {
        reader.lengthDelimited();
        op.endStart = reader.valueStart;
        op.endEnd = reader.valueEnd;
      } else if (tag === 0x18) op.limit = reader.varint();
      else if (tag === 0x20) op.revision = reader.varint();
      else if (tag === 0x28) op.sortOrder = reader.varint();
      else if (tag === 0x30) op.sortTarget = reader.varint();
      else if (tag === 0x40) op.isKeysOnly = reader.bool();
      else if (tag === 0x48) op.isCountOnly = reader.bool();
      else if (tag === 0x50) op.minModRevision = reader.varint();
      else if (tag === 0x58) op.maxModRevision = reader.varint();
      else if (tag === 0x60) op.minCreateRevision = reader.varint();
      else if (tag === 0x68) op.maxCreateRevision = reader.varint();
      else reader.skip(tag);
    }
    return op;
  }

  #put(buffer: Uint8Array, start: number, end: number): PutOp {
    const op = this.#puts.take();
    op.reset(buffer);
    const reader = this.#begin(buffer, start, end);
    while (reader.hasMore) {
      const tag = reader.tag();
      if (tag === 0x0a) {
        reader.lengthDelimited();
        op.keyStart = reader.valueStart;
        op.keyEnd = reader.valueEnd;
      } else if (tag === 0x12) {
        reader.lengthDelimited();
        op.valueStart = reader.valueStart;
        op.valueEnd = reader.valueEnd;
      } else if (tag === 0x18) op.lease = BigInt.asIntN(64, reader.varint64());
      else if (tag === 0x20) op.isPrevWanted = reader.bool();
      else if (tag === 0x28) op.isValueIgnored = reader.bool();
      else if (tag === 0x30) op.isLeaseIgnored = reader.bool();
      else reader.skip(tag);
    }
    return op;
  }

  #delete(buffer: Uint8Array, start: number, end: number): DeleteOp {
    const op = this.#deletes.take();
    op.reset(buffer);
    const reader = this.#begin(buffer, start, end);
    while (reader.hasMore) {
      const tag = reader.tag();
      if (tag === 0x0a) {
        reader.lengthDelimited();
        op.keyStart = reader.valueStart;
        op.keyEnd = reader.valueEnd;
      } else if (tag === 0x12) {
        reader.lengthDelimited();
        op.endStart = reader.valueStart;
        op.endEnd = reader.valueEnd;
      } else if (tag === 0x18) op.isPrevWanted = reader.bool();
      else reader.skip(tag);
    }
    return op;
  }

  #compare(buffer: Uint8Array, start: number, end: number): CompareOp {
    const op = this.#compares.take();
    op.reset(buffer);
    const reader = this.#begin(buffer, start, end);
    while (reader.hasMore) {
      const tag = reader.tag();
      if (tag === 0x1a) {
        reader.lengthDelimited();
        op.keyStart = reader.valueStart;
        op.keyEnd = reader.valueEnd;
      } else if (tag === 0x08) op.result = reader.varint();
      else if (tag === 0x10) op.target = reader.varint();
      else if (tag === UNION_VERSION || tag === UNION_CREATE || tag === UNION_MOD) {
        op.revision = reader.varint();
        op.unionTag = tag;
      } else if (tag === UNION_VALUE) {
        reader.lengthDelimited();
        op.valueStart = reader.valueStart;
        op.valueEnd = reader.valueEnd;
        op.unionTag = tag;
      } else if (tag === UNION_LEASE) {
        op.lease = BigInt.asIntN(64, reader.varint64());
        op.unionTag = tag;
      } else if (tag === 0x202) {
        reader.lengthDelimited();
        op.endStart = reader.valueStart;
        op.endEnd = reader.valueEnd;
      } else reader.skip(tag);
    }
    return op;
  }

  #txn(buffer: Uint8Array, start: number, end: number, depth: number): TxnOp {
    if (depth > NESTING_DEPTH_MAX) throw new WireError('nested too deep');
    const op = this.#txns.take();
    op.reset();
    const reader = this.#reader;
    let at = start;
    while (at < end) {
      reader.reset(buffer, at, end);
      const tag = reader.tag();
      if (tag === 0x0a || tag === 0x12 || tag === 0x1a) {
        reader.lengthDelimited();
        at = reader.position;
        const { valueStart, valueEnd } = reader;
        if (tag === 0x0a) op.compares.push(this.#compare(buffer, valueStart, valueEnd));
        else if (tag === 0x12) op.success.push(this.#op(buffer, valueStart, valueEnd, depth));
        else op.failure.push(this.#op(buffer, valueStart, valueEnd, depth));
      } else {
        reader.skip(tag);
        at = reader.position;
      }
    }
    return op;
  }

  /** RequestOp: of several members the last one counts. */
  #op(buffer: Uint8Array, start: number, end: number, depth: number): Op {
    const reader = this.#reader;
    let op: Op = NONE;
    let at = start;
    while (at < end) {
      reader.reset(buffer, at, end);
      const tag = reader.tag();
      if (tag !== 0x0a && tag !== 0x12 && tag !== 0x1a && tag !== 0x22) {
        reader.skip(tag);
        at = reader.position;
        continue;
      }
      reader.lengthDelimited();
      at = reader.position;
      const { valueStart, valueEnd } = reader;
      if (tag === 0x12) op = this.#put(buffer, valueStart, valueEnd);
      else if (tag === 0x0a) op = this.#range(buffer, valueStart, valueEnd);
      else if (tag === 0x1a) op = this.#delete(buffer, valueStart, valueEnd);
      else op = this.#txn(buffer, valueStart, valueEnd, depth + 1);
    }
    return op;
  }
}
