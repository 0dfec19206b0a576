// The client against a running server, etcd's or ours: K1M_TEST_ENDPOINT=http://127.0.0.1:2379. Skipped without it.
// Keys are below /k1m-test/ and removed again.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import type { StatusError } from '../api/errors.ts';
import * as m from '../api/messages.ts';
import * as methods from '../api/methods.ts';
import { RealClock } from '../io/clock.ts';
import { TcpNetwork } from '../io/tcp-network.ts';
import { EtcdClient } from './etcd-client.ts';
import { keyBytes, prefixEnd } from './key-range.ts';

const endpoint = process.env.K1M_TEST_ENDPOINT ?? '';
const skip: string | false = endpoint === '' ? 'K1M_TEST_ENDPOINT is not set' : false;
const PREFIX = `/k1m-test/${process.pid}/`;
const EVERYTHING = { key: keyBytes(PREFIX), range_end: prefixEnd(keyBytes(PREFIX)) };

function connect(): EtcdClient {
  const endpoints = [endpoint === '' ? '127.0.0.1:2379' : endpoint];
  return new EtcdClient({ network: new TcpNetwork(), clock: new RealClock(), endpoints, timeoutMs: 10_000 });
}

const client = connect();

before(async () => {
  if (skip === false) await client.deleteRange(EVERYTHING);
});

after(async () => {
  if (skip === false) await client.deleteRange(EVERYTHING);
  client.close();
});

function put(key: string, value: string): m.RequestOp {
  const fields = { lease: 0n, prev_kv: false, ignore_value: false, ignore_lease: false };
  return m.RequestOp.create({ request_put: { ...fields, key: keyBytes(PREFIX + key), value: keyBytes(value) } });
}

/** Resolves when `count` events have come. */
function collect(from: EtcdClient, startRevision: number, count: number): Promise<m.Event[]> {
  return new Promise((resolve, reject) => {
    const events: m.Event[] = [];
    const watch = from.watch(
      { key: EVERYTHING.key, rangeEnd: EVERYTHING.range_end, startRevision, prevKv: true },
      {
        onEvents: (some) => {
          events.push(...some);
          if (events.length < count) return;
          watch.cancel();
          resolve(events);
        },
        onEnd: (error) => (error === undefined ? undefined : reject(error)),
      },
    );
  });
}

test('what was put is read, counted, listed in pages and deleted', { skip }, async () => {
  for (const name of ['a/1', 'a/2', 'a/3']) await client.put(PREFIX + name, `value of ${name}`);
  const kv = await client.get(`${PREFIX}a/2`);
  assert.equal(Buffer.from(kv?.value ?? []).toString(), 'value of a/2');
  const key = keyBytes(`${PREFIX}a/`);
  const page = await client.range({ key, range_end: prefixEnd(key), limit: 2 });
  assert.deepEqual([page.kvs.length, page.more, page.count], [2, true, 3]);
  const { deleted } = await client.deleteRange({ key, range_end: prefixEnd(key) });
  assert.equal(deleted, 3);
  assert.equal(await client.get(`${PREFIX}a/2`), undefined);
});

test('a transaction succeeds on the right revision and else reads', { skip }, async () => {
  const key = keyBytes(`${PREFIX}txn`);
  const created = await client.put(key, '1');
  const revision = created.header?.revision ?? 0;
  const update = (expected: number): Promise<m.TxnResponse> =>
    client.txn({
      compare: [m.Compare.create({ target: m.TARGET_MOD, key, mod_revision: expected })],
      success: [put('txn', '2')],
      failure: [m.RequestOp.create({ request_range: methods.range.request.create({ key }) })],
    });
  assert.equal((await update(revision)).succeeded, true);
  const lost = await update(revision);
  assert.equal(lost.succeeded, false);
  assert.equal(lost.responses[0].response_range?.kvs[0].mod_revision, revision + 1);
});

test("errors have etcd's codes and texts", { skip }, async () => {
  const error = await client.range({ key: EVERYTHING.key, revision: 2 ** 40 }).then(
    () => assert.fail('a future revision was read'),
    (reason: StatusError) => reason,
  );
  assert.equal(error.code, 11);
  assert.equal(error.message, 'etcdserver: mvcc: required revision is a future revision');
});

test('a watch tells every change once, with what was before', { skip }, async () => {
  const { header } = await client.put(`${PREFIX}w`, 'first');
  const startRevision = (header?.revision ?? 0) + 1;
  const collected = collect(client, startRevision, 3);
  await client.put(`${PREFIX}w`, 'second');
  await client.deleteRange({ key: keyBytes(`${PREFIX}w`) });
  await client.put(`${PREFIX}w`, 'third');
  const events = await collected;
  assert.deepEqual(
    events.map((event) => [event.type, Buffer.from(event.prev_kv?.value ?? []).toString()]),
    [
      [m.EVENT_PUT, 'first'],
      [m.EVENT_DELETE, 'second'],
      [m.EVENT_PUT, ''],
    ],
  );
});

test('progress is answered on a watch', { skip }, async () => {
  const { header } = await client.put(`${PREFIX}p`, '1');
  const revision = await new Promise<number>((resolve, reject) => {
    const watch = client.watch(
      { key: EVERYTHING.key },
      {
        onCreated: () => watch.requestProgress(),
        onEvents: () => undefined,
        onProgress: (reported) => {
          watch.cancel();
          resolve(reported);
        },
        onEnd: (error) => (error === undefined ? undefined : reject(error)),
      },
    );
  });
  assert(revision >= (header?.revision ?? Number.POSITIVE_INFINITY));
});

test('a large value goes out and comes back through the windows', { skip }, async () => {
  const value = Buffer.alloc(1_400_000, 'x');
  await client.put(`${PREFIX}large`, value);
  assert(Buffer.from((await client.get(`${PREFIX}large`))?.value ?? []).equals(value));
});

test('many calls at once are all answered', { skip }, async () => {
  const responses = await Promise.all(Array.from({ length: 2000 }, (_, i) => client.put(`${PREFIX}many/${i}`, `${i}`)));
  assert.equal(new Set(responses.map(({ header }) => header?.revision)).size, 2000);
  const key = keyBytes(`${PREFIX}many/`);
  const { count } = await client.range({ key, range_end: prefixEnd(key), count_only: true });
  assert.equal(count, 2000);
});

test('a lease is granted, kept, asked for and revoked with its keys', { skip }, async () => {
  const { ID, TTL } = await client.leaseGrant(30);
  await client.put(`${PREFIX}leased`, '1', { lease: ID });
  await new Promise<void>((resolve, reject) => {
    client.keepLease(ID, TTL, { onKept: () => resolve(), onLost: () => reject(new Error('the lease was lost')) });
  });
  client.stopKeeping(ID);
  const { keys, grantedTTL } = await client.leaseTimeToLive(ID, true);
  assert.deepEqual([keys.map((key) => Buffer.from(key).toString()), grantedTTL], [[`${PREFIX}leased`], 30]);
  await client.leaseRevoke(ID);
  assert.equal(await client.get(`${PREFIX}leased`), undefined);
});
