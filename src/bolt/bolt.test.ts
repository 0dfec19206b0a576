import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { compareArrays } from '../base/bytes.ts';
import { CorruptionError } from '../journal/errors.ts';
import { type BucketContent, etcdSnapshot, readDatabase, writeDatabase } from './bolt-fixture.ts';
import type { Entry } from './bolt-plan.ts';
import { fnv64a } from './page-format.ts';

const pageSizes = fc.constantFrom(1024, 4096);

function entriesOf(keys: readonly Uint8Array[], sizes: readonly number[]): Entry[] {
  const sorted = [...keys].sort(compareArrays);
  const unique = sorted.filter((key, i) => i === 0 || compareArrays(sorted[i - 1], key) < 0);
  return unique.map((key, i): Entry => [key, Buffer.alloc(sizes[i % sizes.length], i)]);
}

/** Mostly small entries; some values are larger than a page, some keys half of one. */
const entries: fc.Arbitrary<Entry[]> = fc
  .tuple(
    fc.array(fc.uint8Array({ minLength: 1, maxLength: 40 }), { maxLength: 400 }),
    fc.array(fc.uint8Array({ minLength: 400, maxLength: 2000 }), { maxLength: 12 }),
    fc.array(fc.oneof(fc.nat(60), fc.nat(60), fc.nat(9000)), { minLength: 1, maxLength: 20 }),
  )
  .map(([short, long, sizes]) => entriesOf([...short, ...long], sizes));

const databases: fc.Arbitrary<BucketContent[]> = fc
  .uniqueArray(fc.string({ minLength: 1, maxLength: 12 }), { maxLength: 6 })
  .chain((names) => {
    const sorted = names.sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
    return fc.tuple(...sorted.map((name) => entries.map((list) => ({ name, entries: list }))));
  });

function plain(buckets: readonly BucketContent[]): unknown {
  return buckets.map(({ name, entries }) => [
    name,
    entries.map(([key, value]) => [Buffer.from(key).toString('hex'), Buffer.from(value).toString('hex')]),
  ]);
}

/** A tree of three levels of branches, so that damage meets every kind of page. */
function deepDatabase(): Buffer {
  const large = Array.from({ length: 3000 }, (_, i): Entry => {
    return [Buffer.from(`key ${String(i).padStart(90, '0')}`), Buffer.alloc(i % 500 === 0 ? 3000 : 60, i)];
  });
  const small: Entry[] = [[Buffer.from('term'), Buffer.alloc(8)]];
  return writeDatabase(
    [
      { name: 'key', entries: large },
      { name: 'meta', entries: small },
    ],
    1024,
  );
}

/** Reads a damaged file: it is the same, or other, or CorruptionError; nothing else may happen. */
async function readDamaged(content: Buffer): Promise<BucketContent[] | CorruptionError> {
  try {
    return await readDatabase(content);
  } catch (error) {
    assert(error instanceof CorruptionError, String(error));
    return error;
  }
}

describe('bolt', () => {
  it('reads back whatever was written, in pages of any size', async () => {
    await fc.assert(
      fc.asyncProperty(databases, pageSizes, async (buckets, pageBytes) => {
        const content = writeDatabase(buckets, pageBytes);
        assert.equal(content.length % pageBytes, 0);
        assert.deepEqual(plain(await readDatabase(content)), plain(buckets));
      }),
      { numRuns: 60 },
    );
  });

  it('writes a tree of several levels, in which every page is reached once', async () => {
    const read = await readDatabase(deepDatabase());
    assert.equal(read[0].entries.length, 3000);
    assert.equal(read[1].entries.length, 1);
  });

  it('reads what etcd wrote', async () => {
    const buckets = await readDatabase(etcdSnapshot());
    const counts = buckets.map(({ name, entries }) => `${name} ${entries.length}`);
    assert.deepEqual(counts, [
      'alarm 0',
      'auth 1',
      'authRoles 0',
      'authUsers 0',
      'cluster 1',
      'key 7',
      'lease 1',
      'members 1',
      'members_removed 0',
      'meta 6',
    ]);
    const [key, value] = buckets[5].entries[5];
    assert.equal(Buffer.from(key).toString('hex'), '00000000000000075f000000000000000074');
    assert.equal(Buffer.from(value).toString('hex'), '0a026b31');
  });

  it('takes the older meta page when the newer one is damaged', async () => {
    const content = deepDatabase();
    const whole = plain(await readDatabase(content));
    const flipped = Buffer.from(content);
    flipped[40] ^= 1;
    assert.deepEqual(plain(await readDatabase(flipped)), whole);
    flipped[1024 + 40] ^= 1;
    await assert.rejects(
      readDatabase(flipped),
      /memory.db is damaged at byte 0: the checksum of the meta page is wrong/,
    );
  });

  it('refuses a file that is cut off, foreign or empty', async () => {
    const content = deepDatabase();
    const cut = content.subarray(0, content.length - 1);
    await assert.rejects(readDatabase(cut), new RegExp(`at byte ${cut.length}: the file ends here`));
    await assert.rejects(readDatabase(Buffer.alloc(8192, 'x')), /it is not a bbolt database/);
    await assert.rejects(readDatabase(Buffer.alloc(0)), /it is too short for a bbolt database/);
  });

  it('survives any damage: it gives content or CorruptionError, and always ends', async () => {
    const content = deepDatabase();
    const pages = content.length / 1024;
    // The heads of pages are where damage matters.
    const place = fc.oneof(
      fc.nat(content.length - 1),
      fc.tuple(fc.nat(pages - 1), fc.nat(60)).map(([page, at]) => page * 1024 + at),
    );
    let refused = 0;
    await fc.assert(
      fc.asyncProperty(fc.array(fc.tuple(place, fc.nat(255)), { minLength: 1, maxLength: 4 }), async (changes) => {
        const damaged = Buffer.from(content);
        for (const [at, byte] of changes) damaged[at] = byte;
        if ((await readDamaged(damaged)) instanceof CorruptionError) refused++;
      }),
      { numRuns: 150 },
    );
    assert.notEqual(refused, 0);
  });

  it('finds a page that two elements of a branch lead to', async () => {
    const content = deepDatabase();
    const root = rootOfFirstBucket(content) * 1024;
    content.writeBigUInt64LE(content.readBigUInt64LE(root + 16 + 8), root + 32 + 8);
    await assert.rejects(readDatabase(content), /page \d+ is in use twice/);
  });

  it('says of each structure what is wrong with it', async () => {
    const whole = deepDatabase();
    const root = rootOfFirstBucket(whole) * 1024;
    // The first leaf: its header, then elements of 16 bytes; the key of element 0 is at its position.
    let leaf = root;
    while (whole.readUInt16LE(leaf + 8) !== 2) leaf = Number(whole.readBigUInt64LE(leaf + 16 + 8)) * 1024;
    const firstKey = leaf + 16 + whole.readUInt32LE(leaf + 16 + 4);
    // The leaf behind it.
    const next = leaf + (1 + whole.readUInt32LE(leaf + 12)) * 1024;
    const nextKey = next + 16 + whole.readUInt32LE(next + 16 + 4);
    const wrong: [change: (content: Buffer) => void, says: RegExp][] = [
      [(content) => content.writeUInt32LE(1 << 20, leaf + 12), /a page goes on outside of the file/],
      [(content) => content.writeUInt32LE(1 << 20, leaf + 16 + 12), /element 0 of a page lies outside of it/],
      [(content) => content.writeUInt32LE(4, leaf + 16 + 4), /element 0 of a page lies outside of it/],
      [(content) => content.writeUInt16LE(500, leaf + 10), /a page has 500 elements/],
      [(content) => content.writeUInt16LE(0, leaf + 10), /a leaf is empty/],
      [(content) => content.writeUInt16LE(16, leaf + 8), /a page has flags 16/],
      [(content) => content.writeBigUInt64LE(9n, leaf), /a page has another number/],
      [(content) => content.writeUInt8(0x7a, firstKey), /a key is not below its branch/],
      [(content) => content.writeUInt8(0x41, nextKey), /a key is out of order/],
      [(content) => content.writeBigUInt64LE(1n << 40n, root + 16 + 8), /page 1099511627776 is outside of the file/],
    ];
    for (const [change, says] of wrong) {
      const content = Buffer.from(whole);
      change(content);
      await assert.rejects(readDatabase(content), says);
    }
  });

  it('computes FNV-1a as published', () => {
    assert.equal(fnv64a(Buffer.from('foobar'), 0, 6), 0x85944171f73967e8n);
  });
});

/** From the root leaf in page 3: the header of the first bucket. */
function rootOfFirstBucket(content: Buffer): number {
  const at = 3 * 1024 + 16;
  const key = at + content.readUInt32LE(at + 4);
  return Number(content.readBigUInt64LE(key + content.readUInt32LE(at + 8)));
}
