// The snapshotter with a store, a disk and a clock, and a log that the test plays.

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Journal } from '../journal/journal.ts';
import { Lessor } from '../lease/lessor.ts';
import { Store } from '../store/store.ts';
import { SimulatedClock } from '../testing/clock.ts';
import { SimulatedDisk } from '../testing/disk.ts';
import { IDENTITY } from '../testing/journal-fixture.ts';
import { Random } from '../testing/random.ts';
import { Snapshotter } from './snapshotter.ts';

const FOLDER = '/snap';
const PAIRS = 400;
const VALUE_BYTES = 5_000;
const TURN_MS = 1;

class Bench {
  readonly clock = new SimulatedClock();
  readonly disk: SimulatedDisk;
  readonly store = new Store({ segmentBytes: 1 << 16 });
  readonly notes: string[] = [];
  readonly snapshotter: Snapshotter;
  lastSequence = 7;
  durableSequence = 7;
  trimmed = 0;
  /** When each next try was to be, in milliseconds. */
  readonly retries: number[] = [];
  /** Durations of the syncs that were told. */
  readonly syncs: number[] = [];

  constructor(latencyMsMax = 0.5, loadedSequence = 0, freeBytesMin = 0) {
    const { clock, store } = this;
    this.disk = new SimulatedDisk({ clock, random: new Random(1), latencyMsMax });
    const bench = this;
    const journal: Partial<Journal> = {
      epoch: 1,
      storedBytes: 100 << 20,
      get lastSequence(): number {
        return bench.lastSequence;
      },
      get durableSequence(): number {
        return bench.durableSequence;
      },
      sync: () => void this.notes.push('sync'),
      trim: async (sequence) => {
        this.trimmed = sequence;
      },
    };
    this.snapshotter = new Snapshotter({
      subject: {
        disk: this.disk,
        clock,
        folder: FOLDER,
        identity: IDENTITY,
        // It uses no more of the log.
        journal: journal as Journal,
        store,
        lessor: new Lessor(store, 1),
        alarms: new Set(),
        compactTarget: () => -1,
        revisionMark: () => 0,
        whenCommitted: (callback) => callback(),
        addJob: (job) => this.#turn(job),
      },
      limits: { logBytesMin: 1 << 20, logShare: 0.5 },
      freeBytesMin,
      replayedBytes: 0,
      loadedSequence,
      observer: {
        onSync: (seconds) => void this.syncs.push(seconds),
        onTaken: ({ sequence }) => void this.notes.push(`taken ${sequence}`),
        onFailed: (error, retryMs) => {
          this.notes.push(`failed ${error.code}`);
          this.retries.push(retryMs);
        },
      },
      onFatal: (error) => void this.notes.push(`fatal ${error}`),
    });
  }

  /** A turn of the server's slices. */
  #turn(job: () => boolean): void {
    this.clock.setTimer(TURN_MS, () => {
      if (!job()) this.#turn(job);
    });
  }

  async open(): Promise<this> {
    await this.clock.runUntil(this.snapshotter.open());
    for (let i = 0; i < PAIRS; i++) {
      const main = this.store.currentRevision + 1;
      const key = Buffer.from(`key ${i}`);
      this.store.put(main, 0, -1, key, 0, key.length, Buffer.alloc(VALUE_BYTES, i), 0, VALUE_BYTES, 0n);
      this.store.commit(main);
    }
    return this;
  }

  /** More is in the log. */
  log(bytes: number): void {
    this.lastSequence++;
    this.durableSequence++;
    this.snapshotter.onLogged(bytes);
  }

  names(): Promise<string[]> {
    return this.clock.runUntil(this.disk.list(FOLDER));
  }
}

describe('a snapshot', () => {
  it('gets its name when its own last batch is durable, whatever became durable before', async () => {
    const bench = await new Bench().open();
    bench.durableSequence = 5;
    const taking = bench.snapshotter.take();
    await bench.clock.pass(1_000);
    assert.deepEqual(bench.notes, ['sync']);
    bench.snapshotter.onDurable(6);
    await bench.clock.pass(1_000);
    assert.deepEqual(bench.notes, ['sync']);
    bench.durableSequence = 7;
    bench.snapshotter.onDurable(7);
    await bench.clock.runUntil(taking);
    assert.deepEqual(bench.notes, ['sync', 'taken 7']);
    assert.deepEqual(await bench.names(), ['0000000000000007.snap']);
  });

  it('that is given up while its last batch is not durable gets no name', async () => {
    const bench = await new Bench().open();
    bench.durableSequence = 5;
    void bench.snapshotter.take();
    await bench.clock.pass(1_000);
    await bench.clock.runUntil(bench.snapshotter.close(1_000));
    bench.durableSequence = 7;
    bench.snapshotter.onDurable(7);
    await bench.clock.runAll();
    assert.deepEqual([bench.notes, await bench.names()], [['sync'], []]);
  });

  it('takes its time on a fast disk too: 32 MiB a second, unless more is logged meanwhile, the disk is full, or the server ends', async () => {
    const took = async (work: (bench: Bench) => Promise<void>): Promise<number> => {
      const bench = await new Bench(0.001).open();
      bench.log(2 << 20);
      const startedMs = bench.clock.nowMs();
      await bench.clock.runUntil(work(bench));
      assert.deepEqual(bench.notes, ['taken 8']);
      return bench.clock.nowMs() - startedMs;
    };
    const leastMs = (PAIRS * VALUE_BYTES * 1000) / (32 << 20);
    const calm = await took((bench) => bench.snapshotter.take());
    const ending = await took((bench) => bench.snapshotter.close(60_000));
    const hurried = await took((bench) => {
      bench.clock.setTimer(2, () => bench.log(1_500_000));
      return bench.snapshotter.take();
    });
    const relief = await took(async (bench) => {
      bench.snapshotter.relieve();
      await bench.snapshotter.take();
    });
    const overtaken = await took(async (bench) => {
      const taking = bench.snapshotter.take();
      bench.clock.setTimer(leastMs / 4, () => bench.snapshotter.relieve());
      await taking;
    });
    const eased = await took(async (bench) => {
      bench.snapshotter.relieve();
      bench.snapshotter.tick();
      await bench.snapshotter.take();
    });
    const text = `${calm}, ${eased}, ${hurried}, ${relief}, ${overtaken}, ${ending} of ${leastMs} ms`;
    assert.ok(calm >= leastMs && calm < leastMs * 2, text);
    assert.ok(eased >= leastMs, text);
    assert.ok(hurried < leastMs && relief < leastMs && ending < leastMs, text);
    assert.ok(overtaken > relief && overtaken < leastMs, `one under way when the disk becomes full: ${text}`);
  });

  it('pauses for seven times the duration of its writes, once where the log overtakes it, and not at an orderly end', async () => {
    const took = async (work: (bench: Bench) => Promise<void>): Promise<number> => {
      const bench = await new Bench().open();
      bench.log(2 << 20);
      bench.disk.faults.push({ operation: 'writeDurable', pathPart: FOLDER, times: 1_000, delayMs: 10 });
      const startedMs = bench.clock.nowMs();
      await bench.clock.runUntil(work(bench));
      assert.deepEqual(bench.notes, ['taken 8']);
      const writtenSeconds = bench.syncs.reduce((sum, seconds) => sum + seconds, 0);
      assert.ok(bench.syncs.length > 20 && writtenSeconds >= bench.syncs.length * 0.009, 'each write is told');
      return (bench.clock.nowMs() - startedMs) / (writtenSeconds * 1_000);
    };
    const calm = await took((bench) => bench.snapshotter.take());
    const hurried = await took((bench) => {
      const taking = bench.snapshotter.take();
      bench.clock.setTimer(15, () => bench.log(3 << 20));
      return taking;
    });
    const between = await took((bench) => {
      const taking = bench.snapshotter.take();
      bench.clock.setTimer(15, () => bench.log(1_200_000));
      return taking;
    });
    const ending = await took((bench) => bench.snapshotter.close(60_000));
    const text = `${calm}, ${between}, ${hurried}, ${ending} times the duration of the writes`;
    assert.ok(calm > 7 && calm < 9 && hurried > 1.8 && hurried < 2.8 && ending < 1.5, text);
    assert.ok(between > hurried + 0.5 && between < 4.5, text);
  });

  it('that meets a bug ends the server, one that meets a bad disk does not', async () => {
    const bench = await new Bench().open();
    bench.store.image = (): never => assert.fail('a bug');
    await bench.clock.runUntil(bench.snapshotter.take());
    assert.deepEqual(bench.notes, ['fatal AssertionError [ERR_ASSERTION]: a bug']);
    const other = await new Bench().open();
    other.disk.faults.push({ operation: 'writeDurable', pathPart: FOLDER, times: 1, code: 'EIO' });
    await other.clock.runUntil(other.snapshotter.take());
    assert.deepEqual(other.notes, ['failed EIO']);
    assert.deepEqual(await other.names(), []);
    await other.clock.runUntil(other.snapshotter.take());
    assert.deepEqual(await other.names(), ['0000000000000007.snap']);
  });

  it('is one at a time, two are kept, and the log goes up to the older one', async () => {
    const bench = await new Bench().open();
    bench.log(2 << 20);
    for (let taken = 0; taken < 3; taken++) {
      bench.snapshotter.tick();
      // The moment of which it is has passed.
      await bench.clock.pass(20);
      assert.ok(bench.snapshotter.isRunning);
      bench.log(2 << 20);
      // Neither begins another one.
      bench.snapshotter.tick();
      bench.snapshotter.relieve();
      await bench.clock.pass(1_000);
      assert.equal(bench.snapshotter.isRunning, false);
    }
    assert.deepEqual(bench.notes, ['taken 8', 'taken 9', 'taken 10']);
    assert.deepEqual(await bench.names(), ['0000000000000009.snap', '000000000000000a.snap']);
    assert.equal(bench.trimmed, 10);
    assert.equal(bench.snapshotter.newestSequence, 10);
  });

  it('that an orderly end has no time for is removed by then; no more are taken', async () => {
    const bench = await new Bench().open();
    bench.log(2 << 20);
    bench.disk.faults.push({ operation: 'writeDurable', pathPart: FOLDER, times: 1_000, delayMs: 100 });
    const startedMs = bench.clock.nowMs();
    await bench.clock.runUntil(bench.snapshotter.close(2_000));
    const tookMs = bench.clock.nowMs() - startedMs;
    assert.ok(tookMs >= 1_800 && tookMs < 2_000, `${tookMs} ms: not left to the next start`);
    assert.deepEqual(await bench.names(), []);
    bench.snapshotter.tick();
    bench.snapshotter.relieve();
    await bench.clock.pass(60_000);
    assert.deepEqual([bench.notes, await bench.names()], [[], []]);
  });

  it('is begun only where there is room for it', async () => {
    const bench = await new Bench().open();
    const { store, disk } = bench;
    store.compact(store.currentRevision - 99);
    while (!store.compactStep(1_000));
    // Records, rows of 24 bytes, changes of 32.
    const needed = store.recordBytesLive + PAIRS * 24 + 100 * 32;
    disk.capacityBytes = disk.usedBytes() + needed - 1;
    await bench.clock.runUntil(bench.snapshotter.take());
    assert.deepEqual(bench.notes, ['failed ENOSPC']);
    disk.capacityBytes = 100 << 20;
    let asked = false;
    disk.onOperation = (operation) => {
      // Exactly enough when it is asked for, and enough for what comes on top.
      if (operation === 'freeBytes' && !asked) disk.capacityBytes = disk.usedBytes() + needed;
      else if (asked) disk.capacityBytes = 100 << 20;
      asked ||= operation === 'freeBytes';
    };
    await bench.clock.runUntil(bench.snapshotter.take());
    assert.deepEqual(bench.notes, ['failed ENOSPC', 'taken 7']);
  });

  it('relieves a full disk when there is log to be cut off, and not again at once', async () => {
    const bench = await new Bench().open();
    bench.snapshotter.relieve();
    assert.equal(bench.snapshotter.isRunning, false, 'nothing was logged');
    bench.log(1_000);
    bench.snapshotter.relieve();
    assert.ok(bench.snapshotter.isRunning);
    await bench.clock.pass(1_000);
    bench.log(1_000);
    bench.snapshotter.relieve();
    assert.equal(bench.snapshotter.isRunning, false, 'too soon');
    await bench.clock.pass(10_000);
    bench.snapshotter.relieve();
    await bench.clock.pass(1_000);
    assert.deepEqual(bench.notes, ['taken 8', 'taken 9']);
  });

  it('of nothing new is not written', async () => {
    const bench = await new Bench().open();
    await bench.clock.runUntil(bench.snapshotter.take());
    let writes = 0;
    bench.disk.onOperation = (operation) => {
      if (operation.startsWith('write')) writes++;
    };
    await bench.clock.runUntil(bench.snapshotter.take());
    assert.deepEqual([bench.notes, writes], [['taken 7'], 0]);
  });

  it('that was loaded and the one before it are kept from the start on; what a crash left goes, durably', async () => {
    const bench = new Bench(0.5, 6);
    await bench.clock.runUntil(bench.disk.ensureDirectory(FOLDER));
    for (const sequence of ['3', '4', '6', '9'])
      bench.disk.place(`${FOLDER}/000000000000000${sequence}.snap`, Buffer.alloc(10));
    bench.disk.place(`${FOLDER}/0000000000000005.snap.new`, Buffer.alloc(10));
    bench.disk.place(`${FOLDER}/notes`, Buffer.alloc(10));
    await bench.open();
    bench.disk.crash('lose');
    const kept = [
      '0000000000000003.snap',
      '0000000000000004.snap',
      '0000000000000006.snap',
      '0000000000000009.snap',
      'notes',
    ];
    assert.deepEqual(await bench.names(), kept);
    assert.equal(bench.snapshotter.newestSequence, 6);
    bench.log(1);
    await bench.clock.runUntil(bench.snapshotter.take());
    assert.deepEqual(bench.notes, ['taken 8']);
    // The damaged one goes with those that are too old; two are there, so the log may go up to the older one.
    assert.deepEqual(await bench.names(), ['0000000000000006.snap', '0000000000000008.snap', 'notes']);
    assert.equal(bench.trimmed, 7);
  });

  it('leaves the log whole while it is the only one', async () => {
    const bench = await new Bench().open();
    await bench.clock.runUntil(bench.snapshotter.take());
    assert.deepEqual([bench.notes, bench.trimmed, await bench.names()], [['taken 7'], 0, ['0000000000000007.snap']]);
    bench.disk.crash('lose');
    assert.deepEqual(await bench.names(), ['0000000000000007.snap']);
  });

  it('counts log from the moment of which it is, and again all of it when it fails', async () => {
    const bench = await new Bench().open();
    bench.log(1000);
    const taking = bench.snapshotter.take();
    bench.disk.faults.push({ operation: 'datasync', pathPart: FOLDER, times: 1, code: 'EIO' });
    await bench.clock.pass(2);
    bench.log(50);
    assert.equal(bench.snapshotter.logBytes, 50);
    await bench.clock.runUntil(taking);
    assert.deepEqual([bench.notes, bench.snapshotter.logBytes], [['failed EIO'], 1050]);
    await bench.clock.runUntil(bench.snapshotter.take());
    assert.deepEqual([bench.notes[1], bench.snapshotter.logBytes], ['taken 9', 0]);
  });

  it('is the only one under way, whoever asks for another meanwhile', async () => {
    for (const ask of [
      (bench: Bench) => bench.snapshotter.relieve(),
      (bench: Bench) => bench.snapshotter.close(60_000),
    ]) {
      const bench = await new Bench().open();
      let begun = 0;
      bench.disk.onOperation = (operation, path) => {
        if (operation === 'open' && path.endsWith('.new')) begun++;
      };
      bench.log(2 << 20);
      bench.snapshotter.tick();
      await bench.clock.pass(2);
      // As much again would be worth one.
      bench.log(2 << 20);
      void ask(bench);
      await bench.clock.runAll();
      assert.deepEqual([bench.notes, begun], [['taken 8'], 1]);
    }
  });

  it('is not begun where the log would have less room beside it than it is to have', async () => {
    const stateBytes = PAIRS * VALUE_BYTES;
    const bench = await new Bench(0.5, 0, stateBytes).open();
    const opened: string[] = [];
    bench.disk.onOperation = (operation, path) => {
      if (operation === 'open') opened.push(path);
    };
    bench.disk.capacityBytes = bench.disk.usedBytes() + 1.9 * stateBytes;
    await bench.clock.runUntil(bench.snapshotter.take());
    assert.deepEqual([bench.notes, opened], [['failed ENOSPC'], []]);
    bench.disk.capacityBytes += stateBytes;
    await bench.clock.runUntil(bench.snapshotter.take());
    assert.deepEqual(bench.notes, ['failed ENOSPC', 'taken 7']);
  });

  it('is not taken at the end where nothing was logged, nor after it', async () => {
    const bench = await new Bench().open();
    await bench.clock.runUntil(bench.snapshotter.close(1_000));
    assert.deepEqual(bench.notes, []);
    bench.log(2 << 20);
    bench.snapshotter.tick();
    bench.snapshotter.relieve();
    assert.equal(bench.snapshotter.isRunning, false);
  });

  it('that comes to its end after the server touches no other file', async () => {
    const bench = await new Bench(0.5, 3).open();
    for (const sequence of ['1', '3']) bench.disk.place(`${FOLDER}/000000000000000${sequence}.snap`, Buffer.alloc(10));
    bench.disk.faults.push({ operation: 'rename', pathPart: FOLDER, times: 1, delayMs: 60_000 });
    bench.log(2 << 20);
    bench.snapshotter.tick();
    await bench.clock.pass(2_000);
    await bench.clock.runUntil(bench.snapshotter.close(1_000));
    assert.deepEqual(bench.notes, []);
    await bench.clock.runAll();
    const names = ['0000000000000001.snap', '0000000000000003.snap', '0000000000000008.snap'];
    assert.deepEqual([bench.notes, bench.trimmed, await bench.names()], [['taken 8'], 0, names]);
  });

  it('that succeeds ends the pauses behind those that failed', async () => {
    const bench = await new Bench().open();
    for (const isFailure of [true, true, false, true]) {
      bench.log(1000);
      if (isFailure) bench.disk.faults.push({ operation: 'datasync', pathPart: FOLDER, times: 1, code: 'EIO' });
      await bench.clock.runUntil(bench.snapshotter.take());
    }
    assert.deepEqual(bench.notes, ['failed EIO', 'failed EIO', 'taken 10', 'failed EIO']);
    assert.deepEqual(bench.retries, [30_000, 60_000, 30_000]);
  });
});
