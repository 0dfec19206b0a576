// Compaction, range streams, and what members say of themselves.

import * as m from '../../src/api/messages.ts';
import * as methods from '../../src/api/methods.ts';
import { opPut, opRange, put, range, txn } from './requests.ts';
import type { Case, Session } from './session.ts';

async function writes(s: Session, count: number): Promise<void> {
  for (let n = 1; n <= count; n++) await s.put(n % 2 === 0 ? 'a' : 'b', String(n));
}

async function alarm(s: Session, action: number, type: number): Promise<void> {
  const { members } = await s.client.unary(methods.memberList, {});
  await s.call(methods.alarm, { action, alarm: type, memberID: members[0].ID });
}

/** With an alarm on, everything that it may refuse. */
async function underAlarm(s: Session, type: number): Promise<void> {
  await s.grant(6n);
  await s.put('a', '1', { lease: 6n });
  await alarm(s, m.ALARM_ACTIVATE, type);
  await alarm(s, m.ALARM_ACTIVATE, type);
  await alarm(s, m.ALARM_GET, m.ALARM_NONE);
  await alarm(s, m.ALARM_GET, 3 - type);
  await s.put('a', '2');
  await s.put('', '2');
  await s.put('a', '2', { lease: 99n });
  await s.txn(txn([], [opRange(range({ key: 'a' }))]));
  await s.txn(txn([], [opPut(put('a', '3'))]));
  await s.txn(txn([], [], [opPut(put('a', '3'))]));
  await s.txn(
    txn([], [m.RequestOp.create({ request_delete_range: m.DeleteRangeRequest.create({ key: Buffer.from('x') }) })]),
  );
  await s.range(range({ key: 'a' }));
  await s.remove('a');
  await s.grant(7n);
  await s.call(methods.leaseTimeToLive, { ID: 5n });
  await s.call(methods.leaseRevoke, { ID: 6n });
  await s.compact(s.at(1));
  const status = await s.client.unary(methods.status, {});
  s.note(status.errors.map((text) => text.replace(/\d+/, 'N').replace(/ +/g, ' ')).join(';'));
  await alarm(s, m.ALARM_DEACTIVATE, type);
  await alarm(s, m.ALARM_DEACTIVATE, type);
  await alarm(s, m.ALARM_GET, m.ALARM_NONE);
  await s.put('a', '4');
}

export const HISTORY_CASES: readonly Case[] = [
  {
    name: 'trap 10: compact to 0 once, on a store that never was compacted',
    isFresh: true,
    run: async (s) => {
      s.transcript.base = 0;
      await s.compact(-1);
      await s.compact(100_000);
      await s.compact(0);
      await s.compact(0);
    },
  },
  {
    name: 'trap 10: reads at the compacted revision and below, compacting twice',
    run: async (s) => {
      await writes(s, 6);
      await s.compact(s.at(7));
      await s.compact(s.at(3));
      await s.compact(s.at(3));
      await s.compact(s.at(2));
      await s.compact(-1);
      for (const n of [2, 3, 4]) {
        await s.range(range({ key: 'a', end: 'z', revision: s.at(n) }));
        // At a compacted revision itself etcd answers with a hash made by the compaction: members compare those.
        if (n !== 3) await s.call(methods.hashKv, { revision: s.at(n) });
      }
      await s.call(methods.hashKv, { revision: s.at(99) });
      await s.compact(s.at(6), true);
      await s.range(range({ key: 'a', end: 'z', revision: s.at(6) }));
      await s.range(range({ key: 'a', end: 'z' }));
      await s.range(range({ key: 'a', end: 'z', revision: s.at(5), count_only: true }));
      await s.range(range({ key: '', revision: s.at(5) }));
      await s.range(range({ key: 'nobody', revision: s.at(5) }));
      await s.range(range({ key: 'b', end: 'a', revision: s.at(5) }));
      await s.range(range({ key: 'b', end: 'a', revision: s.at(50) }));
    },
  },
  {
    name: 'compaction keeps what lives and drops what died',
    run: async (s) => {
      await s.put('a', '1');
      await s.put('b', '1');
      await s.remove('a');
      await s.put('a', '2');
      await s.remove('b');
      await s.put('c', '1');
      for (const n of [4, 5, 6]) {
        await s.compact(s.at(n), true);
        await s.range(range({ key: 'a', end: 'z', revision: s.at(n) }));
      }
      await s.put('b', 'again');
      await s.range(range({ key: 'b' }));
    },
  },
  {
    name: 'range streams',
    run: async (s) => {
      for (let n = 0; n < 40; n++) await s.client.unary(methods.put, put(`k${10 + n}`, String(n)));
      await s.rangeStream(range({ key: 'k', end: 'l' }));
      await s.rangeStream(range({ key: 'k', end: 'l', limit: 7 }));
      await s.rangeStream(range({ key: 'k', end: 'l', limit: 15 }));
      await s.rangeStream(range({ key: 'k', end: 'l', limit: 40 }));
      await s.rangeStream(range({ key: 'k', end: 'l', count_only: true }));
      await s.rangeStream(range({ key: 'k', end: 'l', count_only: true, limit: 3 }));
      await s.rangeStream(range({ key: 'k', end: 'l', keys_only: true, limit: 12 }));
      await s.rangeStream(range({ key: 'k', end: 'l', revision: s.at(3) }));
      await s.rangeStream(range({ key: 'k10' }));
      await s.rangeStream(range({ key: 'x' }));
      await s.rangeStream(range({ key: 'x', end: 'z' }));
      await s.rangeStream(range({ key: 'l', end: 'k' }));
      await s.rangeStream(range({ key: '' }));
      await s.rangeStream(range({ key: 'k', end: 'l', sort_order: 1 }));
      await s.rangeStream(range({ key: 'k', sort_order: 2 }));
      await s.rangeStream(range({ key: 'k', sort_target: 1 }));
      for (const sort_order of [0, 1, 2]) {
        for (const sort_target of [0, 1, 4]) {
          await s.rangeStream(range({ key: 'k', end: 'l', limit: 3, sort_order, sort_target }));
        }
      }
      await s.rangeStream(range({ key: 'k', sort_target: 9 }));
      await s.rangeStream(range({ key: 'k', min_mod_revision: 1 }));
      await s.rangeStream(range({ key: 'k', max_create_revision: 1 }));
      await s.rangeStream(range({ key: 'k', revision: s.at(99) }));
      await s.rangeStream(range({ key: 'k', end: 'l', revision: -1, limit: 1 }));
      await s.compact(s.at(5));
      await s.rangeStream(range({ key: 'k', revision: s.at(4) }));
      await s.rangeStream(range({ key: 'k', end: 'l', revision: s.at(5) }));
    },
  },
  { name: 'trap 25: what works under NOSPACE', run: (s) => underAlarm(s, m.ALARM_NOSPACE) },
  { name: 'trap 25: what works under CORRUPT', run: (s) => underAlarm(s, m.ALARM_CORRUPT) },
  {
    name: 'alarms that are none, or of another member',
    run: async (s) => {
      await alarm(s, m.ALARM_ACTIVATE, m.ALARM_NONE);
      await alarm(s, m.ALARM_GET, m.ALARM_NONE);
      await s.call(methods.alarm, { action: m.ALARM_DEACTIVATE, alarm: m.ALARM_NOSPACE });
    },
  },
  {
    name: 'trap 27: the member, its status, its health',
    run: async (s) => {
      const { members, header } = await s.client.unary(methods.memberList, { linearizable: true });
      s.transcript.add(`members ${members.length}, header ${s.transcript.show(header, 'header')}`);
      const status = await s.client.unary(methods.status, {});
      s.transcript.add(`version ${status.version}, storage ${status.storageVersion}`);
      s.transcript.add(`leader is the member: ${status.leader === status.header?.member_id}`);
      s.transcript.add(`the term is the header's: ${status.raftTerm === status.header?.raft_term}`);
      s.transcript.add(`errors ${status.errors.length}, downgrade ${s.transcript.show(status.downgradeInfo)}`);
      await s.call(methods.defragment, {});
      await s.call(methods.healthCheck, { service: '' });
      await s.call(methods.healthCheck, { service: 'nobody' });
    },
  },
  {
    name: 'methods that nobody has',
    run: async (s) => {
      const method = (path: string): methods.Method => ({ service: '', name: path, path, shape: 'unary' });
      await s.raw(method('/etcdserverpb.KV/Nothing'), '', '');
      await s.raw(method('/etcdserverpb.Nothing/Range'), '', '');
      await s.raw(method('/etcdserverpb.KV'), '', '');
      await s.raw(method('/'), '', '');
    },
  },
];
