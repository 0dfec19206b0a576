// What a small KV request costs without sockets and disk: HTTP/2, gRPC, engine and store, fed with the bytes of many requests at a time,
// as a busy socket delivers them. Prints microseconds of the wall clock, as percentiles over rounds of a thousand requests: other work
// on the machine makes rounds slower, never faster. Asserts nothing.
//
//   node bench/kv-unary.ts renew|put|get [--keys 100000] [--together 50] [--seconds 5] [--no-hints]

import { parseArgs } from 'node:util';
import * as methods from '../src/api/methods.ts';
import { ByteWriter } from '../src/base/byte-writer.ts';
import type { Committer } from '../src/etcd/committer.ts';
import { DurabilityMap } from '../src/etcd/durability.ts';
import { Engine } from '../src/etcd/engine.ts';
import { KvService } from '../src/etcd/kv-service.ts';
import { ReplyBudget } from '../src/etcd/reply-budget.ts';
import { Slices } from '../src/etcd/slices.ts';
import { Deadlines } from '../src/grpc/deadlines.ts';
import { MessageMemory } from '../src/grpc/message-memory.ts';
import { Registry } from '../src/grpc/registry.ts';
import { ServerConnection } from '../src/grpc/server-connection.ts';
import { Connection } from '../src/h2/connection.ts';
import type { ConnectionHandler } from '../src/h2/connection-handler.ts';
import { CLIENT_DEFAULTS, SERVER_DEFAULTS } from '../src/h2/connection-options.ts';
import { PreparedHeaders } from '../src/h2/prepared-headers.ts';
import { BatchWriter } from '../src/journal/batch-writer.ts';
import { Lessor } from '../src/lease/lessor.ts';
import { SharedMemory } from '../src/store/memory.ts';
import { Store } from '../src/store/store.ts';

const ROUND_REQUESTS = 1_000;
const BATCH_BYTES = 128 << 10;
const VALUE_BYTES = { renew: 300, put: 1024, get: 300 };
const METHODS = { renew: methods.txn, put: methods.put, get: methods.range };

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    keys: { type: 'string', default: '100000' },
    together: { type: 'string', default: '50' },
    seconds: { type: 'string', default: '5' },
    'no-hints': { type: 'boolean', default: false },
  },
});
const kind = positionals[0] === 'put' || positionals[0] === 'get' ? positionals[0] : 'renew';
const keyCount = Number(values.keys);
const together = Number(values.together);

class Client implements ConnectionHandler {
  answers = 0;

  onHeaders(): void {}
  onData(): void {}
  onTrailers(): void {
    this.answers++;
  }
  onReset(): void {}
  onDrain(): void {}
  onSettings(): void {}
  onGoaway(): void {}
  onBatchEnd(): void {}
  onPingAck(): void {}
  onClose(errorCode: number, reason: string): void {
    throw new Error(`closed: ${errorCode} ${reason}`);
  }
}

const store = new Store({ memory: new SharedMemory(() => {}) });
const batch = new BatchWriter(BATCH_BYTES);
const engine = new Engine({
  store,
  lessor: new Lessor(store, 1),
  log: { batch, noteRevision: () => {}, noteEffect: () => {} },
  durability: new DurabilityMap(),
  limits: { requestBytesMax: 1 << 20, txnOpsMax: 128, quotaBytes: 0 },
  identity: { clusterId: 0x1234_5678_90ab_cdefn, memberId: 0x2234_5678_90ab_cdefn, raftTerm: 2 },
});
/** Answers at once: there is no disk to wait for. */
const committer: Partial<Committer> = {
  admit: () => {
    if (batch.isFull) batch.reset();
  },
  attempt: (_call, change) => {
    change();
    return true;
  },
  reply: (call, message, bytes) => call.reply(message, 0, bytes),
};
const registry = new Registry();
const times = { turnMsMax: 1, backgroundMsMax: 1, backgroundShare: 1, backgroundPatienceMs: 1 };
const slices = new Slices({ ...times, nowMs: () => 0, defer: () => {}, onTurnEnd: () => {} });
// Small requests use no more of the committer.
new KvService({ engine, committer: committer as Committer, slices, budget: new ReplyBudget(1 << 20) }).register(
  registry,
);
if (values['no-hints']) registry.onHinted = () => {};
const server = new ServerConnection({
  h2: SERVER_DEFAULTS,
  registry,
  deadlines: new Deadlines(),
  memory: new MessageMemory(),
  http: () => {},
  messageBytesMax: 1 << 20,
  nowMs: () => 0,
  onBug: (error) => {
    throw error;
  },
  onDirty: () => {},
});
const handler = new Client();
const client = new Connection('client', CLIENT_DEFAULTS, handler);
const headers = new PreparedHeaders([
  { name: ':method', value: 'POST' },
  { name: ':scheme', value: 'http' },
  { name: ':path', value: METHODS[kind].path },
  { name: ':authority', value: '127.0.0.1:2379' },
  { name: 'content-type', value: 'application/grpc' },
  { name: 'te', value: 'trailers' },
]);

const value = Buffer.alloc(VALUE_BYTES[kind], 7);
/** Of the newest version of each key. */
const mods = new Float64Array(keyCount);

function keyOf(index: number): Buffer {
  return Buffer.from(`/registry/leases/kube-node-lease/node-${String(index).padStart(8, '0')}`);
}

function message(...fields: readonly (readonly [number, Uint8Array | number])[]): Buffer {
  const writer = new ByteWriter();
  for (const [tag, field] of fields) {
    if (typeof field === 'number') writer.int(tag, field);
    else writer.lengthDelimited(tag, field, 0, field.length);
  }
  return Buffer.from(writer.copy());
}

function put(index: number): Buffer {
  return message([0x0a, keyOf(index)], [0x12, value]);
}

/** A kube-apiserver's update: if the revision is still that, put, else get. */
function renewal(index: number): Buffer {
  const key = keyOf(index);
  const compare = message([0x10, 2], [0x1a, key], [0x30, mods[index]]);
  const get = message([0x0a, message([0x0a, key])]);
  return message([0x0a, compare], [0x12, message([0x12, put(index)])], [0x1a, get]);
}

function request(index: number): Buffer {
  if (kind === 'get') return message([0x0a, keyOf(index)]);
  return kind === 'put' ? put(index) : renewal(index);
}

/** Sends `together` requests for different keys; milliseconds until they are answered. */
function exchange(from: number): number {
  for (let i = 0; i < together; i++) {
    // Far from each other in memory and in order.
    const index = ((from + i) * 7_919) % keyCount;
    const bytes = request(index);
    client.request(headers, null, bytes, 0, bytes.length);
    mods[index] = store.currentRevision + 1 + i;
  }
  const sent = Buffer.concat(client.takeOutput());
  client.setTransportBacklog(0);
  const startMs = performance.now();
  server.h2.receive(sent, 0);
  const answered = Buffer.concat(server.h2.takeOutput());
  const tookMs = performance.now() - startMs;
  server.h2.setTransportBacklog(0);
  server.flushed();
  client.receive(answered, 0);
  return tookMs;
}

for (let index = 0; index < keyCount; index++) {
  if (batch.isFull) batch.reset();
  const bytes = put(index);
  engine.put(bytes, 0, bytes.length);
  engine.visibleRevision = store.currentRevision;
  mods[index] = store.currentRevision;
}
const rounds: number[] = [];
let sentCount = 0;
for (const endMs = performance.now() + Number(values.seconds) * 1000; performance.now() < endMs; ) {
  let tookMs = 0;
  let count = 0;
  for (; count < ROUND_REQUESTS; count += together) tookMs += exchange(sentCount + count);
  sentCount += count;
  rounds.push((tookMs * 1000) / count);
}
if (handler.answers !== sentCount) throw new Error(`${handler.answers} answers to ${sentCount} requests`);
rounds.sort((a, b) => a - b);
const at = (part: number): string => rounds[Math.floor(rounds.length * part)].toFixed(2);
const what = `${kind}, ${keyCount} keys, ${together} together${values['no-hints'] ? ', without hints' : ''}`;
console.log(`${what}: p10 ${at(0.1)} µs, p50 ${at(0.5)} µs of ${sentCount} requests`);
