// What is taken as a guarded put means what the decoder makes of it; what kube-apiserver sends is taken.

import assert from 'node:assert/strict';
import { it } from 'node:test';
import { inspect } from 'node:util';
import fc from 'fast-check';
import * as m from '../api/messages.ts';
import { WireError } from '../base/byte-reader.ts';
import { ByteWriter } from '../base/byte-writer.ts';
import { GuardedPut } from './guarded-put.ts';
import { OP_PUT, OP_RANGE, OperationDecoder, PutOp, RangeOp, type TxnOp, UNION_MOD } from './operations.ts';

const anyBytes = (minLength: number, maxLength: number): fc.Arbitrary<Buffer> =>
  fc.uint8Array({ minLength, maxLength }).map((bytes) => Buffer.from(bytes));

const anyRequest = fc
  .record({
    key: fc.oneof(anyBytes(1, 3), anyBytes(100, 300)),
    value: fc.oneof(anyBytes(1, 3), anyBytes(100, 300)),
    lease: fc.oneof(fc.constant(0n), fc.bigInt({ min: -(1n << 63n), max: (1n << 63n) - 1n })),
    revision: fc.oneof(fc.nat(300), fc.integer({ min: 0, max: 2 ** 49 - 1 })),
    isGotten: fc.boolean(),
  })
  .map(({ key, value, lease, revision, isGotten }) => {
    const get = m.RequestOp.create({ request_range: m.RangeRequest.create({ key }) });
    return m.TxnRequest.create({
      compare: [m.Compare.create({ target: m.TARGET_MOD, key, mod_revision: revision })],
      success: [m.RequestOp.create({ request_put: m.PutRequest.create({ key, value, lease }) })],
      failure: isGotten ? [get] : [],
    });
  });

function encode(request: m.TxnRequest): Buffer {
  const writer = new ByteWriter();
  m.TxnRequest.encode(request, writer);
  return Buffer.from(writer.copy());
}

/** The request behind and before other bytes, as in a receive buffer. */
function read(guarded: GuardedPut, request: Buffer): boolean {
  const buffer = Buffer.concat([Buffer.of(0x0a, 1), request, Buffer.alloc(8, 0x0a)]);
  return guarded.read(buffer, 2, 2 + request.length);
}

function decode(buffer: Uint8Array, start: number, end: number): TxnOp | undefined {
  try {
    return new OperationDecoder().txn(buffer, start, end);
  } catch (error) {
    if (error instanceof WireError) return undefined;
    throw error;
  }
}

/** That the decoder finds the same in the bytes, and nothing else. */
function assertDecoded({ put, revision }: GuardedPut, request: Buffer): void {
  const txn = decode(put.buffer, 2, 2 + request.length);
  assert.ok(txn !== undefined);
  const [compare] = txn.compares;
  const [success] = txn.success;
  assert.deepEqual([txn.compares.length, txn.success.length, txn.failure.length < 2], [1, 1, true]);
  const { target, result, unionTag, keyStart, keyEnd, endStart, endEnd } = compare;
  assert.deepEqual([target, result, unionTag, compare.revision], [m.TARGET_MOD, m.COMPARE_EQUAL, UNION_MOD, revision]);
  assert.deepEqual([keyStart, keyEnd, endEnd - endStart], [put.keyStart, put.keyEnd, 0]);
  assert.ok(success.kind === OP_PUT && keyEnd > keyStart);
  const comparedKey = put.buffer.subarray(keyStart, keyEnd);
  assert.deepEqual(put.buffer.subarray(success.keyStart, success.keyEnd), comparedKey);
  assert.deepEqual({ ...success, keyStart, keyEnd }, { ...new PutOp(), ...put });
  for (const get of txn.failure) {
    assert.ok(get.kind === OP_RANGE && get.keyEnd > get.keyStart);
    const key = { buffer: get.buffer, keyStart: get.keyStart, keyEnd: get.keyEnd };
    assert.deepEqual({ ...get }, { ...new RangeOp(), ...key });
  }
}

it('what kube-apiserver sends is taken', () => {
  const guarded = new GuardedPut();
  fc.assert(
    fc.property(anyRequest, (request) => {
      const encoded = encode(request);
      assert.ok(read(guarded, encoded));
      assertDecoded(guarded, encoded);
    }),
    { numRuns: 300 },
  );
});

it('what is changed in a byte or cut off is refused, or means what the decoder makes of it', () => {
  const guarded = new GuardedPut();
  let takenCount = 0;
  const anyByte = fc.oneof(fc.constantFrom(0, 1, 2, 0x0a, 0x12, 0x18, 0x1a, 0x30, 0x80), fc.nat(255));
  fc.assert(
    fc.property(anyRequest, fc.nat(), anyByte, fc.nat(2), (request, place, byte, kind) => {
      const encoded = encode(request);
      // Where the structure is: the keys and the value are most of a large request.
      const at = place % Math.min(encoded.length, 24);
      if (kind === 0) encoded[at] = byte;
      if (kind === 1) encoded[encoded.length - 1 - at] = byte;
      const changed = kind === 2 ? encoded.subarray(0, encoded.length - 1 - at) : encoded;
      let isTaken = false;
      try {
        isTaken = read(guarded, changed);
      } catch (error) {
        assert.ok(error instanceof WireError);
        assert.equal(decode(changed, 0, changed.length), undefined);
      }
      if (!isTaken) return;
      takenCount++;
      assertDecoded(guarded, changed);
    }),
    { numRuns: 5_000 },
  );
  assert.ok(takenCount > 100);
});

it('other forms are refused', () => {
  const key = Buffer.from('k');
  const compare = m.Compare.create({ target: m.TARGET_MOD, key, mod_revision: 7 });
  const put = m.RequestOp.create({ request_put: m.PutRequest.create({ key, value: Buffer.of(1) }) });
  const other = m.RequestOp.create({
    request_put: m.PutRequest.create({ key: Buffer.from('l'), value: Buffer.of(1) }),
  });
  const noted = m.RequestOp.create({ request_put: m.PutRequest.create({ key, value: Buffer.of(1), prev_kv: true }) });
  const removal = m.RequestOp.create({ request_delete_range: m.DeleteRangeRequest.create({ key }) });
  const get = m.RequestOp.create({ request_range: m.RangeRequest.create({ key }) });
  const limited = m.RequestOp.create({ request_range: m.RangeRequest.create({ key, limit: 1 }) });
  const guarded = new GuardedPut();
  const isTaken = (request: Partial<m.TxnRequest>): boolean =>
    read(guarded, encode(m.TxnRequest.create({ compare: [compare], success: [put], failure: [get], ...request })));
  assert.ok(isTaken({}));
  for (const request of [
    { compare: [] },
    { compare: [compare, compare] },
    { compare: [m.Compare.create({ ...compare, result: m.COMPARE_GREATER })] },
    { compare: [m.Compare.create({ ...compare, range_end: Buffer.from('z') })] },
    { compare: [m.Compare.create({ target: m.TARGET_VERSION, key, version: 7 })] },
    { compare: [m.Compare.create({ target: m.TARGET_MOD, key })] },
    { success: [] },
    { success: [put, put] },
    { success: [other] },
    { success: [noted] },
    { success: [removal] },
    { failure: [get, get] },
    { failure: [limited] },
    { failure: [put] },
  ]) {
    assert.ok(!isTaken(request), inspect(request, { depth: 4 }));
  }
});
