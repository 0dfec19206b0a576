import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import { stripTypeScriptTypes } from 'node:module';
import { test } from 'node:test';
import { mutantsOf } from './mutants.ts';

const SOURCE = `// a < b
import { a } from './a.ts';
export function f(list: Array<number>, n: number): boolean {
  assert(n > 0, 'n > 0');
  if (list.length <= n && -n < 1_000_000) return true;
  this.#g(n + 1);
  const pattern = /[<>]+/;
  return pattern.test('<') || n % 2 === 0;
}
`;

test('comparisons, arithmetic, conditions, constants and statements are changed; types, texts and assertions are not', () => {
  assert.deepEqual(
    mutantsOf(SOURCE).map(({ line, change }) => `${line}: ${change}`),
    [
      '5: if (list.length <= n && -n < 1_000_000) becomes if (true)',
      '5: if (list.length <= n && -n < 1_000_000) becomes if (false)',
      '5: <= becomes <',
      '5: <= becomes >',
      '5: && becomes ||',
      '5: < becomes <=',
      '5: < becomes >=',
      '5: true becomes false',
      '6: left out: this.#g(n + 1);',
      '6: + becomes -',
      '6: 1 becomes 2',
      '8: || becomes &&',
      '8: % becomes +',
      '8: 2 becomes 3',
      '8: === becomes !==',
      '8: 0 becomes 1',
    ],
  );
});

test('every mutant of the journal and of the snapshots is a program', () => {
  let count = 0;
  for (const path of globSync('src/{journal,snapshot}/*.ts')) {
    if (path.endsWith('.test.ts')) continue;
    const source = readFileSync(path, 'utf8');
    const mutants = mutantsOf(source);
    count += mutants.length;
    for (const { start, end, replacement } of mutants.filter((_, index) => index % 25 === 0)) {
      stripTypeScriptTypes(source.slice(0, start) + replacement + source.slice(end));
    }
  }
  assert.ok(count > 1_000, `${count}`);
});
