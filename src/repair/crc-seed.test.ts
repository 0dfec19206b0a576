import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { BatchWriter } from '../journal/batch-writer.ts';
import { crcOf } from '../journal/format.ts';
import { crcSeedBefore, SeedVotes, wholeBatch } from './crc-seed.ts';

test('a CRC run backwards gives what it started from', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), fc.nat(0xffff_ffff), (bytes, seed) => {
      const crc = crcOf(bytes, 0, bytes.length, seed);
      assert.equal(crcSeedBefore(bytes, 0, bytes.length, crc), seed);
    }),
  );
});

/** A batch with a value, whose checksums start from `crcSeed`. */
function batchOf(crcSeed: number, value: Uint8Array): Buffer {
  const batch = new BatchWriter(10_000);
  batch.beginRevision(2, 'fsync');
  batch.appendPut(0, value, 0, value.length);
  batch.seal({ sequence: 2, epoch: 1, durableSequence: 1, previousCrc: 0, crcSeed, alignment: 8 });
  return Buffer.from(batch.view());
}

test('of the seeds that batches start from the one of most bytes is the best; what stands in a whole batch does not count', () => {
  const block = (...batches: readonly Uint8Array[]): Buffer => Buffer.concat([Buffer.alloc(64), ...batches]);
  const small = batchOf(1, Buffer.alloc(100));
  const votes = new SeedVotes();
  const around = (inner: Buffer): Buffer => batchOf(1, Buffer.concat([Buffer.alloc(4), inner]));
  votes.add(block(small, around(batchOf(3, Buffer.alloc(900)))));
  votes.add(block(small, batchOf(2, Buffer.alloc(1_200)), small));
  assert.equal(votes.best()?.crcSeed, 1);
  assert.deepEqual([votes.best(1)?.crcSeed, votes.best(1)?.segment], [2, 1]);
  const far = new SeedVotes();
  far.add(block(batchOf(1, Buffer.alloc(1_000)), Buffer.alloc(50_000, 9), batchOf(2, Buffer.alloc(500))));
  assert.equal(far.best()?.crcSeed, 1, 'wherever they stand');
  const isThird = (seed: number): boolean => seed === 3;
  const outer = around(batchOf(3, small));
  assert.equal(wholeBatch(block(outer), isThird), undefined);
  outer[0] ^= 1;
  assert.equal(wholeBatch(block(outer), isThird)?.offset, 136, 'where the one around it is damaged it is found');
});
