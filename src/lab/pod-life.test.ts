import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { keyOf } from '../kube-api/object-head.ts';
import { PodLife, type PodStep, stepOf } from './pod-life.ts';
import type { PodView } from './pod-view.ts';

const RUNS = Number(process.env.K1M_RUNS ?? 300);
const WALL_MS = 1_700_000_000_000;
const OPTIONS = { isOwnNode: (name: string) => name === 'ours', jobMs: 5000, stopMs: 1000, waitingMax: 4 };
const BOUND: PodView = {
  namespace: 'default',
  name: 'a',
  uid: 'u',
  nodeName: 'ours',
  phase: 'Pending',
  address: '',
  isToEnd: false,
  startedMs: 0,
  isTerminating: false,
  graceSeconds: 0,
};

function now(nowMs: number): { nowMs: number; wallMs: number } {
  return { nowMs, wallMs: WALL_MS + nowMs };
}

describe('what a kubelet has to do', () => {
  const steps: readonly (readonly [string, Partial<PodView>, PodStep | undefined])[] = [
    ['a pod that is bound', {}, 'start'],
    ['a pod that runs for ever', { phase: 'Running' }, undefined],
    ['a pod that runs and is to end', { phase: 'Running', isToEnd: true }, 'finish'],
    ['a pod that has ended', { phase: 'Succeeded', isToEnd: true }, undefined],
    ['a pod that is deleted before it runs', { isTerminating: true, graceSeconds: 30 }, 'stop'],
    ['a pod that is deleted while it runs', { phase: 'Running', isTerminating: true, graceSeconds: 30 }, 'stop'],
    ['a pod that has ended and is deleted', { phase: 'Failed', isTerminating: true, graceSeconds: 30 }, 'remove'],
    ['a pod that only finalizers hold', { phase: 'Failed', isTerminating: true }, undefined],
  ];
  for (const [name, view, step] of steps) {
    it(`for ${name} is ${step ?? 'nothing'}`, () => assert.equal(stepOf({ ...BOUND, ...view }), step));
  }

  it('is due when it should be, once', () => {
    const life = new PodLife(OPTIONS);
    life.set({ ...BOUND, phase: 'Running', isToEnd: true, startedMs: WALL_MS }, now(2000));
    life.set({ ...BOUND, name: 'b', phase: 'Running', isTerminating: true, graceSeconds: 30 }, now(2000));
    life.set({ ...BOUND, name: 'c', phase: 'Running', isTerminating: true, graceSeconds: 0 }, now(2000));
    const taken = (nowMs: number): (string | undefined)[] => [life.next(nowMs)?.key, life.next(nowMs)?.key];
    assert.deepEqual(taken(2000), ['default/c', undefined]);
    assert.deepEqual(taken(2999), [undefined, undefined]);
    assert.deepEqual(taken(3000), ['default/b', undefined]);
    assert.deepEqual(taken(5000), ['default/a', undefined]);
    assert.equal(life.size, 3);
  });

  it('is due sooner when the grace of a deletion is shortened, and not once more when it is under way', () => {
    const life = new PodLife({ ...OPTIONS, stopMs: 20_000 });
    const deleted = { ...BOUND, phase: 'Running', isTerminating: true, graceSeconds: 30 };
    life.set(deleted, now(0));
    life.set({ ...deleted, graceSeconds: 2 }, now(1000));
    assert.equal(life.next(2999), undefined);
    assert.equal(life.next(3000)?.key, 'default/a');
    life.set({ ...deleted, graceSeconds: 0 }, now(3001));
    assert.deepEqual([life.size, life.next(1e9)], [1, undefined]);
  });

  it('is due again after a wait that doubles when it could not be done, and no more when it was', () => {
    const life = new PodLife(OPTIONS);
    life.set(BOUND, now(0));
    let nowMs = 0;
    for (const waitMs of [500, 1000, 2000, 4000, 8000, 16_000, 30_000, 30_000]) {
      const task = life.next(nowMs);
      assert(task !== undefined);
      life.failed(task, nowMs);
      assert.equal(life.next(nowMs + waitMs - 1), undefined);
      nowMs += waitMs;
    }
    const task = life.next(nowMs);
    assert(task !== undefined);
    life.done(task);
    assert.deepEqual([life.size, life.next(nowMs + 100_000)], [0, undefined]);
  });

  it('is forgotten with a pod that a list does not tell of', () => {
    const life = new PodLife(OPTIONS);
    life.set(BOUND, now(0));
    life.set({ ...BOUND, name: 'b' }, now(0));
    life.beginList();
    life.set({ ...BOUND, name: 'b' }, now(1));
    life.endList();
    assert.deepEqual([life.size, life.next(1)?.key, life.next(1)], [1, 'default/b', undefined]);
  });

  it('is what the pods show, whatever comes in which order', () => {
    const change = fc.record({
      name: fc.constantFrom('a', 'b', 'c', 'd', 'e', 'f'),
      uid: fc.constantFrom('u', 'v'),
      nodeName: fc.constantFrom('ours', 'ours', 'theirs', ''),
      phase: fc.constantFrom('Pending', 'Running', 'Succeeded'),
      isToEnd: fc.boolean(),
      isTerminating: fc.boolean(),
      graceSeconds: fc.constantFrom(0, 30),
    });
    const action = fc.oneof(
      change.map((view) => ({ kind: 'set' as const, view: { ...BOUND, ...view } })),
      fc.constantFrom('a', 'b', 'c').map((name) => ({ kind: 'delete' as const, view: { ...BOUND, name } })),
      fc.constantFrom('done', 'failed').map((kind) => ({ kind: kind as 'done' | 'failed', view: BOUND })),
    );
    fc.assert(
      fc.property(fc.array(action, { maxLength: 60 }), (actions) => {
        const life = new PodLife({ ...OPTIONS, waitingMax: 100 });
        const shown = new Map<string, PodView>();
        let nowMs = 0;
        for (const { kind, view } of actions) {
          const key = keyOf(view);
          if (kind === 'set') {
            shown.set(key, view);
            life.set(view, now(nowMs));
          } else if (kind === 'delete') {
            shown.delete(key);
            life.delete(key);
          } else {
            const task = life.next(nowMs);
            if (task === undefined) nowMs += 700;
            else if (kind === 'failed') life.failed(task, nowMs);
            else {
              // What was written shows: the watch tells it.
              const { step, uid } = task;
              assert.equal(stepOf(shown.get(task.key) ?? BOUND), step);
              assert.equal(shown.get(task.key)?.uid, uid);
              life.done(task);
              shown.delete(task.key);
            }
          }
        }
        const due = [...shown.values()].filter((view) => view.nodeName === 'ours' && stepOf(view) !== undefined);
        assert.equal(life.size, due.length);
        const taken = new Set<string>();
        for (let task = life.next(1e9); task !== undefined; task = life.next(1e9)) taken.add(task.key);
        assert.deepEqual(taken, new Set(due.map(keyOf)));
      }),
      { numRuns: RUNS },
    );
  });
});
