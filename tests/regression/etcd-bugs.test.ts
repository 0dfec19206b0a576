// Bugs that etcd had and fixed (its tests/robustness/README.md), as a store of another make may have them. Those that cannot
// exist here are in docs/testing.md.

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import * as m from '../../src/api/messages.ts';
import * as methods from '../../src/api/methods.ts';
import { EtcdClient } from '../../src/client/etcd-client.ts';
import type { CompatStream, StreamItem } from '../compat/compat-client.ts';
import { bytesOf, opDelete, opPut, opRange, put, range, remove, txn, watchKeys } from '../compat/requests.ts';
import { SimulatedServer } from '../compat/server-fixture.ts';

type WatchStream = CompatStream<m.WatchRequest, m.WatchResponse>;

async function openWatch(server: SimulatedServer, request: m.WatchCreateRequest): Promise<WatchStream> {
  const stream = await server.drive(server.client.stream(methods.watch));
  stream.send({ create_request: request });
  return stream;
}

function messageOf(item: StreamItem<m.WatchResponse>): m.WatchResponse {
  assert.ok('message' in item, 'the stream has ended');
  return item.message;
}

/** All messages that come within the time. */
async function messagesOf(server: SimulatedServer, stream: WatchStream, ms: number): Promise<m.WatchResponse[]> {
  await server.clock.pass(ms);
  const messages: m.WatchResponse[] = [];
  while (stream.waiting.length > 0) messages.push(messageOf(await stream.next()));
  return messages;
}

function eventsOf(messages: readonly m.WatchResponse[]): string[] {
  return messages.flatMap(({ events }) => {
    return events.map(({ type, kv }) => {
      const key = Buffer.from(kv?.key ?? []).toString();
      return `${type === m.EVENT_DELETE ? 'delete' : 'put'} ${key} ${kv?.mod_revision}`;
    });
  });
}

async function putMany(server: SimulatedServer, key: string, count: number, value = ''): Promise<void> {
  for (let i = 0; i < count; i++) await server.drive(server.client.unary(methods.put, put(key, value || `${i}`)));
}

async function revisionOf(server: SimulatedServer): Promise<number> {
  const { header } = await server.drive(server.client.unary(methods.range, range({ key: 'none' })));
  return header?.revision ?? 0;
}

describe("etcd's bugs:", () => {
  it('#13766 and #14685: after a crash under load, also while defragmenting, the revision fits the data', async () => {
    for (let seed = 1; seed <= 10; seed++) {
      const server = await SimulatedServer.open(seed);
      let acknowledged = 0;
      const note = ({ header }: m.PutResponse): void => {
        acknowledged = Math.max(acknowledged, header?.revision ?? 0);
      };
      for (let i = 0; i < 40; i++) server.client.unary(methods.put, put('k', `${i}`)).then(note, () => {});
      server.client.unary(methods.defragment, {}).catch(() => {});
      await server.clock.pass(seed);
      server.crash();
      await server.start();
      const { kvs, header } = await server.drive(server.client.unary(methods.range, range({ key: 'k' })));
      // One key: its version tells how many of the writes are there, and so does the revision.
      assert.ok((header?.revision ?? 0) >= acknowledged);
      assert.equal((kvs.at(0)?.version ?? 0) + 1, header?.revision, `seed ${seed}`);
      await server.close();
    }
  });

  it('#14370: a write is not acknowledged, read or watched before the disk has it', async () => {
    const server = await SimulatedServer.open(1);
    const stream = await openWatch(server, watchKeys({ key: 'k' }));
    await server.drive(stream.next());
    for (const operation of ['write', 'writeDurable', 'datasync'] as const) {
      server.disk.faults.push({ operation, pathPart: '.wal', times: 9, delayMs: 500 });
    }
    let isAcknowledged = false;
    const written = server.client.unary(methods.put, put('k', '1')).then(() => {
      isAcknowledged = true;
    });
    const early = await messagesOf(server, stream, 300);
    const read = await server.drive(server.client.unary(methods.range, range({ key: 'k' })));
    assert.deepEqual([isAcknowledged, eventsOf(early), read.count, read.header?.revision], [false, [], 0, 1]);
    await server.drive(written);
    assert.deepEqual(eventsOf(await messagesOf(server, stream, 100)), ['put k 2']);
    await server.close();
  });

  it('#15220: no progress notification overtakes the events it speaks of', async () => {
    const server = await SimulatedServer.open(2);
    await putMany(server, 'k', 120, 'x'.repeat(20_000));
    const revision = await revisionOf(server);
    // It begins far behind, and progress is asked for while it catches up.
    const stream = await openWatch(server, watchKeys({ key: 'k', start_revision: 2, progress_notify: true }));
    for (let i = 0; i < 20; i++) {
      stream.send({ progress_request: {} });
      await server.clock.pass(1);
    }
    let given = 1;
    for (const message of await messagesOf(server, stream, 2_000)) {
      if (message.events.length === 0 && !message.created) assert.ok((message.header?.revision ?? 0) <= given);
      given = Math.max(given, message.events.at(-1)?.kv?.mod_revision ?? 0);
    }
    assert.equal(given, revision);
    await server.close();
  });

  it('#15271: a watch that goes on after a restart does not go back in time', async () => {
    const server = await SimulatedServer.open(3);
    let seen = 0;
    let next = 1;
    for (let round = 0; round < 4; round++) {
      const stream = await openWatch(server, watchKeys({ key: 'k', start_revision: next }));
      await putMany(server, 'k', 5);
      for (const { header, events } of await messagesOf(server, stream, 100)) {
        assert.ok((header?.revision ?? 0) >= seen);
        seen = header?.revision ?? 0;
        for (const { kv } of events) {
          assert.equal(kv?.mod_revision, Math.max(2, next));
          next = Math.max(2, next) + 1;
        }
      }
      server.crash();
      await server.start();
    }
    assert.equal(next, 22);
    await server.close();
  });

  it('#17247: a transaction that also reads gives each event once', async () => {
    const server = await SimulatedServer.open(4);
    await putMany(server, 'b', 1);
    const stream = await openWatch(server, watchKeys({ key: 'a', end: 'z', start_revision: 3 }));
    const read = opRange(range({ key: 'a', end: 'z' }));
    const request = txn(
      [],
      [read, opPut(put('a', '1')), read, opDelete(remove('b')), read, opPut(put('c', '1')), read],
    );
    await server.drive(server.client.unary(methods.txn, request));
    assert.deepEqual(eventsOf(await messagesOf(server, stream, 200)), ['put a 3', 'delete b 3', 'put c 3']);
    await server.close();
  });

  it('#17529: a watch whose client reads nothing for long misses no event', async () => {
    const server = await SimulatedServer.open(5);
    const { network, clock } = server;
    const endpoints = [`http://127.0.0.1:${server.server.ports[0]}`];
    const client = new EtcdClient({ network, clock, endpoints, random: () => 0.5 });
    const revisions: number[] = [];
    let goOn: () => void = () => {};
    const slow = new Promise<void>((resolve) => {
      goOn = resolve;
    });
    const watch = client.watch(
      { key: bytesOf('k'), startRevision: 1 },
      {
        onEvents: (events) => {
          revisions.push(...events.map(({ kv }) => kv?.mod_revision ?? 0));
          return revisions.length === 1 ? slow : undefined;
        },
        onEnd: (error) => assert.equal(error, undefined),
      },
    );
    await putMany(server, 'k', 150, 'x'.repeat(10_000));
    assert.ok(revisions.length < 10, 'the listener is held up');
    goOn();
    await clock.pass(2_000);
    assert.deepEqual(
      revisions,
      Array.from({ length: 150 }, (_, index) => index + 2),
    );
    watch.cancel();
    client.close();
    await server.close();
  });

  it('#17780: after a crash while compacting the newest deletion the revision is not lower', async () => {
    for (let ms = 0; ms < 12; ms++) {
      const server = await SimulatedServer.open(6 + ms);
      await putMany(server, 'k', 3);
      const { header } = await server.drive(server.client.unary(methods.deleteRange, remove('k')));
      const revision = header?.revision ?? 0;
      server.client.unary(methods.compact, { revision, physical: true }).catch(() => {});
      await server.clock.pass(ms / 3);
      server.crash();
      await server.start();
      assert.equal(await revisionOf(server), revision);
      const next = await server.drive(server.client.unary(methods.put, put('k')));
      assert.equal(next.header?.revision, revision + 1);
      await server.close();
    }
  });

  it('#18089 and #19179: a deletion at the compacted revision is given to a watch that begins there', async () => {
    for (const isRestarted of [false, true]) {
      const server = await SimulatedServer.open(7);
      await putMany(server, 'k', 1);
      const { header } = await server.drive(server.client.unary(methods.deleteRange, remove('k')));
      const revision = header?.revision ?? 0;
      await putMany(server, 'other', 2);
      await server.drive(server.client.unary(methods.compact, { revision, physical: true }));
      if (isRestarted) {
        server.crash();
        await server.start();
      }
      const stream = await openWatch(server, watchKeys({ key: 'k', start_revision: revision }));
      assert.deepEqual(eventsOf(await messagesOf(server, stream, 200)), [`delete k ${revision}`]);
      await server.close();
    }
  });

  it('#18055: two snapshots at once are both whole', async () => {
    const server = await SimulatedServer.open(8);
    await putMany(server, 'k', 50, 'x'.repeat(5_000));
    const take = async (): Promise<Buffer> => {
      const stream = await server.client.stream(methods.snapshot, {});
      const blobs: Uint8Array[] = [];
      for (;;) {
        const item = await stream.next();
        if ('message' in item) blobs.push(Buffer.from(item.message.blob));
        else {
          assert.equal(item.end, undefined);
          return Buffer.concat(blobs);
        }
      }
    };
    const [first, second] = await server.drive(Promise.all([take(), take()]));
    assert.ok(first.length > 250_000);
    assert.equal(first.length, second.length);
    await putMany(server, 'k', 1);
    await server.close();
  });

  it('#18667: a transaction that reads a compacted revision is refused, and nothing of it happens', async () => {
    const server = await SimulatedServer.open(9);
    await putMany(server, 'k', 5);
    await server.drive(server.client.unary(methods.compact, { revision: 4 }));
    const read = opRange(range({ key: 'k', revision: 3 }));
    for (const request of [txn([], [opPut(put('a', '1')), read]), txn([], [read, opPut(put('a', '1'))])]) {
      await assert.rejects(
        server.drive(server.client.unary(methods.txn, request)),
        /required revision has been compacted/,
      );
    }
    server.crash();
    await server.start();
    assert.equal(await revisionOf(server), 6);
    const { count } = await server.drive(server.client.unary(methods.range, range({ key: 'a' })));
    assert.equal(count, 0);
    await server.close();
  });

  it('#20221: a watch on a future revision gets nothing older, before and after a restart', async () => {
    const server = await SimulatedServer.open(10, { progressIntervalMs: 100 });
    await putMany(server, 'k', 3);
    for (const isRestarted of [false, true]) {
      if (isRestarted) {
        server.crash();
        await server.start();
      }
      const start = (await revisionOf(server)) + 4;
      const stream = await openWatch(server, watchKeys({ key: 'k', start_revision: start, progress_notify: true }));
      await putMany(server, 'k', 2);
      const early = await messagesOf(server, stream, 1_000);
      assert.deepEqual(eventsOf(early), []);
      for (const { header } of early) assert.ok((header?.revision ?? 0) < start);
      await putMany(server, 'k', 3);
      assert.deepEqual(eventsOf(await messagesOf(server, stream, 200)), [`put k ${start}`, `put k ${start + 1}`]);
    }
    await server.close();
  });
});
