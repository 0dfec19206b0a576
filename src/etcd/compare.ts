// The compares of a Txn (etcd 3.7, server/etcdserver/txn/txn.go): all of them, also those of nested transactions on the
// branches taken, are evaluated against the state before any operation runs.

import {
  COMPARE_EQUAL,
  COMPARE_GREATER,
  COMPARE_LESS,
  COMPARE_NOT_EQUAL,
  TARGET_CREATE,
  TARGET_LEASE,
  TARGET_MOD,
  TARGET_VALUE,
  TARGET_VERSION,
} from '../api/messages.ts';
import { compareBytes } from '../base/bytes.ts';
import { KeyValueView } from '../store/key-value.ts';
import type { Store } from '../store/store.ts';
import { isEmptyRange, isSingleKey, liveRows, lowerBound, upperBound } from './key-interval.ts';
import {
  type CompareOp,
  OP_TXN,
  type TxnOp,
  UNION_CREATE,
  UNION_LEASE,
  UNION_MOD,
  UNION_VALUE,
  UNION_VERSION,
} from './operations.ts';

/** Sets isSuccess on the transaction and on the nested ones that would run. */
export function compareTxn(store: Store, txn: TxnOp): void {
  txn.isSuccess = true;
  for (let i = 0; i < txn.compares.length; i++) {
    if (!holds(store, txn.compares[i])) {
      txn.isSuccess = false;
      break;
    }
  }
  const taken = txn.isSuccess ? txn.success : txn.failure;
  for (let i = 0; i < taken.length; i++) {
    const op = taken[i];
    if (op.kind === OP_TXN) compareTxn(store, op);
  }
}

/** Every key of the range must satisfy the compare; a range without keys is one missing key. */
function holds(store: Store, compare: CompareOp): boolean {
  if (isSingleKey(compare)) {
    const row = store.find(compare.buffer, compare.keyStart, compare.keyEnd);
    return row >= 0 && store.isLive(row) ? holdsForRow(store, compare, row) : holdsForMissing(compare);
  }
  const rows = isEmptyRange(compare) ? [] : liveRows(store, lowerBound(compare), upperBound(compare));
  if (rows.length === 0) return holdsForMissing(compare);
  return rows.every((row) => holdsForRow(store, compare, row));
}

/** Numbers and lease of a missing key are zero; a VALUE compare is false whatever the operator. */
function holdsForMissing(compare: CompareOp): boolean {
  switch (compare.target) {
    case TARGET_VALUE:
      return false;
    case TARGET_VERSION:
    case TARGET_CREATE:
    case TARGET_MOD:
      return decides(compare.result, 0 - given(compare));
    case TARGET_LEASE:
      return decides(compare.result, orderOf(0n, compare.unionTag === UNION_LEASE ? compare.lease : 0n));
    default:
      return decides(compare.result, 0);
  }
}

function holdsForRow(store: Store, compare: CompareOp, row: number): boolean {
  switch (compare.target) {
    case TARGET_VERSION:
      return decides(compare.result, store.version(row) - given(compare));
    case TARGET_CREATE:
      return decides(compare.result, store.createRevision(row) - given(compare));
    case TARGET_MOD:
      return decides(compare.result, store.modRevision(row) - given(compare));
    case TARGET_LEASE:
      return decides(compare.result, orderOf(store.lease(row), compare.unionTag === UNION_LEASE ? compare.lease : 0n));
    case TARGET_VALUE:
      return decides(compare.result, valueOrder(store, compare, row));
    default:
      return decides(compare.result, 0);
  }
}

const UNION_OF_TARGET: readonly number[] = [UNION_VERSION, UNION_CREATE, UNION_MOD];

/** The number to compare with: 0 when the union holds another target's member. */
function given(compare: CompareOp): number {
  return compare.unionTag === UNION_OF_TARGET[compare.target] ? compare.revision : 0;
}

function valueOrder(store: Store, compare: CompareOp, row: number): number {
  const address = store.recordAt(row, store.currentRevision);
  const segment = store.segmentOf(address);
  const view = new KeyValueView().read(segment, store.kvStart(address), store.kvEnd(address));
  const isValue = compare.unionTag === UNION_VALUE;
  const start = isValue ? compare.valueStart : 0;
  const end = isValue ? compare.valueEnd : 0;
  return compareBytes(segment, view.valueStart, view.valueEnd, compare.buffer, start, end);
}

function orderOf(a: bigint, b: bigint): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/** `order` is the sign of actual − given. An unknown operator holds. */
function decides(result: number, order: number): boolean {
  switch (result) {
    case COMPARE_EQUAL:
      return order === 0;
    case COMPARE_NOT_EQUAL:
      return order !== 0;
    case COMPARE_GREATER:
      return order > 0;
    case COMPARE_LESS:
      return order < 0;
    default:
      return true;
  }
}
