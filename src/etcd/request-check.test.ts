// The check for duplicate keys against etcd's own rule, written down plainly with a set of strings.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { StatusError } from '../api/errors.ts';
import * as m from '../api/messages.ts';
import { ByteWriter } from '../base/byte-writer.ts';
import { OperationDecoder } from './operations.ts';
import { checkTxn } from './request-check.ts';

const RUNS = Number(process.env.K1M_RUNS ?? 2_000);

type Step =
  | { readonly put: string }
  | { readonly from: string; readonly to: string }
  | { readonly success: readonly Step[]; readonly failure: readonly Step[] };

interface Touched {
  readonly puts: Set<string>;
  readonly deletes: { readonly from: string; readonly to: string }[];
}

/** etcd 3.7, server/etcdserver/api/v3rpc/key.go, checkIntervals. Throws where a key is met twice. */
function walk(steps: readonly Step[]): Touched {
  const touched: Touched = { puts: new Set(), deletes: [] };
  const add = (key: string): void => {
    if (touched.puts.has(key)) throw new Error('twice');
    const isDeleted = ({ from, to }: { from: string; to: string }): boolean =>
      to === '' ? key === from : to !== '\0' && key >= from && key < to;
    if (touched.deletes.some(isDeleted)) throw new Error('put and deleted');
  };
  for (const step of steps) if ('from' in step) touched.deletes.push(step);
  for (const step of steps) {
    if (!('success' in step)) continue;
    const branches = [walk(step.success), walk(step.failure)];
    for (const { puts } of branches) for (const key of puts) add(key);
    for (const { puts, deletes } of branches) {
      for (const key of puts) touched.puts.add(key);
      touched.deletes.push(...deletes);
    }
  }
  for (const step of steps) {
    if (!('put' in step)) continue;
    add(step.put);
    touched.puts.add(step.put);
  }
  return touched;
}

function bytes(text: string): Uint8Array {
  return Buffer.from(text, 'latin1');
}

function requestOp(step: Step): m.RequestOp {
  if ('put' in step) return m.RequestOp.create({ request_put: m.PutRequest.create({ key: bytes(step.put) }) });
  if ('success' in step) return m.RequestOp.create({ request_txn: requestOf(step.success, step.failure) });
  const request_delete_range = m.DeleteRangeRequest.create({ key: bytes(step.from), range_end: bytes(step.to) });
  return m.RequestOp.create({ request_delete_range });
}

function requestOf(success: readonly Step[], failure: readonly Step[]): m.TxnRequest {
  return m.TxnRequest.create({ success: success.map(requestOp), failure: failure.map(requestOp) });
}

function isRefused(success: readonly Step[], failure: readonly Step[]): boolean {
  const writer = new ByteWriter();
  m.TxnRequest.encode(requestOf(success, failure), writer);
  const encoded = writer.copy();
  try {
    checkTxn(new OperationDecoder().txn(encoded, 0, encoded.length), 128);
    return false;
  } catch (error) {
    assert.ok(error instanceof StatusError);
    assert.equal(error.message, 'etcdserver: duplicate key given in txn request');
    return true;
  }
}

function isTwice(success: readonly Step[], failure: readonly Step[]): boolean {
  try {
    walk(success);
    walk(failure);
    return false;
  } catch {
    return true;
  }
}

const keys = fc.constantFrom(...'abcdefghijkl', 'a\0', 'ab', 'ÿ');
const deletes = fc.record({ from: keys, to: fc.constantFrom('', '', '\0', 'c', 'f') });
const { steps } = fc.letrec<{ step: Step; steps: Step[] }>((tie) => ({
  steps: fc.array(tie('step'), { maxLength: 5 }),
  step: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    { arbitrary: fc.record({ put: keys }), weight: 6 },
    { arbitrary: deletes, weight: 1 },
    { arbitrary: fc.record({ success: tie('steps'), failure: tie('steps') }), weight: 2 },
  ),
}));

test('a key is found twice exactly where etcd finds it, in nested transactions too', () => {
  fc.assert(
    fc.property(steps, steps, (success, failure) => {
      assert.equal(isRefused(success, failure), isTwice(success, failure));
    }),
    { numRuns: RUNS },
  );
});
