import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { Stream } from './stream.ts';
import { StreamTable } from './stream-table.ts';

const RUNS = Number(process.env.K1M_RUNS ?? 200);

test('open streams are found by their ids, whatever others do', () => {
  const step = fc.record({ opens: fc.nat(12), skips: fc.nat(40), closes: fc.array(fc.nat(), { maxLength: 12 }) });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60, size: 'max' }), (steps) => {
      const table = new StreamTable();
      const open = new Map<number, Stream>();
      let id = 1;
      for (const { opens, skips, closes } of steps) {
        for (let i = 0; i < opens; i++, id += 2) open.set(id, table.open(id, 0, 0));
        id += 2 * skips;
        for (const which of closes) {
          const [closed, stream] = [...open][which % Math.max(1, open.size)] ?? [];
          if (closed === undefined || stream === undefined) continue;
          open.delete(closed);
          table.close(stream, false);
          assert.equal(table.find(closed), null);
        }
        for (const [known, stream] of open) assert.equal(table.find(known), stream);
        assert.equal(table.count, open.size);
      }
    }),
    { numRuns: RUNS },
  );
});

test('one of thousands of streams is closed without a look at the others', () => {
  const table = new StreamTable();
  const streams: Stream[] = [];
  const count = 60_000;
  const startMs = performance.now();
  // Some that stay, as watches do, and many that pass by.
  for (let i = 0; i < 15; i++) table.open(2 * i + 1, 0, 0);
  for (let i = 15; i < 20 * count; i++) {
    streams.push(table.open(2 * i + 1, 0, 0));
    if (streams.length <= count) continue;
    const oldest = streams[i - 15 - count];
    table.close(oldest, false);
  }
  // A walk over all of them for each would take an hour.
  assert(performance.now() - startMs < 30_000);
});
