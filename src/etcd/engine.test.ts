// Random requests on the engine and on its naive twin: the same replies, the same history, the same log.

import assert from 'node:assert/strict';
import { it } from 'node:test';
import fc from 'fast-check';
import { StatusError } from '../api/errors.ts';
import * as m from '../api/messages.ts';
import { ByteWriter } from '../base/byte-writer.ts';
import { BatchWriter } from '../journal/batch-writer.ts';
import { EffectReader, emptyLogState } from '../journal/effects.ts';
import { BATCH_HEADER_BYTES } from '../journal/format.ts';
import { Lessor } from '../lease/lessor.ts';
import { Store } from '../store/store.ts';
import { ModelEngine, type ModelKeyValue, type Reply, type TxnReply, textOf } from '../testing/model-engine.ts';
import { DurabilityMap } from './durability.ts';
import { Engine, type EngineLimits } from './engine.ts';

const RUNS = Number(process.env.K1M_RUNS ?? 80);
const KEYS = ['a', 'a\0', 'ab', 'b', 'c', 'd'];
const ENDS = ['\0', 'a', 'b', 'c', 'e'];
const LEASES = [1n, -2n];
const LIMITS: EngineLimits = { requestBytesMax: 100_000, txnOpsMax: 128, quotaBytes: 0 };

type Message = 'PutRequest' | 'DeleteRangeRequest' | 'TxnRequest';

/** An engine whose changes are visible at once, over a log that is never committed. */
class Bench {
  readonly batch = new BatchWriter(1 << 20);
  readonly store = new Store({ segmentBytes: 1 << 14 });
  readonly engine: Engine;

  constructor(limits: EngineLimits = LIMITS) {
    const { batch, store } = this;
    this.engine = new Engine({
      store,
      lessor: new Lessor(store, 1),
      log: { batch, noteRevision: () => this.#show(), noteEffect: () => {} },
      durability: new DurabilityMap(),
      limits,
      identity: { clusterId: 1n, memberId: 2n, raftTerm: 2 },
    });
  }

  /** The reply's bytes, or the error's text; an error must have changed nothing. */
  run(request: Uint8Array, kind: Message): Uint8Array | string {
    const alarmCount = this.engine.alarms.size;
    const logBytes = this.batch.bytes;
    const revision = this.store.currentRevision;
    // Offsets that do not begin at 0, as in a receive buffer.
    const buffer = Buffer.concat([Buffer.alloc(3, 0xff), request, Buffer.alloc(2, 0xff)]);
    try {
      const { engine } = this;
      if (kind === 'PutRequest') engine.put(buffer, 3, 3 + request.length);
      else if (kind === 'DeleteRangeRequest') engine.deleteRange(buffer, 3, 3 + request.length);
      else engine.txn(buffer, 3, 3 + request.length);
      return engine.answer.copy();
    } catch (error) {
      if (!(error instanceof StatusError)) throw error;
      assert.equal(this.store.currentRevision, revision);
      // Running out of space raises an alarm, which is logged.
      if (this.engine.alarms.size === alarmCount) assert.equal(this.batch.bytes, logBytes);
      return error.message;
    } finally {
      // Nothing may be kept of a request's bytes.
      buffer.fill(0xee);
    }
  }

  compact(revision: number): void {
    this.engine.compact(revision);
    this.store.compact(revision);
    while (!this.store.compactStep(3));
  }

  #show(): void {
    this.engine.visibleRevision = this.store.currentRevision;
  }
}

function encode<T extends object>(type: { encode(message: T, writer: ByteWriter): void }, message: T): Uint8Array {
  const writer = new ByteWriter();
  type.encode(message, writer);
  return writer.copy();
}

function keyValue(kv: m.KeyValue): ModelKeyValue {
  const { key, value, create_revision, mod_revision, version, lease } = kv;
  return { key: textOf(key), value: textOf(value), create: create_revision, mod: mod_revision, version, lease };
}

function putReply({ header, prev_kv }: m.PutResponse): Reply {
  return { revision: header?.revision ?? -1, previous: prev_kv === undefined ? undefined : keyValue(prev_kv) };
}

function deleteReply({ header, deleted, prev_kvs }: m.DeleteRangeResponse): Reply {
  return { revision: header?.revision ?? -1, deleted, previous: prev_kvs.map(keyValue) };
}

function txnReply({ header, succeeded, responses }: m.TxnResponse): TxnReply {
  const replies = responses.map((op): Reply => {
    if (op.response_put !== undefined) return putReply(op.response_put);
    if (op.response_delete_range !== undefined) return deleteReply(op.response_delete_range);
    if (op.response_txn !== undefined) return txnReply(op.response_txn);
    const { kvs, more, count, header: inner } = op.response_range ?? m.RangeResponse.create({});
    return { revision: inner?.revision ?? -1, kvs: kvs.map(keyValue), more, count };
  });
  return { revision: header?.revision ?? -1, isSuccess: succeeded, replies };
}

const bytes = (text: string): Uint8Array => Buffer.from(text, 'latin1');
const anyKey = fc.constantFrom(...KEYS).map(bytes);
const anyEnd = fc.oneof(fc.constant(''), fc.constantFrom(...ENDS)).map(bytes);
const anyValue = fc.constantFrom('', 'u', 'v', 'w').map(bytes);
const anyNumber = fc.nat(6);
const rarely = fc.nat(7).map((n) => n === 0);

const anyPut = fc
  .record({
    key: anyKey,
    value: anyValue,
    lease: fc.constantFrom(0n, 0n, 0n, ...LEASES),
    prev_kv: fc.boolean(),
    ignore_value: rarely,
    ignore_lease: rarely,
  })
  .map((put) =>
    m.PutRequest.create({
      ...put,
      ...(put.ignore_value ? { value: bytes('') } : {}),
      ...(put.ignore_lease ? { lease: 0n } : {}),
    }),
  );
const anyDelete = fc
  .record({ key: anyKey, range_end: anyEnd, prev_kv: fc.boolean() })
  .map((d) => m.DeleteRangeRequest.create(d));
const anyRange = fc
  .record({
    key: anyKey,
    range_end: fc.oneof(anyEnd, fc.constant(bytes('\0'))),
    limit: fc.nat(4),
    revision: fc.constantFrom(0, 0, 0, 1, 2, 4, 8, 16),
    sort_order: fc.nat(2),
    sort_target: fc.nat(4),
    keys_only: rarely,
    count_only: rarely,
    min_mod_revision: fc.constantFrom(0, 0, 0, 3, 9),
    max_mod_revision: fc.constantFrom(0, 0, 0, 6, 12),
  })
  .map((range) => m.RangeRequest.create(range));
const anyCompare = fc
  .record({
    key: anyKey,
    range_end: fc.oneof({ weight: 4, arbitrary: fc.constant(bytes('')) }, { weight: 1, arbitrary: anyEnd }),
    target: fc.nat(4),
    result: fc.nat(3),
    number: anyNumber,
    value: anyValue,
    lease: fc.constantFrom(0n, ...LEASES),
    has: fc.nat(9),
  })
  .map(({ number, value, lease, has, ...rest }) => {
    const union = [{ version: number }, { create_revision: number }, { mod_revision: number }, { value }, { lease }];
    return m.Compare.create({ ...rest, ...(has === 0 ? {} : union[rest.target]) });
  });

const { txn: anyTxn } = fc.letrec<{ txn: m.TxnRequest; op: m.RequestOp }>((tie) => ({
  txn: fc
    .record({
      compare: fc.array(anyCompare, { maxLength: 2 }),
      success: fc.array(tie('op'), { maxLength: 4 }),
      failure: fc.array(tie('op'), { maxLength: 2 }),
    })
    .map((txn) => m.TxnRequest.create(txn)),
  op: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    anyPut.map((request_put) => m.RequestOp.create({ request_put })),
    anyRange.map((request_range) => m.RequestOp.create({ request_range })),
    anyDelete.map((request_delete_range) => m.RequestOp.create({ request_delete_range })),
    tie('txn').map((request_txn) => m.RequestOp.create({ request_txn })),
  ),
}));

type Step =
  | { readonly put: m.PutRequest }
  | { readonly remove: m.DeleteRangeRequest }
  | { readonly txn: m.TxnRequest }
  | { readonly grant: bigint }
  | { readonly revoke: bigint }
  | { readonly compactBack: number };

const anyStep: fc.Arbitrary<Step> = fc.oneof(
  { weight: 6, arbitrary: anyPut.map((put) => ({ put })) },
  { weight: 2, arbitrary: anyDelete.map((remove) => ({ remove })) },
  { weight: 12, arbitrary: anyTxn.map((txn) => ({ txn })) },
  { weight: 2, arbitrary: fc.constantFrom(...LEASES).map((grant) => ({ grant })) },
  { weight: 1, arbitrary: fc.constantFrom(...LEASES).map((revoke) => ({ revoke })) },
  { weight: 1, arbitrary: fc.nat(5).map((compactBack) => ({ compactBack })) },
);

/** All keys that the operations name, of both branches, with the ends of deletes. */
function touched(ops: readonly m.RequestOp[]): { key: string; end: string }[] {
  return ops.flatMap((op) => {
    if (op.request_put !== undefined) return [{ key: textOf(op.request_put.key), end: '' }];
    const { request_delete_range: deletion, request_txn: txn } = op;
    if (deletion !== undefined) return [{ key: textOf(deletion.key), end: textOf(deletion.range_end) }];
    return txn === undefined ? [] : [...touched(txn.success), ...touched(txn.failure)];
  });
}

function hasOverlap(txn: m.TxnRequest): boolean {
  return [txn.success, txn.failure].some((ops) => {
    const all = touched(ops);
    return all.some((a, i) =>
      all.some((b, j) => i !== j && a.end === '' && (a.key === b.key || (b.end > a.key && b.key <= a.key))),
    );
  });
}

function putsTwice(txn: m.TxnRequest): boolean {
  return [txn.success, txn.failure].some((ops) => {
    const puts = ops.flatMap((op) => (op.request_put === undefined ? [] : [textOf(op.request_put.key)]));
    return (
      new Set(puts).size < puts.length || ops.some((op) => op.request_txn !== undefined && putsTwice(op.request_txn))
    );
  });
}

function play(bench: Bench, model: ModelEngine, step: Step): void {
  if ('grant' in step) {
    if (model.leases.has(step.grant)) {
      assert.throws(() => bench.engine.grantLease(step.grant, 60, 0), { message: 'etcdserver: lease already exists' });
      return;
    }
    bench.engine.grantLease(step.grant, 60, 0);
    model.leases.add(step.grant);
  } else if ('revoke' in step) {
    if (!model.leases.has(step.revoke)) {
      assert.throws(() => bench.engine.revokeLease(step.revoke), { message: 'etcdserver: requested lease not found' });
      return;
    }
    bench.engine.revokeLease(step.revoke);
    model.revoke(step.revoke);
  } else if ('compactBack' in step) {
    const revision = model.current - step.compactBack;
    if (revision < 0 || revision <= model.compacted) return;
    bench.compact(revision);
    model.compacted = revision;
  } else if ('put' in step) {
    const reply = bench.run(encode(m.PutRequest, step.put), 'PutRequest');
    const got = typeof reply === 'string' ? reply : putReply(m.PutResponse.decode(reply));
    assert.deepEqual(got, model.put(step.put));
  } else if ('remove' in step) {
    const reply = bench.run(encode(m.DeleteRangeRequest, step.remove), 'DeleteRangeRequest');
    assert.ok(typeof reply !== 'string');
    assert.deepEqual(deleteReply(m.DeleteRangeResponse.decode(reply)), model.deleteRange(step.remove));
  } else playTxn(bench, model, step.txn);
}

function playTxn(bench: Bench, model: ModelEngine, txn: m.TxnRequest): void {
  const reply = bench.run(encode(m.TxnRequest, txn), 'TxnRequest');
  if (reply === 'etcdserver: duplicate key given in txn request') {
    assert.ok(hasOverlap(txn));
    return;
  }
  assert.ok(!putsTwice(txn));
  const got = typeof reply === 'string' ? reply : txnReply(m.TxnResponse.decode(reply));
  assert.deepEqual(got, model.txn(txn));
}

/** What Range shows of every key, through a transaction without effect. */
function liveAt(bench: Bench, revision: number): readonly ModelKeyValue[] {
  const request_range = m.RangeRequest.create({ key: bytes('\0'), range_end: bytes('\0'), revision });
  const txn = m.TxnRequest.create({ success: [m.RequestOp.create({ request_range })] });
  const reply = bench.run(encode(m.TxnRequest, txn), 'TxnRequest');
  assert.ok(typeof reply !== 'string');
  const [range] = txnReply(m.TxnResponse.decode(reply)).replies;
  return 'kvs' in range ? range.kvs : [];
}

/** The changes that are in the log: "key@revision", and "-" before a deletion. */
function logged(bench: Bench): string[] {
  const lines: string[] = [];
  const visitor = {
    onPut: (_sub: number, buffer: Uint8Array, start: number, end: number): void => {
      const kv = keyValue(m.KeyValue.decode(buffer, start, end));
      lines.push(`${JSON.stringify(kv.key)}@${kv.mod} ${kv.value} ${kv.version} ${kv.lease}`);
    },
    onDelete: (main: number, _sub: number, buffer: Uint8Array, start: number, end: number): void => {
      lines.push(`-${JSON.stringify(textOf(buffer.subarray(start, end)))}@${main}`);
    },
    onLeaseGrant: (): void => {},
    onLeaseRevoke: (): void => {},
    onCompact: (): void => {},
    onAlarm: (): void => {},
  };
  const reader = new EffectReader(visitor, emptyLogState(0));
  assert.equal(reader.read(bench.batch.view(), BATCH_HEADER_BYTES, bench.batch.bytes), undefined);
  return lines;
}

it('puts, deletes, transactions, leases and compactions do what their definition says', () => {
  fc.assert(
    fc.property(fc.array(anyStep, { minLength: 1, maxLength: 40 }), (steps) => {
      const bench = new Bench();
      const model = new ModelEngine();
      for (const step of steps) {
        play(bench, model, step);
        assert.equal(bench.store.currentRevision, model.current);
        assert.deepEqual(liveAt(bench, 0), model.at(model.current));
      }
      for (let revision = Math.max(1, model.compacted); revision <= model.current; revision++) {
        assert.deepEqual(liveAt(bench, revision), model.at(revision));
      }
      for (const id of model.leases) {
        const lease = bench.engine.lessor.find(id);
        assert.ok(lease !== undefined);
        const keys = bench.engine.leaseKeys(lease).map(textOf).sort();
        assert.deepEqual(
          keys,
          model
            .at(model.current)
            .filter((kv) => kv.lease === id)
            .map((kv) => kv.key),
        );
      }
      const changes = model.changes.map(({ main, key, kv }) => {
        if (kv === undefined) return `-${JSON.stringify(key)}@${main}`;
        return `${JSON.stringify(key)}@${main} ${kv.value} ${kv.version} ${kv.lease}`;
      });
      assert.deepEqual(logged(bench), changes);
    }),
    { numRuns: RUNS },
  );
});

// A put guarded by the key's mod revision, the form that has a short way of its own, and what is nearly that.
const anyGuardedPut = fc
  .record({
    key: anyKey,
    put: fc.oneof(
      { weight: 6, arbitrary: anyPut.map(({ value, lease }) => ({ value, lease })) },
      { weight: 1, arbitrary: anyPut },
      // What the checks refuse.
      { weight: 1, arbitrary: fc.constant({ key: bytes('') }) },
      { weight: 1, arbitrary: fc.constant({ value: Buffer.alloc(2_000) }) },
    ),
    compare: fc.oneof(
      { weight: 6, arbitrary: anyNumber.map((mod_revision) => ({ target: m.TARGET_MOD, mod_revision })) },
      { weight: 1, arbitrary: anyCompare },
    ),
    range: fc.oneof(
      { weight: 3, arbitrary: fc.constant({}) },
      { weight: 1, arbitrary: anyRange },
      { weight: 1, arbitrary: fc.constantFrom({ sort_order: 7 }, { key: bytes('') }) },
      { weight: 1, arbitrary: fc.constant(undefined) },
    ),
  })
  .map(({ key, put, compare, range }) =>
    m.TxnRequest.create({
      compare: [m.Compare.create({ key, ...compare })],
      success: [m.RequestOp.create({ request_put: m.PutRequest.create({ key, ...put }) })],
      failure: range ? [m.RequestOp.create({ request_range: m.RangeRequest.create({ key, ...range }) })] : [],
    }),
  );

it('a guarded put goes the short way to the same reply as the long way', () => {
  // A compare that always holds makes the transaction an ordinary one.
  const holds = m.Compare.create({ key: bytes('a'), target: m.TARGET_VERSION, result: m.COMPARE_GREATER, version: -1 });
  const quotaBytes = new Bench().store.memoryBytes + 1_500;
  const anyLimits = fc.constantFrom(LIMITS, { ...LIMITS, requestBytesMax: 1_500 }, { ...LIMITS, quotaBytes });
  const anyAlarm = fc.constantFrom(m.ALARM_NONE, m.ALARM_NOSPACE, m.ALARM_CORRUPT);
  const anyStep = fc.oneof({ weight: 15, arbitrary: anyGuardedPut }, { weight: 1, arbitrary: anyAlarm });
  fc.assert(
    fc.property(anyLimits, fc.array(anyStep, { minLength: 1, maxLength: 30 }), (limits, steps) => {
      const [short, long] = [new Bench(limits), new Bench(limits)];
      for (const bench of [short, long]) bench.engine.grantLease(1n, 60, 0);
      for (const txn of steps) {
        if (typeof txn === 'number') {
          // That one stands, and no other.
          for (const { engine } of [short, long]) {
            for (const alarm of [m.ALARM_NOSPACE, m.ALARM_CORRUPT]) engine.setAlarm(alarm, alarm === txn);
          }
          continue;
        }
        const general = m.TxnRequest.create({ ...txn, compare: [...txn.compare, holds, holds] });
        const reply = short.run(encode(m.TxnRequest, txn), 'TxnRequest');
        assert.deepEqual(reply, long.run(encode(m.TxnRequest, general), 'TxnRequest'));
      }
      assert.deepEqual(logged(short), logged(long));
      assert.deepEqual(short.engine.alarms, long.engine.alarms);
      const counted = ({ engine }: Bench): number[] => [engine.txns, engine.puts, engine.putBytes, engine.ranges];
      assert.deepEqual(counted(short), counted(long));
    }),
    { numRuns: RUNS },
  );
});
