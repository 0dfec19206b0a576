// What etcd refuses before anything runs (etcd 3.7, server/etcdserver/api/v3rpc/key.go): looks at the request alone,
// never at the state. Throws StatusError with etcd's text.

import {
  duplicateKey,
  emptyKey,
  invalidSortOption,
  keyNotFound,
  leaseProvided,
  tooManyOps,
  valueProvided,
} from '../api/errors.ts';
import { SORT_BY_VALUE, SORT_DESCEND } from '../api/messages.ts';
import { compareBytes } from '../base/bytes.ts';
import { isSingleKey, isUnbounded } from './key-interval.ts';
import {
  type CompareOp,
  type DeleteOp,
  OP_DELETE,
  OP_NONE,
  OP_PUT,
  OP_RANGE,
  OP_TXN,
  type Op,
  type PutOp,
  type RangeOp,
  type TxnOp,
} from './operations.ts';

export function checkRange(op: RangeOp): void {
  if (op.keyEnd === op.keyStart) throw emptyKey();
  if (op.sortOrder < 0 || op.sortOrder > SORT_DESCEND) throw invalidSortOption();
  if (op.sortTarget < 0 || op.sortTarget > SORT_BY_VALUE) throw invalidSortOption();
}

export function checkPut(op: PutOp): void {
  if (op.keyEnd === op.keyStart) throw emptyKey();
  if (op.isValueIgnored && op.valueEnd > op.valueStart) throw valueProvided();
  if (op.isLeaseIgnored && op.lease !== 0n) throw leaseProvided();
}

export function checkCompare(op: CompareOp): void {
  if (op.keyEnd === op.keyStart) throw emptyKey();
}

export function checkDelete(op: DeleteOp): void {
  if (op.keyEnd === op.keyStart) throw emptyKey();
}

/** The whole of a Txn, nested ones included. `opsMax` is --max-txn-ops. */
export function checkTxn(txn: TxnOp, opsMax: number): void {
  checkTxnShape(txn, opsMax);
  checkDuplicates(txn.success);
  checkDuplicates(txn.failure);
}

function checkTxnShape(txn: TxnOp, opsMax: number): void {
  const count = Math.max(txn.compares.length, txn.success.length, txn.failure.length);
  if (count > opsMax) throw tooManyOps();
  for (const compare of txn.compares) checkCompare(compare);
  for (const op of txn.success) checkOp(op, opsMax - count);
  for (const op of txn.failure) checkOp(op, opsMax - count);
}

function checkOp(op: Op, opsMax: number): void {
  switch (op.kind) {
    case OP_RANGE:
      checkRange(op);
      return;
    case OP_PUT:
      checkPut(op);
      return;
    case OP_DELETE:
      checkDelete(op);
      return;
    case OP_TXN:
      checkTxnShape(op, opsMax);
      return;
    case OP_NONE:
      throw keyNotFound();
  }
}

interface Touched {
  readonly puts: PutOp[];
  /** The keys of `puts`, filled only where something is held against them. */
  readonly putKeys: Set<string>;
  readonly deletes: DeleteOp[];
}

/**
 * A key may be put once and not be both put and deleted in one branch. The two branches of a nested Txn do not
 * exclude each other (only one runs) but both count against what stands beside them. As in etcd, a nested delete is
 * held against later puts only.
 */
function checkDuplicates(ops: readonly Op[]): Touched {
  const touched: Touched = { puts: [], putKeys: new Set(), deletes: [] };
  if (ops.length < 2 && ops[0]?.kind !== OP_TXN) {
    const only = ops[0];
    if (only?.kind === OP_PUT) touched.puts.push(only);
    else if (only?.kind === OP_DELETE) touched.deletes.push(only);
    return touched;
  }
  for (const op of ops) if (op.kind === OP_DELETE) touched.deletes.push(op);
  for (const op of ops) {
    if (op.kind !== OP_TXN) continue;
    const success = checkDuplicates(op.success);
    const failure = checkDuplicates(op.failure);
    const puts = [...success.puts, ...failure.puts];
    refuseOverlap(puts, touched);
    addPuts(touched, puts);
    touched.deletes.push(...success.deletes, ...failure.deletes);
  }
  for (const op of ops) {
    if (op.kind !== OP_PUT) continue;
    refuseOverlap([op], touched);
    addPuts(touched, [op]);
  }
  return touched;
}

function refuseOverlap(puts: readonly PutOp[], touched: Touched): void {
  for (const put of puts) {
    if (touched.putKeys.has(keyText(put))) throw duplicateKey();
    for (const deletion of touched.deletes) if (isCovered(put, deletion)) throw duplicateKey();
  }
}

function addPuts(touched: Touched, puts: readonly PutOp[]): void {
  for (const put of puts) {
    touched.puts.push(put);
    touched.putKeys.add(keyText(put));
  }
}

/** The key, a character a byte. */
function keyText({ buffer, keyStart, keyEnd }: PutOp): string {
  return Buffer.from(buffer.buffer, buffer.byteOffset + keyStart, keyEnd - keyStart).toString('latin1');
}

function isSameKey(a: PutOp | DeleteOp, b: PutOp | DeleteOp): boolean {
  return compareBytes(a.buffer, a.keyStart, a.keyEnd, b.buffer, b.keyStart, b.keyEnd) === 0;
}

/** etcd does not see an unbounded delete as overlapping; we must not refuse what it accepts. */
function isCovered(put: PutOp, deletion: DeleteOp): boolean {
  if (isSingleKey(deletion)) return isSameKey(put, deletion);
  if (isUnbounded(deletion)) return false;
  const { buffer, keyStart, keyEnd } = put;
  return (
    compareBytes(buffer, keyStart, keyEnd, deletion.buffer, deletion.keyStart, deletion.keyEnd) >= 0 &&
    compareBytes(buffer, keyStart, keyEnd, deletion.buffer, deletion.endStart, deletion.endEnd) < 0
  );
}
