import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import * as m from '../api/messages.ts';
import { ByteWriter } from '../base/byte-writer.ts';
import { CLIENT_H2_OPTIONS } from '../h2/connection-options.ts';
import { RealClock } from '../io/clock.ts';
import { ArrivalSchedule } from './arrival-schedule.ts';
import { Flow } from './flow.ts';
import { KeySet } from './key-set.ts';
import { type Load, Slot } from './load.ts';
import { LoadConnection } from './load-connection.ts';
import { PutLoad } from './put-load.ts';
import { RememberingClock } from './remembering-clock.ts';
import { SeededChance } from './seeded-chance.ts';
import { UpdateLoad } from './update-load.ts';
import { NodeLeaseValue, OpaqueValue } from './update-values.ts';

const KEYS = 20;

function slotOf(load: Load): Slot {
  const clock = new RememberingClock(new RealClock());
  const nothing = (): void => undefined;
  const connection = new LoadConnection({
    h2: CLIENT_H2_OPTIONS,
    authority: 'a:1',
    clock,
    onReady: nothing,
    onLost: nothing,
  });
  return new Slot(new Flow('test', load, new ArrivalSchedule(1)), connection);
}

function encoded(response: Partial<m.TxnResponse>): Uint8Array {
  const writer = new ByteWriter();
  const header = { cluster_id: 2n ** 62n, member_id: -5n, revision: 77, raft_term: 3 };
  m.TxnResponse.encode({ header, ...response }, writer);
  return writer.copy();
}

test("a renewal is kube-apiserver's transaction, whatever the revision's length", () => {
  const keys = new KeySet('/registry/leases/kube-node-lease/node-', KEYS);
  const load = new UpdateLoad(keys, new NodeLeaseValue('node-', 300, 1_700_000_000));
  const slot = slotOf(load);
  const values = new Set<string>();
  fc.assert(
    fc.property(fc.maxSafeNat(), (revision) => {
      keys.revisions.fill(revision);
      const end = load.write(slot);
      const request = m.TxnRequest.decode(load.buffer, 0, end);
      const name = Buffer.from(request.compare[0].key).toString();
      assert.equal(name, keys.name(slot.keyIndex));
      const [compare] = request.compare;
      assert.deepEqual([compare.result, compare.target, compare.mod_revision], [0, m.TARGET_MOD, revision]);
      const put = request.success[0].request_put;
      assert.equal(Buffer.from(put?.key ?? []).toString(), name);
      assert.equal(Buffer.from(request.failure[0].request_range?.key ?? []).toString(), name);
      // The value is what the encoder makes for this node, but for the microseconds.
      assert.equal(put?.value.length, 300);
      const text = Buffer.from(put?.value ?? []).toString('latin1');
      const digits = name.slice(-7);
      assert.equal(text.split(`node-${digits}`).length - 1, 3);
      assert.equal(text.split(`00000${digits}`).length - 1, 2);
      assert(!values.has(text), 'every renewal writes another value');
      values.add(text);
      // And nothing is written that a fresh encoding would not write.
      const writer = new ByteWriter();
      m.TxnRequest.encode(request, writer);
      assert.deepEqual(Buffer.from(load.buffer.subarray(0, end)), Buffer.from(writer.copy()));
      load.done(slot);
    }),
  );
});

test('the next renewal of a key carries the revision of the last answer, or of the conflict', () => {
  const keys = new KeySet('/k/', KEYS);
  const load = new UpdateLoad(keys, new OpaqueValue(20, new SeededChance(1)));
  const slot = slotOf(load);
  load.write(slot);
  const success = encoded({ succeeded: true, responses: [m.ResponseOp.create()] });
  load.read(slot, success, 0, success.length);
  assert.equal(keys.revisions[slot.keyIndex], 77);
  const kv = m.KeyValue.create({ key: Buffer.from('k'), mod_revision: 99 });
  const range = m.RangeResponse.create({ kvs: [kv], count: 1 });
  const conflict = encoded({ succeeded: false, responses: [m.ResponseOp.create({ response_range: range })] });
  load.read(slot, conflict, 0, conflict.length);
  assert.equal(keys.revisions[slot.keyIndex], 99);
  assert.equal(load.counts.conflicts, 1);
});

test('no key is in flight twice', () => {
  const keys = new KeySet('/k/', 4);
  const taken = [keys.takeNext(), keys.takeNext(), keys.takeNext()];
  assert.equal(new Set(taken).size, 3);
  keys.release(taken[1]);
  assert.equal(new Set([taken[0], taken[2], keys.takeNext()]).size, 3);
});

test('a put carries its key and its number', () => {
  const keys = new KeySet('/k/', KEYS);
  const seen: number[][] = [];
  const observer = {
    onWrite: (number: number, intendedMs: number): void => void seen.push([number, intendedMs]),
    onWritten: (number: number, code: number): void => void seen.push([number, code]),
  };
  const load = new PutLoad(keys, 30, new SeededChance(1), observer);
  const slot = slotOf(load);
  for (let i = 0; i < 3; i++) {
    slot.intendedMs = 100 + i;
    const request = m.PutRequest.decode(load.buffer, 0, load.write(slot));
    assert.equal(Buffer.from(request.key).toString(), keys.name(slot.keyIndex));
    assert.equal(Buffer.from(request.value.subarray(0, 14)).toString(), String(i).padStart(14, '0'));
    assert.equal(request.value.length, 30);
    load.done(slot, 0);
  }
  assert.deepEqual(seen, [
    [0, 100],
    [0, 0],
    [1, 101],
    [1, 0],
    [2, 102],
    [2, 0],
  ]);
});

test('leases made from one are those that would be encoded one by one', () => {
  const value = new NodeLeaseValue('node-', 300, 1_700_000_000);
  for (const index of [7, 0, 123, 9_999_999]) {
    const text = Buffer.from(value.makeValue(index)).toString('latin1');
    const fresh = new NodeLeaseValue(`node-`, 300, 1_700_000_000);
    const first = Buffer.from(fresh.makeValue(0)).toString('latin1');
    const digits = String(index).padStart(7, '0');
    assert.equal(
      text,
      first.replaceAll('node-0000000', `node-${digits}`).replaceAll('-000000000000', `-00000${digits}`),
    );
  }
});
