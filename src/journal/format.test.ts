// A log outlives the program that wrote it: its bytes are fixed here, field by field.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { hexDump } from '../testing/hex-dump.ts';
import { BatchWriter } from './batch-writer.ts';
import { CorruptionError } from './errors.ts';
import { crcSeedOf } from './format.ts';
import { decodeSegmentHeader, encodeSegmentHeader } from './segment.ts';

const IDENTITY = { clusterId: 0x1112_1314_1516_1718n, memberId: -2n };

const HEADER = {
  format: 2,
  identity: IDENTITY,
  firstSequence: 0x0001_2223_2425_2627,
  epoch: 0x31,
  previousCrc: 0x4142_4344,
  salt: 0x5152_5354,
  headerBytes: 512,
};

test('the header of a segment has its fields where it is said', () => {
  const bytes = encodeSegmentHeader(HEADER);
  assert.equal(bytes.length, 512);
  assert.deepEqual(hexDump(bytes.subarray(0, 64)), [
    '4b314d57 414c0d0a 02000000 71e63f8d',
    '18171615 14131211 feffffff ffffffff',
    '27262524 23220100 31000000 00000000',
    '44434241 54535251 00020000 00000000',
  ]);
  assert.deepEqual(decodeSegmentHeader('f', bytes), HEADER);
  for (let at = 0; at < 64; at++) {
    if (at >= 8 && at < 12) continue;
    const damaged = Uint8Array.from(bytes);
    damaged[at] ^= 0x10;
    assert.throws(() => decodeSegmentHeader('f', damaged), CorruptionError, `byte ${at}`);
  }
});

test('a header cannot place the first batch out of reach', () => {
  const bytes = encodeSegmentHeader({ ...HEADER, headerBytes: 4097 });
  assert.throws(() => decodeSegmentHeader('f', bytes), /the first batch cannot begin at byte 4097/);
});

test('the header of format 1 has no salt', () => {
  const header = { ...HEADER, format: 1, salt: 0, headerBytes: 64 };
  const bytes = encodeSegmentHeader(header);
  assert.deepEqual(hexDump(bytes), [
    '4b314d57 414c0d0a 01000000 592a1ca6',
    '18171615 14131211 feffffff ffffffff',
    '27262524 23220100 31000000 00000000',
    '44434241 00000000 00000000 00000000',
  ]);
  assert.deepEqual(decodeSegmentHeader('f', bytes), header);
});

test('a batch with every effect has its fields where it is said', () => {
  const batch = new BatchWriter(4096);
  const key = Buffer.from('key');
  batch.appendMeta(IDENTITY);
  batch.appendOpen(0x81);
  batch.appendMark(0x3fff);
  batch.beginRevision(0x41, 'buffered');
  batch.appendPut(1, Buffer.from('-pair-'), 1, 5);
  batch.beginRevision(0x42, 'fsync');
  batch.appendDelete(2, key, 0, 3);
  batch.appendLeaseGrant(-3n, 60);
  batch.appendLeaseRevoke(0x7172_7374_7576_7778n);
  batch.appendCompact(0x1_0000_0000_0000);
  batch.appendAlarm(1, true);
  batch.appendAlarm(1, false);
  batch.appendClean(0x42);
  const crc = batch.seal({
    sequence: 0x0001_2223_2425_2627,
    epoch: 0x31,
    durableSequence: 0x51,
    previousCrc: 0x6162_6364,
    // As in format 1.
    crcSeed: crcSeedOf(IDENTITY.clusterId, 0),
    alignment: 8,
  });
  assert.deepEqual(
    [crc.toString(16), ...hexDump(batch.view())],
    [
      '6e42ea24',
      '4b314d42 24ea426e 2a20afe5 64636261',
      '27262524 23220100 31000000 00000000',
      '41000000 00000000 42000000 00000000',
      '51000000 00000000 48000000 01000000',
      '08feffff ffffffff ff181716 15141312',
      '11098101 07ff7f01 01047061 69720242',
      '02036b65 7903fdff ffffffff ffff3c04',
      '78777675 74737271 05808080 80808040',
      '06010106 01000a42',
    ],
  );
});

test('what the checksums of a log start from is fixed', () => {
  assert.equal(crcSeedOf(IDENTITY.clusterId, 0), 3_335_856_899);
  assert.equal(crcSeedOf(IDENTITY.clusterId, 0x5152_5354), 969_312_316);
});

test('the alignment of a batch is byte 62 of its header, and a time is effect 11', () => {
  const batch = new BatchWriter(4096);
  batch.appendMark(1);
  batch.appendTime(0x81);
  batch.seal({ sequence: 1, epoch: 1, durableSequence: 0, previousCrc: 0, crcSeed: 0, alignment: 512 });
  const bytes = batch.view();
  assert.equal(bytes.length, 512);
  assert.deepEqual(hexDump(bytes.subarray(48, 80)), [
    '00000000 00000000 05000000 01000900',
    '07010b81 01000000 00000000 00000000',
  ]);
});
