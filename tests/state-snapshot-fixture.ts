// A server on a simulated disk with a past worth keeping, and all that can be asked of its state, as text.

import assert from 'node:assert/strict';
import { StatusError } from '../src/api/errors.ts';
import * as m from '../src/api/messages.ts';
import * as methods from '../src/api/methods.ts';
import type { Server } from '../src/etcd/server.ts';
import { AddressList } from '../src/store/lists.ts';
import type { Store } from '../src/store/store.ts';
import type { Random } from '../src/testing/random.ts';
import { opDelete, opPut, put, remove, txn } from './compat/requests.ts';
import type { ServerChanges, SimulatedServer } from './compat/server-fixture.ts';

/** Snapshots only when asked for, and a log of small segments. */
export const SMALL_SEGMENTS: ServerChanges = { segmentBytesMax: 1024 };

/** One acknowledged change of some kind. */
export async function changeSomething(server: SimulatedServer, random: Random): Promise<void> {
  const { client } = server;
  const key = `k${random.between(0, 12)}`;
  const value = 'v'.repeat(random.between(0, 60));
  const kind = random.between(0, 11);
  const call = (): Promise<unknown> => {
    if (kind < 5) return client.unary(methods.put, put(key, value, { lease: BigInt(random.between(0, 3)) }));
    if (kind < 7) return client.unary(methods.deleteRange, remove(key));
    if (kind === 7) return client.unary(methods.txn, txn([], [opPut(put(key, value)), opDelete(remove('other'))]));
    if (kind === 8) return client.unary(methods.leaseGrant, { ID: BigInt(random.between(1, 6)), TTL: 1_000_000 });
    if (kind === 9) return client.unary(methods.leaseRevoke, { ID: BigInt(random.between(1, 6)) });
    if (kind === 10) {
      const { store } = server.server.engine;
      return client.unary(methods.compact, { revision: store.currentRevision - random.between(0, 6) });
    }
    const memberID = server.server.identity.memberId;
    const action = random.chance(0.5) ? m.ALARM_ACTIVATE : m.ALARM_DEACTIVATE;
    // An alarm of a kind that refuses nothing.
    return client.unary(methods.alarm, { action, alarm: 0, memberID });
  };
  // Leases that are not there and compactions that come too late are refused, which is as good.
  await server.drive(call()).catch((error: unknown) => {
    if (!(error instanceof StatusError)) throw error;
  });
}

export async function changeMuch(server: SimulatedServer, random: Random, count: number): Promise<void> {
  for (let i = 0; i < count; i++) await changeSomething(server, random);
}

/** Everything that can be asked of the state of a server, all of which must be visible. */
export function stateOf({ engine }: Server): string[] {
  const { store, lessor, alarms } = engine;
  const lines = [`alarms ${[...alarms].join(' ')}`, `compacted ${store.compactedRevision}`];
  for (const lease of lessor.list().sort((a, b) => (a.id < b.id ? -1 : 1))) {
    const keys = engine.leaseKeys(lease).map((key) => Buffer.from(key).toString());
    lines.push(`lease ${lease.id} ${lease.ttlSeconds} ${keys.sort().join(' ')}`);
  }
  return [...lines, ...historyOf(store, store.currentRevision)];
}

/** What a store has at each revision that can be read, up to one of them. */
export function historyOf(store: Store, until: number): string[] {
  const lines: string[] = [];
  const first = Math.max(1, store.compactedRevision);
  for (let revision = first; revision <= until; revision++) {
    const job = store.hashKv(revision);
    while (!job.step(1_000));
    const found = new AddressList();
    for (let from: Uint8Array | null = new Uint8Array(0); from !== null; ) {
      from = store.scan(from, null, revision, 100, found);
    }
    const values = Array.from({ length: found.length }, (_, i) => textOf(store, found.at(i)));
    assert.equal(store.count(new Uint8Array(0), null, revision), values.length);
    lines.push(`at ${revision}: hash ${job.hash}, ${values.join(' ')}`);
  }
  for (let at = store.historySeek(first); at < store.historyTail && store.historyMain(at) <= until; at++) {
    const kind = store.historyIsDelete(at) ? 'delete' : store.historyIsCreate(at) ? 'create' : 'put';
    const own = textOf(store, store.historyRecord(at));
    const previous = textOf(store, store.historyPrevious(at));
    lines.push(`change ${store.historyMain(at)}.${store.historySub(at)} ${kind} ${own} over ${previous}`);
  }
  return lines;
}

function textOf(store: Store, address: number): string {
  if (address === 0) return '-';
  const bytes = store.segmentOf(address).subarray(store.kvStart(address), store.kvEnd(address));
  return Buffer.from(bytes).toString('latin1');
}
