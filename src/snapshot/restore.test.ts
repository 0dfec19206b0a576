// A snapshot taken, and read back: the same state; and what is wrong with a file is told before anything of it is believed.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type CorruptionError, ForeignLogError } from '../journal/errors.ts';
import type { LeaseWalk } from '../lease/lease-walk.ts';
import { Lessor } from '../lease/lessor.ts';
import { Store } from '../store/store.ts';
import { SimulatedClock } from '../testing/clock.ts';
import { SimulatedDisk } from '../testing/disk.ts';
import { hexDump } from '../testing/hex-dump.ts';
import { IDENTITY } from '../testing/journal-fixture.ts';
import { Random } from '../testing/random.ts';
import { encodeHeader, HEADER_BYTES, TRAILER_BYTES } from './format.ts';
import { type RestoredSnapshot, restoreSnapshot } from './restore.ts';
import { sequenceOfSnapshot, snapshotPath } from './snapshot-folder.ts';
import { SnapshotReader } from './snapshot-reader.ts';
import { type SnapshotResult, takeSnapshot } from './snapshot-taking.ts';

const FOLDER = '/snap';
const KEYS = 60;
const SEQUENCE = 7;

const keyOf = (i: number): Buffer => Buffer.from(`key ${i}`);

/** Keys that were put, changed and deleted, a part of that compacted; leases with many keys, one and none. */
class Subject {
  readonly clock = new SimulatedClock();
  readonly disk = new SimulatedDisk({ clock: this.clock, random: new Random(1) });
  readonly store = new Store({ segmentBytes: 1024 });
  readonly lessor = new Lessor(this.store, 1);
  durableSequence = SEQUENCE;
  isAborted = false;
  readonly syncs: number[] = [];
  readonly notes: string[] = [];

  constructor() {
    this.lessor.grant(-5n, 60, 0);
    this.lessor.grant(7n, 3600, 0);
    this.lessor.grant(9n, 5, 0);
    for (let round = 0; round < 3; round++) {
      for (let i = 0; i < KEYS; i += round + 1)
        this.#put(i, `${'value '.repeat(i % 7)}${round}`, i % 3 === 0 ? -5n : i === 1 ? 7n : 0n);
    }
    for (let i = 5; i < KEYS; i += 20) this.#delete(i);
    this.store.compact(70);
    while (!this.store.compactStep(1000));
  }

  #put(i: number, value: string, lease: bigint): void {
    const { store, lessor } = this;
    const main = store.currentRevision + 1;
    const key = keyOf(i);
    const bytes = Buffer.from(value);
    store.put(main, 0, store.find(key, 0, key.length), key, 0, key.length, bytes, 0, bytes.length, lease);
    lessor.attach(store.find(key, 0, key.length), lessor.find(lease));
    store.commit(main);
  }

  #delete(i: number): void {
    const main = this.store.currentRevision + 1;
    const row = this.store.find(keyOf(i), 0, keyOf(i).length);
    this.lessor.attach(row, undefined);
    this.store.delete(main, 0, row);
    this.store.commit(main);
  }

  take(newestSequence = 0): Promise<SnapshotResult | undefined> {
    const { clock, disk, store, lessor } = this;
    const subject = this;
    return clock.runUntil(
      disk.ensureDirectory(FOLDER).then(() =>
        takeSnapshot({
          subject: {
            disk,
            clock,
            folder: FOLDER,
            identity: IDENTITY,
            journal: {
              lastSequence: SEQUENCE,
              epoch: 3,
              get durableSequence(): number {
                return subject.durableSequence;
              },
              sync: () => void this.notes.push('sync'),
            },
            store,
            lessor,
            alarms: new Set([1]),
            compactTarget: () => 75,
            revisionMark: () => 1000,
            whenCommitted: (callback) => callback(),
            addJob: (job) => {
              while (!job());
            },
          },
          onCaptured: () => void this.notes.push('captured'),
          onSync: (seconds) => void this.syncs.push(seconds),
          pauseMs: ({ bytesWritten }) => (bytesWritten > HEADER_BYTES ? 2000 : 0),
          durable: async (sequence) => void this.notes.push(`durable ${sequence}`),
          isAborted: () => this.isAborted,
          newestSequence,
        }),
      ),
    );
  }

  restore(revisionMax?: number): Promise<RestoredSnapshot | undefined> {
    const options = {
      disk: this.disk,
      folder: FOLDER,
      minimumLeaseTtlSeconds: 2,
      nowMs: () => 50_000,
      onDamaged: ({ offset, reason }: CorruptionError) => void this.notes.push(`damaged at ${offset}: ${reason}`),
      onProgress: (_path: string, done: number, total: number) => void this.notes.push(`${done < total}`),
    };
    return this.clock.runUntil(restoreSnapshot(revisionMax === undefined ? options : { ...options, revisionMax }));
  }

  async taken(): Promise<{ path: string; bytes: Uint8Array }> {
    const result = await this.take();
    assert.ok(result !== undefined);
    this.notes.length = 0;
    return { path: result.path, bytes: this.disk.bytes(result.path) };
  }
}

/** Every version of every key, and what hangs on each lease. */
function linesOf(store: Store, lessor: Lessor): string[] {
  const lines: string[] = [];
  for (let i = 0; i < KEYS; i++) {
    const row = store.find(keyOf(i), 0, keyOf(i).length);
    if (row < 0) continue;
    for (let revision = Math.max(1, store.compactedRevision); revision <= store.currentRevision; revision++) {
      const address = store.recordAt(row, revision);
      const record =
        address < 0
          ? 'none'
          : Buffer.from(store.segmentOf(address).subarray(store.kvStart(address), store.kvEnd(address)));
      lines.push(`key ${i} at ${revision}: ${record.toString('hex')}`);
    }
  }
  for (const lease of lessor.list()) {
    const keys = lessor.rows(lease).map((row) => store.modRevision(row));
    lines.push(`lease ${lease.id} ${lease.ttlSeconds}: ${keys.sort((a, b) => a - b)}`);
  }
  return lines;
}

test('a state that was taken is the same when it is read back', async () => {
  const subject = new Subject();
  const before = linesOf(subject.store, subject.lessor);
  const startedMs = subject.clock.nowMs();
  const result = await subject.take();
  const tookSeconds = (subject.clock.nowMs() - startedMs) / 1000;
  assert.deepEqual(subject.notes.splice(0), ['captured']);
  assert.equal(result?.bytes, subject.disk.bytes('/snap/0000000000000007.snap').length);
  assert.deepEqual([result?.sequence, result?.revision], [SEQUENCE, subject.store.currentRevision]);
  // It paused two seconds after each block.
  assert.ok(tookSeconds > 6 && Math.abs((result?.durationSeconds ?? 0) - tookSeconds) < 0.1, `${tookSeconds}`);
  assert.ok(
    subject.syncs.length > 4 && subject.syncs.every((seconds) => seconds >= 0 && seconds < 0.1),
    `${subject.syncs}`,
  );
  assert.deepEqual(subject.disk.openPaths, []);
  subject.disk.crash('lose');
  const restored = await subject.restore();
  assert.ok(restored !== undefined);
  assert.deepEqual(subject.disk.openPaths, []);
  // The higher of the two compactions counts; versions below are gone.
  const { store, lessor } = restored;
  while (!store.compactStep(1000));
  assert.equal(store.compactedRevision, 75);
  assert.deepEqual(
    linesOf(store, lessor),
    before.filter((line) => !/ at 7[0-4]:/.test(line)),
  );
  assert.deepEqual(
    lessor.list().map(({ expiryMs }) => expiryMs),
    [55_000, 110_000, 3_650_000],
  );
  assert.deepEqual([...restored.alarms], [1]);
  assert.deepEqual(restored.base, {
    sequence: SEQUENCE,
    revision: 1000,
    clusterId: IDENTITY.clusterId,
    file: '/snap/0000000000000007.snap',
  });
  assert.equal(restored.bytes, result?.bytes);
  assert.equal(restored.path, result?.path);
  assert.equal(restored.header.hasHashes, true);
  assert.ok(subject.notes.length >= 4 && subject.notes.every((note) => note === 'true'));
});

test('nothing is written where nothing is new, and nothing stays open where a snapshot is given up', async () => {
  const subject = new Subject();
  assert.equal(await subject.take(SEQUENCE), undefined);
  assert.deepEqual(await subject.clock.runUntil(subject.disk.list(FOLDER)), []);
  subject.isAborted = true;
  assert.equal(await subject.take(), undefined);
  assert.deepEqual([subject.disk.openPaths, subject.store.compactionHeld], [[], false]);
  subject.isAborted = false;
  const unfinished = '/snap/0000000000000007.snap.new';
  subject.disk.remove(unfinished);
  for (const operation of ['writeDurable', 'write', 'datasync', 'rename'] as const) {
    subject.disk.faults.push({ operation, pathPart: '.snap', times: 1, code: 'EIO' });
    await assert.rejects(subject.take(), { code: 'EIO' }, operation);
    await subject.clock.runAll();
    assert.deepEqual([subject.disk.openPaths, subject.store.compactionHeld], [[], false], operation);
    subject.disk.remove(unfinished);
  }
  const lines = linesOf(subject.store, subject.lessor);
  await subject.take();
  assert.deepEqual(linesOf(subject.store, subject.lessor), lines);
});

test('more leases than a block holds are all there', async () => {
  const subject = new Subject();
  for (let id = 100n; id < 10_100n; id++) subject.lessor.grant(id, 60, 0);
  await subject.taken();
  const restored = await subject.restore();
  const idsOf = (lessor: Lessor): bigint[] =>
    lessor
      .list()
      .map(({ id }) => id)
      .sort();
  assert.ok(restored !== undefined);
  assert.deepEqual(idsOf(restored.lessor), idsOf(subject.lessor));
});

test('the name of a snapshot is the number of its last batch in sixteen digits', () => {
  assert.equal(sequenceOfSnapshot('00000000000abcde.snap'), 0xabcde);
  assert.equal(snapshotPath(FOLDER, 0xabcde), '/snap/00000000000abcde.snap');
});

test('leases are no longer followed when a snapshot ends before it came to them', async () => {
  const subject = new Subject();
  const { lessor, disk } = subject;
  const walks: LeaseWalk[] = [];
  const walk = lessor.walk.bind(lessor);
  lessor.walk = () => {
    const begun = walk();
    walks.push(begun);
    return begun;
  };
  disk.faults.push({ operation: 'open', pathPart: '.snap', times: 1, code: 'EIO' });
  await assert.rejects(subject.take(), { code: 'EIO' });
  const lease = lessor.find(9n);
  assert.ok(lease !== undefined);
  lessor.remove(lease);
  assert.deepEqual(
    walks.map(({ leases }) => leases),
    [[]],
  );
});

test('a snapshot waits for the log only where that is not durable yet', async () => {
  const subject = new Subject();
  subject.durableSequence = SEQUENCE - 1;
  await subject.take();
  assert.deepEqual(subject.notes, ['captured', 'sync', `durable ${SEQUENCE}`]);
});

test('a snapshot of a revision that is too late is passed over', async () => {
  const subject = new Subject();
  await subject.taken();
  const revision = subject.store.currentRevision;
  assert.equal(await subject.restore(revision - 1), undefined);
  assert.notEqual(await subject.restore(revision), undefined);
  assert.deepEqual(subject.disk.openPaths, []);
});

test('a damaged snapshot is passed over, and says where it is damaged', async () => {
  const subject = new Subject();
  const { path, bytes } = await subject.taken();
  const flipped = (at: number): Uint8Array => Uint8Array.from(bytes, (byte, i) => (i === at ? byte ^ 4 : byte));
  const trailerAt = bytes.length - TRAILER_BYTES;
  for (const [damaged, says] of [
    [bytes.subarray(0, 0), /^damaged at 0: the snapshot is cut off/],
    [bytes.subarray(0, HEADER_BYTES - 1), /^damaged at 127: the snapshot is cut off/],
    [bytes.subarray(0, HEADER_BYTES + TRAILER_BYTES - 1), /^damaged at 191: the snapshot is cut off/],
    [bytes.subarray(0, trailerAt), /does not end as one/],
    [Buffer.concat([bytes, bytes.subarray(trailerAt)]), /has \d+ bytes instead of \d+/],
    [flipped(0), /^damaged at 0: it does not begin as a snapshot/],
    [flipped(40), /^damaged at 0: the checksum of the snapshot header/],
    [flipped(HEADER_BYTES + 1), /^damaged at 128: the checksum of block 0 \(leases\) does not match/],
    [flipped(trailerAt), new RegExp(`^damaged at ${trailerAt}: .*does not end as one`)],
    [flipped(trailerAt + 30), new RegExp(`^damaged at ${trailerAt}: the checksum of the snapshot trailer`)],
    [flipped(trailerAt - 1), /the checksum of the snapshot index/],
  ] as const) {
    subject.disk.place(path, damaged);
    assert.equal(await subject.restore(), undefined);
    assert.match(subject.notes.splice(0).at(-1) ?? '', says);
    await subject.clock.runAll();
    assert.deepEqual(subject.disk.openPaths, []);
  }
  subject.disk.place('/snap/0000000000000006.snap', bytes);
  assert.equal(await subject.restore(), undefined);
  assert.match(subject.notes.at(-1) ?? '', /^damaged at 0: it holds batch 7, its name says otherwise/);
});

test('what the disk cannot read is damage, every other failure and a newer format is told', async () => {
  const subject = new Subject();
  const { path, bytes } = await subject.taken();
  subject.disk.faults.push({ operation: 'read', pathPart: '.snap', times: 1, code: 'EIO' });
  assert.equal(await subject.restore(), undefined);
  assert.match(subject.notes.splice(0)[0], /^damaged at 0: .*EIO/);
  for (const [operation, code] of [
    ['read', 'EACCES'],
    ['open', 'EIO'],
    ['list', 'EACCES'],
  ] as const) {
    subject.disk.faults.push({ operation, pathPart: 'snap', times: 1, code });
    await assert.rejects(subject.restore(), { code });
    await subject.clock.runAll();
    assert.deepEqual(subject.disk.openPaths, []);
  }
  const { header } = await subject.clock.runUntil(SnapshotReader.open(subject.disk, path));
  subject.disk.place(path, Buffer.concat([encodeHeader(header, 3).bytes, bytes.subarray(HEADER_BYTES)]));
  await assert.rejects(subject.restore(), ForeignLogError);
});

test('a lease takes 16 bytes of its block: id and time to live', async () => {
  const subject = new Subject();
  const { bytes } = await subject.taken();
  assert.deepEqual(hexDump(bytes.subarray(HEADER_BYTES, HEADER_BYTES + 48)), [
    'fbffffff ffffffff 3c000000 00000000',
    '07000000 00000000 100e0000 00000000',
    '09000000 00000000 05000000 00000000',
  ]);
});

test('blocks that are read ahead of a damaged one are left behind, also where the disk fails them', async () => {
  const subject = new Subject();
  const { path, bytes } = await subject.taken();
  bytes[HEADER_BYTES + 1] ^= 1;
  subject.disk.place(path, bytes);
  let reads = 0;
  subject.disk.onOperation = (operation) => {
    // Behind the header, the trailer, the index and the damaged block.
    if (operation !== 'read' || ++reads !== 5) return;
    subject.disk.faults.push({ operation: 'read', pathPart: path, times: 1, delayMs: 100, code: 'EIO' });
  };
  assert.equal(await subject.restore(), undefined);
  assert.match(subject.notes.join(), /damaged at 128: the checksum of block 0/);
  // Its failure would end the process, were nobody there to take it.
  await subject.clock.runAll();
  assert.ok(reads >= 5);
});
