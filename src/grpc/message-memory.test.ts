import assert from 'node:assert/strict';
import { it } from 'node:test';
import { MessageMemory } from './message-memory.ts';

it('memory is given to one request at a time, and again when that has run', () => {
  const memory = new MessageMemory();
  const first = memory.take(40_000);
  const second = memory.take(40_000);
  assert.ok(first.length >= 40_000 && second.length >= 40_000);
  assert.notEqual(first.buffer, second.buffer);
  memory.give(first);
  memory.give(second);
  const third = memory.take(10);
  assert.ok(third === first || third === second);
  assert.notEqual(memory.take(10), third);
});

it('memory that is too small for the next request is let go of, and large memory is not kept', () => {
  const memory = new MessageMemory();
  const small = memory.take(10);
  memory.give(small);
  assert.ok(memory.take(100_000).length >= 100_000);
  assert.notEqual(memory.take(10), small);
  const large = memory.take(1 << 20);
  assert.equal(large.length, 1 << 20);
  memory.give(large);
  assert.ok(memory.take(10).length < large.length);
});
