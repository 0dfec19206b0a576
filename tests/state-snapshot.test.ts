// Snapshots of a whole server: what they hold, what a crash at any moment of them leaves, and what a damaged one does.

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import * as methods from '../src/api/methods.ts';
import { DurabilityMap } from '../src/etcd/durability.ts';
import type { ServerNotices } from '../src/etcd/server-options.ts';
import { CorruptionError, ForeignLogError } from '../src/journal/errors.ts';
import { encodeHeader, HEADER_BYTES, TRAILER_BYTES } from '../src/snapshot/format.ts';
import { Random } from '../src/testing/random.ts';
import { opPut, put, range, txn } from './compat/requests.ts';
import { type ServerChanges, SimulatedServer } from './compat/server-fixture.ts';
import { changeMuch, historyOf, SMALL_SEGMENTS, stateOf } from './state-snapshot-fixture.ts';

const SEEDS = Number(process.env.K1M_RUNS ?? 2);
const SNAPSHOTS = '/data/snap/';
const LOG = '/data/wal/';

function filesOf(server: SimulatedServer, folder: string): string[] {
  return [...server.disk.snapshot().keys()].filter((path) => path.startsWith(folder)).sort();
}

/** What the server told its operator. */
class Notes implements ServerNotices {
  readonly damaged: CorruptionError[] = [];
  readonly failed: string[] = [];
  taken = 0;

  onSnapshotDamaged(error: CorruptionError): void {
    this.damaged.push(error);
  }

  onProgress(): void {}

  onSnapshotTaken(): void {
    this.taken++;
  }

  onSnapshotFailed(error: Error): void {
    this.failed.push(error.message);
  }

  onBackupTaken(): void {}

  onBackupFailed(): void {}
}

interface Prepared {
  readonly server: SimulatedServer;
  readonly random: Random;
  readonly notes: Notes;
}

/** A server with two snapshots and a log behind them. */
async function prepared(seed: number, changes: ServerChanges = SMALL_SEGMENTS, snapshots = 2): Promise<Prepared> {
  const notes = new Notes();
  const server = await SimulatedServer.open(seed, { ...changes, notices: notes });
  const random = new Random(seed);
  for (let i = 0; i < snapshots; i++) {
    await changeMuch(server, random, 25);
    await server.drive(server.server.snapshotter.take());
    assert.equal(notes.taken, i + 1);
  }
  await changeMuch(server, random, 15);
  return { server, random, notes };
}

async function restarted({ server }: Prepared): Promise<void> {
  server.kill();
  await server.start();
}

describe('a snapshot', () => {
  it('and the log behind it give back everything that could be asked for', async () => {
    for (let seed = 1; seed <= SEEDS * 5; seed++) {
      const subject = await prepared(seed, SMALL_SEGMENTS, 1 + (seed % 3));
      const before = stateOf(subject.server.server);
      await restarted(subject);
      assert.deepEqual(stateOf(subject.server.server), before, `seed ${seed}`);
      assert.ok(subject.server.server.snapshot !== undefined);
      await changeMuch(subject.server, subject.random, 15);
      await subject.server.drive(subject.server.server.snapshotter.take());
      const later = stateOf(subject.server.server);
      await restarted(subject);
      assert.deepEqual(stateOf(subject.server.server), later, `seed ${seed}, again`);
    }
  });

  it('is of one moment although writes go on', async () => {
    for (let seed = 1; seed <= SEEDS * 4; seed++) {
      const subject = await prepared(seed);
      const { server, random } = subject;
      const taking = server.server.snapshotter.take();
      await changeMuch(server, random, 10);
      await server.drive(taking);
      await changeMuch(server, random, 5);
      const before = stateOf(server.server);
      await restarted(subject);
      assert.deepEqual(stateOf(server.server), before, `seed ${seed}`);
    }
  });

  it('leaves two files and the log from the older one on', async () => {
    const subject = await prepared(1, SMALL_SEGMENTS, 4);
    const { server } = subject;
    const [older, newer] = filesOf(server, SNAPSHOTS);
    assert.equal(filesOf(server, SNAPSHOTS).length, 2);
    const sequenceOf = (path: string): number => Number.parseInt(path.slice(-21).replace(/\D*$/, ''), 16);
    assert.ok(sequenceOf(older) < sequenceOf(newer));
    const segments = filesOf(server, LOG).filter((path) => path.endsWith('.wal'));
    const starts = segments.map((path) => Number.parseInt(path.slice(-20, -4), 16));
    const needed = Number.parseInt(older.slice(-21, -5), 16) + 1;
    assert.ok(starts[0] > 1 && starts[0] <= needed && starts[1] > needed, `${starts} for ${needed}`);
  });

  it('gets its name only when the log is durable as far as it goes', async () => {
    const { server } = await prepared(1);
    const files = filesOf(server, SNAPSHOTS);
    const delayMs = 2_000;
    server.disk.faults.push({ operation: 'writeDurable', pathPart: LOG, times: 1, delayMs });
    const written = server.client.unary(methods.put, put('slow'));
    await server.clock.pass(100);
    const taking = server.server.snapshotter.take();
    await server.clock.pass(delayMs / 2);
    const named = filesOf(server, SNAPSHOTS).filter((path) => path.endsWith('.snap'));
    assert.deepEqual(named, files);
    await server.drive(Promise.all([written, taking]));
    assert.notDeepEqual(filesOf(server, SNAPSHOTS), files);
  });

  it('is not taken when nothing was logged since the last', async () => {
    const { server, notes } = await prepared(1);
    await server.drive(server.server.snapshotter.take());
    const files = filesOf(server, SNAPSHOTS);
    await server.drive(server.server.snapshotter.take());
    assert.deepEqual(filesOf(server, SNAPSHOTS), files);
    assert.equal(notes.taken, 3);
  });

  it('does not hold what a restart takes anyway, and keeps what a mixed transaction promised', async () => {
    const durability = new DurabilityMap('fsync', [{ prefix: Buffer.from('none/'), durability: 'none' }]);
    const subject = await prepared(2, { ...SMALL_SEGMENTS, durability });
    const { server } = subject;
    const { client } = server;
    await server.drive(client.unary(methods.put, put('none/1')));
    await server.drive(client.unary(methods.txn, txn([], [opPut(put('none/2')), opPut(put('logged'))])));
    await server.drive(client.unary(methods.put, put('none/3')));
    const { header } = await server.drive(client.unary(methods.txn, txn([], [opPut(put('none/3')), opPut(put('x'))])));
    await server.drive(client.unary(methods.put, put('none/1', 'again')));
    await server.drive(server.server.snapshotter.take());
    await restarted(subject);
    const all = await server.drive(server.client.unary(methods.range, range({ key: 'none/', end: 'none0' })));
    assert.deepEqual(
      all.kvs.map(({ key }) => Buffer.from(key).toString()),
      ['none/2', 'none/3'],
    );
    assert.ok((all.header?.revision ?? 0) > (header?.revision ?? 0));
  });

  it('holds the mark of revisions that were shown and lost, though the log behind it does not', async () => {
    const durability = new DurabilityMap('none');
    const subject = await prepared(3, { ...SMALL_SEGMENTS, durability });
    const { server } = subject;
    await server.drive(server.client.unary(methods.put, put('a')));
    const mark = server.server.engine.store.currentRevision;
    await server.drive(server.server.snapshotter.take());
    await server.drive(server.client.unary(methods.put, put('a')));
    await restarted(subject);
    const { header } = await server.drive(server.client.unary(methods.put, put('after')));
    assert.ok((header?.revision ?? 0) > mark + 1);
  });
});

describe('a power cut at any step of a snapshot', () => {
  it('loses nothing', async () => {
    let cuts = 0;
    for (let seed = 1; seed <= SEEDS; seed++) {
      for (let step = 1; ; step++) {
        const subject = await prepared(seed);
        const { server } = subject;
        const before = stateOf(server.server);
        const old = server.server.engine.store;
        const isCut = await cutAt(subject, step);
        if (!isCut) {
          server.crash();
          await server.start();
          assert.deepEqual(stateOf(server.server), before, `seed ${seed}, after it`);
          break;
        }
        cuts++;
        await server.start();
        assert.deepEqual(stateOf(server.server), before, `seed ${seed}, step ${step}`);
        assert.equal(old.currentRevision, server.server.engine.store.currentRevision);
        await server.drive(server.server.snapshotter.take());
        assert.deepEqual(
          filesOf(server, SNAPSHOTS).filter((path) => path.endsWith('.new')),
          [],
        );
        await restarted(subject);
        assert.deepEqual(stateOf(server.server), before, `seed ${seed}, step ${step}, then another`);
      }
    }
    assert.ok(cuts > 15 * SEEDS, `${cuts} cuts`);
  });

  it('shows nothing that was not there, with writes under way', async () => {
    for (let seed = 1; seed <= SEEDS * 10; seed++) {
      const subject = await prepared(seed);
      const { server, random } = subject;
      const acknowledged = server.server.engine.visibleRevision;
      const compacted = server.server.engine.store.compactedRevision;
      for (let i = 0; i < 20; i++) server.client.unary(methods.put, put(`k${i}`, `${i}`)).catch(() => {});
      const old = server.server.engine.store;
      if (!(await cutAt(subject, random.between(1, 30)))) server.crash();
      await server.start();
      const { store } = server.server.engine;
      assert.ok(store.currentRevision >= acknowledged && store.currentRevision <= old.currentRevision);
      assert.equal(store.compactedRevision, compacted);
      assert.deepEqual(historyOf(store, store.currentRevision), historyOf(old, store.currentRevision), `seed ${seed}`);
    }
  });
});

/** Takes a snapshot and cuts the power at its n-th operation on the disk; false when it had fewer. */
async function cutAt({ server }: Prepared, step: number): Promise<boolean> {
  let operations = 0;
  const cut = new Promise<boolean>((resolve) => {
    server.disk.onOperation = () => {
      if (++operations !== step) return;
      server.crash();
      resolve(true);
    };
  });
  const taken = server.server.snapshotter.take().then(() => false);
  const isCut = await server.drive(Promise.race([cut, taken]));
  server.disk.onOperation = () => {};
  return isCut;
}

describe('a failure while a snapshot is taken', () => {
  for (const code of ['ENOSPC', 'EIO']) {
    it(`${code} at any step ends neither the server nor what it promises`, async () => {
      const operations = ['open', 'write', 'datasync', 'rename', 'syncDirectory', 'unlink', 'list'] as const;
      for (const operation of operations) {
        for (let skipped = 0; skipped < 3; skipped++) {
          const subject = await prepared(7);
          const { server, notes } = subject;
          // The first ones succeed, the next fails.
          const pathPart = '/snap';
          for (let i = 0; i < skipped; i++) server.disk.faults.push({ operation, pathPart, times: 1 });
          server.disk.faults.push({ operation, pathPart, times: 1, code });
          await server.drive(server.server.snapshotter.take());
          server.disk.faults.length = 0;
          const before = stateOf(server.server);
          await changeMuch(server, subject.random, 3);
          await server.drive(server.server.snapshotter.take());
          assert.ok(notes.taken >= 3, `${operation} ${skipped}`);
          assert.equal(filesOf(server, SNAPSHOTS).length, 2, `${operation} ${skipped}`);
          const after = stateOf(server.server);
          assert.notDeepEqual(before, after);
          await restarted(subject);
          assert.deepEqual(stateOf(server.server), after, `${operation} ${skipped}`);
        }
      }
    });
  }

  it('is reported and tried again, later each time', async () => {
    const snapshots = { logBytesMin: 1, logShare: 0 };
    const { server, notes } = await prepared(8, { snapshots }, 0);
    const fault = { operation: 'datasync', pathPart: '/snap/', times: 1_000, code: 'ENOSPC' } as const;
    server.disk.faults.push({ ...fault });
    const took = notes.taken;
    await server.drive(server.client.unary(methods.put, put('a')));
    await server.clock.pass(25_000);
    const first = notes.failed.length;
    assert.ok(first >= 1 && /ENOSPC/.test(notes.failed[0]));
    await server.clock.pass(100_000);
    assert.ok(notes.failed.length > first && notes.failed.length <= first + 3);
    assert.equal(notes.taken, took);
    server.disk.faults.length = 0;
    await server.clock.pass(400_000);
    assert.ok(notes.taken > took);
  });
});

describe('a damaged snapshot', () => {
  it('is found out whatever was done to it, and the one before it used', async () => {
    const subject = await prepared(4);
    const { server } = subject;
    const before = stateOf(server.server);
    const path = filesOf(server, SNAPSHOTS)[1];
    const good = server.disk.bytes(path);
    const files = server.disk.snapshot();
    let found = 0;
    for (const [what, bytes] of damaged(good)) {
      // The log as it was before each start: every one adds a batch.
      for (const [file, content] of files) server.disk.place(file, Buffer.from(content, 'latin1'));
      server.disk.place(path, bytes);
      subject.notes.damaged.length = 0;
      await restarted(subject);
      const { damaged } = subject.notes;
      assert.equal(damaged.length, 1, what);
      assert.equal(damaged[0].file, path);
      assert.deepEqual(stateOf(server.server), before, what);
      assert.notEqual(server.server.snapshot?.path, path);
      found++;
    }
    assert.ok(found > 80, `${found}`);
    // It goes when the next good one is there.
    await server.drive(server.server.snapshotter.take());
    assert.equal(filesOf(server, SNAPSHOTS).includes(path), false);
    assert.equal(filesOf(server, SNAPSHOTS).length, 2);
    await restarted(subject);
    assert.deepEqual(stateOf(server.server), before);
  });

  it('with none before it and a log that begins late is refused by file and offset, and nothing is changed', async () => {
    const { server } = await prepared(5, SMALL_SEGMENTS, 4);
    const files = filesOf(server, SNAPSHOTS);
    for (const path of files) server.disk.place(path, server.disk.bytes(path).subarray(0, 200));
    await refused(server, CorruptionError, /^\/data\/wal\/\w+.wal is damaged at byte 0: the log begins at batch \d+,/);
    await refused(server, CorruptionError, /no good snapshot holds what was before: bring one back/);
    for (const path of files) server.disk.remove(path);
    await refused(server, CorruptionError, /no good snapshot/);
  });

  it('does not matter while the log is whole', async () => {
    const subject = await prepared(6, SMALL_SEGMENTS, 1);
    const { server, notes } = subject;
    const before = stateOf(server.server);
    const [path] = filesOf(server, SNAPSHOTS);
    server.disk.place(path, server.disk.bytes(path).subarray(1));
    await restarted(subject);
    assert.deepEqual(stateOf(server.server), before);
    assert.equal(notes.damaged.length, 1);
    assert.equal(server.server.snapshot, undefined);
  });
});

/** Ways to damage a file: what was done, and what it has then. */
function* damaged(good: Uint8Array): Generator<[string, Uint8Array]> {
  const stride = (at: number): boolean => {
    const isHead = at < HEADER_BYTES;
    const isEnd = at >= good.length - TRAILER_BYTES;
    return isHead || isEnd ? at % 5 === 0 : at % 97 === 0;
  };
  for (let at = 0; at < good.length; at++) {
    if (!stride(at)) continue;
    const flipped = Uint8Array.from(good);
    flipped[at] ^= 1 << (at % 8);
    yield [`bit flipped at ${at}`, flipped];
  }
  for (let at = 0; at < good.length; at += 256) {
    const zeroed = Uint8Array.from(good).fill(0, at, at + 256);
    if (Buffer.compare(zeroed, good) !== 0) yield [`zeros at ${at}`, zeroed];
    const doubled = Buffer.concat([good.subarray(0, at), good.subarray(Math.max(0, at - 64), at), good.subarray(at)]);
    if (at > 0) yield [`64 bytes twice before ${at}`, doubled];
    yield [`cut off at ${at}`, good.subarray(0, at)];
  }
  yield ['more behind it', Buffer.concat([good, good.subarray(0, 8)])];
  yield ['only its last byte missing', good.subarray(0, good.length - 1)];
}

async function refused(
  server: SimulatedServer,
  kind: typeof CorruptionError | typeof ForeignLogError,
  pattern: RegExp,
): Promise<void> {
  server.kill();
  const before = server.disk.snapshot();
  await assert.rejects(server.start(), (error: unknown) => {
    assert.ok(error instanceof kind, String(error));
    assert.match(error.message, pattern);
    return true;
  });
  assert.deepEqual(server.disk.snapshot(), before);
}

describe('a snapshot that is not of this log', () => {
  it('is refused when it is newer than the log', async () => {
    const { server } = await prepared(9);
    await server.drive(server.server.snapshotter.take());
    for (const path of filesOf(server, LOG)) server.disk.remove(path);
    await refused(server, ForeignLogError, /\.snap is newer than the log: it holds batch \d+, and .*ends at batch 0/);
  });

  it('is refused when it is damaged, and the log does not reach the batch that it says was durable', async () => {
    const { server } = await prepared(9, SMALL_SEGMENTS, 1);
    const [path] = filesOf(server, SNAPSHOTS);
    server.disk.place(path, server.disk.bytes(path).subarray(0, 200));
    const [first, ...others] = filesOf(server, LOG);
    server.disk.place(first, server.disk.bytes(first).subarray(0, 200));
    for (const segment of others) server.disk.remove(segment);
    const says =
      /\.snap is damaged at byte \d+: .*; it says that batch \d+ was durable, and \/data\/wal ends at batch \d+: bring/;
    await refused(server, CorruptionError, says);
    for (const segment of filesOf(server, LOG)) server.disk.remove(segment);
    await refused(server, CorruptionError, says);
    // Without a trace of what was there it is a new folder.
    server.disk.remove(path);
    await restarted({ server, random: new Random(1), notes: new Notes() });
    assert.equal(server.server.recovery.isNew, true);
  });

  it('is refused when it is of another cluster', async () => {
    const { server } = await prepared(10, SMALL_SEGMENTS, 1);
    const [path] = filesOf(server, SNAPSHOTS);
    const other = await SimulatedServer.open(10, { identity: { clusterId: 77n, memberId: 1n } });
    await changeMuch(other, new Random(10), 5);
    await other.drive(other.server.snapshotter.take());
    const [foreign] = filesOf(other, SNAPSHOTS);
    server.disk.remove(path);
    server.disk.place(foreign, other.disk.bytes(foreign));
    await refused(server, ForeignLogError, /\.snap belongs to cluster 4d, the log to 123456789abc/);
  });

  it('is refused when its format is newer', async () => {
    const { server } = await prepared(11, SMALL_SEGMENTS, 1);
    const [path] = filesOf(server, SNAPSHOTS);
    const { bytes } = encodeHeader(
      {
        identity: { clusterId: 1n, memberId: 1n },
        sequence: 1,
        epoch: 1,
        revision: 1,
        compactedRevision: -1,
        compactTarget: -1,
        revisionMark: 1,
        hashSeed: 1,
        hasHashes: true,
        alarms: new Set(),
        wallMs: 0,
      },
      3,
    );
    server.disk.place(path, bytes);
    await refused(server, ForeignLogError, /\.snap has format 3; this program reads up to 2/);
  });
});
