import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { ByteReader } from '../base/byte-reader.ts';
import {
  KeyValueView,
  keyValueBytes,
  keyValueKeyBytes,
  keyValueKeyStart,
  writeKeyValueHead,
  writeKeyValueTail,
} from './key-value.ts';

const revision = fc.oneof(
  fc.integer({ min: 1, max: 300 }),
  fc.constantFrom(
    127,
    128,
    16383,
    16384,
    2 ** 28 - 1,
    2 ** 28,
    2 ** 31,
    2 ** 32,
    2 ** 35,
    2 ** 49,
    Number.MAX_SAFE_INTEGER,
  ),
  fc.maxSafeNat().map((n) => Math.max(1, n)),
);
const bytes = (minLength: number): fc.Arbitrary<Uint8Array> =>
  fc.oneof(
    fc.uint8Array({ minLength, maxLength: 60 }),
    fc.constantFrom(127, 128, 16383, 16384).map((length) => new Uint8Array(length).fill(length)),
  );

describe('KeyValue bytes', () => {
  it('read back as they were written, by our view and by a general protobuf reader', () => {
    fc.assert(
      fc.property(
        bytes(1),
        revision,
        revision,
        revision,
        bytes(0),
        fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
        fc.nat(5),
        (key, createRevision, modRevision, version, value, lease, gap) => {
          const length = keyValueBytes(key.length, createRevision, modRevision, version, value.length, lease);
          const target = new Uint8Array(gap + length + 1).fill(0xee);
          const at = writeKeyValueHead(target, gap, key, 0, key.length, createRevision);
          writeKeyValueTail(target, at, modRevision, version, value, 0, value.length, lease);
          assert.equal(target[gap + length], 0xee);

          const view = new KeyValueView().read(target, gap, gap + length);
          assert.deepEqual(
            {
              ...pick(view),
              key: target.slice(view.keyStart, view.keyEnd),
              value: target.slice(view.valueStart, view.valueEnd),
            },
            { createRevision, modRevision, version, lease, headEnd: at, key, value },
          );
          assert.equal(keyValueKeyStart(target, gap), view.keyStart);
          assert.equal(keyValueKeyBytes(target, gap), key.length);
          assert.deepEqual(fieldsOf(target, gap, gap + length), [
            [0x0a, Buffer.from(key).toString('hex')],
            [0x10, BigInt(createRevision)],
            [0x18, BigInt(modRevision)],
            [0x20, BigInt(version)],
            ...(value.length === 0 ? [] : [[0x2a, Buffer.from(value).toString('hex')]]),
            ...(lease === 0n ? [] : [[0x30, lease]]),
          ]);
        },
      ),
    );
  });
});

function pick(view: KeyValueView): object {
  const { createRevision, modRevision, version, lease, headEnd } = view;
  return { createRevision, modRevision, version, lease, headEnd };
}

function fieldsOf(bytes: Uint8Array, start: number, end: number): unknown[] {
  const reader = new ByteReader(bytes, start, end);
  const fields: unknown[] = [];
  while (reader.hasMore) {
    const tag = reader.tag();
    fields.push([tag, (tag & 7) === 2 ? Buffer.from(reader.bytes()).toString('hex') : reader.varint64()]);
  }
  return fields;
}
