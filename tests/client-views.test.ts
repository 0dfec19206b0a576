// What the client reads where it lies (client/kv-view.ts, conditional-put.ts), against what it reads into messages, on our server in simulated time.

import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { StatusError } from '../src/api/errors.ts';
import type { KeyValue } from '../src/api/messages.ts';
import { COMPARE_EQUAL, Compare, RangeRequest, RequestOp, TARGET_MOD } from '../src/api/messages.ts';
import { txn } from '../src/api/methods.ts';
import { WireError } from '../src/base/byte-reader.ts';
import { ByteWriter } from '../src/base/byte-writer.ts';
import { encodeConditionalPut } from '../src/client/conditional-put.ts';
import { EtcdClient } from '../src/client/etcd-client.ts';
import { keyBytes, prefixEnd } from '../src/client/key-range.ts';
import { type KvView, KvViews, RangePage } from '../src/client/kv-view.ts';
import { SimulatedServer } from './compat/server-fixture.ts';

const PORT = 2379;
const ENDPOINT = `http://127.0.0.1:${PORT}`;
const PREFIX = keyBytes('/v/');

function told(key: Uint8Array, revision: number, value: Uint8Array, isDeleted: boolean): string {
  const head = Buffer.from(value.subarray(0, 8)).toString('hex');
  return `${isDeleted ? 'gone' : 'put'} ${Buffer.from(key)} ${revision} ${value.length} ${head}`;
}

function toldView(kv: KvView): string {
  return told(kv.bytes.subarray(kv.keyStart, kv.keyEnd), kv.modRevision, kv.value(), kv.isDeleted);
}

function toldPair({ key, mod_revision, value }: KeyValue): string {
  return told(key, mod_revision, value, false);
}

describe('what is read where it lies', () => {
  let server: SimulatedServer;
  let client: EtcdClient;

  beforeEach(async () => {
    server = await SimulatedServer.open(1, { listen: [{ host: '127.0.0.1', port: PORT }] });
    const { network, clock } = server;
    client = new EtcdClient({ network, clock, endpoints: [ENDPOINT], random: () => 0.5 });
  });
  afterEach(async () => {
    client.close();
    await server.close();
  });

  it('a watch tells the same events, in parts and over a break', async () => {
    const events: string[] = [];
    const views: string[] = [];
    const options = { key: PREFIX, rangeEnd: prefixEnd(PREFIX), startRevision: 1, fragment: true };
    const onEnd = (): void => {};
    client.watch(options, {
      onEvents: (some) => {
        for (const { type, kv } of some) {
          assert(kv !== undefined);
          events.push(told(kv.key, kv.mod_revision, kv.value, type === 1));
        }
      },
      onEnd,
    });
    client.watch(options, { onView: (kv) => views.push(toldView(kv)), onEnd });
    for (let round = 0; round < 3; round++) {
      const puts = Array.from({ length: 40 }, (_, i) =>
        RequestOp.create({
          request_put: {
            key: keyBytes(`/v/${round}-${i}`),
            value: Buffer.alloc(20_000 * (i % 4), i),
            lease: 0n,
            prev_kv: false,
            ignore_value: false,
            ignore_lease: false,
          },
        }),
      );
      await server.drive(client.txn({ success: puts }));
      await server.drive(client.deleteRange({ key: keyBytes(`/v/${round}-3`) }));
      if (round === 1) {
        server.kill();
        await server.clock.pass(50);
        await server.start();
      }
      await server.clock.pass(3000);
    }
    assert.equal(events.length, 3 * 41);
    // A part that broke off is told again from its last revision on.
    assert.deepEqual([...new Set(views)], events);
  });

  it('a range gives the same pairs, page by page', async () => {
    for (let i = 0; i < 25; i++) await server.drive(client.put(`/v/${i}`, Buffer.alloc(i, i)));
    const request = { key: PREFIX, range_end: prefixEnd(PREFIX), limit: 10 };
    const { kvs, more, header } = await server.drive(client.range(request));
    const page = await server.drive(client.rangePage(request, new RangePage()));
    const views: string[] = [];
    page.visit(new KvViews(), (kv) => views.push(toldView(kv)));
    assert.deepEqual(views, kvs.map(toldPair));
    assert.deepEqual([page.hasMore, page.revision], [more, header?.revision]);
    assert.deepEqual(Buffer.from(page.lastKey ?? []), Buffer.from(kvs.at(-1)?.key ?? []));
    const none = await server.drive(client.rangePage({ key: keyBytes('/nothing') }, page));
    assert.deepEqual([none.hasMore, none.lastKey], [false, undefined]);
  });

  it('bytes that are no answer are refused', () => {
    assert.throws(() => new RangePage().fill(Buffer.of(0x12, 0x05, 0x0a), 0, 3), WireError);
    const page = new RangePage();
    // A pair whose value is longer than it is.
    page.fill(Buffer.of(0x12, 0x02, 0x2a, 0x05, 0x12, 0x02, 0x0a, 0x00), 0, 8);
    assert.throws(() => page.visit(new KvViews(), () => {}), StatusError);
    assert.throws(() => new KvViews().events(Buffer.of(0x5a, 0x02, 0x12, 0x07), 0, 4, () => {}), WireError);
  });

  it('a key is put while nobody else writes it', async () => {
    const key = keyBytes('/v/a');
    const { header } = await server.drive(client.put(key, 'one'));
    const modRevision = header?.revision ?? 0;
    const value = Buffer.alloc(20_000, 7);
    assert.deepEqual(await server.drive(client.putIfUnchanged({ key, value, modRevision })), { kind: 'done' });
    const late = await server.drive(client.putIfUnchanged({ key, value: keyBytes('late'), modRevision }));
    assert(late.kind === 'other' && late.kv !== undefined);
    assert.deepEqual([late.kv.value.length, late.kv.mod_revision], [20_000, modRevision + 1]);
    const fence = { key, modRevision: modRevision + 1 };
    const other = await server.drive(client.put('/v/b', 'two'));
    const fenced = { key: keyBytes('/v/b'), value, modRevision: other.header?.revision ?? 0 };
    const refused = await server.drive(client.putIfUnchanged({ ...fenced, fence: { key, modRevision } }));
    assert(refused.kind === 'other' && refused.kv?.mod_revision === fenced.modRevision);
    assert.deepEqual(await server.drive(client.putIfUnchanged({ ...fenced, fence })), { kind: 'done' });
    const nobody = keyBytes('/v/nobody');
    const gone = await server.drive(client.putIfUnchanged({ key: nobody, value, modRevision: 7 }));
    assert.deepEqual(gone, { kind: 'other', kv: undefined });
  });

  it('the request is the one that the message table writes', () => {
    for (const length of [1, 99, 100, 127, 128, 16_000, 17_000]) {
      const [key, value] = [Buffer.alloc(1 + (length % 200), 1), Buffer.alloc(length, 2)];
      const modRevision = length * 1000;
      const [own, table] = [new ByteWriter(), new ByteWriter()];
      encodeConditionalPut(own, { key, value, modRevision });
      const put = { key, value, lease: 0n, prev_kv: false, ignore_value: false, ignore_lease: false };
      txn.request.encode(
        {
          compare: [Compare.create({ result: COMPARE_EQUAL, target: TARGET_MOD, key, mod_revision: modRevision })],
          success: [RequestOp.create({ request_put: put })],
          failure: [RequestOp.create({ request_range: RangeRequest.create({ key }) })],
        },
        table,
      );
      const read = txn.request.decode(own.view());
      assert.deepEqual(read, txn.request.decode(table.view()));
    }
  });
});
