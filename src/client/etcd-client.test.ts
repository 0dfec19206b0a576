// The client against a server of a few lines on the simulated network.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { UNAVAILABLE } from '../api/errors.ts';
import * as m from '../api/messages.ts';
import { CLIENT_DEFAULTS } from '../h2/connection-options.ts';
import type { EtcdClient } from './etcd-client.ts';
import { failure, header, PORT, type Script, World } from './fake-server-fixture.ts';

test('a unary call carries what clientv3 sends, and gives the decoded answer', async () => {
  const seen: string[] = [];
  const world = new World((call, message) => {
    seen.push(...call.block.fields.map(({ name, value }) => `${name}: ${value}`));
    assert.equal(Buffer.from(m.PutRequest.decode(message).value).toString(), 'v');
    call.send(m.PutResponse, { header: header(9) });
    call.end(0);
  });
  await world.listen();
  const response = await world.clock.runUntil(world.client.put('k', 'v', {}, { timeoutMs: 2000 }));
  assert.equal(response.header?.revision, 9);
  for (const field of [
    'te: trailers',
    'content-type: application/grpc',
    'client-api-version: 3.7.0',
    `:authority: a:${PORT}`,
  ]) {
    assert(seen.includes(field), field);
  }
  assert(seen.some((field) => /^grpc-timeout: (1999|2000)m$/.test(field)));
});

test("an error is thrown with the server's code and text", async () => {
  const world = new World((call) => call.end(11, 'etcdserver: mvcc: required revision has been compacted'));
  await world.listen();
  const error = await world.clock.runUntil(failure(world.client.compact(5)));
  assert.equal(error.code, 11);
  assert.equal(error.message, 'etcdserver: mvcc: required revision has been compacted');
});

test('a read is repeated on UNAVAILABLE, a write is not', async () => {
  const world = new World((call) => {
    if (world.messages < 4) call.end(14, 'etcdserver: leader changed');
    else {
      call.send(m.RangeResponse, { header: header(1) });
      call.end(0);
    }
  });
  await world.listen();
  await world.clock.runUntil(world.client.get('k'));
  assert.equal(world.messages, 4);
  world.messages = 0;
  const error = await world.clock.runUntil(failure(world.client.put('k', 'v')));
  assert.equal(error.code, UNAVAILABLE);
  assert.equal(world.messages, 1);
});

test('a call waits through refused connections, tries the other endpoint, and a deadline ends the wait', async () => {
  const world = new World((call) => {
    call.send(m.PutResponse, { header: header(2) });
    call.end(0);
  });
  const error = await world.clock.runUntil(failure(world.client.put('k', 'v', {}, { timeoutMs: 300 })));
  assert.equal(error.code, 4);
  await world.listen(PORT + 1);
  const response = await world.clock.runUntil(world.client.put('k', 'v'));
  assert.equal(response.header?.revision, 2);
});

test('a connection that has no more ids for streams is followed by another, and no call fails', async () => {
  const answer: Script = (call) => {
    call.send(m.PutResponse, { header: header(2) });
    call.end(0);
  };
  const world = new World(answer, { streamIdMax: 5 });
  await world.listen();
  await world.listen(PORT + 1);
  const puts = Array.from({ length: 10 }, () => world.client.put('k', 'v'));
  await world.clock.runUntil(Promise.all(puts));
  for (let i = 0; i < 5; i++) await world.clock.runUntil(world.client.put('k', 'v'));
  assert.equal(world.drivers.length, 5);
  await world.clock.pass(1_000);
  assert.deepEqual(
    world.drivers.map(({ connection }) => connection.isClosed),
    [true, true, true, true, true],
  );
});

test('a write in flight on a connection that breaks fails, a read is sent again', async () => {
  const world = new World((call) => {
    if (world.messages === 1) world.cut();
    else {
      call.send(m.RangeResponse, { header: header(1) });
      call.end(0);
    }
  });
  await world.listen();
  const error = await world.clock.runUntil(failure(world.client.put('k', 'v')));
  assert.equal(error.code, UNAVAILABLE);
  world.messages = 0;
  await world.listen(PORT + 1);
  await world.clock.runUntil(world.client.get('k'));
  assert.equal(world.messages, 2);
});

test('a silent server is found out by a ping that goes unanswered', async () => {
  const world = new World(() => {
    for (const stream of world.network.streams) stream.halfOpen();
  });
  await world.listen();
  const call = failure(world.client.put('k', 'v'));
  await world.clock.pass(39_000);
  assert.equal(world.messages, 1);
  await world.clock.pass(5_000);
  assert.match((await call).message, /pings/);
});

test('a closed client fails what waits', async () => {
  const world = new World(() => undefined);
  await world.listen();
  const call = failure(world.client.put('k', 'v'));
  await world.clock.pass(100);
  world.client.close();
  assert.equal((await world.clock.runUntil(call)).code, UNAVAILABLE);
  assert.match((await world.clock.runUntil(failure(world.client.get('k')))).message, /closed/);
});

function putEvent(revision: number): m.Event {
  const kv = m.KeyValue.create({ key: Buffer.from('k'), mod_revision: revision });
  return { type: m.EVENT_PUT, kv, prev_kv: undefined };
}

/** Collects what a watch tells, as words. */
function words(): { said: string[]; listener: Parameters<EtcdClient['watch']>[1] } {
  const said: string[] = [];
  return {
    said,
    listener: {
      onCreated: (revision) => void said.push(`created ${revision}`),
      onEvents: (events) => void said.push(`events ${events.map((event) => event.kv?.mod_revision).join(' ')}`),
      onProgress: (revision) => void said.push(`progress ${revision}`),
      onEnd: (error, compactRevision) => void said.push(`end ${error?.message} ${compactRevision}`),
    },
  };
}

test('a watch goes on from the next revision when its connection breaks, and gives no event twice', async () => {
  const starts: number[] = [];
  const world = new World((call, message) => {
    const create = m.WatchRequest.decode(message).create_request;
    if (create === undefined) return;
    starts.push(create.start_revision);
    call.send(m.WatchResponse, { header: header(10), created: true });
    if (starts.length === 1) {
      call.send(m.WatchResponse, { header: header(12), events: [putEvent(11), putEvent(12)] });
      world.clock.setTimer(50, () => world.cut());
    } else call.send(m.WatchResponse, { header: header(13), events: [putEvent(12), putEvent(13)] });
  });
  await world.listen();
  await world.listen(PORT + 1);
  const { said, listener } = words();
  const watch = world.client.watch({ key: Buffer.from('k') }, listener);
  await world.clock.pass(1000);
  assert.deepEqual(starts, [0, 13]);
  assert.deepEqual(said, ['created 10', 'events 11 12', 'created 10', 'events 13']);
  watch.cancel();
  assert.equal(said.at(-1), 'end undefined 0');
});

test('a watch from now on that breaks before any event goes on behind the revision of its making', async () => {
  const starts: number[] = [];
  const world = new World((call, message) => {
    starts.push(m.WatchRequest.decode(message).create_request?.start_revision ?? -1);
    call.send(m.WatchResponse, { header: header(10), created: true });
    if (starts.length === 1) world.clock.setTimer(50, () => world.cut());
  });
  await world.listen();
  await world.listen(PORT + 1);
  world.client.watch({ key: Buffer.from('k') }, words().listener);
  await world.clock.pass(1000);
  assert.deepEqual(starts, [0, 11]);
});

test('fragments are joined, progress is reported, compaction ends the watch', async () => {
  const world = new World((call, message) => {
    const request = m.WatchRequest.decode(message);
    if (request.create_request !== undefined) {
      call.send(m.WatchResponse, { header: header(3), created: true });
      call.send(m.WatchResponse, { header: header(7), fragment: true, events: [putEvent(6)] });
      call.send(m.WatchResponse, { header: header(7), fragment: false, events: [putEvent(7)] });
    } else if (request.progress_request !== undefined) {
      call.send(m.WatchResponse, { header: header(8) });
      call.send(m.WatchResponse, { header: header(8), canceled: true, compact_revision: 9 });
    }
  });
  await world.listen();
  const { said, listener } = words();
  const watch = world.client.watch({ key: Buffer.from('k'), startRevision: 4, fragment: true }, listener);
  await world.clock.pass(100);
  watch.requestProgress();
  await world.clock.pass(100);
  const end = 'end etcdserver: mvcc: required revision has been compacted 9';
  assert.deepEqual(said, ['created 3', 'events 6 7', 'progress 8', end]);
});

test('a listener of views is told each part at once, and after a break within parts goes on at the last revision', async () => {
  const starts: number[] = [];
  const world = new World((call, message) => {
    const create = m.WatchRequest.decode(message).create_request;
    if (create === undefined) return;
    starts.push(create.start_revision);
    const send = (response: Partial<m.WatchResponse>): void => call.send(m.WatchResponse, response);
    send({ header: header(3), created: true });
    if (starts.length > 2) send({ header: header(12), canceled: true, compact_revision: 11 });
    else send({ header: header(7), fragment: true, events: [putEvent(5), putEvent(6)] });
    if (starts.length === 2) send({ header: header(7), events: [{ ...putEvent(7), type: m.EVENT_DELETE }] });
    world.clock.setTimer(50, () => world.cut());
  });
  await world.listen();
  await world.listen(PORT + 1);
  const said: string[] = [];
  world.client.watch(
    { key: Buffer.from('k'), startRevision: 4, fragment: true },
    {
      onView: (kv) => void said.push(`${kv.isDeleted ? 'gone' : 'put'} ${kv.modRevision}`),
      onEnd: (_, compactRevision) => void said.push(`end ${compactRevision}`),
    },
  );
  await world.clock.pass(1000);
  assert.deepEqual(starts, [4, 6, 8]);
  assert.deepEqual(said, ['put 5', 'put 6', 'put 6', 'gone 7', 'end 11']);
});

test('a slow listener holds the server back at one window', async () => {
  const MESSAGES = 200;
  const bytes = 64 * 1024;
  const world = new World((call) => {
    call.send(m.WatchResponse, { header: header(1), created: true });
    for (let revision = 2; revision < 2 + MESSAGES; revision++) {
      const event = putEvent(revision);
      if (event.kv !== undefined) event.kv.value = new Uint8Array(bytes);
      call.send(m.WatchResponse, { header: header(revision), events: [event] });
    }
  });
  await world.listen();
  let go: (() => void)[] = [];
  let events = 0;
  world.client.watch(
    { key: Buffer.from('k'), startRevision: 2 },
    {
      onEvents: () => {
        events++;
        return new Promise<void>((resolve) => go.push(resolve));
      },
      onEnd: () => undefined,
    },
  );
  await world.clock.pass(1000);
  assert.equal(events, 1);
  const received = world.network.streams[0];
  assert(received !== undefined);
  const sent = world.drivers[0].connection.stats.bytesSent;
  assert(sent < 3 * 1024 * 1024, `the server has sent ${sent} bytes`);
  while (events < MESSAGES) {
    const ready = go;
    go = [];
    assert(ready.length > 0, `no more events after ${events}`);
    for (const resolve of ready) resolve();
    await world.clock.pass(20);
  }
});

/** A watch whose server sends one event for each of `sizes`, as large as that, to a listener that takes its time. */
async function revisionsOf(sizes: readonly number[]): Promise<(number | undefined)[]> {
  const world = new World((call) => {
    call.send(m.WatchResponse, { header: header(1), created: true });
    for (const [at, bytes] of sizes.entries()) {
      const event = putEvent(2 + at);
      if (event.kv !== undefined) event.kv.value = new Uint8Array(bytes);
      call.send(m.WatchResponse, { header: header(2 + at), events: [event] });
    }
  });
  await world.listen();
  const revisions: (number | undefined)[] = [];
  const onEvents = async (events: m.Event[]): Promise<void> => {
    revisions.push(...events.map((event) => event.kv?.mod_revision));
    await new Promise<void>((resolve) => world.clock.setTimer(5, resolve));
  };
  world.client.watch({ key: Buffer.from('k'), startRevision: 2 }, { onEvents, onEnd: () => undefined });
  await world.clock.pass(60_000);
  return revisions;
}

test('a message gets through that is larger than the window, or than what consumed bytes have left of it', async () => {
  const window = CLIENT_DEFAULTS.streamWindowBytes;
  const table: Record<string, number[]> = {
    'just less than half a window consumed, and a message of more than the rest': [
      window / 2 - 999,
      window / 2 + 9_999,
    ],
    'a message of a window': [window],
    'messages of several windows, between small ones': [9, 5 * window, 9, 99, 3 * window, window - 1, 9],
  };
  for (const [name, sizes] of Object.entries(table)) {
    const expected = sizes.map((_, at) => 2 + at);
    assert.deepEqual(await revisionsOf(sizes), expected, name);
  }
});

test('a lease is kept over a broken connection, and lost when the server says so', async () => {
  let ttl = 9;
  const world = new World((call, message) => {
    const { ID } = m.LeaseIdRequest.decode(message);
    call.send(m.LeaseKeepAliveResponse, { header: header(1), ID, TTL: ttl });
  });
  await world.listen();
  await world.listen(PORT + 1);
  const said: string[] = [];
  world.client.keepLease(5n, 9, {
    onKept: (seconds) => void said.push(`kept ${seconds}`),
    onLost: () => void said.push('lost'),
  });
  await world.clock.pass(10_000);
  assert(said.length >= 3 && said.length <= 5, said.join());
  world.cut();
  const before = said.length;
  await world.clock.pass(5_000);
  assert(said.length > before);
  ttl = 0;
  await world.clock.pass(5_000);
  assert.equal(said.at(-1), 'lost');
  const { length } = said;
  await world.clock.pass(20_000);
  assert.equal(said.length, length);
});

test('a stream of ranges is read piece by piece, and its error thrown', async () => {
  const world = new World((call) => {
    call.send(m.RangeStreamResponse, { range_response: m.RangeResponse.create({ count: 1 }) });
    call.send(m.RangeStreamResponse, { range_response: m.RangeResponse.create({ count: 2 }) });
    call.end(11, 'late');
  });
  await world.listen();
  const counts: number[] = [];
  const reading = (async () => {
    for await (const { count } of world.client.rangeStream({ key: Buffer.from('k') })) counts.push(count);
  })();
  assert.equal((await world.clock.runUntil(failure(reading))).message, 'late');
  assert.deepEqual(counts, [1, 2]);
});
