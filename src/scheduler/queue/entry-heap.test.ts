import assert from 'node:assert/strict';
import { it } from 'node:test';
import fc from 'fast-check';
import { EntryHeap } from './entry-heap.ts';
import { byPriority, QueueEntry } from './queue-entry.ts';

class Entry extends QueueEntry {
  readonly uid: string;

  constructor(order: number, priority: number) {
    super();
    this.uid = `pod-${order}`;
    this.order = order;
    this.priority = priority;
  }
}

it('a heap gives what a sorted list gives, whichever entries leave from where they are', () => {
  const step = fc.record({
    kind: fc.constantFrom('add', 'add', 'add', 'take', 'remove'),
    priority: fc.nat(50),
    which: fc.nat(),
  });
  fc.assert(
    fc.property(fc.array(step, { minLength: 100, maxLength: 200 }), (steps) => {
      const heap = new EntryHeap(byPriority);
      const sorted: Entry[] = [];
      for (const [order, { kind, priority, which }] of steps.entries()) {
        if (kind === 'add') {
          const entry = new Entry(order, priority);
          heap.add(entry);
          sorted.push(entry);
          sorted.sort(byPriority);
        } else if (kind === 'take') {
          assert.equal(heap.takeFirst(), sorted.shift());
        } else if (sorted.length > 0) {
          const [entry] = sorted.splice(which % sorted.length, 1);
          heap.remove(entry);
          assert.equal(entry.heapIndex, -1);
        }
        assert.equal(heap.size, sorted.length);
        assert.equal(heap.first, sorted[0]);
      }
    }),
  );
});
