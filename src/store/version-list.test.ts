import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { KeyValueView } from './key-value.ts';
import { Store } from './store.ts';
import type { VersionList } from './version-list.ts';

/** A change as it was made; `value` undefined = a deletion. */
interface Change {
  readonly main: number;
  readonly sub: number;
  readonly key: string;
  readonly value: string | undefined;
}

/** A store and all its changes. */
class Twin {
  readonly store = new Store({ segmentBytes: 4096 });
  readonly changes: Change[] = [];
  compactRevision = -1;

  /** One revision: each key is put, or deleted when it is live; a key can be given twice. */
  change(keys: readonly number[], seed: number): void {
    const { store } = this;
    const main = store.currentRevision + 1;
    let sub = 0;
    for (const number of keys) {
      const key = `key ${number}`;
      const bytes = Buffer.from(key);
      const row = store.find(bytes, 0, bytes.length);
      const isLive = row >= 0 && store.isLive(row);
      const touched = this.changes.some((change) => change.main === main && change.key === key);
      if (isLive && (seed + number) % 3 === 0) {
        store.delete(main, sub, row);
        this.changes.push({ main, sub: sub++, key, value: undefined });
      } else if (!isLive || !touched) {
        const value = Buffer.from(`${main} ${sub} ${'x'.repeat(seed % 50)}`);
        store.put(main, sub, row, bytes, 0, bytes.length, value, 0, value.length, 0n);
        this.changes.push({ main, sub: sub++, key, value: value.toString() });
      }
    }
    if (sub > 0) store.commit(main);
  }

  compact(revision: number): void {
    if (revision <= this.compactRevision || revision > this.store.currentRevision) return;
    this.store.compact(revision);
    this.compactRevision = revision;
  }

  /** What the list at `revision` must hold when the compacted revision is `compactRevision`. */
  expected(revision: number, compactRevision: number): string[] {
    const upTo = this.changes.filter((change) => change.main <= revision);
    return upTo.filter((change, i) => isKept(change, upTo.slice(i + 1), compactRevision)).map(describeChange);
  }
}

function isKept(change: Change, later: readonly Change[], compactRevision: number): boolean {
  if (change.main > compactRevision) return true;
  const isReplaced = later.some((other) => other.key === change.key && other.main <= compactRevision);
  if (change.value === undefined) return change.main === compactRevision;
  return !isReplaced;
}

function describeChange({ main, sub, key, value }: Change): string {
  return `${main}.${sub} ${key} ${value === undefined ? 'deleted' : `= ${value}`}`;
}

function contentOf(store: Store, list: VersionList): string[] {
  const view = new KeyValueView();
  const lines: string[] = [];
  let deletion = 0;
  for (let i = 0; i < list.count; i++) {
    const item = list.item(i);
    const address = Math.abs(item);
    const segment = Buffer.from(store.segmentOf(address));
    view.read(segment, store.kvStart(address), store.kvEnd(address));
    const key = segment.toString('utf8', view.keyStart, view.keyEnd);
    const value = item < 0 ? undefined : segment.toString('utf8', view.valueStart, view.valueEnd);
    const main = item < 0 ? list.deletionMain(deletion) : view.modRevision;
    const sub = item < 0 ? list.deletionSub(deletion++) : store.recordSub(item);
    lines.push(describeChange({ main, sub, key, value }));
  }
  assert.equal(deletion, list.deletionCount);
  return lines;
}

const keys = fc.array(fc.nat(11), { minLength: 1, maxLength: 5 });
const changes = fc.array(fc.tuple(keys, fc.nat(100)), { maxLength: 30 });

describe('version list', () => {
  it('holds what etcd keeps, in its order, while changes and compactions go on', () => {
    fc.assert(
      fc.property(changes, changes, fc.nat(40), fc.nat(40), fc.integer({ min: 1, max: 9 }), (...input) => {
        const [before, meanwhile, compactAt, compactLater, units] = input;
        const twin = new Twin();
        for (const [list, seed] of before) twin.change(list, seed);
        twin.compact(compactAt);
        twin.store.compactStep(compactAt);
        const revision = twin.store.currentRevision;
        const { compactRevision } = twin;
        const list = twin.store.listVersions(revision);
        let next = 0;
        while (!list.step(units)) {
          if (next < meanwhile.length) twin.change(...meanwhile[next++]);
          if (next === 3) twin.compact(compactLater);
          twin.store.compactStep(units);
        }
        // From here on compaction goes on below the list.
        twin.compact(twin.store.currentRevision);
        while (!twin.store.compactStep(1000));
        assert.deepEqual(contentOf(twin.store, list), twin.expected(revision, compactRevision));
        list.close();
        list.close();
      }),
      { numRuns: 300 },
    );
  });

  it('counts a revision that was jumped to as compacted', () => {
    const twin = new Twin();
    twin.change([1, 2], 1);
    twin.change([1], 1);
    twin.store.jumpTo(50);
    const list = twin.store.listVersions(50);
    while (!list.step(100));
    assert.equal(list.compactRevision, 50);
    assert.deepEqual(contentOf(twin.store, list), twin.expected(50, 50));
    list.close();
  });

  it('lets compaction go on when it is given up', () => {
    const twin = new Twin();
    for (let i = 0; i < 20; i++) twin.change([i % 3], 1);
    const list = twin.store.listVersions(twin.store.currentRevision);
    twin.compact(10);
    assert.equal(list.step(1), false);
    assert.equal(twin.store.compactStep(1000), false);
    list.close();
    assert.equal(twin.store.compactStep(1000), true);
  });

  it('is empty for an empty store', () => {
    const list = new Store().listVersions(1);
    assert.equal(list.step(10), true);
    assert.deepEqual([list.count, list.compactRevision], [0, -1]);
    list.close();
  });
});
