import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import type { Call, History, Outcome } from './history.ts';
import { checkKeys } from './history-keys.ts';
import { CALL_MUTATIONS } from './history-mutations.ts';
import { checkRevisions } from './history-revisions.ts';
import { checkWatches, WATCH_PROMISES } from './history-watches.ts';
import { faultyHistory, idealHistory, SERVER_FAULTS } from './ideal-history.ts';
import { Random } from './random.ts';
import { WATCH_MUTATIONS } from './watch-mutations.ts';

const RUNS = Number(process.env.K1M_RUNS ?? 40);
const SEEDS = fc.integer({ min: 0, max: 0xffff_ffff });

function violationsOf(history: History): { promise: string; text: string }[] {
  const { violations, log } = checkRevisions(history);
  return [...violations, ...checkWatches(history, log)];
}

describe('the checkers accept what a perfect server did:', () => {
  it('whatever the order, the losses and the watches', () => {
    fc.assert(
      fc.property(SEEDS, (seed) => {
        const history = idealHistory({ seed, steps: 400 });
        assert.deepEqual(violationsOf(history), []);
        const keys = checkKeys(history);
        assert.deepEqual([keys.violations, keys.undecided], [[], []]);
      }),
      { numRuns: RUNS },
    );
  });

  it('large histories, without a search that grows out of bounds', () => {
    const history = idealHistory({ seed: 7, steps: 100_000, clients: 20, keys: 40, lossRate: 0.01 });
    assert.ok(history.calls.length > 20_000);
    assert.deepEqual(violationsOf(history), []);
    const plain = idealHistory({ seed: 8, steps: 50_000, clients: 10, keys: 40, lossRate: 0.001, hasLeases: false });
    const { violations, undecided, operations } = checkKeys(plain);
    assert.deepEqual([violations, undecided], [[], []]);
    assert.ok(operations > 10_000);
  });
});

describe('the checkers refuse a history in which', () => {
  for (const { name, promises, apply } of [...CALL_MUTATIONS, ...WATCH_MUTATIONS]) {
    it(name, () => {
      let found = 0;
      fc.assert(
        fc.property(SEEDS, (seed) => {
          const mutated = apply(idealHistory({ seed, steps: 300 }), new Random(seed));
          fc.pre(mutated !== undefined);
          const reported = violationsOf(mutated).map(({ promise }) => promise);
          assert.ok(
            reported.some((promise) => promises.includes(promise)),
            `reported: ${reported.join(', ') || 'nothing'}`,
          );
          found++;
        }),
        { numRuns: Math.ceil(RUNS / 4) },
      );
      assert.ok(found > 0);
    });
  }

  for (const fault of SERVER_FAULTS) {
    it(`the server itself ${fault}`, () => {
      let found = 0;
      let missed = 0;
      for (let seed = 1; seed <= 5 * RUNS; seed++) {
        const history = faultyHistory({ seed, steps: 300, fault });
        if (history === undefined) continue;
        if (violationsOf(history).length > 0) found++;
        else missed++;
      }
      // Now and then another write whose outcome is unknown explains all that was seen.
      assert.ok(found > RUNS && missed * 1000 < found, `${found} found, ${missed} missed`);
    });
  }

  it('each of the nine promises of a watch is broken, by some mutation of its own', () => {
    for (const promise of WATCH_PROMISES) {
      assert.ok(
        WATCH_MUTATIONS.some(({ promises }) => promises[0] === promise),
        promise,
      );
    }
  });
});

/** A history of calls written as rows: sent, answered (0: unknown), request and answer. */
function calls(
  rows: readonly [number, number, Call['request'], (Outcome & { kind: 'answered' })['result']?][],
): History {
  return {
    calls: rows.map(([sent, answered, request, result], client) => {
      const invoked = { order: sent, ms: sent };
      if (answered === 0 || result === undefined) return { client, invoked, request, outcome: { kind: 'unknown' } };
      return {
        client,
        invoked,
        request,
        outcome: { kind: 'answered', at: { order: answered, ms: answered }, revision: 0, result },
      };
    }),
    watches: [],
    jumps: [],
  };
}

const put = (value: string): Call['request'] => ({ kind: 'put', key: 'a', value, lease: 0n });
const get: Call['request'] = { kind: 'range', key: 'a', end: '', revision: 0 };
const done = { kind: 'put' } as const;
const empty = { kind: 'range', pairs: [] } as const;
const found = (value: string, version: number) => {
  return { kind: 'range', pairs: [{ key: 'a', value, version, create: 1, mod: 1, lease: 0n }] } as const;
};

describe('the checker of single keys, without help of revisions,', () => {
  const cases: readonly { name: string; history: History; isGood: boolean }[] = [
    {
      name: 'accepts a read beside a write, before it or after',
      history: calls([
        [1, 4, put('x'), done],
        [2, 3, get, empty],
        [2.5, 3.5, get, found('x', 1)],
      ]),
      isGood: true,
    },
    {
      name: 'refuses a read of nothing after a read of the value',
      history: calls([
        [1, 9, put('x'), done],
        [2, 3, get, found('x', 1)],
        [4, 5, get, empty],
      ]),
      isGood: false,
    },
    {
      name: 'refuses a read of nothing after the write',
      history: calls([
        [1, 2, put('x'), done],
        [3, 4, get, empty],
      ]),
      isGood: false,
    },
    {
      name: 'accepts an unknown write that is seen late',
      history: calls([
        [1, 0, put('x')],
        [2, 3, get, empty],
        [4, 5, get, found('x', 1)],
      ]),
      isGood: true,
    },
    {
      name: 'accepts an unknown write that is never seen',
      history: calls([
        [1, 0, put('x')],
        [2, 3, get, empty],
        [4, 5, get, empty],
      ]),
      isGood: true,
    },
    {
      name: 'refuses an unknown write that is seen and then gone',
      history: calls([
        [1, 0, put('x')],
        [2, 3, get, found('x', 1)],
        [4, 5, get, empty],
      ]),
      isGood: false,
    },
    {
      name: 'refuses an unknown write that happens twice',
      history: calls([
        [1, 0, put('x')],
        [2, 3, put('y'), done],
        [4, 5, get, found('x', 3)],
      ]),
      isGood: false,
    },
    {
      name: 'refuses a value that nobody put',
      history: calls([
        [1, 2, put('x'), done],
        [3, 4, get, found('y', 1)],
      ]),
      isGood: false,
    },
    {
      name: 'refuses a delete that finds what is not there yet',
      history: calls([
        [1, 2, { kind: 'delete', key: 'a', end: '' }, { kind: 'delete', deleted: 1 }],
        [3, 4, put('x'), done],
      ]),
      isGood: false,
    },
    {
      name: 'refuses a condition that could not hold',
      history: calls([
        [1, 2, put('x'), done],
        [
          3,
          4,
          {
            kind: 'txn',
            conditions: [{ key: 'a', target: 'version', relation: '=', operand: 0 }],
            success: [],
            failure: [],
          },
          { kind: 'txn', isSuccess: true, results: [] },
        ],
      ]),
      isGood: false,
    },
  ];
  for (const { name, history, isGood } of cases) {
    it(name, () => {
      assert.equal(checkKeys(history).violations.length === 0, isGood);
    });
  }

  it('refuses most wrong reads of ideal histories', () => {
    const [wrongValue] = CALL_MUTATIONS;
    for (let seed = 1; seed <= RUNS; seed++) {
      const mutated = wrongValue.apply(idealHistory({ seed, steps: 300, hasLeases: false }), new Random(seed));
      if (mutated === undefined) continue;
      const isPast = mutated.calls.some(({ request, outcome }) => {
        const isWrong =
          outcome.kind === 'answered' &&
          outcome.result.kind === 'range' &&
          outcome.result.pairs.some(({ value }) => value === 'wrong');
        return isWrong && request.kind === 'range' && request.revision > 0;
      });
      assert.equal(checkKeys(mutated).violations.length > 0, !isPast, `seed ${seed}`);
    }
  });
});
