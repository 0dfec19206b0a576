// Lease: grant, revoke, keep-alive, time to live, list, expiry.

import type * as m from '../../src/api/messages.ts';
import * as methods from '../../src/api/methods.ts';
import { range, watchKeys } from './requests.ts';
import type { Case, Session } from './session.ts';
import { describeError } from './session.ts';

async function keepAlive(s: Session, ids: readonly bigint[]): Promise<void> {
  const stream = await s.client.stream(methods.leaseKeepAlive);
  for (const ID of ids) {
    stream.send({ ID });
    const item = await stream.next();
    s.transcript.add(`LeaseKeepAlive ${s.transcript.show({ ID })}`);
    s.transcript.add(
      'message' in item
        ? `  ${s.transcript.show(item.message)}`
        : `  end ${item.end === undefined ? 'OK' : describeError(item.end)}`,
    );
  }
  stream.cancel();
}

/** What is left of the TTL depends on when it is asked: only whether it is as expected is written down. */
async function timeToLive(s: Session, ID: bigint, ttls: readonly number[], keys = true): Promise<void> {
  const reply = await s.client.unary(methods.leaseTimeToLive, { ID, keys });
  const isExpected = ttls.includes(reply.TTL);
  const sorted = reply.keys.toSorted((a, b) => Buffer.compare(a, b));
  s.transcript.add(`LeaseTimeToLive ${ID}: TTL ${isExpected ? 'as expected' : reply.TTL}`);
  s.transcript.add(`  ${s.transcript.show({ ...reply, TTL: 0, keys: sorted })}`);
}

async function leases(s: Session): Promise<m.LeaseLeasesResponse | undefined> {
  return s.call(methods.leaseLeases, {});
}

export const LEASE_CASES: readonly Case[] = [
  {
    name: 'trap 21: TTLs: the least, the most, nothing, negative',
    run: async (s) => {
      for (const TTL of [1, 2, 3, 0, -5, 9_000_000_000, 9_000_000_001]) {
        await s.call(methods.leaseGrant, { ID: 100n + BigInt(TTL), TTL });
      }
      await s.call(methods.leaseGrant, { ID: -9n, TTL: 100 });
      await s.call(methods.leaseGrant, { ID: 2n ** 63n - 1n, TTL: 100 });
      await s.call(methods.leaseGrant, { ID: -(2n ** 63n), TTL: 100 });
      await s.call(methods.leaseGrant, { ID: -9n, TTL: 100 });
      await s.call(methods.leaseGrant, { ID: -9n, TTL: 9_000_000_001 });
    },
  },
  {
    name: 'lease: an id chosen by the server',
    run: async (s) => {
      const reply = await s.client.unary(methods.leaseGrant, { TTL: 60 });
      s.transcript.nameId(reply.ID);
      s.note(`positive: ${reply.ID > 0n}`);
      s.transcript.add(s.transcript.show(reply));
    },
  },
  {
    name: 'trap 21: a lease nobody has',
    run: async (s) => {
      await s.call(methods.leaseRevoke, { ID: 5n });
      await s.call(methods.leaseRevoke, { ID: 0n });
      await timeToLive(s, 5n, [-1]);
      await timeToLive(s, 0n, [-1]);
      await s.grant(6n, 60);
      await keepAlive(s, [5n, 6n, 0n, 5n, 6n]);
    },
  },
  {
    name: 'lease: time to live, with and without keys',
    run: async (s) => {
      await s.grant(6n, 600);
      await timeToLive(s, 6n, [599, 600]);
      await s.put('b', '1', { lease: 6n });
      await s.put('a', '1', { lease: 6n });
      await s.put('c', '1', { lease: 6n });
      await s.remove('c');
      await timeToLive(s, 6n, [599, 600]);
      await timeToLive(s, 6n, [599, 600], false);
    },
  },
  {
    name: 'lease: the list is ordered by expiry',
    run: async (s) => {
      await s.grant(1n, 300);
      await s.grant(2n, 100);
      await s.grant(3n, 200);
      await leases(s);
      await s.pass(20);
      await keepAlive(s, [2n]);
      await leases(s);
      await s.call(methods.leaseRevoke, { ID: 3n });
      await leases(s);
    },
  },
  {
    name: 'lease: revoke deletes its keys at one revision, in key order',
    run: async (s) => {
      await s.grant(6n, 600);
      await s.grant(7n, 600);
      for (const key of ['d', 'b', 'c', 'a', 'e']) await s.put(key, key, { lease: 6n });
      await s.put('c', 'moved', { lease: 7n });
      await s.put('e', 'freed');
      const w = await s.watch();
      await w.create(watchKeys({ key: 'a', end: 'z', prev_kv: true }));
      await s.call(methods.leaseRevoke, { ID: 6n });
      await w.message();
      await s.range(range({ key: 'a', end: 'z' }));
      await s.call(methods.leaseRevoke, { ID: 6n });
      await s.put('x', '1', { lease: 6n });
      await s.grant(6n, 600);
      await s.call(methods.leaseRevoke, { ID: 6n });
    },
  },
  {
    name: 'trap 22: expiry deletes at one revision in key order; a key that moved survives',
    isSlow: true,
    run: async (s) => {
      await s.grant(6n, 2);
      await s.grant(7n, 600);
      for (const key of ['c', 'a', 'b']) await s.put(key, key, { lease: 6n });
      await s.put('a', 'moved', { lease: 7n });
      const w = await s.watch();
      await w.create(watchKeys({ key: 'a', end: 'z' }));
      await w.message();
      await s.range(range({ key: 'a', end: 'z' }));
      await timeToLive(s, 6n, [-1]);
      await keepAlive(s, [6n]);
      await s.call(methods.leaseRevoke, { ID: 6n });
      await leases(s);
    },
  },
];
