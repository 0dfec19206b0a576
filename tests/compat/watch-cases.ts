// Watch: creating, events, cancelling, progress.

import * as m from '../../src/api/messages.ts';
import * as methods from '../../src/api/methods.ts';
import { opDelete, opPut, put, range, remove, txn, watchKeys } from './requests.ts';
import type { Case } from './session.ts';

const PROGRESS = { progress_request: {} };
const cancelOf = (watch_id: bigint): Partial<m.WatchRequest> => ({ cancel_request: { watch_id } });
const ALL = { key: 'a', end: 'z' };

export const WATCH_CASES: readonly Case[] = [
  {
    name: 'trap 14: ids chosen by the server begin at 0 on each stream and never go back',
    run: async (s) => {
      const w = await s.watch();
      await w.create(watchKeys({ key: 'a' }));
      w.send(cancelOf(0n));
      await w.message();
      await w.create(watchKeys({ key: 'a' }));
      await w.create(watchKeys({ key: 'a', watch_id: 2n }));
      await w.create(watchKeys({ key: 'a' }));
      await w.create(watchKeys({ key: 'a', watch_id: -7n }));
      await w.create(watchKeys({ key: 'a', watch_id: 3n }));
      const other = await s.watch();
      await other.create(watchKeys({ key: 'a' }));
    },
  },
  {
    name: 'trap 12: a create that is refused is one message, created and canceled, of id -1',
    run: async (s) => {
      const w = await s.watch();
      await w.create(watchKeys({ key: 'b', end: 'a' }));
      await w.create(watchKeys({ key: 'b', end: 'b' }));
      await w.create(watchKeys({ key: 'a', watch_id: 5n }));
      await w.create(watchKeys({ key: 'a', watch_id: 5n }));
      await w.create(watchKeys({ key: 'a', start_revision: -1 }));
      await w.create(watchKeys({ key: 'b', end: 'a', watch_id: 5n }));
      await w.create(watchKeys({ key: 'b', end: 'a', start_revision: -1 }));
      await w.create(watchKeys({ key: 'a', watch_id: 5n, start_revision: -1 }));
      await w.create(watchKeys({ key: 'a' }));
    },
  },
  {
    name: 'watch: an empty key, an empty key with an end, no end',
    run: async (s) => {
      const w = await s.watch();
      await w.create(watchKeys({ key: '' }));
      await w.create(watchKeys({ key: '', end: 'b' }));
      await w.create(watchKeys({ key: '', end: '\0' }));
      await s.put('c', '1');
      await w.events(1);
      await s.put('\0', '1');
      await w.silence();
    },
  },
  {
    name: 'watch: events of puts and deletes, live',
    run: async (s) => {
      const w = await s.watch();
      await w.create(watchKeys(ALL));
      await s.put('a', '1');
      await w.message();
      await s.put('a', '2');
      await w.message();
      await s.put('A', 'outside');
      await s.remove('a');
      await w.message();
      await s.remove('a');
      await s.put('a', '3');
      await w.message();
      await w.silence();
    },
  },
  {
    name: 'trap 15: the events of a revision come in one message; a delete has its key and revision alone',
    run: async (s) => {
      await s.put('a', '0');
      await s.put('b', '0');
      const w = await s.watch();
      await w.create(watchKeys(ALL));
      await s.txn(txn([], [opPut(put('c', '1')), opDelete(remove('a', 'c')), opPut(put('d', '1'))]));
      await w.message();
      await s.remove('a', 'z');
      await w.message();
    },
  },
  {
    name: 'trap 16: the previous pair, live and in replay, but not on a first put',
    run: async (s) => {
      const w = await s.watch();
      await w.create(watchKeys({ ...ALL, prev_kv: true }));
      await s.put('a', '1');
      await s.put('a', '2');
      await s.remove('a');
      await s.put('a', '3');
      await s.txn(txn([], [opPut(put('a', '4')), opPut(put('b', '1'))]));
      await s.remove('a', 'z');
      await w.events(8);
      const replay = await s.watch();
      await replay.create(watchKeys({ ...ALL, prev_kv: true, start_revision: s.at(1) }));
      await replay.events(8);
    },
  },
  {
    name: 'watch: replay from each revision',
    run: async (s) => {
      await s.put('a', '1');
      await s.put('b', '1');
      await s.put('a', '2');
      await s.remove('b');
      await s.put('x', '1');
      for (let n = 1; n <= 5; n++) {
        const w = await s.watch();
        await w.create(watchKeys({ key: 'a', end: 'c', start_revision: s.at(n) }));
        // What the rounds before have added is there too.
        await w.events(2 * n + 2);
        await s.put('a', 'more');
        await w.events(1);
        await s.remove('a');
        await s.put('a', '2');
        await w.events(2);
      }
    },
  },
  {
    name: 'watch: from a revision to come',
    run: async (s) => {
      const w = await s.watch();
      await w.create(watchKeys({ ...ALL, start_revision: s.at(3) }));
      w.send(PROGRESS);
      await s.put('a', '1');
      await s.put('a', '2');
      await w.silence();
      w.send(PROGRESS);
      await s.put('a', '3');
      await w.events(1);
    },
  },
  {
    name: 'watch: filters',
    run: async (s) => {
      const w = await s.watch();
      await w.create(watchKeys({ ...ALL, filters: [m.FILTER_NOPUT] }));
      await w.create(watchKeys({ ...ALL, filters: [m.FILTER_NODELETE], watch_id: 9n }));
      await w.create(watchKeys({ ...ALL, filters: [m.FILTER_NOPUT, m.FILTER_NODELETE], watch_id: 10n }));
      await w.create(watchKeys({ ...ALL, filters: [7], watch_id: 11n }));
      await s.put('a', '1');
      await s.remove('a');
      const replay = await s.watch();
      await replay.create(watchKeys({ ...ALL, filters: [m.FILTER_NOPUT], start_revision: s.at(1), prev_kv: true }));
      await replay.events(1);
      await replay.create(watchKeys({ ...ALL, filters: [m.FILTER_NODELETE], start_revision: s.at(1) }));
      await replay.events(1);
    },
  },
  {
    name: 'trap 19: the client may end its side; an unknown id is cancelled in silence',
    run: async (s) => {
      const half = await s.watchHalfClosed(watchKeys({ key: 'a' }));
      await half.message();
      await s.put('a', '1');
      await half.events(1);
      const w = await s.watch();
      w.send(cancelOf(4n));
      await w.create(watchKeys({ key: 'a', watch_id: 4n }));
      w.send(cancelOf(4n));
      await w.message();
      w.send(cancelOf(4n));
      await s.put('a', '2');
      await w.silence();
      await w.create(watchKeys({ key: 'a', watch_id: 4n }));
    },
  },
  {
    name: 'watch: requests without anything in them',
    run: async (s) => {
      const w = await s.watch();
      w.send({});
      await w.create(watchKeys({ key: 'a' }));
    },
  },
  {
    name: 'trap 13: below the compacted revision',
    run: async (s) => {
      for (let n = 1; n <= 5; n++) await s.put('a', String(n));
      await s.compact(s.at(4));
      const w = await s.watch();
      await w.create(watchKeys({ key: 'a', start_revision: s.at(2) }));
      await w.message();
      await w.create(watchKeys({ key: 'a', start_revision: s.at(3), prev_kv: true, progress_notify: true }));
      await w.message();
      await w.create(watchKeys({ key: 'a', start_revision: s.at(4) }));
      await w.events(2);
    },
  },
  {
    name: 'trap 11: the tombstone at the compacted revision is still delivered',
    run: async (s) => {
      await s.put('a', '1');
      await s.put('b', '1');
      await s.remove('a');
      await s.compact(s.at(3), true);
      const w = await s.watch();
      await w.create(watchKeys({ ...ALL, start_revision: s.at(3), prev_kv: true }));
      await w.events(1);
    },
  },
  {
    name: 'watch: a previous pair that is compacted is absent',
    run: async (s) => {
      await s.put('a', '1');
      await s.put('a', '2');
      await s.put('a', '3');
      await s.compact(s.at(2), true);
      const w = await s.watch();
      await w.create(watchKeys({ ...ALL, start_revision: s.at(2), prev_kv: true }));
      await w.events(2);
    },
  },
  {
    name: 'trap 17: progress speaks for the whole stream or not at all',
    run: async (s) => {
      const w = await s.watch();
      w.send(PROGRESS);
      await w.silence();
      await w.create(watchKeys({ key: 'a' }));
      await w.silence();
      w.send(PROGRESS);
      await w.message();
      await s.put('x', '1');
      await w.silence();
      w.send(PROGRESS);
      await w.message();
      await w.create(watchKeys({ key: 'b', start_revision: s.at(100) }));
      w.send(PROGRESS);
      await w.silence();
      w.send(cancelOf(1n));
      await w.message();
      w.send(PROGRESS);
      await w.message();
      w.send(cancelOf(0n));
      await w.message();
      w.send(PROGRESS);
      await w.silence();
    },
  },
  {
    name: 'watch: a transaction that does not change what is watched is silent',
    run: async (s) => {
      const w = await s.watch();
      await w.create(watchKeys({ key: 'a' }));
      await s.txn(txn([], [opPut(put('b', '1'))]));
      await s.range(range({ key: 'a' }));
      await w.silence();
    },
  },
  {
    name: 'watch: many revisions in replay come in order, whole',
    run: async (s) => {
      for (let n = 0; n < 1200; n++) await s.client.unary(methods.put, put('a', String(n)));
      const w = await s.watch();
      await w.create(watchKeys({ key: 'a', start_revision: s.at(1) }));
      await w.events(1200);
      await s.put('a', 'last');
      await w.events(1);
    },
  },
  {
    name: 'watch: fragments',
    isLarge: true,
    run: async (s) => {
      const w = await s.watch();
      await w.create(watchKeys({ ...ALL, fragment: true, prev_kv: true }));
      const value = 'x'.repeat(700_000);
      for (const key of 'abcd') await s.client.unary(methods.put, put(key, value));
      await w.events(4);
      await s.remove('a', 'z');
      const pieces: string[] = [];
      for (let events = 0; events < 4; ) {
        const item = await w.stream.next();
        if (!('message' in item)) break;
        events += item.message.events.length;
        pieces.push(`${item.message.events.length}${item.message.fragment ? ' and more' : ''}`);
      }
      s.note(`pieces: ${pieces.join(', ')}`);
    },
  },
];
