import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { WireError } from '../base/byte-reader.ts';
import { ByteWriter } from '../base/byte-writer.ts';
import * as m from './messages.ts';
import type { MessageType } from './schema.ts';

function encoded<T extends object>(type: MessageType<T>, value: Partial<T>): Uint8Array {
  const writer = new ByteWriter();
  type.encode(value, writer);
  return writer.copy();
}

const BYTES = fc.uint8Array({ maxLength: 20 });
const INT64 = fc.oneof(fc.maxSafeInteger(), fc.constantFrom(0, 1, -1, 127, 128, 2 ** 31, 2 ** 53 - 1));
const KEY_VALUE = fc.record({
  key: BYTES,
  create_revision: INT64,
  mod_revision: INT64,
  version: INT64,
  value: BYTES,
  lease: fc.bigInt(-(2n ** 63n), 2n ** 63n - 1n),
});

describe('a message', () => {
  it('is read as it was written', () => {
    const response = fc.record({
      header: fc.constant(undefined),
      kvs: fc.array(KEY_VALUE, { maxLength: 4 }),
      more: fc.boolean(),
      count: INT64,
    });
    fc.assert(
      fc.property(response, (value) => {
        const read = m.RangeResponse.decode(encoded(m.RangeResponse, value));
        const plain = (kv: m.KeyValue): object => ({ ...kv, key: [...kv.key], value: [...kv.value] });
        assert.deepEqual({ ...read, kvs: read.kvs.map(plain) }, { ...value, kvs: value.kvs.map(plain) });
      }),
    );
  });

  it('leaves zeros out and tells a zero that was sent in a oneof from none', () => {
    assert.equal(encoded(m.PutRequest, m.PutRequest.create()).length, 0);
    assert.equal(m.Compare.decode(encoded(m.Compare, { version: 0 })).version, 0);
    assert.equal(m.Compare.decode(encoded(m.Compare, {})).version, undefined);
  });

  it('reads repeated numbers packed and one by one', () => {
    assert.deepEqual(m.WatchCreateRequest.decode(Uint8Array.of(0x2a, 2, 0, 1)).filters, [0, 1]);
    assert.deepEqual(m.WatchCreateRequest.decode(Uint8Array.of(0x28, 0, 0x28, 1)).filters, [0, 1]);
  });

  it('steps over what it does not know and takes the last of several', () => {
    const bytes = Uint8Array.of(0xf8, 0x7f, 5, 0x08, 3, 0x08, 4, 0x0d, 1, 2, 3, 4);
    assert.equal(m.LeaseIdRequest.decode(bytes).ID, 4n);
  });

  it('refuses what is cut off, and nesting without end', () => {
    const whole = encoded(m.TxnRequest, {
      success: [m.RequestOp.create({ request_put: m.PutRequest.create({ key: new Uint8Array(9) }) })],
    });
    for (let end = 1; end < whole.length; end++) {
      assert.throws(() => m.TxnRequest.decode(whole, 0, end), WireError);
    }
    let nested = new Uint8Array(0);
    for (let depth = 0; depth < 300; depth++) {
      const writer = new ByteWriter();
      const op = writer.open(0x12);
      const inner = writer.open(0x22);
      writer.bytes(nested, 0, nested.length);
      writer.close(inner);
      writer.close(op);
      nested = Uint8Array.from(writer.copy());
    }
    assert.throws(() => m.TxnRequest.decode(nested), WireError);
  });

  it('of random bytes is a message or a WireError', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), (bytes) => {
        try {
          m.TxnRequest.decode(bytes);
        } catch (error) {
          assert.ok(error instanceof WireError);
        }
      }),
      { numRuns: Number(process.env.K1M_RUNS ?? 500) },
    );
  });
});
