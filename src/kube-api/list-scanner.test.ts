import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { ListError, ListScanner } from './list-scanner.ts';

function scan(text: string | Uint8Array, cuts: readonly number[] = [], itemBytesMax = 1 << 20) {
  const bytes = Buffer.from(text);
  const scanner = new ListScanner(itemBytesMax);
  const ends = [...cuts.map((cut) => cut % (bytes.length + 1)), bytes.length].sort((a, b) => a - b);
  const items = ends.flatMap((end, i) => scanner.push(bytes.subarray(ends[i - 1] ?? 0, end)));
  return { items, envelope: scanner.end() };
}

const items = fc.array(fc.dictionary(fc.string(), fc.jsonValue({ maxDepth: 4 })), { maxLength: 8 });
const cuts = fc.array(fc.nat(), { maxLength: 12 });
const surroundings = fc.dictionary(fc.constantFrom('kind', 'metadata', 'a"items', 'Items', 'x'), fc.jsonValue());

describe('the list scanner', () => {
  test('finds the items that JSON.parse finds, however the bytes arrive', () => {
    fc.assert(
      fc.property(surroundings, items, surroundings, cuts, fc.boolean(), (before, list, after, at, isIndented) => {
        const text = JSON.stringify({ ...before, items: list, ...after }, null, isIndented ? 2 : 0);
        const found = scan(text, at);
        assert.deepEqual(
          found.items.map((item) => JSON.parse(item.text)),
          JSON.parse(text).items,
        );
        assert.deepEqual({ ...found.envelope }, { ...JSON.parse(text), items: [] });
      }),
      { numRuns: 300 },
    );
  });

  test('never does more than throw a ListError, whatever bytes arrive', () => {
    const pieces = fc.constantFrom(
      '{',
      '}',
      '[',
      ']',
      '"',
      '\\',
      ':',
      ',',
      '"items":[',
      '1',
      ' ',
      'null',
      '\u0000',
      'é',
    );
    fc.assert(
      fc.property(fc.array(pieces, { maxLength: 40 }), cuts, (words, at) => {
        try {
          scan(`{${words.join('')}`, at);
        } catch (error) {
          assert.ok(error instanceof ListError, String(error));
        }
      }),
      { numRuns: 500 },
    );
  });

  test('takes a list without items, or with null, as empty', () => {
    for (const text of ['{"metadata":{"resourceVersion":"1"}}', '{"items":null}', '{"items":[ ]}']) {
      assert.deepEqual(scan(text).items, []);
    }
  });

  test('skips an item that is too long, and keeps its beginning', () => {
    const long = { metadata: { name: 'huge' }, filler: 'x'.repeat(10_000) };
    const { items: found } = scan(JSON.stringify({ items: [{ a: 1 }, long, { b: 2 }] }), [50, 5_000], 9_000);
    assert.deepEqual(
      found.map(({ isCut }) => isCut),
      [false, true, false],
    );
    assert.match(found[1].text, /^\{"metadata":\{"name":"huge"/);
    assert.equal(found[1].text.length, 4096);
    assert.deepEqual(JSON.parse(found[2].text), { b: 2 });
  });

  for (const [name, text] of [
    ['a list cut off', '{"metadata":{},"items":[{"a":1}'],
    ['a number among the items', '{"items":[{"a":1},7]}'],
    ['a string among the items', '{"items":["a"]}'],
    ['an array among the items', '{"items":[[]]}'],
    ['an array in place of the list', '[1]'],
    ['too many brackets', '{}}'],
    ['a page of HTML', '<html></html>'],
    ['more than a megabyte besides the items', `{"metadata":"${'x'.repeat(1 << 20)}"}`],
  ]) {
    test(`refuses ${name}`, () => {
      assert.throws(() => scan(text), ListError);
    });
  }
});
