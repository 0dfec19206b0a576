// Backups by the clock, on the whole server in simulated time.

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import * as methods from '../src/api/methods.ts';
import { restoreBackend } from '../src/backup/restore.ts';
import { checkHash, openFile, withoutHash } from '../src/backup/snapshot-file.ts';
import { listBackups } from '../src/etcd/backups.ts';
import type { ServerNotices } from '../src/etcd/server-options.ts';
import { IDENTITY } from '../src/testing/journal-fixture.ts';
import { put } from './compat/requests.ts';
import { SimulatedServer } from './compat/server-fixture.ts';

const FOLDER = '/backups';
const backups = { folder: FOLDER, intervalMs: 60_000, keptMax: 3 };

class Notes implements ServerNotices {
  readonly revisions: number[] = [];
  readonly failures: string[] = [];
  onSnapshotDamaged(): void {}
  onProgress(): void {}
  onSnapshotTaken(): void {}
  onSnapshotFailed(): void {}

  onBackupTaken({ revision }: { revision: number }): void {
    this.revisions.push(revision);
  }

  onBackupFailed({ message }: { message: string }, retryMs: number): void {
    this.failures.push(`${message}, again in ${retryMs} ms`);
  }
}

async function pass(server: SimulatedServer, ms: number): Promise<void> {
  await server.drive(new Promise<void>((resolve) => server.clock.setTimer(ms, resolve)));
}

async function write(server: SimulatedServer, key: string, bytes = 10): Promise<void> {
  await server.drive(server.client.unary(methods.put, put(key, 'x'.repeat(bytes))));
}

/** Of each backup, the revision that is really in it. */
async function restored(server: SimulatedServer): Promise<number[]> {
  const { disk, clock } = server;
  const revisions: number[] = [];
  for (const { name, revision } of await server.drive(listBackups(disk, FOLDER))) {
    const file = await server.drive(openFile(disk, `${FOLDER}/${name}`));
    await server.drive(checkHash(file));
    const target = { disk, clock, folder: `/restored-${revision}`, identity: IDENTITY, raftFiles: [], bumpRevision: 0 };
    revisions.push((await server.drive(restoreBackend({ ...target, file: withoutHash(file) }))).revision);
    await server.drive(file.close());
    assert.equal(revisions.at(-1), revision);
  }
  return revisions;
}

describe('backups', () => {
  it('are made at each interval, the newest few kept, none too many over a restart', async () => {
    const notes = new Notes();
    const server = await SimulatedServer.open(3, { backups, notices: notes });
    for (let i = 0; i < 5; i++) {
      await write(server, `k${i}`, 1_500_000 / (i + 1));
      // A server looks every tenth of a second.
      await pass(server, 60_200);
    }
    assert.deepEqual(notes.revisions.slice(-3), [4, 5, 6]);
    assert.deepEqual(await restored(server), [4, 5, 6]);
    const { length } = notes.revisions;
    await server.close();
    await server.start();
    await pass(server, 20_000);
    assert.equal(notes.revisions.length, length);
    await pass(server, 60_000);
    assert.equal(notes.revisions.length, length + 1);
    await server.close();
  });

  it('that fail are told and made again; nothing is left of them', async () => {
    const notes = new Notes();
    const server = await SimulatedServer.open(4, { backups, notices: notes });
    await pass(server, 10_000);
    server.disk.faults.push({ operation: 'write', pathPart: FOLDER, times: 1, code: 'ENOSPC' });
    await write(server, 'k', 1_500_000);
    await pass(server, 60_000);
    assert.equal(notes.failures.length, 1);
    assert.match(notes.failures[0], /^write \/backups\/backup-00000002\.db\.part: .*, again in 60000 ms$/);
    assert.deepEqual((await server.drive(server.disk.list(FOLDER))).length, 1);
    await pass(server, 61_000);
    assert.deepEqual(await restored(server), [1, 2]);
    await server.close();
  });

  it('cut short by the end of the server leave nothing behind', async () => {
    const notes = new Notes();
    const server = await SimulatedServer.open(5, { backups, notices: notes });
    await pass(server, 10_000);
    for (let i = 0; i < 20; i++) await write(server, `k${i}`, 1_000_000);
    server.disk.faults.push({ operation: 'write', pathPart: FOLDER, times: 1, delayMs: 3_000 });
    await pass(server, 52_000);
    await server.close();
    assert.deepEqual(notes.failures, []);
    const names = await server.drive(server.disk.list(FOLDER));
    assert(
      names.every((name) => name.endsWith('.db')),
      names.join(' '),
    );
  });

  it('that are about to begin when the server ends are not made', async () => {
    const notes = new Notes();
    for (const operation of ['list', 'open'] as const) {
      const server = new SimulatedServer(7, { backups, notices: notes });
      server.disk.faults.push({ operation, pathPart: FOLDER, times: 1, delayMs: 3_000 });
      await server.start();
      await pass(server, 100);
      const begun: string[] = [];
      server.disk.onOperation = (what, path) => void (path.startsWith(FOLDER) && begun.push(what));
      await server.close();
      assert.ok(!begun.includes('open') && !begun.includes('write'), `${operation}: ${begun}`);
      assert.deepEqual(notes, new Notes(), operation);
      assert.deepEqual(await server.drive(server.disk.list(FOLDER)), [], operation);
    }
  });

  it('go on when the wall clock is set back: none is overwritten, the newest are kept, the interval is as before', async () => {
    const notes = new Notes();
    const server = await SimulatedServer.open(8, { backups, notices: notes });
    const steps = [0, -86_400_000, 60_000, -3_600_000, 86_400_000 * 400, -86_400_000 * 400, -60_000, -60_000];
    for (const [index, step] of steps.entries()) {
      server.clock.stepWall(step);
      await write(server, `k${index}`);
      await pass(server, 60_000);
    }
    await pass(server, 5_000);
    assert.ok(notes.revisions.length >= steps.length, 'one for each interval');
    assert.deepEqual(
      notes.revisions,
      notes.revisions.toSorted((a, b) => a - b),
    );
    assert.deepEqual(await restored(server), notes.revisions.slice(-3));
    // A start with a clock that is behind the newest name waits an interval, and no longer.
    server.clock.stepWall(-86_400_000);
    await server.close();
    await server.start();
    const { length } = notes.revisions;
    await pass(server, 59_000);
    assert.equal(notes.revisions.length, length);
    await write(server, 'last');
    await pass(server, 2_000);
    assert.equal(notes.revisions.length, length + 1);
    const names = await server.drive(listBackups(server.disk, FOLDER));
    assert.deepEqual(
      names.map(({ number }) => number),
      [length - 1, length, length + 1],
    );
    assert.equal(names[2].revision, steps.length + 2);
    await server.close();
  });

  it('cut short by a power cut are removed at the next start, and made then', async () => {
    const notes = new Notes();
    const server = await SimulatedServer.open(6, { backups, notices: notes });
    await pass(server, 10_000);
    await write(server, 'k', 1_500_000);
    server.disk.faults.push({ operation: 'datasync', pathPart: FOLDER, times: 1, delayMs: 10_000 });
    await pass(server, 53_000);
    server.crash('keep');
    const isPart = (name: string): boolean => name.endsWith('.part');
    assert((await server.drive(server.disk.list(FOLDER))).some(isPart), 'it was under way');
    await server.start();
    await pass(server, 5_000);
    assert.deepEqual(await restored(server), [1, 2]);
    assert(!(await server.drive(server.disk.list(FOLDER))).some(isPart));
    await server.close();
  });
});
