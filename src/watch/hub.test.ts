// The hub against a plain list of changes: what each watcher must get is computed from the list, and every message is
// held against the guarantees.

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { HeaderWriter } from '../api/header-writer.ts';
import { WatchResponse } from '../api/messages.ts';
import { Store } from '../store/store.ts';
import { WATCH_LIMITS, WatchHub, type WatchLimits } from './hub.ts';
import type { WatchSink, WatchStream } from './watch-stream.ts';
import type { WatchSpec } from './watcher.ts';

const RUNS = Number(process.env.K1M_RUNS ?? 300);
const KEYS = ['a', 'b', 'c', 'd'];

interface Change {
  readonly revision: number;
  readonly key: string;
  /** Undefined: deleted. */
  readonly value: string | undefined;
  readonly previous: { readonly revision: number; readonly value: string } | undefined;
  /** The key had no life before. */
  readonly isFirst: boolean;
}

/** A stream whose peer takes messages only when told to. */
class Peer implements WatchSink {
  readonly received: WatchResponse[] = [];
  queuedBytes = 0;
  isSlow = false;

  send(message: Uint8Array, start: number, end: number): void {
    this.received.push(WatchResponse.decode(message, start, end));
    if (this.isSlow) this.queuedBytes += end - start;
  }
}

interface Watched {
  readonly id: bigint;
  readonly spec: WatchSpec;
  /** Events are owed from here on. */
  readonly from: number;
  /** Messages of the stream before this one are none of its. */
  readonly firstMessage: number;
  isCancelled: boolean;
}

class World {
  readonly store: Store = new Store({ hashSeed: 1 });
  readonly hub: WatchHub;
  readonly changes: Change[] = [];
  readonly peers: { readonly peer: Peer; readonly stream: WatchStream; readonly watched: Watched[] }[] = [];
  readonly #live = new Map<string, { revision: number; value: string }>();
  visible: number;

  constructor(streams: number, fragmentBytesMax: number, limits: Partial<WatchLimits> = {}) {
    this.hub = new WatchHub({
      store: this.store,
      writer: new HeaderWriter({ clusterId: 1n, memberId: 2n, raftTerm: 2 }),
      limits: {
        ...WATCH_LIMITS,
        queueBytesMax: 30,
        messageBytesMax: 200,
        messageRevisionsMax: 3,
        fragmentBytesMax,
        ...limits,
      },
      progressIntervalMs: 1000,
      random: () => 0,
    });
    this.visible = this.store.currentRevision;
    for (let i = 0; i < streams; i++) {
      const peer = new Peer();
      this.peers.push({ peer, stream: this.hub.openStream(peer, 0), watched: [] });
    }
  }

  /** One revision of puts (a value) and deletes (none). */
  write(operations: readonly (readonly [string, boolean])[]): void {
    const { store } = this;
    const revision = store.currentRevision + 1;
    const touched = new Set<string>();
    let sub = 0;
    for (const [key, isPut] of operations) {
      const previous = this.#live.get(key);
      if (touched.has(key) || (!isPut && previous === undefined)) continue;
      touched.add(key);
      const bytes = Buffer.from(key);
      const row = store.find(bytes, 0, bytes.length);
      const value = `${revision}.${sub}`;
      const content = Buffer.from(value);
      if (isPut) store.put(revision, sub++, row, bytes, 0, bytes.length, content, 0, content.length, 0n);
      else store.delete(revision, sub++, row);
      this.changes.push({ revision, key, value: isPut ? value : undefined, previous, isFirst: previous === undefined });
      if (isPut) this.#live.set(key, { revision, value });
      else this.#live.delete(key);
    }
    if (sub > 0) store.commit(revision);
  }

  show(): void {
    this.visible = this.store.currentRevision;
    this.hub.dispatch(this.visible);
  }

  create(at: number, spec: WatchSpec): void {
    const { peer, stream, watched } = this.peers[at];
    const firstMessage = peer.received.length;
    this.hub.create(stream, 0n, spec);
    const created = peer.received[firstMessage];
    assert.ok(created.created && !created.canceled);
    const from = spec.startRevision === 0 ? this.visible + 1 : spec.startRevision;
    watched.push({ id: created.watch_id, spec, from, firstMessage: firstMessage + 1, isCancelled: false });
  }

  drain(): void {
    for (const { peer, stream } of this.peers) {
      peer.isSlow = false;
      peer.queuedBytes = 0;
      this.hub.drained(stream);
    }
    while (this.hub.hasWork) this.hub.step(7);
  }
}

function covers({ key, end }: WatchSpec, candidate: string): boolean {
  const from = Buffer.from(key).toString();
  if (end === undefined) return candidate === from;
  return candidate >= from && (end === null || candidate < Buffer.from(end).toString());
}

function owed(world: World, watched: Watched, to: number): Change[] {
  const { spec, from } = watched;
  return world.changes.filter(({ revision, key, value }) => {
    const isWanted = value === undefined ? !spec.skipsDeletes : !spec.skipsPuts;
    return revision >= from && revision <= to && isWanted && covers(spec, key);
  });
}

/** Whether the events of a watcher are the first ones that it is owed, and its messages as they should be. */
function check(world: World, peer: Peer, watched: Watched): void {
  const expected = owed(world, watched, world.visible);
  let count = 0;
  let revision = 0;
  let isFragment = false;
  let isCompacted = false;
  for (const message of peer.received.slice(watched.firstMessage)) {
    const isOurs = message.watch_id === watched.id;
    assert.ok(!isFragment || isOurs, 'something between fragments');
    const speaksForAll = message.watch_id === -1n && !message.created;
    if (message.events.length === 0 && (isOurs || speaksForAll) && !message.canceled) {
      const shown = message.header?.revision ?? 0;
      const due = owed(world, watched, shown).length;
      assert.ok(isCompacted || watched.isCancelled || count >= due, 'progress ahead of events');
    }
    if (!isOurs) continue;
    if (message.canceled) {
      isCompacted ||= message.compact_revision > 0;
      continue;
    }
    assert.ok(!isCompacted, 'a message after the last one');
    const first = message.events[0]?.kv?.mod_revision ?? 0;
    if (message.events.length > 0)
      assert.ok(isFragment ? first >= revision : first > revision, 'a revision in two messages');
    for (const { type, kv, prev_kv } of message.events) {
      const change = expected[count++];
      assert.ok(kv !== undefined && change !== undefined, 'an event that nobody is owed');
      assert.equal(kv.mod_revision, change.revision);
      assert.equal(Buffer.from(kv.key).toString(), change.key);
      assert.equal(type, change.value === undefined ? 1 : 0);
      assert.equal(Buffer.from(kv.value).toString(), change.value ?? '');
      assert.ok((message.header?.revision ?? 0) >= kv.mod_revision, 'a header older than its event');
      if (!watched.spec.isPrevWanted || change.previous === undefined) assert.equal(prev_kv, undefined);
      else if (prev_kv === undefined) assert.ok(change.revision <= world.store.compactedRevision, 'no previous pair');
      else assert.equal(Buffer.from(prev_kv.value).toString(), change.previous.value);
      revision = kv.mod_revision;
    }
    isFragment = message.fragment;
  }
  if (!isCompacted && !watched.isCancelled) assert.equal(count, expected.length, 'events are missing');
}

const SPEC = fc.record({
  key: fc.constantFrom('a', 'b', 'c'),
  end: fc.constantFrom(undefined, null, 'd', 'e'),
  back: fc.integer({ min: -3, max: 12 }),
  isPrevWanted: fc.boolean(),
  isProgressWanted: fc.boolean(),
  isFragmented: fc.boolean(),
  skipsPuts: fc.boolean(),
  skipsDeletes: fc.boolean(),
});

const SIMPLE = {
  isPrevWanted: false,
  isProgressWanted: false,
  isFragmented: false,
  skipsPuts: false,
  skipsDeletes: false,
};

const WRITE = fc.array(fc.tuple(fc.constantFrom(...KEYS), fc.boolean()), { minLength: 1, maxLength: 4 });
const STEP = fc.oneof(
  { weight: 8, arbitrary: WRITE.map((operations) => ({ kind: 'write' as const, operations })) },
  { weight: 5, arbitrary: fc.constant({ kind: 'show' as const }) },
  { weight: 3, arbitrary: fc.tuple(fc.nat(1), SPEC).map(([at, spec]) => ({ kind: 'create' as const, at, spec })) },
  {
    weight: 1,
    arbitrary: fc.tuple(fc.nat(1), fc.nat(5)).map(([at, index]) => ({ kind: 'cancel' as const, at, index })),
  },
  { weight: 4, arbitrary: fc.nat(1).map((at) => ({ kind: 'slow' as const, at })) },
  { weight: 2, arbitrary: fc.nat(20).map((units) => ({ kind: 'step' as const, units })) },
  { weight: 1, arbitrary: fc.constant({ kind: 'drain' as const }) },
  { weight: 2, arbitrary: fc.nat(1).map((at) => ({ kind: 'progress' as const, at })) },
  { weight: 1, arbitrary: fc.constant({ kind: 'tick' as const }) },
  { weight: 1, arbitrary: fc.nat(6).map((back) => ({ kind: 'compact' as const, back })) },
);

describe('the watch hub', () => {
  it('gives each watcher what it is owed, in order, once, whole, and no progress ahead of it', () => {
    fc.assert(
      fc.property(fc.array(STEP, { maxLength: 60 }), fc.constantFrom(60, 10_000), (steps, fragmentBytesMax) => {
        const world = new World(2, fragmentBytesMax);
        let nowMs = 0;
        for (const step of steps) {
          if (step.kind === 'write') world.write(step.operations);
          else if (step.kind === 'show') world.show();
          else if (step.kind === 'create') {
            const { key, end, back, ...rest } = step.spec;
            const startRevision = Math.max(world.visible - back, 0);
            const upper = typeof end === 'string' ? Buffer.from(end) : end;
            world.create(step.at, { ...rest, key: Buffer.from(key), end: upper, startRevision });
          } else if (step.kind === 'cancel') {
            const { watched, stream } = world.peers[step.at];
            const one = watched[step.index];
            if (one === undefined) continue;
            one.isCancelled = true;
            world.hub.cancel(stream, one.id);
          } else if (step.kind === 'slow') world.peers[step.at].peer.isSlow = true;
          else if (step.kind === 'step') world.hub.step(step.units);
          else if (step.kind === 'drain') world.drain();
          else if (step.kind === 'progress') world.hub.requestProgress(world.peers[step.at].stream);
          else if (step.kind === 'tick') {
            nowMs += 1000;
            world.hub.tick(nowMs);
          } else {
            const to = world.visible - step.back;
            if (to > world.store.compactedRevision && to > 0) world.store.compact(to);
            while (!world.store.compactStep(1000));
          }
        }
        world.show();
        world.drain();
        for (const { peer, watched } of world.peers) for (const one of watched) check(world, peer, one);
        assert.equal(world.hub.laggingCount, 0);
      }),
      { numRuns: RUNS },
    );
  });

  it('queues little for a stream that is not read, however much is written, and goes on from the history', () => {
    const world = new World(2, 10_000);
    for (const at of [...Array(20).fill(0), 1])
      world.create(at, { ...SIMPLE, key: Buffer.from('a'), end: null, startRevision: 0 });
    const [{ peer: slow }, { peer: other }] = world.peers;
    slow.isSlow = true;
    for (let n = 0; n < 500; n++) {
      world.write([['a', true]]);
      world.show();
      world.hub.step(100);
    }
    // The limit of 30, and the message that passed it.
    assert.ok(slow.queuedBytes < 120, `${slow.queuedBytes} bytes`);
    assert.equal(world.hub.laggingCount, 20);
    assert.equal(other.received.filter(({ events }) => events.length > 0).length, 500);
    world.drain();
    for (const { peer, watched } of world.peers) for (const one of watched) check(world, peer, one);
    assert.equal(world.hub.laggingCount, 0);
  });

  it('gives each of many streams its share of what may be queued on all', () => {
    const limits = { queueBytesMax: 1_000, queuesBytesMax: 2_000, queueBytesMin: 200 };
    for (const [streams, bytesMax] of [
      [1, 1_000],
      [4, 500],
      [40, 200],
    ]) {
      const world = new World(streams, 10_000, limits);
      for (let at = 0; at < streams; at++) {
        world.create(at, { ...SIMPLE, key: Buffer.from('a'), end: null, startRevision: 0 });
        world.peers[at].peer.isSlow = true;
      }
      for (let n = 0; n < 100; n++) {
        world.write([['a', true]]);
        world.show();
      }
      for (const { peer } of world.peers) {
        assert.ok(peer.queuedBytes > bytesMax && peer.queuedBytes < bytesMax + 100, `${streams}: ${peer.queuedBytes}`);
      }
      world.drain();
      for (const { peer, watched } of world.peers) for (const one of watched) check(world, peer, one);
    }
  });

  it('answers a progress request only when every watcher of the stream is up to date', () => {
    const world = new World(1, 10_000);
    const { peer, stream } = world.peers[0];
    world.write([['a', true]]);
    world.show();
    world.create(0, { ...SIMPLE, key: Buffer.from('a'), end: undefined, startRevision: 0 });
    world.create(0, { ...SIMPLE, key: Buffer.from('a'), end: undefined, startRevision: 2 });
    const before = peer.received.length;
    world.hub.requestProgress(stream);
    assert.equal(peer.received.length, before, 'one watcher has not had its events');
    world.drain();
    world.hub.requestProgress(stream);
    assert.deepEqual([peer.received.at(-1)?.watch_id, peer.received.at(-1)?.header?.revision], [-1n, 2]);
  });
});
