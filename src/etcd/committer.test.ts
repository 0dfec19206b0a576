// The order of durability, visibility and replies, on a journal that the test plays.

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import type { ServerCall } from '../grpc/server-call.ts';
import { BatchWriter } from '../journal/batch-writer.ts';
import type { Journal } from '../journal/journal.ts';
import { RevisionReserve } from '../journal/revision-reserve.ts';
import { CommitPace } from './commit-pace.ts';
import { Committer } from './committer.ts';
import { CLASS_BUFFERED, CLASS_FSYNC, CLASS_NONE, type DurabilityClass } from './durability.ts';

const RUNS = Number(process.env.K1M_RUNS ?? 300);
const KEY = Buffer.from('key');
const IN_FLIGHT_MAX = 3;

/** Engine, journal and clock as the committer sees them, and a list of what it showed and answered. */
class Bench {
  readonly committer: Committer;
  readonly reserve: RevisionReserve;
  readonly classes = new Map<number, DurabilityClass>();
  /** Which batch a revision is in. */
  readonly batchOf = new Map<number, number>();
  readonly answered: number[] = [];
  readonly asked: { readonly id: number; readonly revision: number }[] = [];
  readonly deferred: (() => void)[] = [];
  revision = 1;
  visible = 1;
  last = 0;
  written = 0;
  durable = 0;
  nowMs = 0;
  restedMs = 0;
  /** What is handed out now is flushed by whoever does it. */
  isReleasing = false;
  #batch = new BatchWriter(1 << 16);

  constructor(openBytesMax = 1 << 20, commitDelayMs = 0) {
    this.reserve = new RevisionReserve(1, 8);
    this.committer = new Committer({
      limits: { pipelineBytesMin: commitDelayMs > 0 ? 4096 : 64, openBytesMax },
      pace: new CommitPace(commitDelayMs),
      nowMs: () => this.nowMs,
      rest: (ms) => {
        this.nowMs += ms;
        this.restedMs += ms;
      },
      reserve: this.reserve,
      currentRevision: () => this.revision,
      onVisible: (revision) => this.#show(revision),
      onReleasing: () => {
        this.isReleasing = true;
      },
      onReleased: () => {
        assert.ok(this.isReleasing, 'told before');
        this.isReleasing = false;
      },
      defer: (callback) => this.deferred.push(callback),
      onFatal: (error) => {
        throw error;
      },
    });
    const bench = this;
    const journal: Partial<Journal> = {
      get batch(): BatchWriter {
        return bench.#batch;
      },
      get hasRoom(): boolean {
        return bench.last - bench.durable < IN_FLIGHT_MAX;
      },
      get lastSequence(): number {
        return bench.last;
      },
      commit: () => {
        bench.#batch = new BatchWriter(1 << 16);
        return ++bench.last;
      },
    };
    // The committer uses no more of it.
    this.committer.attach(journal as Journal);
  }

  write(durability: DurabilityClass, bytes = KEY.length): void {
    this.revision++;
    this.classes.set(this.revision, durability);
    if (durability !== CLASS_NONE) {
      this.batchOf.set(this.revision, this.last + 1);
      this.#batch.beginRevision(this.revision, durability === CLASS_BUFFERED ? 'buffered' : 'fsync');
      this.#batch.appendDelete(0, Buffer.alloc(bytes, 'k'), 0, bytes);
    }
    this.committer.noteRevision(durability);
  }

  ask(): void {
    const id = this.asked.length;
    this.asked.push({ id, revision: this.revision });
    const call = { reply: (message: Uint8Array, start: number): void => this.#answer(id, message[start]) };
    // All that the committer does with a call is to answer it.
    this.committer.reply(call as unknown as ServerCall, Uint8Array.of(id & 255), 1);
  }

  turn(): void {
    this.nowMs += 0.02;
    for (const callback of this.deferred.splice(0)) callback();
  }

  write1(): void {
    if (this.written < this.last) this.committer.onWritten(++this.written);
  }

  sync(): void {
    if (this.durable === this.written) return;
    this.durable = this.written;
    this.committer.onDurable(this.durable);
  }

  #show(revision: number): void {
    assert.ok(revision >= this.visible && revision <= this.revision, 'what is visible never goes back');
    this.visible = revision;
    for (const [made, durability] of this.classes) {
      if (made > revision) continue;
      const batch = this.batchOf.get(made) ?? 0;
      if (durability === CLASS_FSYNC) assert.ok(batch <= this.durable, `${made} is shown before it is durable`);
      if (durability === CLASS_BUFFERED) assert.ok(batch <= this.written, `${made} is shown before it is written`);
      if (durability !== CLASS_FSYNC) assert.ok(this.reserve.mayShow(made), `${made} is shown above the mark`);
    }
  }

  #answer(id: number, byte: number): void {
    assert.equal(byte, id & 255, 'the bytes of another reply');
    assert.equal(id, this.answered.length, 'replies leave in order');
    assert.ok(this.asked[id].revision <= this.visible, 'a reply leaves before its revision is visible');
    this.answered.push(id);
  }
}

const STEP = fc.oneof(
  fc
    .constantFrom(CLASS_NONE, CLASS_BUFFERED, CLASS_FSYNC)
    .map((durability) => ({ kind: 'write' as const, durability })),
  fc.constantFrom('ask' as const, 'turn' as const, 'written' as const, 'durable' as const).map((kind) => ({ kind })),
);

describe('the committer', () => {
  it('shows and answers nothing before its class allows, and everything in order', () => {
    fc.assert(
      fc.property(fc.array(STEP, { maxLength: 80 }), fc.constantFrom(0, 0.4), (steps, commitDelayMs) => {
        const bench = new Bench(1 << 20, commitDelayMs);
        for (const step of steps) {
          if (step.kind === 'write') {
            bench.write(step.durability);
            bench.ask();
          } else if (step.kind === 'ask') bench.ask();
          else if (step.kind === 'turn') bench.turn();
          else if (step.kind === 'written') bench.write1();
          else bench.sync();
        }
        for (let i = 0; i < 200; i++) {
          bench.turn();
          bench.write1();
          bench.sync();
        }
        assert.equal(bench.visible, bench.revision);
        assert.equal(bench.answered.length, bench.asked.length);
        assert.equal(bench.committer.isPending, false);
        assert.equal(bench.committer.pendingReplies, 0);
        assert.equal(bench.isReleasing, false);
      }),
      { numRuns: RUNS },
    );
  });

  it('answers a write of the class fsync after its batch is durable', () => {
    const bench = new Bench();
    bench.write(CLASS_FSYNC);
    bench.ask();
    bench.turn();
    bench.write1();
    assert.deepEqual([bench.visible, bench.answered.length], [1, 0]);
    bench.sync();
    assert.deepEqual([bench.visible, bench.answered.length], [2, 1]);
  });

  it('lets frequent writes gather before it commits them', () => {
    const bench = new Bench(1 << 20, 0.4);
    for (let i = 0; i < 300; i++) {
      for (let n = 0; n <= i % 3; n++) {
        bench.write(CLASS_FSYNC, 1);
        bench.ask();
      }
      bench.turn();
      bench.write1();
      bench.sync();
    }
    assert.ok(bench.last < 150, `${bench.last} batches for 600 writes in 300 turns`);
    assert.ok(bench.restedMs > 1);
  });

  it('keeps nobody waiting who is alone', () => {
    const bench = new Bench(1 << 20, 0.4);
    for (let i = 0; i < 300; i++) {
      bench.write(CLASS_FSYNC, 1);
      bench.ask();
      bench.turn();
      bench.write1();
      bench.sync();
      assert.equal(bench.answered.length, i + 1);
    }
    assert.equal(bench.restedMs, 0);
  });

  it('refuses writes while the open batch is larger than its limit', () => {
    const bench = new Bench(1000);
    bench.write(CLASS_FSYNC);
    bench.turn();
    bench.committer.admit();
    for (let i = 0; i < IN_FLIGHT_MAX; i++) {
      bench.write(CLASS_FSYNC, 2000);
      bench.turn();
      bench.write1();
    }
    bench.write(CLASS_FSYNC, 2000);
    assert.throws(() => bench.committer.admit(), { code: 2, message: 'etcdserver: too many requests' });
    for (let i = 0; i < 5; i++) {
      bench.turn();
      bench.write1();
      bench.sync();
    }
    bench.committer.admit();
  });
});
