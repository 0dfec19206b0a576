// Large ranges while writes and compactions go on between their slices. The test gives the turns.

import assert from 'node:assert/strict';
import { it } from 'node:test';
import * as m from '../api/messages.ts';
import * as methods from '../api/methods.ts';
import { ByteWriter } from '../base/byte-writer.ts';
import { type CallListener, Registry } from '../grpc/registry.ts';
import type { ReplySource, ServerCall } from '../grpc/server-call.ts';
import { BatchWriter } from '../journal/batch-writer.ts';
import { Lessor } from '../lease/lessor.ts';
import { Store } from '../store/store.ts';
import type { Committer } from './committer.ts';
import { DurabilityMap } from './durability.ts';
import { Engine } from './engine.ts';
import { KvService } from './kv-service.ts';
import { REPLIES_WAITING_MAX, ReplyBudget } from './reply-budget.ts';
import { Slices } from './slices.ts';

const KEY_COUNT = 5_000;
const VALUE_BYTES = 100;
const REPLY_BYTES_MAX = 800_000;

class PinnedStore extends Store {
  pins = 0;

  override pin(): void {
    super.pin();
    this.pins++;
  }

  override unpin(): void {
    super.unpin();
    this.pins--;
  }
}

/** A call as the service uses it: it keeps what it was answered with. */
class FakeCall {
  isOpen = true;
  /** More than any stream may have queued. */
  readonly queuedBytes = Number.MAX_SAFE_INTEGER;
  error: Error | undefined;
  message: Uint8Array | undefined;
  source: ReplySource | undefined;

  reply(message: Uint8Array, start: number, end: number): void {
    this.message = Uint8Array.prototype.slice.call(message, start, end);
  }

  replyFrom(source: ReplySource): void {
    if (this.isOpen) this.source = source;
    else source.abandon();
  }

  fail(error: Error): void {
    this.error = error;
  }

  /** Reads a reply that is produced while it is sent. */
  get response(): m.RangeResponse {
    const chunks = this.message === undefined ? [] : [this.message];
    while (this.source?.isDone === false) chunks.push(Buffer.from(this.source.read(Buffer.alloc(10_000)) ?? []));
    return m.RangeResponse.decode(Buffer.concat(chunks));
  }
}

class Bench {
  readonly store = new PinnedStore({ segmentBytes: 1 << 16 });
  readonly engine: Engine;
  readonly budget = new ReplyBudget(REPLY_BYTES_MAX);
  readonly slices: Slices;
  readonly #registry = new Registry();
  readonly #turns: (() => void)[] = [];

  constructor() {
    const { store, budget } = this;
    this.engine = new Engine({
      store,
      lessor: new Lessor(store, 1),
      log: { batch: new BatchWriter(1 << 20), noteRevision: () => this.#show(), noteEffect: () => {} },
      durability: new DurabilityMap('none'),
      limits: { requestBytesMax: 1 << 20, txnOpsMax: 128, quotaBytes: 0 },
      identity: { clusterId: 1n, memberId: 2n, raftTerm: 2 },
    });
    // One job's step a turn.
    const defer = (callback: () => void): number => this.#turns.push(callback);
    const none = { turnMsMax: 0, backgroundMsMax: 0, backgroundShare: 0, backgroundPatienceMs: 1 };
    this.slices = new Slices({ ...none, nowMs: () => 0, defer, onTurnEnd: () => {} });
    const committer: Partial<Committer> = {
      admit: () => {},
      attempt: (_call, change) => {
        change();
        return true;
      },
      whenVisible: (callback) => callback(),
    };
    const { engine, slices } = this;
    // Reads and compactions use no more of the committer.
    const kv = new KvService({ engine, committer: committer as Committer, slices, budget });
    kv.register(this.#registry);
    this.writeAll();
  }

  /** A new version of every key, each at a revision of its own. */
  writeAll(): void {
    for (let index = 0; index < KEY_COUNT; index++) {
      const key = Buffer.from(`k${String(index).padStart(5, '0')}`);
      this.#put(m.PutRequest.create({ key, value: Buffer.alloc(VALUE_BYTES, index) }));
    }
  }

  range(revision = 0): FakeCall {
    const request = { key: Buffer.from('k'), range_end: Buffer.from('l'), revision };
    return this.#call(methods.range.path, encode(m.RangeRequest, m.RangeRequest.create(request)));
  }

  /** What the service does with the messages of a RangeStream call. */
  rangeStream(): CallListener {
    const call = new FakeCall();
    const listener = this.#registry.find(methods.rangeStream.path)?.stream?.(call as unknown as ServerCall);
    assert.ok(listener !== undefined);
    return listener;
  }

  compact(revision: number): void {
    const call = this.#call(
      methods.compact.path,
      encode(m.CompactionRequest, m.CompactionRequest.create({ revision })),
    );
    assert.ok(call.message !== undefined);
  }

  /** Gives turns; all there are when no number is given. */
  turn(count = Number.POSITIVE_INFINITY): void {
    for (let turns = 0; turns < count; turns++) {
      const next = this.#turns.shift();
      if (next === undefined) return;
      next();
    }
  }

  #call(path: string, request: Uint8Array): FakeCall {
    const call = new FakeCall();
    // The service uses no more of a call.
    this.#registry.find(path)?.unary?.(call as unknown as ServerCall, request, 0, request.length);
    // The receive buffer is used again.
    request.fill(0xdd);
    return call;
  }

  #put(request: m.PutRequest): void {
    const bytes = encode(m.PutRequest, request);
    this.engine.put(bytes, 0, bytes.length);
  }

  #show(): void {
    this.engine.visibleRevision = this.store.currentRevision;
  }
}

function encode<T extends object>(type: { encode(message: T, writer: ByteWriter): void }, message: T): Uint8Array {
  const writer = new ByteWriter();
  type.encode(message, writer);
  return writer.copy();
}

function assertWhole({ kvs, count }: m.RangeResponse, lastRevision: number): void {
  assert.deepEqual([kvs.length, count], [KEY_COUNT, KEY_COUNT]);
  for (const [index, { mod_revision, value }] of kvs.entries()) {
    assert.equal(mod_revision, lastRevision - KEY_COUNT + 1 + index);
    assert.deepEqual([value.length, value[0]], [VALUE_BYTES, index & 255]);
  }
}

it('a range read in slices is of its revision, whatever is written meanwhile', () => {
  const bench = new Bench();
  const revision = bench.store.currentRevision;
  const call = bench.range();
  bench.turn(1);
  assert.equal(call.source, undefined);
  bench.writeAll();
  bench.turn();
  const { response } = call;
  assert.equal(response.header?.revision, revision);
  assertWhole(response, revision);
  bench.turn();
  assert.deepEqual([bench.store.pins, bench.budget.bytesInFlight], [0, 0]);
});

it('a range of the newest revision begins anew when a compaction overtakes it', () => {
  const bench = new Bench();
  const call = bench.range();
  bench.turn(1);
  bench.writeAll();
  bench.compact(bench.store.currentRevision);
  bench.turn();
  const { response } = call;
  assert.equal(response.header?.revision, bench.store.currentRevision);
  assertWhole(response, bench.store.currentRevision);
  assert.equal(bench.store.pins, 0);
});

it('a range of a given revision is refused when a compaction overtakes it', () => {
  const bench = new Bench();
  const revision = bench.store.currentRevision;
  const call = bench.range(revision);
  bench.turn(1);
  bench.writeAll();
  bench.compact(revision + 1);
  bench.turn();
  assert.equal(call.error?.message, 'etcdserver: mvcc: required revision has been compacted');
  assert.equal(bench.store.pins, 0);
});

it('a range that is overtaken again and again gives up', () => {
  const bench = new Bench();
  const call = bench.range();
  for (let round = 0; round < 20 && call.error === undefined; round++) {
    bench.turn(1);
    bench.writeAll();
    bench.compact(bench.store.currentRevision);
  }
  bench.turn();
  assert.equal(call.error?.message, 'etcdserver: request timed out');
  assert.equal(bench.store.pins, 0);
});

it('a range that was collected is sent whole although a compaction overtakes it', () => {
  const bench = new Bench();
  const revision = bench.store.currentRevision;
  const calls = [bench.range(), bench.range(revision)];
  bench.turn();
  bench.writeAll();
  bench.compact(bench.store.currentRevision);
  bench.turn();
  // The second one waits for the memory of the first.
  assert.deepEqual([calls[1].source, bench.budget.waitingCount], [undefined, 1]);
  for (const call of calls) {
    assertWhole(call.response, revision);
    bench.turn();
  }
  assert.deepEqual([bench.store.pins, bench.budget.bytesInFlight], [0, 0]);
  assert.equal(bench.slices.jobCount, 0);
});

it('a range that would wait behind too many others is refused', () => {
  const bench = new Bench();
  bench.budget.acquire(REPLY_BYTES_MAX, () => {});
  for (let n = 1; n < REPLIES_WAITING_MAX; n++) bench.budget.acquire(1, () => {});
  const calls = [bench.range(), bench.range()];
  bench.turn();
  assert.deepEqual([calls[0].error, bench.budget.waitingCount], [undefined, REPLIES_WAITING_MAX]);
  assert.equal(calls[1].error?.message, 'etcdserver: too many requests');
  assert.equal(bench.store.pins, 1);
});

it('ranges whose clients went away let the others go on', () => {
  const bench = new Bench();
  const revision = bench.store.currentRevision;
  const [collecting, sending, waiting, kept] = Array.from({ length: 4 }, () => bench.range());
  collecting.isOpen = false;
  bench.turn();
  assert.deepEqual([collecting.source, bench.budget.waitingCount], [undefined, 2]);
  waiting.isOpen = false;
  sending.source?.read(Buffer.alloc(1_000));
  sending.source?.abandon();
  bench.turn();
  assertWhole(kept.response, revision);
  bench.turn();
  assert.equal(waiting.source, undefined);
  assert.deepEqual([bench.store.pins, bench.budget.bytesInFlight], [0, 0]);
});

it('a stream of a range takes one request, and gives its pin back', () => {
  const bench = new Bench();
  const listener = bench.rangeStream();
  const request = { key: Buffer.from('k'), range_end: Buffer.from('l') };
  const bytes = encode(m.RangeRequest, m.RangeRequest.create(request));
  for (let messages = 0; messages < 2; messages++) listener.onMessage(bytes, 0, bytes.length);
  bench.turn();
  assert.equal(bench.store.pins, 1);
  listener.onCancel();
  assert.equal(bench.store.pins, 0);
});
