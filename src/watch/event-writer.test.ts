import assert from 'node:assert/strict';
import { it } from 'node:test';
import { WatchResponse } from '../api/messages.ts';
import { Store } from '../store/store.ts';
import { EventWriter } from './event-writer.ts';

it('encodes an event once, and once more with the previous pair, whoever asks for it and how often', () => {
  const store = new Store({ hashSeed: 1 });
  const key = Buffer.from('key');
  for (let revision = 2; revision <= 3; revision++) {
    store.put(revision, 0, store.find(key, 0, key.length), key, 0, key.length, key, 0, key.length, 0n);
    store.commit(revision);
  }
  const events = new EventWriter(store);
  const first = store.historySeek(2);
  const asked: string[] = [];
  for (const [position, isPrevWanted] of [
    [first, false],
    [first, true],
    [first, false],
    [first + 1, false],
    [first + 1, true],
    [first + 1, true],
    [first + 1, false],
  ] as const) {
    events.encode(position, isPrevWanted);
    const { events: decoded } = WatchResponse.decode(events.buffer, events.start, events.end);
    assert.deepEqual(
      decoded.map(({ kv, prev_kv }) => [kv?.mod_revision, prev_kv?.mod_revision]),
      [[position - first + 2, isPrevWanted && position > first ? 2 : undefined]],
    );
    asked.push(`${events.start}-${events.end}`);
  }
  // The first put has no previous pair: with and without it is the same.
  const [one, , , two, three] = asked;
  assert.deepEqual(asked, [one, one, one, two, three, three, two]);
  assert.ok(three.endsWith(`-${events.bytes}`));
});
