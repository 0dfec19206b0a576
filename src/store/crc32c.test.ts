import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { crc32c } from './crc32c.ts';

// RFC 3720, B.4, and the catalogue's check value.
const VECTORS: readonly (readonly [string, Uint8Array, number])[] = [
  ['nothing', Buffer.alloc(0), 0],
  ['the nine digits', Buffer.from('123456789'), 0xe3069283],
  ['32 bytes of zeroes', Buffer.alloc(32), 0x8a9136aa],
  ['32 bytes of ones', Buffer.alloc(32, 0xff), 0x62a8ab43],
  ['32 incrementing bytes', Uint8Array.from({ length: 32 }, (_, i) => i), 0x46dd794e],
  ['32 decrementing bytes', Uint8Array.from({ length: 32 }, (_, i) => 31 - i), 0x113fdb5c],
];

describe('crc32c', () => {
  for (const [name, bytes, expected] of VECTORS) {
    it(`gives the published value for ${name}`, () => assert.equal(crc32c(0, bytes, 0, bytes.length), expected));
  }

  it('gives the same wherever the input is cut in two', () => {
    const bytes = Uint8Array.from({ length: 45 }, (_, i) => (i * 37) & 255);
    const whole = crc32c(0, bytes, 0, bytes.length);
    for (let cut = 0; cut <= bytes.length; cut++) {
      assert.equal(crc32c(crc32c(0, bytes, 0, cut), bytes, cut, bytes.length), whole);
    }
  });
});
