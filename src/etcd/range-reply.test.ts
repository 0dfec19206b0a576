// A reply produced while it is sent against the same reply written in one go.

import assert from 'node:assert/strict';
import { it } from 'node:test';
import fc from 'fast-check';
import { RangeRequest } from '../api/messages.ts';
import { ByteWriter } from '../base/byte-writer.ts';
import type { StoreMemory } from '../store/memory.ts';
import { Store } from '../store/store.ts';
import { UsedMemory } from '../store/used-memory-fixture.ts';
import { writeRange } from './engine.ts';
import { OperationDecoder, type RangeOp } from './operations.ts';
import { RangeQuery } from './range-query.ts';
import { RangeReply, RangeReplySize } from './range-reply.ts';
import { ReplyWriter } from './reply-writer.ts';

const RUNS = Number(process.env.K1M_RUNS ?? 80);
const IDENTITY = { clusterId: 0x1234n, memberId: -1n, raftTerm: 2 };
/** Sizes around which a length grows by a byte, a value is referenced, or a pair is larger than a chunk. */
const EDGES = [0, 90, 127, 128, 16_250, 16_383, 16_384, 16_385, 65_500, 65_536, 70_000];

/** Counts pins as the segments do. */
class PinnedStore extends Store {
  pins = 0;
  unpins = 0;

  override pin(): void {
    super.pin();
    this.pins++;
  }

  override unpin(): void {
    super.unpin();
    this.unpins++;
  }
}

interface Case {
  readonly store: PinnedStore;
  readonly op: RangeOp;
  readonly query: RangeQuery;
  readonly reply: RangeReply;
  readonly totalBytes: number;
  readonly whole: Uint8Array;
  readonly ends: () => number;
}

function open(valueSizes: readonly number[], limit: number, memory?: StoreMemory): Case {
  const store = new PinnedStore({ segmentBytes: 1 << 18, ...(memory && { memory }) });
  for (const [index, bytes] of valueSizes.entries()) {
    const key = Buffer.from(`key/${String(index).padStart(4, '0')}`);
    store.put(index + 2, 0, -1, key, 0, key.length, Buffer.alloc(bytes, index + 1), 0, bytes, BigInt(-index));
    store.commit(index + 2);
  }
  const writer = new ByteWriter();
  const all = { key: Buffer.from('key/'), range_end: Buffer.from('key0'), limit };
  RangeRequest.encode(RangeRequest.create(all), writer);
  const op = new OperationDecoder().range(writer.copy(), 0, writer.position);
  const query = new RangeQuery(store, op, store.currentRevision).run();
  const size = new RangeReplySize();
  while (!size.step(store, query, 3));
  let ends = 0;
  const onEnd = (): void => {
    ends++;
  };
  const headerRevision = store.currentRevision;
  const reply = new RangeReply({ store, identity: IDENTITY, op, query, headerRevision, onEnd });
  const inOneGo = new ReplyWriter(IDENTITY);
  inOneGo.header(headerRevision);
  writeRange(inOneGo, store, op, query);
  const totalBytes = reply.totalBytes(size.bytes);
  return { store, op, query, reply, totalBytes, whole: inOneGo.copy(), ends: () => ends };
}

/** Reads to the end with the limits in turn; what is stable is copied at the end, as a connection sends it later. */
function readAll({ reply }: Case, limits: readonly number[]): Uint8Array {
  const chunks: Uint8Array[] = [];
  for (let turn = 0; !reply.isDone; turn++) {
    const bytesMax = limits[turn % limits.length];
    const room = Buffer.alloc(bytesMax);
    const chunk = reply.read(room);
    assert.ok(chunk !== null && chunk.length <= bytesMax, 'a chunk keeps to its limit');
    assert.ok(chunk.length > 0, 'a chunk makes progress');
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

const anySize = fc.oneof(
  { weight: 6, arbitrary: fc.nat(300) },
  {
    weight: 2,
    arbitrary: fc
      .tuple(fc.constantFrom(...EDGES), fc.integer({ min: -40, max: 40 }))
      .map(([edge, by]) => Math.max(0, edge + by)),
  },
  { weight: 1, arbitrary: fc.integer({ min: 0, max: 90_000 }) },
);
const anyLimit = fc.oneof(
  fc.integer({ min: 1, max: 40 }),
  fc.integer({ min: 41, max: 5_000 }),
  fc.integer({ min: 5_001, max: 65_536 }),
);

it('a reply read in chunks of any size is the reply written in one go', () => {
  fc.assert(
    fc.property(
      fc.array(anySize, { minLength: 1, maxLength: 12 }),
      fc.array(anyLimit, { minLength: 1, maxLength: 8 }),
      fc.nat(13),
      (sizes, limits, limit) => {
        const opened = open(sizes, limit);
        assert.equal(opened.totalBytes, opened.whole.length);
        assert.equal(opened.reply.isDone, false);
        const bytes = readAll(opened, limits);
        assert.equal(Buffer.compare(bytes, opened.whole), 0);
        assert.deepEqual([opened.store.pins, opened.store.unpins, opened.ends()], [1, 1, 1]);
      },
    ),
    { numRuns: RUNS },
  );
});

it('a reply read one byte at a time is the reply written in one go', () => {
  const opened = open([0, 1, 127, 128, 16_384, 70_000], 0);
  assert.equal(Buffer.compare(readAll(opened, [1]), opened.whole), 0);
  assert.equal(opened.ends(), 1);
});

it('a large value is sent from the memory of the store', () => {
  const opened = open([40_000], 0);
  const chunks: Uint8Array[] = [];
  while (!opened.reply.isDone) chunks.push(opened.reply.read(Buffer.alloc(30_000)) ?? new Uint8Array(0));
  const segment = opened.store.segmentOf(opened.query.addresses.at(0));
  assert.ok(chunks.some((chunk) => chunk.buffer === segment.buffer));
});

it('what the socket still holds of a large value outlives it in the store', () => {
  const opened = open([40_000], 0, new UsedMemory());
  const { store, query } = opened;
  const given: Uint8Array[] = [];
  while (!opened.reply.isDone) given.push(opened.reply.read(Buffer.alloc(30_000)) ?? new Uint8Array(0));
  const address = query.addresses.at(0);
  const segment = store.segmentOf(address);
  // Another value in its place, and enough of them for another segment.
  const key = Buffer.from('key/0000');
  for (let main = 3; main < 20; main++) {
    store.put(main, 0, store.find(key, 0, key.length), key, 0, key.length, Buffer.alloc(40_000), 0, 40_000, 0n);
    store.commit(main);
  }
  store.compact(store.currentRevision);
  while (!store.compactStep(1_000));
  assert.notEqual(store.segmentOf(address), segment, 'the segment was dropped');
  assert.equal(Buffer.compare(Buffer.concat(given), opened.whole), 0);
});

it('a reply abandoned at any point gives its pin and its share of the budget back once', () => {
  fc.assert(
    fc.property(fc.array(anySize, { minLength: 1, maxLength: 4 }), anyLimit, fc.nat(30), (sizes, limit, reads) => {
      const opened = open(sizes, 0);
      for (let i = 0; i < reads && !opened.reply.isDone; i++) opened.reply.read(Buffer.alloc(limit));
      opened.reply.abandon();
      opened.reply.abandon();
      assert.equal(opened.reply.isDone, true);
      assert.deepEqual([opened.store.pins, opened.store.unpins, opened.ends()], [1, 1, 1]);
    }),
    { numRuns: RUNS },
  );
});

it('a reply holds its pin until its last byte is read', () => {
  const opened = open([20_000, 10], 0);
  let read = 0;
  while (read < opened.totalBytes) {
    assert.deepEqual([opened.store.unpins, opened.reply.isDone], [0, false]);
    read += opened.reply.read(Buffer.alloc(7))?.length ?? 0;
  }
  assert.deepEqual([opened.store.unpins, opened.reply.isDone], [1, true]);
});
