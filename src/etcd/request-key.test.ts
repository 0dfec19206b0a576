// The key is found where the decoder finds it, in the forms that clients send; in anything else nothing outside the request is named.

import assert from 'node:assert/strict';
import { it } from 'node:test';
import fc from 'fast-check';
import * as m from '../api/messages.ts';
import type { MessageType } from '../api/schema.ts';
import { ByteWriter } from '../base/byte-writer.ts';
import { RequestKey } from './request-key.ts';

const key = fc.uint8Array({ minLength: 1, maxLength: 300 }).map((bytes) => Buffer.from(bytes));
const value = fc.uint8Array({ maxLength: 400 }).map((bytes) => Buffer.from(bytes));

function encode<T extends object>(type: MessageType<T>, message: T): Buffer {
  const writer = new ByteWriter();
  type.encode(message, writer);
  return Buffer.from(writer.copy());
}

/** The request behind other bytes, as in a receive buffer. */
function within(request: Buffer): [Buffer, number, number] {
  return [Buffer.concat([Buffer.of(0x0a, 1), request, Buffer.alloc(8, 0x0a)]), 2, 2 + request.length];
}

it('the key of a put, a range, and the first compare of a transaction', () => {
  fc.assert(
    fc.property(key, value, fc.nat(), (bytes, content, revision) => {
      const found = new RequestKey();
      const keyed = [
        encode(m.PutRequest, m.PutRequest.create({ key: bytes, value: content, lease: 7n })),
        encode(m.RangeRequest, m.RangeRequest.create({ key: bytes, range_end: content, revision })),
      ];
      for (const request of keyed) {
        const [buffer, start, end] = within(request);
        assert.ok(found.ofKeyed(buffer, start, end));
        assert.deepEqual(buffer.subarray(found.start, found.end), bytes);
      }
      const compare = m.Compare.create({ result: 0, target: 2, key: bytes, mod_revision: revision });
      const put = m.PutRequest.create({ key: bytes, value: content });
      const txn = m.TxnRequest.create({ compare: [compare], success: [m.RequestOp.create({ request_put: put })] });
      const [buffer, start, end] = within(encode(m.TxnRequest, txn));
      assert.ok(found.ofTxn(buffer, start, end));
      assert.deepEqual(buffer.subarray(found.start, found.end), bytes);
    }),
    { numRuns: 200 },
  );
});

it('whatever the bytes are, the key is within them', () => {
  const bytes = fc.array(fc.oneof(fc.constantFrom(0x0a, 0x1a, 0x08, 0x10, 1, 2, 3), fc.nat(255)), { maxLength: 12 });
  fc.assert(
    fc.property(bytes, (row) => {
      const [buffer, start, end] = within(Buffer.from(row));
      for (const read of ['ofKeyed', 'ofTxn'] as const) {
        const found = new RequestKey();
        if (!found[read](buffer, start, end)) continue;
        assert.ok(found.start > start && found.start <= found.end && found.end <= end);
      }
    }),
    { numRuns: 2_000 },
  );
});

it('a compare of numbers alone ends the search: bytes behind it, of whatever requests, are not looked through', () => {
  const reads: number[] = [];
  const bytes = Buffer.alloc(10_000, 0x08);
  bytes.set([0x0a, 4]);
  const buffer = new Proxy(bytes, {
    get: (target, name) => {
      const at = Number(name);
      reads.push(at);
      return target[at];
    },
  });
  assert.equal(new RequestKey().ofTxn(buffer, 0, 6), false);
  assert.ok(Math.max(...reads) <= 8, `byte ${Math.max(...reads)} was read`);
});
