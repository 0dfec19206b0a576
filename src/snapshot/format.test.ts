// A snapshot file outlives the program that wrote it: its bytes are fixed here, field by field.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CorruptionError } from '../journal/errors.ts';
import { hexDump } from '../testing/hex-dump.ts';
import {
  decodeHeader,
  decodeIndexEntry,
  decodeTrailer,
  encodeHeader,
  encodeIndexEntry,
  encodeTrailer,
  INDEX_ENTRY_BYTES,
  type SnapshotHeader,
  TRAILER_BYTES,
} from './format.ts';

const HEADER: SnapshotHeader = {
  identity: { clusterId: 0x1112_1314_1516_1718n, memberId: -2n },
  sequence: 0x0001_2223_2425_2627,
  epoch: 0x31,
  revision: 0x41,
  compactedRevision: 0x51,
  compactTarget: 0x61,
  revisionMark: 0x71,
  hashSeed: 0x8182_8384,
  hasHashes: true,
  alarms: new Set([1, 2]),
  wallMs: 1_700_000_000_000.7,
};
const ENTRY = {
  kind: 'rows',
  count: 0x11,
  position: 0x2122_2324_2526,
  bytes: 0x31,
  crc: 0x4142_4344,
  mainMax: 0x51,
} as const;
const TRAILER = { indexPosition: 1000, blocks: 3, indexCrc: 0x5152_5354, rows: 0x61, changes: 0x71, leases: 0x81 };

test('the header has its fields where it is said', () => {
  const { bytes, crc } = encodeHeader(HEADER);
  assert.deepEqual(hexDump(bytes), [
    '4b314d53 4e41500a 02000000 6e7c1e8c',
    '18171615 14131211 feffffff ffffffff',
    '27262524 23220100 31000000 00000000',
    '41000000 00000000 52000000 00000000',
    '62000000 00000000 71000000 00000000',
    '84838281 06000000 0068e5cf 8b010000',
    '00000000 00000000 00000000 00000000',
    '00000000 00000000 00000000 00000000',
  ]);
  assert.deepEqual(decodeHeader('f', bytes), { header: { ...HEADER, wallMs: 1_700_000_000_000 }, crc });
  const first = { ...HEADER, compactedRevision: -1, compactTarget: -1, alarms: new Set<number>(), wallMs: 0 };
  assert.deepEqual(decodeHeader('f', encodeHeader(first).bytes).header, first);
  for (let at = 0; at < bytes.length; at++) {
    const damaged = Uint8Array.from(bytes);
    damaged[at] ^= 0x10;
    assert.throws(() => decodeHeader('f', damaged), CorruptionError, `byte ${at}`);
  }
  const older = { ...first, hasHashes: false };
  assert.equal(encodeHeader(older).bytes[8], 1);
  assert.deepEqual(decodeHeader('f', encodeHeader(older).bytes).header, older);
  assert.throws(() => decodeHeader('f', bytes.subarray(0, 127)), /cut off/);
});

test('an entry of the index has its fields where it is said', () => {
  const bytes = new Uint8Array(INDEX_ENTRY_BYTES + 8);
  encodeIndexEntry(bytes, 4, ENTRY);
  assert.deepEqual(hexDump(bytes), [
    '00000000 03000000 11000000 26252423',
    '22210000 31000000 44434241 51000000',
    '00000000 00000000',
  ]);
  assert.deepEqual(decodeIndexEntry(bytes, 4), ENTRY);
  for (const [kind, number] of [
    ['leases', 1],
    ['records', 2],
    ['rows', 3],
    ['attachments', 4],
    ['changes', 5],
  ] as const) {
    encodeIndexEntry(bytes, 0, { ...ENTRY, kind });
    assert.equal(bytes[0], number);
    assert.equal(decodeIndexEntry(bytes, 0)?.kind, kind);
  }
  for (const unknown of [0, 6, 255]) {
    bytes[0] = unknown;
    assert.equal(decodeIndexEntry(bytes, 0), undefined);
  }
});

test('the trailer has its fields where it is said, and stands for the size and the header', () => {
  const headerCrc = 0x9192_9394;
  const bytes = encodeTrailer(TRAILER, headerCrc);
  const fileBytes = 1000 + 3 * INDEX_ENTRY_BYTES + TRAILER_BYTES;
  assert.deepEqual(hexDump(bytes), [
    '4b314d53 4e454e44 e8030000 00000000',
    '03000000 54535251 61000000 00000000',
    '71000000 00000000 81000000 00000000',
    '88040000 00000000 94939291 903e38a0',
  ]);
  assert.deepEqual(decodeTrailer('f', bytes, fileBytes, headerCrc), TRAILER);
  assert.throws(() => decodeTrailer('f', bytes, fileBytes + 1, headerCrc), /has 1161 bytes instead of 1160/);
  assert.throws(() => decodeTrailer('f', bytes, fileBytes, headerCrc + 1), /checksum/);
  for (let at = 0; at < bytes.length; at++) {
    const damaged = Uint8Array.from(bytes);
    damaged[at] ^= 0x10;
    assert.throws(() => decodeTrailer('f', damaged, fileBytes, headerCrc), CorruptionError, `byte ${at}`);
  }
});
