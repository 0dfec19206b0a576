// Txn: compares, branches, nested ones, what is refused.

import * as m from '../../src/api/messages.ts';
import * as methods from '../../src/api/methods.ts';
import { encoded } from './compat-client.ts';
import { bytesOf, compare, opDelete, opPut, opRange, opTxn, put, range, remove, txn } from './requests.ts';
import type { Case } from './session.ts';

const { COMPARE_EQUAL, COMPARE_GREATER, COMPARE_LESS, COMPARE_NOT_EQUAL } = m;
const { TARGET_CREATE, TARGET_LEASE, TARGET_MOD, TARGET_VALUE, TARGET_VERSION } = m;
const RESULTS = [COMPARE_EQUAL, COMPARE_GREATER, COMPARE_LESS, COMPARE_NOT_EQUAL];

const opGet = (key: string, end = ''): m.RequestOp => opRange(range({ key, end }));
const write = (key: string, value = 'v'): m.RequestOp => opPut(put(key, value));
const erase = (key: string, end = ''): m.RequestOp => opDelete(remove(key, end));

export const TXN_CASES: readonly Case[] = [
  {
    name: 'txn: every compare on a key that is there, and on one that is not',
    run: async (s) => {
      await s.grant(7n);
      await s.put('a', 'm', { lease: 7n });
      await s.put('a', 'm', { lease: 7n });
      for (const key of ['a', 'x']) {
        for (const result of RESULTS) {
          for (const version of [0, 2, 3]) await s.txn(txn([compare(key, TARGET_VERSION, result, { version })]));
          for (const n of [0, 1, 2]) {
            const revision = n === 0 ? 0 : s.at(n);
            await s.txn(txn([compare(key, TARGET_CREATE, result, { create_revision: revision })]));
            await s.txn(txn([compare(key, TARGET_MOD, result, { mod_revision: revision })]));
          }
          for (const value of ['', 'l', 'm', 'n']) {
            await s.txn(txn([compare(key, TARGET_VALUE, result, { value: bytesOf(value) })]));
          }
          for (const lease of [0n, 7n, 8n, -1n]) await s.txn(txn([compare(key, TARGET_LEASE, result, { lease })]));
        }
      }
    },
  },
  {
    name: 'trap 5: a value compare on a missing key is false whatever it asks',
    run: async (s) => {
      for (const result of RESULTS) {
        await s.txn(txn([compare('x', TARGET_VALUE, result, { value: bytesOf('') })], [opGet('x')], []));
      }
    },
  },
  {
    name: 'txn: a compare without its operand, or with another one',
    run: async (s) => {
      await s.put('a', '');
      for (const key of ['a', 'x']) {
        for (const target of [0, 1, 2, 3, 4]) {
          await s.txn(txn([compare(key, target, COMPARE_EQUAL, {})]));
          await s.txn(txn([compare(key, target, COMPARE_GREATER, {})]));
          await s.txn(txn([compare(key, target, COMPARE_EQUAL, { version: 1 })]));
          await s.txn(txn([compare(key, target, COMPARE_EQUAL, { lease: 0n })]));
        }
        await s.txn(txn([compare(key, 9, COMPARE_EQUAL, {})]));
        await s.txn(txn([compare(key, 0, 9, { version: 1 })]));
      }
    },
  },
  {
    name: 'txn: compares over ranges',
    run: async (s) => {
      await s.put('a', '1');
      await s.put('b', '1');
      await s.put('b', '1');
      const over = (target: number, result: number, value: Partial<m.Compare>, key = 'a', end = 'c'): m.TxnRequest =>
        txn([compare(key, target, result, value, end)]);
      await s.txn(over(TARGET_VALUE, COMPARE_EQUAL, { value: bytesOf('1') }));
      await s.txn(over(TARGET_VALUE, COMPARE_NOT_EQUAL, { value: bytesOf('1') }));
      await s.txn(over(TARGET_VERSION, COMPARE_EQUAL, { version: 1 }));
      await s.txn(over(TARGET_VERSION, COMPARE_GREATER, { version: 0 }));
      await s.txn(over(TARGET_CREATE, COMPARE_LESS, { create_revision: s.at(3) }));
      await s.txn(over(TARGET_MOD, COMPARE_EQUAL, { mod_revision: s.at(1) }, 'a', 'b'));
      await s.txn(over(TARGET_VERSION, COMPARE_EQUAL, { version: 0 }, 'x', 'z'));
      await s.txn(over(TARGET_VERSION, COMPARE_GREATER, { version: 0 }, 'x', 'z'));
      await s.txn(over(TARGET_VALUE, COMPARE_NOT_EQUAL, { value: bytesOf('1') }, 'x', 'z'));
      await s.txn(over(TARGET_VERSION, COMPARE_GREATER, { version: 0 }, 'c', 'a'));
      await s.txn(over(TARGET_VERSION, COMPARE_GREATER, { version: 0 }, '\0', '\0'));
    },
  },
  {
    name: 'txn: branches, one reply an operation, headers inside',
    run: async (s) => {
      await s.put('a', '1');
      const there = compare('a', TARGET_VERSION, COMPARE_GREATER, { version: 0 });
      await s.txn(txn([there], [write('b'), opGet('a', 'z'), erase('a'), opGet('a', 'z')], [opGet('a')]));
      await s.txn(txn([there], [write('c')], [opGet('b'), erase('x'), opRange(range({ key: 'a', end: 'z' }))]));
      await s.txn(txn([there], [], []));
      await s.txn(txn([], [erase('x'), opGet('b')]));
      await s.txn(
        txn([], [opGet('b'), write('b', '2'), opGet('b'), erase('x'), opPut(put('d', '', { prev_kv: true }))]),
      );
      await s.txn(txn([], [opDelete(remove('a', 'z', true)), opGet('a', 'z')]));
      await s.txn(txn([], [opDelete(remove('a', 'z', true)), erase('a', 'z')]));
    },
  },
  {
    name: 'trap 4: all compares see the state before the txn',
    run: async (s) => {
      const isThere = compare('k', TARGET_CREATE, COMPARE_GREATER, { create_revision: 0 });
      const inner = txn([isThere], [write('yes')], [write('no')]);
      await s.txn(txn([], [write('k'), opTxn(inner), opGet('k', 'z')]));
      await s.txn(txn([], [erase('k'), opTxn(txn([isThere], [write('yes')], [write('no')])), opGet('k', 'z')]));
    },
  },
  {
    name: 'txn: nested, and nested twice',
    run: async (s) => {
      const deep = txn([], [opTxn(txn([], [opTxn(txn([], [write('c'), opGet('a', 'z')])), write('b')])), write('a')]);
      await s.txn(deep);
      await s.txn(txn([], [opTxn(txn([], [opGet('a')])), opTxn(txn([])), opGet('b')]));
      await s.txn(
        txn([compare('a', TARGET_VERSION, COMPARE_EQUAL, { version: 9 })], [], [opTxn(txn([], [erase('a', 'z')]))]),
      );
      await s.txn(txn([], [opTxn(txn([], [write('p')])), opTxn(txn([], [write('q')])), opGet('p', 'z')]));
    },
  },
  {
    name: 'trap 3: a key changed twice',
    run: async (s) => {
      const attempts: readonly (readonly m.RequestOp[])[] = [
        [write('a'), write('a')],
        [write('a'), erase('a')],
        [erase('a'), write('a')],
        [write('b'), erase('a', 'c')],
        [write('a'), erase('a', '\0')],
        [write('a'), erase('\0', '\0')],
        [write('c'), erase('a', 'c')],
        [erase('a', 'c'), erase('b', 'd')],
        [erase('a'), erase('a')],
        [write('a'), opTxn(txn([], [write('a')]))],
        [opTxn(txn([], [write('a')])), write('a')],
        [write('a'), opTxn(txn([], [], [write('a')]))],
        [opTxn(txn([], [write('a')], [write('a')]))],
        [opTxn(txn([], [write('a')], [write('a')])), write('b')],
        [opTxn(txn([], [write('a')], [erase('a')]))],
        [opTxn(txn([], [erase('a')])), write('a')],
        [write('a'), opTxn(txn([], [erase('a')]))],
        [erase('a'), opTxn(txn([], [write('a')]))],
        [opTxn(txn([], [write('a')])), erase('a')],
        [opTxn(txn([], [write('a')])), opTxn(txn([], [write('a')]))],
        [opTxn(txn([], [write('a')])), opTxn(txn([], [erase('a')]))],
        [opTxn(txn([], [erase('a')])), opTxn(txn([], [write('a')]))],
        [opTxn(txn([], [erase('a', 'c')])), opTxn(txn([], [write('b')])), write('d')],
        [opTxn(txn([], [opTxn(txn([], [write('a')])), erase('a')]))],
        [write('a'), opGet('a'), write('b')],
      ];
      for (const ops of attempts) {
        await s.txn(txn([], ops));
        await s.txn(txn([], [], ops));
      }
      await s.txn(txn([], [write('a')], [write('a')]));
      await s.range(range({ key: 'a', end: 'z' }));
    },
  },
  {
    name: 'txn: what is refused before it runs',
    run: async (s) => {
      await s.put('a', '1');
      await s.txn(txn([compare('', TARGET_VERSION, COMPARE_EQUAL, { version: 0 })]));
      await s.txn(txn([], [m.RequestOp.create()]));
      await s.txn(txn([], [], [m.RequestOp.create()]));
      await s.txn(txn([], [write('b'), opGet('')]));
      await s.txn(txn([], [write('b')], [write('')]));
      await s.txn(txn([], [write('b'), erase('')]));
      await s.txn(txn([], [opPut(put('a', 'x', { ignore_value: true }))]));
      await s.txn(txn([], [opPut(put('a', 'x', { ignore_lease: true, lease: 1n }))]));
      await s.txn(txn([], [opRange(range({ key: 'a', sort_target: 9 }))]));
      await s.txn(txn([], [write('b'), opPut(put('c', '', { lease: 5n }))]));
      await s.txn(txn([], [write('b')], [opPut(put('c', '', { lease: 5n }))]));
      await s.txn(txn([], [write('b', '2'), opPut(put('c', '', { ignore_value: true }))]));
      await s.txn(txn([], [write('c'), opTxn(txn([], [opPut(put('d', '', { ignore_lease: true }))]))]));
      await s.txn(txn([], [opPut(put('a', '', { ignore_value: true, prev_kv: true }))]));
      await s.txn(txn([], [opPut(put('z', '', { ignore_value: true, lease: 5n }))]));
      const tooNew = opRange(range({ key: 'a', revision: s.at(99) }));
      const unleased = opPut(put('q', '', { lease: 5n }));
      await s.txn(txn([], [tooNew, unleased]));
      await s.txn(txn([], [unleased, tooNew]));
      await s.txn(txn([], [opTxn(txn([], [tooNew])), unleased]));
      await s.range(range({ key: 'a', end: '\0' }));
    },
  },
  {
    name: 'txn: the number of operations',
    run: async (s) => {
      const gets = (count: number): m.RequestOp[] => Array.from({ length: count }, () => opGet('x'));
      const compares = (count: number): m.Compare[] =>
        Array.from({ length: count }, () => compare('x', TARGET_VERSION, COMPARE_EQUAL, { version: 0 }));
      const outcome = async (label: string, request: m.TxnRequest): Promise<void> => {
        await s.raw(methods.txn, Buffer.from(encoded(methods.txn, request)).toString('latin1'), label);
      };
      await outcome('128 in success', txn([], gets(128)));
      await outcome('129 in success', txn([], gets(129)));
      await outcome('129 in failure', txn([], [], gets(129)));
      await outcome('128 compares', txn(compares(128)));
      await outcome('129 compares', txn(compares(129)));
      await outcome('127 inside 1', txn([], [opTxn(txn([], gets(127)))]));
      await outcome('128 inside 1', txn([], [opTxn(txn([], gets(128)))]));
      await outcome('10 inside 118', txn([], [...gets(117), opTxn(txn([], gets(10)))]));
      await outcome('11 inside 118', txn([], [...gets(117), opTxn(txn([], gets(11)))]));
      await outcome('1 inside 128', txn([], [...gets(127), opTxn(txn([], gets(1)))]));
      await outcome('0 inside 128', txn([], [...gets(127), opTxn(txn([]))]));
      await outcome('8 inside failure beside 120 compares', txn(compares(120), [], [opTxn(txn([], gets(8)))]));
      await outcome('9 inside failure beside 120 compares', txn(compares(120), [], [opTxn(txn([], gets(9)))]));
    },
  },
  {
    name: 'txn: ranges at revisions',
    run: async (s) => {
      await s.put('a', '1');
      await s.put('a', '2');
      const at = (revision: number): m.RequestOp => opRange(range({ key: 'a', revision }));
      await s.txn(txn([], [at(s.at(1))]));
      await s.txn(txn([], [write('b'), at(s.at(1)), at(s.at(2))]));
      await s.txn(txn([], [write('b'), at(s.at(4))]));
      await s.txn(txn([], [write('b'), at(s.at(3)), at(0)]));
      await s.txn(txn([], [write('b'), at(s.at(5))]));
      await s.txn(txn([], [], [write('b'), at(s.at(50))]));
      await s.txn(txn([], [at(-1)]));
      await s.txn(txn([], [write('b'), at(-1)]));
      await s.txn(txn([], [write('b')], [at(s.at(50))]));
      await s.compact(s.at(2));
      await s.txn(txn([], [at(s.at(1))]));
      await s.txn(txn([], [write('c'), at(s.at(1))]));
      await s.txn(txn([], [at(s.at(2))]));
      await s.txn(txn([], [at(-1)]));
      await s.txn(txn([], [write('c'), at(-1)]));
      await s.txn(txn([], [opTxn(txn([], [write('c'), at(s.at(1))]))]));
      await s.range(range({ key: 'a', end: 'z' }));
    },
  },
  {
    name: 'txn: ranges with options inside',
    run: async (s) => {
      for (const key of 'abcd') await s.put(key, key);
      await s.txn(
        txn(
          [],
          [
            write('e'),
            opRange(range({ key: 'a', end: 'z', limit: 2 })),
            opRange(range({ key: 'a', end: 'z', count_only: true })),
            opRange(range({ key: 'a', end: 'z', keys_only: true, sort_order: 2, limit: 3 })),
            opRange(range({ key: 'a', end: 'z', min_mod_revision: s.at(3) })),
            erase('b', 'd'),
            opRange(range({ key: 'a', end: 'z' })),
            opRange(range({ key: 'a', end: 'z', serializable: true, revision: s.at(4) })),
          ],
        ),
      );
      await s.txn(txn([], [opRange(range({ key: 'a', end: 'z', serializable: true }))]));
    },
  },
  {
    name: 'txn: leases attached and replaced',
    run: async (s) => {
      await s.grant(7n);
      await s.grant(8n);
      await s.txn(txn([], [opPut(put('a', '1', { lease: 7n })), opPut(put('b', '1', { lease: 7n }))]));
      await s.txn(txn([], [opPut(put('a', '2', { lease: 8n, prev_kv: true })), opPut(put('b', '2'))]));
      await s.range(range({ key: 'a', end: 'z' }));
      await s.txn(txn([], [opPut(put('a', '3', { ignore_lease: true })), opPut(put('b', '', { ignore_value: true }))]));
      await s.range(range({ key: 'a', end: 'z' }));
    },
  },
];
