// The judge itself: it must notice what a test notices, and nothing else.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { Judge, type TimedTest } from './judge.ts';
import { type Mutant, mutantsOf } from './mutants.ts';

const PATH = 'src/journal/format.ts';
const FILE = 'src/journal/format.test.ts';
const ALL: readonly Mutant[] = mutantsOf(readFileSync(join(import.meta.dirname, '../..', PATH), 'utf8'));
const judge = new Judge();
after(() => judge.close());

async function verdictOf(within: string, change: string, tests: readonly TimedTest[]): Promise<string> {
  const index = ALL.findIndex((each) => each.within === within && each.change === change);
  assert.ok(index >= 0, `${within}: ${change}`);
  return (await judge.judge(PATH, index, ALL[index], tests)).verdict;
}

async function testsOf(file: string): Promise<TimedTest[]> {
  const listed = await judge.ask({ kind: 'list', file }, { ms: 5000, cpuMs: 5000 });
  const names = typeof listed === 'object' ? (listed.names ?? []) : [];
  return names.map((name) => ({ file, name, ms: 20, cpuMs: 20 }));
}

test('a mutant is noticed by a test that is about it, and by no other', async () => {
  const tests = await testsOf(FILE);
  const reading = tests.filter(({ name }) => name.includes('header of a segment'));
  assert.equal(reading.length, 1);
  assert.equal(await verdictOf('readUint64', '+ becomes -', reading), 'noticed');
  assert.equal(await verdictOf('paddedBytes', '- becomes +', reading), 'survived');
  assert.equal(await verdictOf('', '24 becomes 25', reading), 'survived', 'in a process of its own');
  assert.equal(await verdictOf('readUint64', '+ becomes -', reading), 'noticed', 'not in that one');
  assert.equal(await verdictOf('', '24 becomes 25', tests), 'noticed', 'in a process of its own');
  assert.equal(await verdictOf('paddedBytes', '- becomes +', reading), 'survived');
});

test('a test that comes to no end is ended', async () => {
  const path = 'src/journal/batch-writer.ts';
  const all = mutantsOf(readFileSync(join(import.meta.dirname, '../..', path), 'utf8'));
  const index = all.findIndex(({ within, change }) => within === '#varint' && change === '/ becomes *');
  const tests = await testsOf('src/journal/batch-writer.test.ts');
  const large = tests.filter(({ name }) => name.includes('at every length'));
  assert.equal((await judge.judge(path, index, all[index], large)).verdict, 'did not end');
});
