// Bad input: requests that were changed at random, and random bytes. Each call ends with a gRPC status, the server goes on,
// and a client that behaves notices nothing.

import assert from 'node:assert/strict';
import { it } from 'node:test';
import { StatusError } from '../src/api/errors.ts';
import * as m from '../src/api/messages.ts';
import * as methods from '../src/api/methods.ts';
import { Random } from '../src/testing/random.ts';
import { encoded } from './compat/compat-client.ts';
import {
  bytesOf,
  compare,
  opDelete,
  opPut,
  opRange,
  opTxn,
  put,
  range,
  remove,
  txn,
  watchKeys,
} from './compat/requests.ts';
import { SimulatedServer } from './compat/server-fixture.ts';

const CALLS = Number(process.env.K1M_RUNS ?? 3_000);
const SEED = Number(process.env.K1M_SEED ?? 7);
const LENGTH_MAX = 64;

const EXAMPLES: readonly (readonly [methods.Method, Uint8Array])[] = [
  [methods.put, encoded(methods.put, put('key', 'value', { lease: 5n, prev_kv: true }))],
  [
    methods.range,
    encoded(methods.range, range({ key: 'k', end: 'l', limit: 5, revision: 3, sort_order: 1, sort_target: 3 })),
  ],
  [
    methods.range,
    encoded(methods.range, range({ key: 'k', min_mod_revision: 2, keys_only: true, serializable: true })),
  ],
  [methods.deleteRange, encoded(methods.deleteRange, remove('k', 'l', true))],
  [
    methods.txn,
    encoded(
      methods.txn,
      txn(
        [compare('k', 3, 0, { value: bytesOf('v') }, 'l'), compare('j', 2, 1, { mod_revision: 5 })],
        [opPut(put('k', 'v')), opTxn(txn([], [opRange(range({ key: 'k' }))]))],
        [opDelete(remove('k', 'z')), opRange(range({ key: 'a', end: 'z' }))],
      ),
    ),
  ],
  [methods.compact, encoded(methods.compact, { revision: 2, physical: true })],
  [methods.leaseGrant, encoded(methods.leaseGrant, { ID: 5n, TTL: 300 })],
  [methods.leaseRevoke, encoded(methods.leaseRevoke, { ID: 5n })],
  [methods.leaseTimeToLive, encoded(methods.leaseTimeToLive, { ID: 5n, keys: true })],
  [methods.hashKv, encoded(methods.hashKv, { revision: 3 })],
  [methods.memberList, encoded(methods.memberList, { linearizable: true })],
];

function mutated(bytes: Uint8Array, random: Random): Uint8Array {
  if (random.chance(0.1)) return random.bytes(random.between(0, LENGTH_MAX));
  const result = [...bytes];
  for (let times = random.between(1, 3); times > 0; times--) {
    const at = random.between(0, Math.max(result.length - 1, 0));
    const kind = random.between(0, 4);
    if (kind === 0) result[at] = random.uint32() & 255;
    else if (kind === 1) result[at] ^= 1 << random.between(0, 7);
    else if (kind === 2) result.splice(at, random.between(1, 4));
    else if (kind === 3) result.splice(at, 0, ...random.bytes(random.between(1, 12)));
    else result.push(...result.slice(at));
  }
  return Uint8Array.from(result);
}

it('changed and random requests end with a status and disturb nobody', async () => {
  const random = new Random(SEED);
  const server = await SimulatedServer.open(SEED);
  const other = server.connect();
  const watch = await server.drive(other.stream(methods.watch));
  watch.send({ create_request: watchKeys({ key: 'steady' }) });
  await server.drive(watch.next());
  for (let call = 0; call < CALLS; call++) {
    const [method, example] = random.pick(EXAMPLES);
    const request = mutated(example, random);
    const what = `${method.name} ${Buffer.from(request).toString('hex')}`;
    try {
      await server.drive(server.client.raw(method, request));
    } catch (error) {
      assert.ok(error instanceof StatusError, `${what}: ${String(error)}`);
      assert.notEqual(error.code, 14, `${what}: ${error.message}`);
    }
    if (call % 100 !== 0) continue;
    await server.drive(other.unary(methods.leaseGrant, { ID: BigInt(1_000_000 + call), TTL: 1000 }));
    await server.drive(other.unary(methods.put, put('steady', String(call))));
    for (;;) {
      const item = await server.drive(watch.next());
      assert.ok('message' in item, what);
      if (Buffer.from(item.message.events.at(-1)?.kv?.value ?? []).toString() === String(call)) break;
    }
  }
  other.close();
  await server.close();
});

it('changed watch and keep-alive requests end their stream with a status or are answered', async () => {
  const random = new Random(SEED + 1);
  const server = await SimulatedServer.open(SEED + 1);
  const create = encoded(methods.watch, {
    create_request: watchKeys({ key: 'k', end: 'l', prev_kv: true, filters: [1] }),
  });
  const examples: readonly (readonly [methods.TypedMethod<object, object>, Uint8Array])[] = [
    [methods.watch as methods.TypedMethod<object, object>, create],
    [methods.leaseKeepAlive as methods.TypedMethod<object, object>, encoded(methods.leaseKeepAlive, { ID: 5n })],
    [
      methods.rangeStream as methods.TypedMethod<object, object>,
      encoded(methods.rangeStream, range({ key: 'k', end: 'z' })),
    ],
  ];
  for (let call = 0; call < CALLS / 10; call++) {
    const [method, example] = random.pick(examples);
    const stream = await server.drive(server.client.stream(method));
    const bytes = mutated(example, random);
    stream.call?.send(bytes, 0, bytes.length);
    await server.clock.pass(5);
    for (const item of stream.waiting) if ('end' in item) assert.notEqual(item.end?.code, 14, String(item.end));
    stream.cancel();
  }
  await server.drive(server.client.unary(methods.put, put('alive')));
  assert.equal(
    (await server.drive(server.client.unary(methods.range, m.RangeRequest.create({ key: bytesOf('alive') })))).count,
    1,
  );
  const metrics = await server.drive(server.server.metrics.text());
  for (const name of ['watch_stream_total', 'watcher_total']) assert.ok(metrics.includes(`_mvcc_${name} 0\n`), name);
  await server.close();
});
