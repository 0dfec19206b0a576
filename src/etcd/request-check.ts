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
  readonly deletes: DeleteOp[];
}

/**
 * A key may be put once and not be both put and deleted in one branch. The two branches of a nested Txn do not
 * exclude each other (only one runs) but both count against what stands beside them. As in etcd, a nested delete is
 * held against later puts only.
 */
function checkDuplicates(ops: readonly Op[]): Touched {
  const touched: Touched = { puts: [], deletes: [] };
  if (ops.length < 2 && ops[0]?.kind !== OP_TXN) {
    const only = ops[0];
    if (only?.kind === OP_PUT) touched.puts.push(only);
    else if (only?.kind === OP_DELETE) touched.deletes.push(only);
    return touched;
  }
  for (const op of ops) if (op.kind === OP_DELETE) touched.deletes.push(op);
  /** By put: the operation that it comes from. */
  const sources: Op[] = [];
  for (const op of ops) {
    if (op.kind !== OP_TXN) continue;
    const success = checkDuplicates(op.success);
    const failure = checkDuplicates(op.failure);
    for (const put of [...success.puts, ...failure.puts]) {
      refuseCovered(put, touched.deletes);
      touched.puts.push(put);
      sources.push(op);
    }
    touched.deletes.push(...success.deletes, ...failure.deletes);
  }
  for (const op of ops) {
    if (op.kind !== OP_PUT) continue;
    refuseCovered(op, touched.deletes);
    touched.puts.push(op);
    sources.push(op);
  }
  refuseEqual(touched.puts, sources);
  return touched;
}

function refuseCovered(put: PutOp, deletes: readonly DeleteOp[]): void {
  for (const deletion of deletes) if (isCovered(put, deletion)) throw duplicateKey();
}

/** Puts of one key may only come from the same operation. Those that come in ascending order are looked at once. */
function refuseEqual(puts: readonly PutOp[], sources: readonly Op[]): void {
  let ascending = 1;
  while (ascending < puts.length && compareKeys(puts[ascending - 1], puts[ascending]) < 0) ascending++;
  if (ascending >= puts.length) return;
  const places = Array.from(puts, (_, place) => place).sort((a, b) => compareKeys(puts[a], puts[b]));
  for (let i = 1; i < places.length; i++) {
    const [a, b] = [places[i - 1], places[i]];
    if (sources[a] !== sources[b] && compareKeys(puts[a], puts[b]) === 0) throw duplicateKey();
  }
}

function compareKeys(a: PutOp | DeleteOp, b: PutOp | DeleteOp): number {
  return compareBytes(a.buffer, a.keyStart, a.keyEnd, b.buffer, b.keyStart, b.keyEnd);
}

/** etcd does not see an unbounded delete as overlapping; we must not refuse what it accepts. */
function isCovered(put: PutOp, deletion: DeleteOp): boolean {
  if (isSingleKey(deletion)) return compareKeys(put, deletion) === 0;
  if (isUnbounded(deletion)) return false;
  const { buffer, keyStart, keyEnd } = put;
  return (
    compareBytes(buffer, keyStart, keyEnd, deletion.buffer, deletion.keyStart, deletion.keyEnd) >= 0 &&
    compareBytes(buffer, keyStart, keyEnd, deletion.buffer, deletion.endStart, deletion.endEnd) < 0
  );
}
