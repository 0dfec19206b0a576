// Bodies whose checksum is good and whose effects are not: a writer's mistake, never applied in silence.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { RecordingVisitor } from '../testing/journal-fixture.ts';
import { EffectReader, emptyLogState } from './effects.ts';
import { CLEAN, COMPACT, DELETE, LEASE_GRANT, MARK, PUT } from './format.ts';

const KEY = [0x6b, 0x65, 0x79];
const PUT_KEY = [PUT, 0, KEY.length, ...KEY];

function read(
  body: readonly number[],
  bytesBehind: readonly number[] = [],
): { wrong: string | undefined; lines: string[] } {
  const visitor = new RecordingVisitor();
  const bytes = Uint8Array.from([...body, ...bytesBehind]);
  const wrong = new EffectReader(visitor, emptyLogState(0)).read(bytes, 0, body.length);
  return { wrong, lines: visitor.lines };
}

test('an effect of an unknown type ends the reading, also amid others', () => {
  for (const type of [0, 12, 255]) {
    assert.deepEqual(read([...PUT_KEY, type, 0, ...PUT_KEY]), {
      wrong: `effect type ${type} is unknown`,
      lines: ['put 0 key'],
    });
  }
});

test('an effect that goes on behind the body is cut off, whatever bytes are there', () => {
  const grant = [LEASE_GRANT, 1, 2, 3, 4, 5, 6, 7, 8, 60];
  for (const effect of [PUT_KEY, [DELETE, 9, 0, KEY.length, ...KEY], grant, [COMPACT, 0x81, 1], [MARK, 5]]) {
    assert.equal(read(effect, effect).wrong, undefined);
    for (let bytes = 1; bytes < effect.length; bytes++) {
      const { wrong } = read([...PUT_KEY, ...effect.slice(0, bytes)], [...effect.slice(bytes), ...PUT_KEY]);
      assert.equal(wrong, 'an effect is cut off', `${effect[0]}, ${bytes} bytes of it`);
    }
  }
});

test('a value or a key that is cut off is not given to the visitor', () => {
  assert.deepEqual(read([PUT, 0, 4, ...KEY], [0x21]).lines, []);
  assert.deepEqual(read([DELETE, 9, 0, 4, ...KEY], [0x21]).lines, []);
});

test('a log is clean only while CLEAN is its last effect', () => {
  const state = emptyLogState(3);
  assert.equal(state.isClean, false);
  const reader = new EffectReader(new RecordingVisitor(), state);
  reader.read(Uint8Array.from([MARK, 9, CLEAN, 4]), 0, 4);
  assert.deepEqual([state.isClean, state.revision], [true, 4]);
  reader.read(Uint8Array.from([MARK, 2]), 0, 2);
  assert.deepEqual([state.isClean, state.revision], [false, 4]);
});
