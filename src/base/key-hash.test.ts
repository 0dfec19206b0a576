import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { KeyHash } from './key-hash.ts';

const SEEDS = [0, 1, 2, 0xffff_ffff, 0x6b31_6d00] as const;

function hashesOf(seed: number, keys: readonly Uint8Array[]): Set<number> {
  const hash = new KeyHash(seed);
  return new Set(keys.map((key) => hash.of(key, 0, key.length)));
}

describe('the hash of keys', () => {
  it('differs under another seed', () => {
    const key = Buffer.from('/registry/leases/kube-node-lease/node-000001');
    assert.equal(new Set(SEEDS.map((seed) => new KeyHash(seed).of(key, 0, key.length))).size, SEEDS.length);
  });

  it('is of the bytes between start and end, wherever they lie', () => {
    const hash = new KeyHash(7);
    const key = Buffer.from(
      '/registry/pods/default/a-name-that-makes-the-key-longer-than-the-tables-of-one-block/and-more',
    );
    const around = Buffer.concat([Buffer.from('xx'), key, Buffer.from('y')]);
    for (let length = 1; length <= key.length; length++) {
      assert.equal(hash.of(around, 2, 2 + length), hash.of(key.subarray(0, length), 0, length), `${length} bytes`);
    }
  });

  it('tells keys apart by each byte, and by their length', () => {
    const key = new Uint8Array(200);
    const keys = [key];
    for (let at = 0; at < key.length; at++) {
      for (const byte of [1, 0x80, 0xff]) {
        const changed = Uint8Array.from(key);
        changed[at] = byte;
        keys.push(changed);
      }
    }
    for (let length = 1; length < key.length; length++) keys.push(new Uint8Array(length));
    for (const seed of SEEDS) assert.equal(hashesOf(seed, keys).size, keys.length);
  });

  // 100,000 random hashes of 32 bits have 1.2 pairs in common on average; here they come seldom, but then many at once.
  for (const [what, nameOf] of [
    ['counted up', (i: number) => `/registry/pods/default/web-${i}`],
    [
      'counted up in digits of one length',
      (i: number) => `/registry/leases/kube-node-lease/node-${String(i).padStart(7, '0')}`,
    ],
    ['counted up in front of a long tail', (i: number) => `/registry/pods/ns-${i}/${'a'.repeat(70)}`],
  ] as const) {
    it(`seldom has the same for names ${what}`, () => {
      const keys = Array.from({ length: 100_000 }, (_, i) => Buffer.from(nameOf(i)));
      for (const seed of SEEDS) assert.ok(keys.length - hashesOf(seed, keys).size < 200, `seed ${seed}`);
    });
  }

  it('has no collisions that words of four bytes cancel out', () => {
    // In a hash that multiplies word by word, a flipped highest bit of one word is undone by two bits of the next.
    const keys = Array.from({ length: 1024 }, (_, choice) => {
      const key = Buffer.alloc(80, 'k');
      for (let pair = 0; pair < 10; pair++) {
        if (((choice >> pair) & 1) === 0) continue;
        key[8 * pair + 3] ^= 0x80;
        key[8 * pair + 7] ^= 0x80;
        key[8 * pair + 6] ^= 0x01;
      }
      return key;
    });
    for (const seed of SEEDS) assert.ok(keys.length - hashesOf(seed, keys).size <= 1, `seed ${seed}`);
  });
});
