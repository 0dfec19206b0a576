// Snapshots of format 1, whose hashes of keys are of another kind: they open as before, and what was in them is found.

import assert from 'node:assert/strict';
import { it } from 'node:test';
import * as methods from '../src/api/methods.ts';
import { crcOf } from '../src/journal/format.ts';
import {
  decodeHeader,
  decodeIndexEntry,
  decodeTrailer,
  encodeHeader,
  encodeIndexEntry,
  encodeTrailer,
  HEADER_BYTES,
  INDEX_ENTRY_BYTES,
  TRAILER_BYTES,
} from '../src/snapshot/format.ts';
import { IMAGE_ROW_BYTES } from '../src/store/image.ts';
import { Random } from '../src/testing/random.ts';
import { range } from './compat/requests.ts';
import { SimulatedServer } from './compat/server-fixture.ts';
import { changeMuch, SMALL_SEGMENTS, stateOf } from './state-snapshot-fixture.ts';

const HASH_WORD = 5;

/** The same snapshot as format 1 has it. */
function inFormat1(bytes: Uint8Array): Uint8Array {
  const { header, crc } = decodeHeader('f', bytes);
  const trailer = decodeTrailer('f', bytes.subarray(-TRAILER_BYTES), bytes.length, crc);
  const older = encodeHeader({ ...header, hasHashes: false });
  const made = Buffer.from(bytes);
  made.set(older.bytes);
  const index = made.subarray(trailer.indexPosition, trailer.indexPosition + trailer.blocks * INDEX_ENTRY_BYTES);
  for (let at = 0; at < index.length; at += INDEX_ENTRY_BYTES) {
    const entry = decodeIndexEntry(index, at);
    assert.ok(entry);
    const { kind, count, position, bytes: length } = entry;
    if (kind === 'rows') {
      for (let row = 0; row < count; row++)
        made.writeUInt32LE(12_345, position + row * IMAGE_ROW_BYTES + 4 * HASH_WORD);
    }
    encodeIndexEntry(index, at, { ...entry, crc: crcOf(made, position, position + length, older.crc) });
  }
  const indexCrc = crcOf(index, 0, index.length, older.crc);
  assert.equal(decodeHeader('f', made.subarray(0, HEADER_BYTES)).header.hasHashes, false);
  made.set(encodeTrailer({ ...trailer, indexCrc }, older.crc), made.length - TRAILER_BYTES);
  return made;
}

/** Each key, looked up by itself. */
async function lookUps(server: SimulatedServer): Promise<unknown[]> {
  const { kvs } = await server.drive(server.client.unary(methods.range, range({ key: '\0', end: '\0' })));
  const found: unknown[] = [];
  for (const { key } of kvs) {
    const one = await server.drive(server.client.unary(methods.range, range({ key: Buffer.from(key).toString() })));
    found.push(one.kvs);
  }
  return found;
}

it('a snapshot of format 1 gives back everything, and the next one has hashes', async () => {
  for (let seed = 1; seed <= 3; seed++) {
    const server = await SimulatedServer.open(seed, SMALL_SEGMENTS);
    const random = new Random(seed);
    const taken = async (): Promise<string> => {
      await server.drive(server.server.snapshotter.take());
      return (
        [...server.disk.snapshot().keys()]
          .filter((path) => path.startsWith('/data/snap/'))
          .sort()
          .at(-1) ?? ''
      );
    };
    await changeMuch(server, random, 40);
    const path = await taken();
    await changeMuch(server, random, 10);
    const before = [stateOf(server.server), await lookUps(server)];
    assert.ok(before[1].length > 1);
    server.kill();
    server.disk.place(path, inFormat1(server.disk.bytes(path)));
    await server.start();
    assert.equal(server.server.snapshot?.path, path);
    assert.deepEqual([stateOf(server.server), await lookUps(server)], before);
    await changeMuch(server, random, 10);
    assert.equal(decodeHeader('f', server.disk.bytes(await taken())).header.hasHashes, true);
    await server.close();
  }
});
