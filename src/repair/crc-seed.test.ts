import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { crcOf } from '../journal/format.ts';
import { crcSeedBefore } from './crc-seed.ts';

test('a CRC run backwards gives what it started from', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), fc.nat(0xffff_ffff), (bytes, seed) => {
      const crc = crcOf(bytes, 0, bytes.length, seed);
      assert.equal(crcSeedBefore(bytes, 0, bytes.length, crc), seed);
    }),
  );
});
