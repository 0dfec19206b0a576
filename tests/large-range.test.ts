// Ranges too large to be answered at once: collected in slices, sent while they are read, in turns when memory is short.

import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import * as m from '../src/api/messages.ts';
import * as methods from '../src/api/methods.ts';
import { ByteWriter } from '../src/base/byte-writer.ts';
import { requestFields } from '../src/client/request-fields.ts';
import { Connection } from '../src/h2/connection.ts';
import { RecordingHandler } from '../src/h2/connection-fixture.ts';
import { CLIENT_DEFAULTS } from '../src/h2/connection-options.ts';
import { Driver } from '../src/h2/driver.ts';
import { PreparedHeaders } from '../src/h2/prepared-headers.ts';
import type { Store } from '../src/store/store.ts';
import { bytesOf, opPut, put, range, txn } from './compat/requests.ts';
import { SimulatedServer } from './compat/server-fixture.ts';

const KEY_COUNT = 3_000;
const OPS_PER_TXN = 100;

/** Values from nothing to 2 KiB, and some so large that they are sent from the store's memory. */
function contentOf(index: number, round: number): string {
  const bytes = index % 700 === 699 ? 20_000 + index * 10 : (index * 37) % 300;
  return String.fromCharCode(65 + ((index + round) % 26)).repeat(bytes);
}

const nameOf = (index: number): string => `k/${String(index).padStart(5, '0')}`;

/** Writes every key once; the revision after that. */
async function fill(server: SimulatedServer, round: number, keyCount = KEY_COUNT): Promise<number> {
  let revision = 0;
  for (let first = 0; first < keyCount; first += OPS_PER_TXN) {
    const puts = Array.from({ length: OPS_PER_TXN }, (_, i) =>
      opPut(put(nameOf(first + i), contentOf(first + i, round))),
    );
    const { header } = await server.drive(server.client.unary(methods.txn, txn([], puts)));
    revision = header?.revision ?? 0;
  }
  return revision;
}

/** Counts the pins that stand. */
function watchPins(store: Store): () => number {
  let pins = 0;
  const [pin, unpin] = [store.pin.bind(store), store.unpin.bind(store)];
  store.pin = (): void => {
    pins++;
    pin();
  };
  store.unpin = (): void => {
    pins--;
    unpin();
  };
  return () => pins;
}

function assertPairs(kvs: readonly m.KeyValue[], first: number, count: number, round: number): void {
  assert.equal(kvs.length, count);
  for (const [index, { key, value }] of kvs.entries()) {
    assert.equal(Buffer.from(key).toString(), nameOf(first + index));
    assert.equal(Buffer.from(value).toString(), contentOf(first + index, round));
  }
}

const all = (rest: Partial<Omit<m.RangeRequest, 'key' | 'range_end'>> = {}): m.RangeRequest =>
  range({ key: 'k/', end: 'k0', ...rest });

describe('a large range', () => {
  let server: SimulatedServer;
  let pins: () => number;
  let firstRound = 0;
  let current = 0;

  before(async () => {
    server = await SimulatedServer.open(1, { replyBytesMax: 1 << 20 });
    firstRound = await fill(server, 0);
    current = await fill(server, 1);
    pins = watchPins(server.server.engine.store);
  });
  after(async () => {
    assert.equal(pins(), 0);
    await server.close();
  });
  const ask = (request: m.RangeRequest): Promise<m.RangeResponse> => {
    return server.drive(server.client.unary(methods.range, request));
  };

  it('has every pair, in order, with the count', async () => {
    const { header, kvs, count, more } = await ask(all());
    assert.deepEqual([header?.revision, count, more], [current, KEY_COUNT, false]);
    assertPairs(kvs, 0, KEY_COUNT, 1);
  });

  it('at an old revision has what was there, and the current revision in its header', async () => {
    const { header, kvs, count } = await ask(all({ revision: firstRound }));
    assert.deepEqual([header?.revision, count], [current, KEY_COUNT]);
    assertPairs(kvs, 0, KEY_COUNT, 0);
    // Half way through the second round.
    const half = await ask(all({ revision: current - KEY_COUNT / OPS_PER_TXN / 2 }));
    assertPairs(half.kvs.slice(0, KEY_COUNT / 2), 0, KEY_COUNT / 2, 1);
    assertPairs(half.kvs.slice(KEY_COUNT / 2), KEY_COUNT / 2, KEY_COUNT / 2, 0);
  });

  for (const limit of [1, 511, 512, 513, 1_999, 2_000, 2_001, KEY_COUNT - 1, KEY_COUNT, KEY_COUNT + 1]) {
    it(`with limit ${limit} of ${KEY_COUNT} keys says whether there are more`, async () => {
      const { kvs, count, more } = await ask(all({ limit }));
      assert.deepEqual([count, more], [KEY_COUNT, limit < KEY_COUNT]);
      assertPairs(kvs, 0, Math.min(limit, KEY_COUNT), 1);
    });
  }

  it('read in pages by the last key is the whole range', async () => {
    for (let first = 0; first < KEY_COUNT; first += 700) {
      const request = range({
        key: first === 0 ? 'k/' : `${nameOf(first - 1)}\0`,
        end: 'k0',
        limit: 700,
        revision: current,
      });
      const { kvs, count, more } = await ask(request);
      assert.deepEqual([count, more], [KEY_COUNT - first, first + 700 < KEY_COUNT]);
      assertPairs(kvs, first, Math.min(700, KEY_COUNT - first), 1);
    }
  });

  it('of keys only has no values', async () => {
    const { kvs, count } = await ask(all({ keys_only: true }));
    assert.deepEqual([kvs.length, count], [KEY_COUNT, KEY_COUNT]);
    assert.ok(kvs.every((kv, index) => kv.value.length === 0 && Buffer.from(kv.key).toString() === nameOf(index)));
    assert.ok(kvs.every((kv) => kv.version === 2));
  });

  it('of which only the count is asked has no pairs', async () => {
    const { kvs, count, more } = await ask(all({ count_only: true }));
    assert.deepEqual([kvs.length, count, more], [0, KEY_COUNT, false]);
  });

  it('in descending order is the other way round', async () => {
    const { kvs, more } = await ask(all({ sort_order: m.SORT_DESCEND, limit: 2_500 }));
    assert.equal(more, true);
    assertPairs([...kvs].reverse(), KEY_COUNT - 2_500, 2_500, 1);
  });

  it('with filters counts all and has those that fit', async () => {
    const { kvs, count } = await ask(all({ min_mod_revision: current - 9 }));
    assert.equal(count, KEY_COUNT);
    assertPairs(kvs, KEY_COUNT - 10 * OPS_PER_TXN, 10 * OPS_PER_TXN, 1);
  });

  it('asked for many times at once, on two connections, is the same in every reply', async () => {
    const other = server.connect();
    const clients = [server.client, other, server.client, other, server.client, other];
    const replies = await server.drive(Promise.all(clients.map((client) => client.unary(methods.range, all()))));
    for (const { kvs } of replies) assertPairs(kvs, 0, KEY_COUNT, 1);
    other.close();
    assert.equal(pins(), 0);
  });

  it('is given up with its pin when the client goes away, and those that wait for its memory go on', async () => {
    const leaving = server.connect();
    // With its windows full a reply stays half sent.
    const stream = await server.drive(leaving.stream(methods.range, all()));
    const left = [0, 1, 2].map(() => leaving.unary(methods.range, all()).catch(() => 'gone'));
    const kept = server.client.unary(methods.range, all());
    for (let i = 0; i < 12; i++) {
      await new Promise((resolve) => setImmediate(resolve));
      server.clock.step();
    }
    assert.ok(pins() > 0);
    stream.cancel();
    leaving.close();
    assertPairs((await server.drive(kept)).kvs, 0, KEY_COUNT, 1);
    await server.drive(Promise.all(left));
    await server.clock.pass(1_000);
    assert.equal(pins(), 0);
  });

  it('that nobody takes is given up after a minute, and those that wait for its memory go on', async () => {
    const handler = new RecordingHandler();
    const slow = new Connection('client', { ...CLIENT_DEFAULTS, streamWindowBytes: 0 }, handler);
    const transport = server.network.connect({ host: '127.0.0.1', port: server.server.ports[0] });
    const driver = new Driver(slow, transport, server.clock, () => undefined);
    driver.start();
    await server.clock.pass(100);
    const request = new ByteWriter();
    methods.range.request.encode(all(), request);
    for (const { path } of [methods.range, methods.rangeStream]) {
      slow.request(new PreparedHeaders(requestFields('a', path)), null, request.copy(), 0, request.position);
    }
    driver.flush();
    await server.clock.pass(100);
    const kept = server.client.unary(methods.range, all());
    await server.clock.pass(59_000);
    assert.deepEqual(handler.lines.slice(-2), ['headers 1 2', 'headers 3 2']);
    assert.ok(pins() > 0);
    assertPairs((await server.drive(kept)).kvs, 0, KEY_COUNT, 1);
    await server.clock.pass(3_000);
    assert.equal(pins(), 0);
    assert.match(await server.drive(server.server.metrics.text()), /^k1m_h2_stream_stalls_total 2$/m);
    assert.deepEqual(handler.lines.slice(-2), ['reset 1 ENHANCE_YOUR_CALM', 'reset 3 ENHANCE_YOUR_CALM']);
    transport.destroy();
  });

  it('as a stream has the same pairs as the one reply', async () => {
    for (const request of [all(), all({ revision: firstRound }), all({ limit: 2_345 }), all({ keys_only: true })]) {
      const whole = await ask(request);
      const stream = await server.drive(server.client.stream(methods.rangeStream, request));
      const kvs: m.KeyValue[] = [];
      let last: m.RangeResponse | undefined;
      for (let item = await server.drive(stream.next()); 'message' in item; item = await server.drive(stream.next())) {
        last = item.message.range_response;
        kvs.push(...(last?.kvs ?? []));
      }
      assert.deepEqual(kvs, whole.kvs);
      assert.deepEqual([last?.count, last?.more, last?.header], [whole.count, whole.more, whole.header]);
    }
    assert.equal(pins(), 0);
  });

  it('as a stream that is cancelled gives its pin back', async () => {
    const stream = await server.drive(server.client.stream(methods.rangeStream, all()));
    for (let i = 0; i < 50 && pins() === 0; i++) {
      await new Promise((resolve) => setImmediate(resolve));
      server.clock.step();
    }
    stream.cancel();
    await server.clock.pass(1_000);
    assert.equal(pins(), 0);
  });
});

it('a range of few pairs, but large ones, is whole', async () => {
  const server = await SimulatedServer.open(2, { replyBytesMax: 100_000 });
  const sizes = [200_000, 1, 16_384, 65_536, 0, 300_000];
  for (const [index, size] of sizes.entries()) {
    await server.drive(server.client.unary(methods.put, put(`v${index}`, 'x'.repeat(size))));
  }
  const requests = Array.from({ length: 4 }, () => server.client.unary(methods.range, range({ key: 'v', end: 'w' })));
  for (const { kvs } of await server.drive(Promise.all(requests))) {
    assert.deepEqual(
      kvs.map(({ value }) => value.length),
      sizes,
    );
    assert.ok(kvs.every(({ value }) => Buffer.compare(value, bytesOf('x'.repeat(value.length))) === 0));
  }
  await server.close();
});
