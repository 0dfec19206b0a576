// What was acknowledged is there after the power was cut, whatever the disk made of the rest.

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import * as m from '../src/api/messages.ts';
import * as methods from '../src/api/methods.ts';
import { DurabilityMap } from '../src/etcd/durability.ts';
import { Random } from '../src/testing/random.ts';
import { opDelete, opPut, put, range, remove, txn, watchKeys } from './compat/requests.ts';
import { type ServerChanges, SimulatedServer } from './compat/server-fixture.ts';

const SEEDS = Number(process.env.K1M_RUNS ?? 20);

interface Seen {
  revision: number;
  /** Of each key the last acknowledged change. */
  readonly values: Map<string, { readonly value: string | undefined; readonly revision: number }>;
}

/** Writes from several clients at once; what is acknowledged goes into `seen`, in the order of the revisions. */
async function writeSome(server: SimulatedServer, random: Random, count: number): Promise<Seen> {
  const replies: { revision: number; changes: [string, string | undefined][] }[] = [];
  const attempts = Array.from({ length: count }, async (_, index) => {
    const key = `k${random.between(0, 9)}`;
    const value = `${index}`;
    const note = (header: m.ResponseHeader | undefined, changes: [string, string | undefined][]): void => {
      replies.push({ revision: header?.revision ?? 0, changes });
    };
    const kind = random.between(0, 5);
    if (kind < 3) note((await server.client.unary(methods.put, put(key, value))).header, [[key, value]]);
    else if (kind === 3) note((await server.client.unary(methods.deleteRange, remove(key))).header, [[key, undefined]]);
    else {
      const request = txn([], [opPut(put(key, value)), opDelete(remove('other'))]);
      note((await server.client.unary(methods.txn, request)).header, [[key, value]]);
    }
  });
  for (const attempt of attempts) attempt.catch(() => {});
  // The power is cut somewhere in the middle.
  await server.clock.pass(random.between(0, 8));
  const seen: Seen = { revision: 0, values: new Map() };
  for (const { revision, changes } of replies.sort((a, b) => a.revision - b.revision)) {
    seen.revision = Math.max(seen.revision, revision);
    for (const [key, value] of changes) seen.values.set(key, { value, revision });
  }
  return seen;
}

async function reopened(seed: number, changes: ServerChanges): Promise<{ server: SimulatedServer; seen: Seen }> {
  const server = await SimulatedServer.open(seed, changes);
  const seen = await writeSome(server, new Random(seed), 60);
  server.crash();
  await server.start();
  return { server, seen };
}

it('the hashes of keys have another seed in each new store', async () => {
  const seeds = new Set<number>();
  for (let seed = 1; seed <= 3; seed++) {
    const server = await SimulatedServer.open(seed);
    const image = server.server.engine.store.image();
    seeds.add(image.hashSeed);
    image.close();
    await server.close();
  }
  assert.equal(seeds.size, 3);
});

describe('after the power was cut', () => {
  it('everything acknowledged is there', async () => {
    for (let seed = 1; seed <= SEEDS; seed++) {
      const { server, seen } = await reopened(seed, {});
      for (const [key, { value, revision }] of seen.values) {
        const reply = await server.drive(server.client.unary(methods.range, range({ key })));
        const { kvs, header } = reply;
        assert.ok((header?.revision ?? 0) >= seen.revision, `seed ${seed}: the revision went back`);
        // What was not acknowledged may have been written too, but then at a later revision.
        const isNewer = kvs.length > 0 && kvs[0].mod_revision > revision;
        const wasDeletedLater = kvs.length === 0 && (header?.revision ?? 0) > revision;
        if (isNewer || wasDeletedLater) continue;
        const found = kvs.length === 0 ? undefined : Buffer.from(kvs[0].value).toString();
        assert.equal(found, value, `seed ${seed}: ${key}`);
      }
      await server.close();
    }
  });

  for (const durability of ['buffered', 'none'] as const) {
    it(`no revision that was shown is used again, with the class ${durability}`, async () => {
      for (let seed = 1; seed <= SEEDS; seed++) {
        const { server, seen } = await reopened(seed, { durability: new DurabilityMap(durability) });
        const { header } = await server.drive(server.client.unary(methods.put, put('after')));
        assert.ok((header?.revision ?? 0) > seen.revision, `seed ${seed}`);
        await server.close();
      }
    });
  }

  it('leases, their keys, alarms and the compacted revision are there', async () => {
    const server = await SimulatedServer.open(1);
    const { client } = server;
    await server.drive(client.unary(methods.leaseGrant, { ID: -5n, TTL: 100 }));
    await server.drive(client.unary(methods.leaseGrant, { ID: 6n, TTL: 100 }));
    await server.drive(client.unary(methods.put, put('a', '1', { lease: -5n })));
    await server.drive(client.unary(methods.put, put('b', '1', { lease: 6n })));
    await server.drive(client.unary(methods.put, put('a', '2', { lease: -5n })));
    await server.drive(client.unary(methods.leaseRevoke, { ID: 6n }));
    await server.drive(client.unary(methods.compact, { revision: 3 }));
    const { memberId } = server.server.identity;
    const raise = { action: m.ALARM_ACTIVATE, alarm: m.ALARM_NOSPACE, memberID: memberId };
    await server.drive(client.unary(methods.alarm, raise));
    await server.clock.pass(50_000);
    server.crash();
    await server.start();
    const again = server.client;
    const lease = await server.drive(again.unary(methods.leaseTimeToLive, { ID: -5n, keys: true }));
    assert.deepEqual([lease.grantedTTL, lease.TTL >= 98], [100, true]);
    assert.deepEqual(
      lease.keys.map((key) => Buffer.from(key).toString()),
      ['a'],
    );
    const gone = await server.drive(again.unary(methods.leaseTimeToLive, { ID: 6n }));
    assert.equal(gone.TTL, -1);
    const { kvs } = await server.drive(again.unary(methods.range, range({ key: '\0', end: '\0' })));
    assert.deepEqual(
      kvs.map(({ key, lease: id, version }) => [Buffer.from(key).toString(), id, version]),
      [['a', -5n, 2]],
    );
    await assert.rejects(server.drive(again.unary(methods.range, range({ key: 'a', revision: 2 }))), /compacted/);
    await assert.rejects(server.drive(again.unary(methods.put, put('a'))), /database space exceeded/);
    await server.clock.pass(110_000);
    const later = await server.drive(again.unary(methods.range, range({ key: 'a' })));
    assert.equal(later.count, 0);
    await server.close();
  });

  it('a watch goes on where it was', async () => {
    const server = await SimulatedServer.open(3);
    for (const value of ['1', '2', '3']) await server.drive(server.client.unary(methods.put, put('a', value)));
    server.crash();
    await server.start();
    const stream = await server.drive(server.client.stream(methods.watch));
    stream.send({ create_request: watchKeys({ key: 'a', start_revision: 3, prev_kv: true }) });
    await server.drive(stream.next());
    const item = await server.drive(stream.next());
    assert.ok('message' in item);
    assert.deepEqual(
      item.message.events.map(({ kv, prev_kv }) => [kv?.mod_revision, Buffer.from(prev_kv?.value ?? []).toString()]),
      [
        [3, '1'],
        [4, '2'],
      ],
    );
    await server.close();
  });

  it('nobody was told of a lease whose grant is lost', async () => {
    const server = await SimulatedServer.open(6);
    for (const operation of ['write', 'writeDurable', 'datasync'] as const) {
      server.disk.faults.push({ operation, pathPart: '.wal', times: 1, delayMs: 1_000 });
    }
    const answers: unknown[] = [];
    const note = (promise: Promise<unknown>): void => {
      promise.then(
        (answer) => answers.push(answer),
        () => {},
      );
    };
    note(server.client.unary(methods.leaseGrant, { ID: 7n, TTL: 60 }));
    await server.clock.pass(20);
    note(server.client.unary(methods.leaseTimeToLive, { ID: 7n }));
    const stream = await server.drive(server.client.stream(methods.leaseKeepAlive, { ID: 7n }));
    note(stream.next());
    const { leases } = await server.drive(server.client.unary(methods.leaseLeases, {}));
    assert.deepEqual([leases, answers], [[], []]);
    await server.clock.pass(2_000);
    assert.equal(answers.length, 3);
    await server.close();
  });

  it('a watch is told of lost revisions also when another restart came between', async () => {
    const durability = new DurabilityMap('fsync', [{ prefix: Buffer.from('b/'), durability: 'buffered' }]);
    const server = await SimulatedServer.open(7, { durability });
    const { header } = await server.drive(server.client.unary(methods.put, put('b/1')));
    server.crash('lose');
    await server.start();
    await server.drive(server.client.unary(methods.put, put('f/1')));
    server.crash('lose');
    await server.start();
    const stream = await server.drive(server.client.stream(methods.watch));
    stream.send({ create_request: watchKeys({ key: 'b/', end: 'b0', start_revision: (header?.revision ?? 0) + 1 }) });
    await server.drive(stream.next());
    const item = await server.drive(stream.next());
    assert.ok('message' in item && item.message.canceled && item.message.compact_revision > 0);
    await server.close();
  });

  it('a watch is told that a clean restart took the keys of the class none', async () => {
    const server = await SimulatedServer.open(5, { durability: new DurabilityMap('none') });
    const { header } = await server.drive(server.client.unary(methods.put, put('a')));
    await server.drive(server.server.close());
    await server.start();
    const stream = await server.drive(server.client.stream(methods.watch));
    stream.send({ create_request: watchKeys({ key: 'a', start_revision: (header?.revision ?? 0) + 1 }) });
    await server.drive(stream.next());
    const item = await server.drive(stream.next());
    assert.ok('message' in item && item.message.canceled && item.message.compact_revision > 0);
    await server.close();
  });

  it('a shutdown ends streams with UNAVAILABLE and loses nothing', async () => {
    const server = await SimulatedServer.open(4);
    const stream = await server.drive(server.client.stream(methods.watch));
    stream.send({ create_request: watchKeys({ key: 'a' }) });
    await server.drive(stream.next());
    await server.drive(server.client.unary(methods.put, put('a')));
    await server.drive(stream.next());
    const closed = server.server.close();
    const item = await server.drive(stream.next());
    assert.ok('end' in item && item.end?.code === 14 && item.end.message === 'etcdserver: server stopped');
    await server.drive(closed);
    await server.start();
    const { header, count } = await server.drive(server.client.unary(methods.range, range({ key: 'a' })));
    assert.deepEqual([header?.revision, count], [2, 1]);
    await server.close();
  });
});
