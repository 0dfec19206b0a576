import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { RecordingVisitor } from '../testing/journal-fixture.ts';
import { BatchReader } from './batch-reader.ts';
import { BatchWriter } from './batch-writer.ts';
import { EffectReader, emptyLogState, type LogState } from './effects.ts';
import {
  AT_BODY_BYTES,
  AT_BODY_CRC,
  AT_FLAGS,
  AT_HEADER_CRC,
  BATCH_BYTES_LIMIT,
  BATCH_HEADER_BYTES,
  crcOf,
  crcSeedOf,
  FLAG_FSYNC,
  readUint32,
  writeUint32,
} from './format.ts';

const PLACE = {
  sequence: 7,
  epoch: 3,
  durableSequence: 5,
  previousCrc: 0xfedc_ba98,
  crcSeed: crcSeedOf(42n, 7),
  alignment: 8,
};
const CHAIN = { sequence: 6, epoch: 3, crc: 0xfedc_ba98, crcSeed: crcSeedOf(42n, 7) };

function readBack(batch: BatchWriter): { reader: BatchReader; lines: string[]; state: LogState } {
  batch.seal(PLACE);
  const bytes = batch.view();
  const reader = new BatchReader();
  assert.equal(reader.check(bytes, 0, bytes.length, CHAIN), undefined);
  const visitor = new RecordingVisitor();
  const state = emptyLogState(0);
  assert.equal(new EffectReader(visitor, state).read(bytes, reader.bodyStart, reader.bodyEnd), undefined);
  return { reader, lines: visitor.lines, state };
}

const numberUpTo53Bits = fc.oneof(fc.integer({ min: 0, max: 300 }), fc.maxSafeNat());
const id = fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n });
const effect = fc.oneof(
  fc.record({ type: fc.constant('put' as const), sub: fc.nat(), bytes: fc.uint8Array({ maxLength: 400 }) }),
  fc.record({ type: fc.constant('delete' as const), sub: fc.nat(), bytes: fc.uint8Array({ maxLength: 100 }) }),
  fc.record({ type: fc.constant('grant' as const), id, ttl: numberUpTo53Bits }),
  fc.record({ type: fc.constant('revoke' as const), id }),
  fc.record({ type: fc.constant('compact' as const), revision: numberUpTo53Bits }),
  fc.record({ type: fc.constant('alarm' as const), alarm: fc.nat(3), isRaised: fc.boolean() }),
);

test('every sequence of effects is read back as it was appended', () => {
  const batch = new BatchWriter(2048);
  fc.assert(
    fc.property(fc.array(effect, { minLength: 1, maxLength: 12 }), fc.maxSafeNat(), (effects, revision) => {
      batch.reset();
      batch.beginRevision(revision + 1, 'buffered');
      const expected: string[] = [];
      for (const one of effects) expected.push(append(batch, one, revision + 1));
      const { reader, lines, state } = readBack(batch);
      assert.deepEqual(lines, expected);
      assert.equal(state.effects, effects.length);
      assert.equal(reader.firstRevision, revision + 1);
      assert.equal(reader.lastRevision, revision + 1);
      assert.equal(reader.durableSequence, 5);
    }),
    { numRuns: Number(process.env.K1M_RUNS ?? 300) },
  );
});

test('bytes behind the end of a file do not complete what was cut off there', () => {
  const batch = new BatchWriter(2048);
  batch.beginRevision(9, 'fsync');
  batch.appendDelete(0, Buffer.from('key'), 0, 3);
  batch.seal(PLACE);
  // As in a buffer that held a longer file before.
  const bytes = batch.view();
  const reader = new BatchReader();
  for (let limit = 0; limit < bytes.length; limit++) {
    const wrong = limit < BATCH_HEADER_BYTES ? 'the batch header is cut off' : 'the batch is cut off';
    assert.equal(reader.check(bytes, 0, limit, CHAIN), wrong, `${limit} bytes`);
    assert.equal(reader.nextHeader(bytes, 0, limit, CHAIN.crcSeed), limit < BATCH_HEADER_BYTES ? -1 : 0);
  }
  assert.equal(reader.check(bytes, 0, bytes.length, CHAIN), undefined);
});

test('the header says whether a batch is of the class fsync', () => {
  const batch = new BatchWriter(2048);
  for (const [classes, flag] of [
    [['buffered'], 0],
    [['fsync'], FLAG_FSYNC],
    [['buffered', 'fsync', 'buffered'], FLAG_FSYNC],
  ] as const) {
    batch.reset();
    for (const [index, durability] of classes.entries()) {
      batch.beginRevision(index + 1, durability);
      batch.appendDelete(0, Buffer.from('k'), 0, 1);
    }
    batch.seal(PLACE);
    assert.equal(readUint32(batch.view(), AT_FLAGS), flag, classes.join());
    const reader = new BatchReader();
    reader.readHeader(batch.view(), 0, batch.view().length, PLACE.crcSeed);
    assert.equal(reader.flags, flag);
  }
});

type Effect = typeof effect extends fc.Arbitrary<infer T> ? T : never;

function append(batch: BatchWriter, one: Effect, main: number): string {
  switch (one.type) {
    case 'put':
      batch.appendPut(one.sub, one.bytes, 0, one.bytes.length);
      return `put ${one.sub} ${Buffer.from(one.bytes).toString('latin1')}`;
    case 'delete':
      batch.appendDelete(one.sub, one.bytes, 0, one.bytes.length);
      return `delete ${main} ${one.sub} ${Buffer.from(one.bytes).toString('latin1')}`;
    case 'grant':
      batch.appendLeaseGrant(one.id, one.ttl);
      return `grant ${one.id} ${one.ttl}`;
    case 'revoke':
      batch.appendLeaseRevoke(one.id);
      return `revoke ${one.id}`;
    case 'compact':
      batch.appendCompact(one.revision);
      return `compact ${one.revision}`;
    case 'alarm':
      batch.appendAlarm(one.alarm, one.isRaised);
      return `alarm ${one.alarm} ${one.isRaised}`;
  }
}

test('a batch is of the strictest class in it, and reset forgets that', () => {
  const batch = new BatchWriter(1024);
  batch.beginRevision(1, 'buffered');
  assert.equal(batch.durability, 'buffered');
  batch.beginRevision(2, 'fsync');
  batch.beginRevision(3, 'buffered');
  assert.equal(batch.durability, 'fsync');
  batch.reset();
  assert.equal(batch.durability, 'buffered');
  batch.appendLeaseRevoke(1n);
  assert.equal(batch.durability, 'fsync');
});

test('one revision may be larger than a full batch', () => {
  const batch = new BatchWriter(1024);
  const value = Buffer.alloc(700_000, 'x');
  batch.beginRevision(1, 'fsync');
  batch.appendPut(0, value, 0, value.length);
  assert.ok(batch.isFull);
  batch.appendPut(1, value, 0, value.length);
  assert.equal(readBack(batch).lines.length, 2);
});

test('a flipped bit anywhere in a batch is found', () => {
  const batch = new BatchWriter(1024);
  batch.beginRevision(9, 'fsync');
  batch.appendPut(0, Buffer.from('some value'), 0, 10);
  batch.seal(PLACE);
  const reader = new BatchReader();
  const bytes = batch.view().slice();
  for (let bit = 0; bit < bytes.length * 8; bit++) {
    bytes[bit >> 3] ^= 1 << (bit & 7);
    assert.notEqual(reader.check(bytes, 0, bytes.length, CHAIN), undefined, `bit ${bit}`);
    bytes[bit >> 3] ^= 1 << (bit & 7);
  }
  assert.equal(reader.check(bytes, 0, bytes.length, CHAIN), undefined);
  assert.notEqual(reader.check(bytes, 0, bytes.length, { ...CHAIN, crcSeed: crcSeedOf(43n, 7) }), undefined);
  assert.notEqual(reader.check(bytes, 0, bytes.length, { ...CHAIN, crcSeed: crcSeedOf(42n, 8) }), undefined);
});

test('a batch is padded to a multiple of its alignment, and says so', () => {
  const batch = new BatchWriter(8192);
  for (const alignment of [8, 16, 512, 4096]) {
    for (const bytes of [1, 400, 500, 511, 512, 4000, 4096, 9000]) {
      batch.reset();
      batch.beginRevision(1, 'fsync');
      batch.appendPut(0, Buffer.alloc(bytes, 7), 0, bytes);
      batch.seal({ ...PLACE, alignment });
      const padded = batch.view();
      assert.equal(padded.length % alignment, 0);
      const reader = new BatchReader();
      assert.equal(reader.check(padded, 0, padded.length, CHAIN), undefined);
      assert.equal(reader.end, padded.length);
      assert.equal(reader.flags, FLAG_FSYNC, 'without the alignment');
      assert.ok(reader.end - reader.bodyEnd < alignment);
    }
  }
});

test('a batch that is padded to less or more than can be is none', () => {
  const batch = new BatchWriter(8192);
  for (const alignment of [2, 4, 8192, 65_536]) {
    batch.reset();
    batch.appendMark(1);
    batch.seal({ ...PLACE, alignment });
    const wrong = new BatchReader().check(batch.view(), 0, batch.bytes, CHAIN);
    assert.equal(wrong, 'the batch is padded as none can be', `${alignment}`);
  }
});

test('padding is zeros, whatever the memory held before', () => {
  const batch = new BatchWriter(1024);
  batch.beginRevision(1, 'fsync');
  batch.appendPut(0, Buffer.alloc(900, 7), 0, 900);
  batch.seal({ ...PLACE, alignment: 4096 });
  batch.reset();
  batch.appendMark(1);
  const end = batch.bytes;
  batch.seal({ ...PLACE, alignment: 4096 });
  assert.ok(
    batch
      .view()
      .subarray(0, end)
      .some((byte) => byte !== 0),
  );
  assert.ok(
    batch
      .view()
      .subarray(end)
      .every((byte) => byte === 0),
  );
});

test('a batch is full from batchBytesMax on', () => {
  const batch = new BatchWriter(1024);
  batch.beginRevision(1, 'fsync');
  batch.appendPut(0, Buffer.alloc(900), 0, 900);
  const left = 1024 - batch.bytes;
  assert.ok(!batch.isFull);
  // Type, sub and a length of one byte come before a value.
  batch.appendPut(1, Buffer.alloc(left - 4), 0, left - 4);
  assert.equal(batch.bytes, 1023);
  assert.ok(!batch.isFull);
  batch.reset();
  batch.beginRevision(1, 'fsync');
  batch.appendPut(0, Buffer.alloc(900), 0, 900);
  batch.appendPut(1, Buffer.alloc(left - 3), 0, left - 3);
  assert.ok(batch.isFull);
});

test('each effect makes the room it needs', () => {
  const bytes = Buffer.alloc(5000, 'k');
  const appends: Record<string, (batch: BatchWriter) => void> = {
    put: (batch) => batch.appendPut(0, bytes, 0, bytes.length),
    delete: (batch) => batch.appendDelete(0, bytes, 0, bytes.length),
    mark: (batch) => batch.appendMark(2 ** 53 - 1),
    grant: (batch) => batch.appendLeaseGrant(-1n, 2 ** 53 - 1),
  };
  for (const [name, appendOne] of Object.entries(appends)) {
    const batch = new BatchWriter(64, Buffer.alloc(100));
    batch.beginRevision(1, 'fsync');
    for (let count = 0; count < 3; count++) appendOne(batch);
    assert.equal(readBack(batch).lines.length + (name === 'mark' ? 3 : 0), 3, name);
  }
});

/** A batch whose header was changed by somebody who knows the checksums. */
function changedHeader(change: (bytes: Uint8Array) => void): Uint8Array {
  const batch = new BatchWriter(1024);
  batch.appendMark(1);
  batch.seal(PLACE);
  const bytes = batch.view().slice();
  change(bytes);
  writeUint32(bytes, AT_HEADER_CRC, crcOf(bytes, AT_BODY_CRC, BATCH_HEADER_BYTES, PLACE.crcSeed));
  return bytes;
}

test('flags take two bytes', () => {
  const bytes = changedHeader((header) => header.set([0x34, 0x12], AT_FLAGS));
  const reader = new BatchReader();
  assert.equal(reader.readHeader(bytes, 0, bytes.length, PLACE.crcSeed), undefined);
  assert.equal(reader.flags, 0x1234);
});

test('a batch that is longer than any can be is none', () => {
  for (const [bodyBytes, wrong] of [
    [BATCH_BYTES_LIMIT, undefined],
    [BATCH_BYTES_LIMIT + 1, 'the batch is longer than any can be'],
    [0xffff_ffff, 'the batch is longer than any can be'],
  ] as const) {
    const bytes = changedHeader((header) => writeUint32(header, AT_BODY_BYTES, bodyBytes));
    assert.equal(new BatchReader().readHeader(bytes, 0, bytes.length, PLACE.crcSeed), wrong, `${bodyBytes}`);
  }
});

test('a batch of an earlier epoch is none that follows', () => {
  const batch = new BatchWriter(1024);
  batch.appendMark(1);
  batch.seal(PLACE);
  const wrong = new BatchReader().check(batch.view(), 0, batch.bytes, { ...CHAIN, epoch: 4 });
  assert.equal(wrong, 'the epoch goes back from 4 to 3');
});

test('numbers are read back at every length they can have', () => {
  const batch = new BatchWriter(2048);
  for (let bits = 7; bits <= 53; bits++) {
    for (const value of [2 ** bits - 2, 2 ** bits - 1, 2 ** bits, 2 ** bits + 1]) {
      if (value > Number.MAX_SAFE_INTEGER) continue;
      batch.reset();
      batch.appendCompact(value);
      assert.deepEqual(readBack(batch).lines, [`compact ${value}`]);
    }
  }
});

test('memory that a large revision took is given back', () => {
  const batch = new BatchWriter(1024);
  batch.beginRevision(1, 'fsync');
  batch.appendPut(0, Buffer.alloc(700_000), 0, 700_000);
  assert.ok(batch.hasGrown);
  batch.reset();
  assert.ok(!batch.hasGrown);
});
