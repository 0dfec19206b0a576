import assert from 'node:assert/strict';
import { it } from 'node:test';
import { base64, idText, quoted } from './byte-text.ts';

it('bytes are a line of text: letters of any script as they are, what ends or turns a line and what is no text escaped', () => {
  const cases: readonly (readonly [Uint8Array, string])[] = [
    [Buffer.from('/registry/pods/ä'), '"/registry/pods/ä"'],
    [Buffer.from('a "b" \\c'), '"a \\"b\\" \\\\c"'],
    [Buffer.from('two\nlines"'), '"two\\x0alines\\""'],
    [Buffer.from('a\u202eb'), '"a\\xe2\\x80\\xaeb"'],
    [Buffer.from([0xff, 0x41, 0x00]), '"\\xffA\\x00"'],
    [Buffer.from('~\x7f '), '"~\\x7f "'],
  ];
  for (const [bytes, text] of cases) assert.equal(quoted(bytes), text);
  assert.equal(quoted(Buffer.from('xkeyx'), 1, 4), '"key"');
});

it('in JSON they are base64, ids hexadecimal', () => {
  assert.equal(base64(Buffer.from('xkeyx'), 1, 4), 'a2V5');
  assert.deepEqual([idText(-1n), idText(0x1234n)], ['ffffffffffffffff', '1234']);
});
