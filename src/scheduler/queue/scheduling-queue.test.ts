import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { NOMINATED, PREEMPTING } from './cluster-event.ts';
import { QueueEntry } from './queue-entry.ts';
import { type Arrival, SchedulingQueue } from './scheduling-queue.ts';

const FIT = new Set(['NodeResourcesFit']);

interface Pod extends Arrival {
  readonly uid: string;
}

class PodEntry extends QueueEntry {
  readonly uid: string;

  constructor(uid: string) {
    super();
    this.uid = uid;
  }
}

/** With its pods, as a scheduler knows them. */
class PodQueue extends SchedulingQueue {
  readonly #entries: Map<string, PodEntry>;

  constructor() {
    const entries = new Map<string, PodEntry>();
    super((uid) => entries.get(uid));
    this.#entries = entries;
  }

  addPod({ uid, ...arrival }: Pod): PodEntry {
    const entry = this.#entries.get(uid) ?? new PodEntry(uid);
    this.#entries.set(uid, entry);
    this.add(entry, arrival);
    return entry;
  }

  override remove(uid: string): void {
    super.remove(uid);
    this.#entries.delete(uid);
  }
}

function pod(uid: string, priority = 0): Pod {
  return { uid, priority, isGated: false };
}

/** Everything that is due, in order. */
function popAll(queue: SchedulingQueue, nowMs: number): string[] {
  const uids: string[] = [];
  for (let uid = queue.pop(nowMs); uid !== undefined; uid = queue.pop(nowMs)) uids.push(uid);
  return uids;
}

describe('the scheduling queue', () => {
  it('gives pods by priority, then by arrival', () => {
    const queue = new PodQueue();
    for (const each of [pod('a'), pod('b', 5), pod('c'), pod('d', 5)]) queue.addPod(each);
    assert.deepEqual(popAll(queue, 0), ['b', 'd', 'a', 'c']);
  });

  it('keeps gated pods until they have no gates', () => {
    const queue = new PodQueue();
    queue.addPod({ ...pod('a'), isGated: true });
    assert.deepEqual([popAll(queue, 0), queue.counts.gated], [[], 1]);
    queue.addPod(pod('a'));
    assert.deepEqual(popAll(queue, 0), ['a']);
  });

  it('wakes one pod of a class, and the next when that one is placed', () => {
    const queue = new PodQueue();
    for (const uid of ['a', 'b', 'c']) {
      queue.addPod(pod(uid));
      queue.pop(0);
      queue.refused(uid, 'class', FIT, 0);
    }
    assert.equal(queue.pop(100_000), undefined);
    queue.wake('pod-removed');
    assert.deepEqual(popAll(queue, 100_000), ['a']);
    queue.wake('pod-removed');
    assert.equal(queue.pop(100_000), undefined, 'the first has not been decided on');
    queue.placed('a');
    assert.deepEqual(popAll(queue, 100_000), ['b']);
    queue.refused('b', 'class', FIT, 100_000);
    assert.deepEqual([popAll(queue, 100_000), queue.counts.unschedulable], [[], 2]);
  });

  it('wakes the pods that an event concerns out of their turn, and parks them again where they belong', () => {
    const queue = new PodQueue();
    const park = (uid: string, key: string, nowMs: number): void =>
      queue.refused(uid, key, new Set(['VolumeBinding']), nowMs);
    for (const uid of ['a', 'b', 'c']) {
      queue.addPod(pod(uid));
      queue.pop(0);
      park(uid, 'class', 0);
    }
    queue.wakePods(['c', 'nobody'], 'pod-removed');
    assert.equal(queue.pop(100_000), undefined, 'room does not help them');
    queue.wakePods(['c', 'nobody'], 'claim-changed');
    assert.deepEqual(popAll(queue, 100_000), ['c']);
    park('c', 'other', 100_000);
    queue.wake('node-added');
    assert.deepEqual(popAll(queue, 200_000), ['a', 'c'], 'the first of each class');
    park('c', 'class', 200_000);
    queue.placed('a');
    assert.deepEqual(popAll(queue, 300_000), ['b']);
    queue.placed('b');
    assert.deepEqual(popAll(queue, 300_000), ['c']);
    queue.placed('c');
    assert.deepEqual(queue.counts, { active: 0, backoff: 0, unschedulable: 0, gated: 0 });
  });

  const APART = [
    ['volume-changed', 'VolumeBinding'],
    ['storage-class-changed', 'VolumeBinding'],
    ['csi-driver-changed', 'VolumeBinding'],
    ['capacity-grown', 'VolumeBinding'],
    ['object-changed', 'PodTopologySpread'],
  ] as const;
  for (const [event, plugin] of APART) {
    it(`wakes all pods of a class when they may have been set apart: ${event}`, () => {
      const queue = new PodQueue();
      for (const uid of ['a', 'b']) {
        queue.addPod(pod(uid));
        queue.pop(0);
        queue.refused(uid, 'class', new Set([plugin]), 0);
      }
      queue.wake(event);
      assert.deepEqual(popAll(queue, 0), ['a', 'b']);
    });
  }

  it('leaves a pod that waits for its nominated node to what happens there', () => {
    const queue = new PodQueue();
    for (const uid of ['a', 'b']) {
      queue.addPod(pod(uid));
      queue.pop(0);
    }
    queue.refused('b', 'class', FIT, 0);
    queue.parkAlone('a', PREEMPTING, 0);
    queue.wake('node-added');
    queue.wakePods(['a'], 'nominated-node-changed');
    assert.deepEqual(popAll(queue, 20_000), ['b'], 'its victims are being deleted');
    queue.refused('b', 'class', FIT, 20_000);
    queue.parkAlone('a', NOMINATED, 20_000);
    queue.wake('pod-removed');
    assert.deepEqual(popAll(queue, 40_000), ['b'], 'room elsewhere');
    queue.wakePods(['a'], 'nominated-node-changed');
    assert.deepEqual(popAll(queue, 60_000), ['a']);
    queue.parkAlone('a', NOMINATED, 60_000);
    queue.wake('node-added');
    queue.parkAlone('a', PREEMPTING, 60_000);
    assert.deepEqual(popAll(queue, 80_000), ['a'], 'it was woken before');
    queue.placed('a');
    assert.deepEqual(queue.counts, { active: 0, backoff: 0, unschedulable: 0, gated: 0 });
  });

  it('does not wake for what cannot help', () => {
    const queue = new PodQueue();
    queue.addPod(pod('a'));
    queue.pop(0);
    queue.refused('a', 'class', new Set(['NodeAffinity']), 0);
    queue.wake('pod-removed');
    assert.equal(queue.pop(100_000), undefined);
    queue.wake('node-labels');
    assert.equal(queue.pop(100_000), 'a');
  });

  it('counts who is placed because the time alone has woken it', () => {
    const queue = new PodQueue();
    for (const uid of ['a', 'b']) {
      queue.addPod(pod(uid));
      queue.pop(0);
      queue.refused(uid, uid, FIT, 0);
    }
    queue.wake('node-added');
    assert.equal(queue.pop(1000), 'a');
    queue.refused('a', 'a', FIT, 1000);
    queue.flushParked(301_000);
    assert.deepEqual(popAll(queue, 301_000), ['a', 'b']);
    queue.placed('b');
    queue.refused('a', 'a', FIT, 301_000);
    queue.wake('node-added');
    assert.deepEqual(popAll(queue, 400_000), ['a']);
    queue.placed('a');
    assert.equal(queue.placedAfterFlush, 0, 'b had been woken by an event, a was refused once more');
    queue.addPod(pod('c'));
    queue.pop(400_000);
    queue.refused('c', 'c', FIT, 400_000);
    queue.flushParked(700_000);
    assert.equal(queue.pop(700_000), 'c');
    queue.placed('c');
    assert.equal(queue.placedAfterFlush, 1);
    queue.addPod(pod('d'));
    queue.pop(700_000);
    queue.refused('d', 'd', FIT, 700_000);
    queue.flushParked(1_000_000);
    assert.equal(queue.pop(1_000_000), 'd');
    queue.failed('d', 1_000_000);
    assert.equal(queue.pop(1_010_000), 'd');
    queue.placed('d');
    assert.equal(queue.placedAfterFlush, 1, 'd was woken once more, by its backoff');
  });

  it('tries what waits again after a time of its own', () => {
    const entry = new PodEntry('a');
    const queue = new SchedulingQueue(() => entry, undefined, 60_000);
    queue.add(entry, { priority: 0, isGated: false });
    queue.pop(0);
    queue.refused('a', 'class', FIT, 0);
    queue.flushParked(59_999);
    assert.equal(queue.pop(59_999), undefined);
    queue.flushParked(60_000);
    assert.equal(queue.pop(60_000), 'a');
  });

  it('takes what backs off early when nothing else is there, but not what failed', () => {
    const queue = new PodQueue();
    for (const uid of ['a', 'b']) queue.addPod(pod(uid));
    assert.deepEqual(popAll(queue, 0), ['a', 'b']);
    queue.refused('a', 'class', FIT, 0);
    queue.failed('b', 0);
    queue.wake('node-added');
    assert.equal(queue.nextDueMs, 1000);
    assert.deepEqual(popAll(queue, 500), ['a']);
    assert.deepEqual(popAll(queue, 1000), ['b']);
  });

  it('wakes what was parked for five minutes', () => {
    const queue = new PodQueue();
    queue.addPod(pod('a'));
    queue.pop(0);
    queue.refused('a', 'class', FIT, 0);
    queue.flushParked(299_999);
    assert.equal(queue.pop(299_999), undefined);
    queue.flushParked(300_000);
    assert.equal(queue.pop(300_000), 'a');
  });

  it('lets the next of a class go when the woken one is deleted', () => {
    const queue = new PodQueue();
    for (const uid of ['a', 'b']) {
      queue.addPod(pod(uid));
      queue.pop(0);
      queue.refused(uid, 'class', FIT, 0);
    }
    queue.wake('node-added');
    queue.remove('a');
    assert.equal(queue.pop(0), 'b');
  });

  /** Pods that have been refused, of one class. */
  function parked(uids: readonly string[], plugins: ReadonlySet<string> = FIT): PodQueue {
    const queue = new PodQueue();
    for (const uid of uids) {
      queue.addPod(pod(uid));
      queue.pop(0);
      queue.refused(uid, 'class', plugins, 0);
    }
    return queue;
  }

  it('lets the next of a class go when the woken one fails, and nobody when one fails that was woken out of its turn', () => {
    const queue = parked(['a', 'b', 'c']);
    queue.wakePods(['c'], 'pod-removed');
    assert.deepEqual(popAll(queue, 0), ['c']);
    queue.failed('c', 0);
    assert.deepEqual(popAll(queue, 0), []);
    queue.wake('node-added');
    assert.deepEqual(popAll(queue, 0), ['a']);
    queue.failed('a', 0);
    assert.deepEqual(popAll(queue, 0), ['b']);
  });

  it('has no class left whose pods have all been woken', () => {
    const alone = parked(['a']);
    alone.wakePods(['a'], 'pod-removed');
    alone.wake('node-added');
    assert.deepEqual(popAll(alone, 0), ['a']);
    const together = parked(['a', 'b'], new Set(['PodTopologySpread']));
    together.wake('object-changed');
    together.wake('node-added');
    assert.deepEqual(popAll(together, 0), ['a', 'b']);
  });

  it('leaves a pod at its place and with its attempts when it is another by now, and nothing of one that was placed', () => {
    const queue = new PodQueue();
    for (const uid of ['a', 'b']) queue.addPod(pod(uid));
    queue.addPod(pod('a'));
    assert.equal(queue.pop(0), 'a');
    queue.addPod(pod('a'));
    assert.deepEqual(popAll(queue, 0), ['b'], 'the other one is being decided on');
    queue.refused('a', 'class', FIT, 0);
    queue.addPod(pod('a'));
    assert.equal(queue.pop(0), 'a');
    queue.failed('a', 0);
    assert.equal(queue.nextDueMs, 2000);
    assert.equal(queue.pop(2000), 'a');
    queue.placed('a');
    queue.addPod(pod('a'));
    assert.equal(queue.pop(2000), 'a');
    queue.failed('a', 2000);
    assert.equal(queue.nextDueMs, 3000);
  });

  it('goes by what refused the class the last time, and when that was', () => {
    const queue = parked(['a', 'b']);
    queue.wake('node-added');
    assert.equal(queue.pop(0), 'a');
    queue.refused('a', 'class', new Set(['NodeAffinity']), 200_000);
    queue.wake('pod-removed');
    assert.deepEqual(popAll(queue, 200_000), []);
    queue.flushParked(300_000);
    assert.deepEqual(popAll(queue, 300_000), []);
    queue.flushParked(500_000);
    assert.deepEqual(popAll(queue, 500_000), ['a', 'b']);
  });

  it('tries a pod that could not be bound the later the more often that was, however often it was refused', () => {
    const queue = new PodQueue();
    const entry = queue.addPod(pod('a'));
    for (const failures of [1, 2]) {
      const nowMs = failures * 100_000;
      assert.equal(queue.pop(nowMs), 'a');
      queue.refused('a', 'class', FIT, nowMs);
      queue.wake('node-added');
      assert.equal(queue.pop(nowMs), 'a');
      queue.placed('a');
      queue.again(entry, pod('a'), failures, nowMs);
      assert.equal(queue.nextDueMs - nowMs, failures * 1000);
    }
  });

  it('gives every pod again and again until it is placed or gone, whatever happens', () => {
    const step = fc.record({
      kind: fc.constantFrom('add', 'remove', 'pop', 'pop', 'pop', 'wake', 'pass'),
      which: fc.nat(11),
      outcome: fc.constantFrom('placed', 'refused', 'refused', 'failed'),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 120 }), (steps) => {
        const queue = new PodQueue();
        const waiting = new Set<string>();
        let nowMs = 0;
        for (const { kind, which, outcome } of steps) {
          const uid = `p${which}`;
          if (kind === 'add') {
            queue.addPod(pod(uid, which % 3));
            waiting.add(uid);
          } else if (kind === 'remove') {
            queue.remove(uid);
            waiting.delete(uid);
          } else if (kind === 'wake') queue.wake('pod-removed');
          else if (kind === 'pass') nowMs += 700 * which;
          else {
            const next = queue.pop(nowMs);
            if (next === undefined) continue;
            assert.ok(waiting.has(next));
            if (outcome === 'placed') {
              queue.placed(next);
              waiting.delete(next);
            } else if (outcome === 'refused') queue.refused(next, `class ${which % 2}`, FIT, nowMs);
            else queue.failed(next, nowMs);
          }
          const { active, backoff, unschedulable, gated } = queue.counts;
          assert.equal(active + backoff + unschedulable + gated, waiting.size);
        }
        const given = new Set<string>();
        for (let i = 0; i < 20; i++) {
          nowMs += 20_000;
          queue.wake('node-added');
          for (let uid = queue.pop(nowMs); uid !== undefined; uid = queue.pop(nowMs)) {
            given.add(uid);
            queue.placed(uid);
          }
        }
        assert.deepEqual(given, waiting);
      }),
      { numRuns: 300 },
    );
  });
});
