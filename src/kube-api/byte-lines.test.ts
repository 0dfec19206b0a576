import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { ByteLines } from './byte-lines.ts';

function cutAt(text: string, cuts: readonly number[], lineBytesMax: number) {
  const bytes = Buffer.from(text);
  const lines = new ByteLines(lineBytesMax);
  const ends = [...cuts.map((cut) => cut % (bytes.length + 1)), bytes.length].sort((a, b) => a - b);
  return ends.flatMap((end, i) => lines.push(bytes.subarray(ends[i - 1] ?? 0, end)));
}

describe('byte lines', () => {
  test('are what split() makes of the text, however the bytes arrive', () => {
    const text = fc
      .array(fc.constantFrom('\n', 'a', 'bc', 'ü', '\r'), { maxLength: 40 })
      .map((parts) => parts.join(''));
    fc.assert(
      fc.property(text, fc.array(fc.nat(), { maxLength: 10 }), (lines, cuts) => {
        const expected = lines
          .split('\n')
          .slice(0, -1)
          .filter((line) => line !== '');
        assert.deepEqual(
          cutAt(lines, cuts, 1000).map((line) => line.text),
          expected,
        );
      }),
    );
  });

  test('above the limit are marked, and do not disturb the next', () => {
    const lines = cutAt(`short\n${'x'.repeat(10_000)}\nnext\n`, [8, 2_000, 9_000], 5_000);
    assert.deepEqual(
      lines.map(({ text, isCut }) => [text.length, isCut]),
      [
        [5, false],
        [4096, true],
        [4, false],
      ],
    );
  });
});
