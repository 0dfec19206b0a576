// Maintenance.Snapshot on the whole server in simulated time, and the way back into a new data folder.

import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it } from 'node:test';
import type { StatusError } from '../src/api/errors.ts';
import type { SnapshotResponse } from '../src/api/messages.ts';
import * as methods from '../src/api/methods.ts';
import { momentIn, type Restored, restoreBackend, restoreFolder } from '../src/backup/restore.ts';
import { checkHash, hasHash, withoutHash } from '../src/backup/snapshot-file.ts';
import { folderStatus } from '../src/backup/status.ts';
import { MemoryFile } from '../src/bolt/bolt-fixture.ts';
import { EtcdClient } from '../src/client/etcd-client.ts';
import { readState } from '../src/etcd/state-opening.ts';
import type { Moment } from '../src/journal/log-times.ts';
import { readLog } from '../src/journal/recovery.ts';
import type { VersionList } from '../src/store/version-list.ts';
import { IDENTITY, RecordingVisitor } from '../src/testing/journal-fixture.ts';
import { bytesOf, opDelete, opPut, put, remove, txn } from './compat/requests.ts';
import { SimulatedServer } from './compat/server-fixture.ts';

const KEYS = 300;
const nameOf = (index: number): string => `k/${String(index % KEYS).padStart(4, '0')}`;

describe('a snapshot', () => {
  let server: SimulatedServer;
  let client: EtcdClient;

  beforeEach(async () => {
    server = await SimulatedServer.open(7);
    const { network, clock } = server;
    client = new EtcdClient({ network, clock, endpoints: [`http://127.0.0.1:${server.server.ports[0]}`] });
  });
  afterEach(async () => {
    client.close();
    await server.close();
  });

  /** Transactions of puts of any size and deletions, from `first` on. */
  async function write(first: number, count: number): Promise<number> {
    let revision = 0;
    for (let i = first; i < first + count; i++) {
      const puts = Array.from({ length: 5 }, (_, j) => {
        const bytes = (i + j) % 97 === 0 ? 20_000 : ((i * 31 + j) % 400) + 1;
        return opPut(put(nameOf(i * 7 + j), String.fromCharCode(65 + (i % 26)).repeat(bytes)));
      });
      const gone = opDelete(remove(nameOf(i * 7 + 100), nameOf(i * 7 + 102)));
      const { header } = await server.drive(server.client.unary(methods.txn, txn([], [...puts, gone])));
      revision = header?.revision ?? 0;
    }
    return revision;
  }

  async function contentOf(pieces: AsyncGenerator<SnapshotResponse>, between = async () => {}): Promise<Buffer> {
    const blobs: Uint8Array[] = [];
    const remaining: number[] = [];
    for (;;) {
      const next = await server.drive(pieces.next());
      if (next.done === true) break;
      assert.equal(next.value.version, '3.7.0');
      blobs.push(next.value.blob);
      remaining.push(next.value.remaining_bytes);
      await between();
    }
    const content = Buffer.concat(blobs);
    const databaseBytes = content.length - 32;
    let sent = 0;
    for (const [i, blob] of blobs.slice(0, -1).entries()) {
      sent += blob.length;
      assert.equal(remaining[i], databaseBytes - sent);
    }
    assert.equal(remaining.at(-1), 0);
    return content;
  }

  function restore(content: Buffer, folder: string, bumpRevision = 0, toRevision?: number): Promise<Restored> {
    const { disk, clock } = server;
    const file = withoutHash(new MemoryFile(content));
    const target = { disk, clock, folder, identity: IDENTITY };
    return server.drive(restoreBackend({ ...target, file, raftFiles: [], bumpRevision, toRevision }));
  }

  /** A server with a log of small segments. */
  async function reopen(): Promise<void> {
    await server.close();
    server = await SimulatedServer.open(8, { segmentBytesMax: 20_000 });
    const { network, clock } = server;
    client = new EtcdClient({ network, clock, endpoints: [`http://127.0.0.1:${server.server.ports[0]}`] });
  }

  /** From the server's own folder. */
  function restoreOurs(folder: string, toRevision?: number): Promise<Restored> {
    const { disk, clock } = server;
    const target = { disk, clock, folder, identity: IDENTITY };
    return server.drive(restoreFolder({ ...target, source: '/data', bumpRevision: 0, toRevision }));
  }

  it('holds all of one revision, though it is read slowly while writes and compactions go on', async () => {
    const { ID } = await server.drive(client.leaseGrant(600));
    await server.drive(client.leaseGrant(700, -5n));
    const middle = await write(0, 120);
    await server.drive(client.put('leased', 'x', { lease: ID }));
    await server.drive(client.compact(middle, true));
    const revision = await write(120, 60);
    const hash = await server.drive(client.call(methods.hashKv, { revision }));
    const { count } = await server.drive(client.range({ key: bytesOf('\0'), range_end: bytesOf('\0') }));
    let next = 1000;
    const content = await contentOf(client.snapshot(), async () => {
      const newest = await write(next, 3);
      next += 3;
      if (next % 2 === 0) await server.drive(client.compact(newest - 1, true));
    });
    assert(next > 1010, 'it came in many pieces');
    assert(hasHash(content.length));
    await checkHash(new MemoryFile(content));

    assert.deepEqual(await restore(content, '/restored'), { revision, compactRevision: middle, replayed: 0 });
    const status = await server.drive(folderStatus(server.disk, '/restored'));
    assert.deepEqual([status.hash, status.revision, status.totalKey], [hash.hash, revision, count]);
    const visitor = new RecordingVisitor();
    await server.drive(readLog({ disk: server.disk, folder: '/restored/wal', visitor }));
    const leases = visitor.lines.filter((line) => line.startsWith('grant'));
    assert.deepEqual(leases.sort(), [`grant ${ID} 600`, 'grant -5 700'].sort());
  });

  it('is restored at a higher revision when that is asked for, compacted there', async () => {
    const revision = await write(0, 10);
    const content = await contentOf(client.snapshot());
    const bumped = revision + 1000;
    const expected = { revision: bumped, compactRevision: bumped, replayed: 0 };
    assert.deepEqual(await restore(content, '/restored', 1000), expected);
    const status = await server.drive(folderStatus(server.disk, '/restored'));
    assert.equal(status.revision, bumped);
  });

  it('is cut off at an earlier revision when that is asked for', async () => {
    const first = await write(0, 30);
    await server.drive(client.compact(first - 10, true));
    const { hash } = await server.drive(client.call(methods.hashKv, { revision: first }));
    const last = await write(30, 10);
    const content = await contentOf(client.snapshot());
    const expected = { revision: first, compactRevision: first - 10, replayed: 0 };
    assert.deepEqual(await restore(content, '/restored', 0, first), expected);
    assert.equal((await server.drive(folderStatus(server.disk, '/restored'))).hash, hash);
    await assert.rejects(restore(content, '/a', 0, last + 1), new RegExp(`it ends at ${last}$`));
    await assert.rejects(restore(content, '/b', 0, first - 11), new RegExp(`it was compacted at ${first - 10}$`));
  });

  it('of an empty store is restored as one', async () => {
    const content = await contentOf(client.snapshot());
    assert.deepEqual(await restore(content, '/restored'), { revision: 1, compactRevision: -1, replayed: 0 });
  });

  it('does not leave before the disk has all that is in it', async () => {
    const events: string[] = [];
    server.disk.faults.push({ operation: 'writeDurable', pathPart: 'wal', times: 1, delayMs: 5_000 });
    const written = client.put('late', 'x').then(() => events.push('written'));
    const pieces = client.snapshot();
    const first = pieces.next().then(() => events.push('snapshot'));
    await server.drive(Promise.all([written, first]));
    assert.deepEqual(events, ['written', 'snapshot']);
    assert(server.clock.nowMs() >= 5_000);
    await server.drive(pieces.return(undefined));
  });

  it('of k1m and its log give back any state since, with its compaction and its leases', async () => {
    await reopen();
    const { snapshotter } = server.server;
    const states: { revision: number; compactRevision: number; hash: number; leases: number }[] = [];
    for (let i = 0; i < 5; i++) {
      await write(i * 10, 5);
      await server.drive(client.leaseGrant(600));
      const revision = await write(i * 10 + 5, 5);
      if (i % 2 === 1) await server.drive(client.compact(revision - 3, true));
      const answer = await server.drive(client.call(methods.hashKv, { revision }));
      states.push({ revision, compactRevision: answer.compact_revision, hash: answer.hash, leases: i + 1 });
      if (i === 1) await server.drive(snapshotter.take());
    }
    const stateOf = async (folder: string): Promise<{ hash: number; leases: number }> => {
      const { store, lessor } = await server.drive(
        readState({ disk: server.disk, folder, onSnapshotDamaged: assert.fail }),
      );
      const job = store.hashKv(store.currentRevision);
      while (!job.step(1_000));
      return { hash: job.hash, leases: lessor.count };
    };
    for (const { revision, compactRevision, hash, leases } of states) {
      const folder = `/at-${revision}`;
      assert.deepEqual(await restoreOurs(folder, revision), { revision, compactRevision, replayed: 0 });
      assert.deepEqual(await stateOf(folder), { hash, leases });
    }
    const newest = states[4];
    assert.equal((await restoreOurs('/newest')).revision, newest.revision);
    await assert.rejects(restoreOurs('/later', newest.revision + 1), new RegExp(`it ends at ${newest.revision}$`));

    // The log goes back to the older of two snapshots only; what is before it is in the history, or nowhere.
    await server.drive(snapshotter.take());
    await write(100, 5);
    await server.drive(snapshotter.take());
    const { compactRevision } = newest;
    const history = await restoreOurs('/history', compactRevision + 1);
    assert.deepEqual(history, { revision: compactRevision + 1, compactRevision, replayed: 0 });
    const tooOld = restoreOurs('/too-old', compactRevision - 1);
    await assert.rejects(tooOld, new RegExp(`it goes back to ${compactRevision}$`));
  });

  it('of k1m and its log tell the revision of a time, also when the clock was set back and when the log was cut off', async () => {
    await reopen();
    const { clock, disk } = server;
    const { snapshotter } = server.server;
    const startMs = clock.wallMs();
    const at = (ms: number): Promise<Moment> => server.drive(momentIn(disk, '/data', ms));
    const times: { ms: number; revision: number }[] = [];
    for (let i = 0; i < 6; i++) {
      clock.stepWall(60_000);
      const revision = await write(i * 10, 5);
      times.push({ ms: clock.wallMs(), revision });
    }
    for (const { ms, revision } of times) {
      assert.deepEqual(await at(ms + 30_000), { revision, earlierRevision: undefined });
    }
    assert.deepEqual(await at(startMs), { revision: 1, earlierRevision: undefined });
    await assert.rejects(at(startMs - 60_000), /^RefusedError: 2\S+Z is not in \/data: its log goes back to 2\S+Z$/);

    clock.stepWall(-150_000);
    const later = await write(100, 5);
    assert.deepEqual(await at(times[3].ms + 1_000), { revision: later, earlierRevision: times[3].revision });

    clock.stepWall(1_000_000);
    for (let i = 0; i < 2; i++) {
      const revision = await write(200 + i * 10, 5);
      await server.drive(snapshotter.take());
      clock.stepWall(60_000);
      times.push({ ms: clock.wallMs(), revision });
    }
    await write(300, 300);
    await server.drive(snapshotter.take());
    clock.stepWall(60_000);
    const newest = await write(700, 5);
    const [first, second] = times.slice(-2);
    await assert.rejects(at(first.ms - 61_000), /its log goes back to/);
    assert.equal((await at(second.ms - 30_000)).revision, second.revision);
    assert.equal((await at(clock.wallMs() + 1e9)).revision, newest);
    const restored = await restoreOurs('/restored', second.revision);
    assert.equal(restored.revision, second.revision);
  });

  it('that is given up holds neither memory nor the compaction', async () => {
    const revision = await write(0, 100);
    const { store } = server.server.engine;
    let closed = 0;
    const listVersions = store.listVersions.bind(store);
    store.listVersions = (at): VersionList => {
      const list = listVersions(at);
      const close = list.close.bind(list);
      list.close = (): void => {
        closed++;
        close();
      };
      return list;
    };
    const pieces = client.snapshot();
    await server.drive(pieces.next());
    await server.drive(pieces.return(undefined));
    await server.drive(client.compact(revision, true));
    assert.equal(store.compactionPending, false);
    assert.equal(closed, 1);
  });

  it('is refused while four are on their way', async () => {
    // More than is queued for a client that does not read.
    for (let i = 0; i < 30; i++) await server.drive(client.put(`large ${i}`, Buffer.alloc(100_000)));
    const open = Array.from({ length: 4 }, () => client.snapshot());
    for (const pieces of open) await server.drive(pieces.next());
    const refused = server.drive(client.snapshot().next());
    await assert.rejects(refused, (error: StatusError) => error.message === 'etcdserver: too many requests');
    for (const pieces of open) await server.drive(pieces.return(undefined));
    const again = client.snapshot();
    await server.drive(again.next());
    await server.drive(again.return(undefined));
  });
});
