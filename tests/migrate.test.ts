// A copy that follows a running server, in simulated time; the server is ours.

import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it } from 'node:test';
import * as methods from '../src/api/methods.ts';
import { Follower, type Progress } from '../src/backup/follower.ts';
import { beginCopy, type CopyPlace, finishCopy, type OpenCopy, openCopy, verifyCopy } from '../src/backup/migrate.ts';
import { EtcdClient } from '../src/client/etcd-client.ts';
import { readState } from '../src/etcd/state-opening.ts';
import { IDENTITY } from '../src/testing/journal-fixture.ts';
import { opDelete, opPut, put, remove, txn } from './compat/requests.ts';
import { SimulatedServer } from './compat/server-fixture.ts';

const nameOf = (index: number): string => `k/${String(index % 50).padStart(3, '0')}`;

describe('a copy that follows', () => {
  let server: SimulatedServer;
  let client: EtcdClient;
  let place: CopyPlace;

  beforeEach(async () => {
    // It keeps its port over a restart.
    server = await SimulatedServer.open(11, { listen: [{ host: '127.0.0.1', port: 2379 }] });
    const { network, clock, disk } = server;
    client = new EtcdClient({ network, clock, endpoints: [`http://127.0.0.1:${server.server.ports[0]}`] });
    place = { disk, clock, folder: '/copy', identity: IDENTITY };
    await server.drive(disk.ensureDirectory('/copy'));
  });
  afterEach(async () => {
    client.close();
    await server.close();
  });

  async function write(first: number, count: number, lease = 0n): Promise<number> {
    let revision = 0;
    for (let i = first; i < first + count; i++) {
      const puts = [opPut(put(nameOf(i), `${i}`, { lease })), opPut(put(nameOf(i + 1), '', {}))];
      const gone = opDelete(remove(nameOf(i + 20), nameOf(i + 22)));
      const { header } = await server.drive(server.client.unary(methods.txn, txn([], [...puts, gone])));
      revision = header?.revision ?? 0;
    }
    return revision;
  }

  function follow(copy: OpenCopy, onProgress: (progress: Progress) => void, failures: Error[] = []): Follower {
    return new Follower({
      client,
      clock: server.clock,
      filler: copy.filler,
      revision: copy.revision,
      leases: copy.leases,
      onProgress,
      onFailure: (error) => failures.push(error),
    });
  }

  /** Lets time pass until the condition holds. */
  async function until(holds: () => boolean): Promise<void> {
    while (!holds()) await server.drive(new Promise<void>((resolve) => server.clock.setTimer(100, resolve)));
  }

  it('has keys, revisions and leases of its source, though connections break; goes on where it was left', async () => {
    const kept = await server.drive(client.leaseGrant(600));
    const revoked = await server.drive(client.leaseGrant(700));
    await write(0, 30, revoked.ID);
    const restored = await server.drive(beginCopy(client, place));
    await write(30, 30);

    const first = await server.drive(openCopy(place));
    assert.deepEqual([first.revision, first.leases.size], [restored.revision, 2]);
    const seen: Progress[] = [];
    let follower = follow(first, (progress) => seen.push(progress));
    await write(60, 10, kept.ID);
    for (const stream of server.network.streams) stream.destroy();
    await server.drive(client.leaseRevoke(revoked.ID));
    const brief = await server.drive(client.leaseGrant(800));
    let revision = await write(70, 10, brief.ID);
    await until(() => seen.at(-1)?.revision === revision);
    assert.deepEqual(seen.at(-1), { revision, sourceRevision: revision, leaseCount: 2, failure: undefined });
    assert.equal(await server.drive(follower.stop()), revision);
    // As when the process is killed: without the word of an orderly end.
    await server.drive(first.filler.close(undefined));

    await write(80, 10);
    const second = await server.drive(openCopy(place));
    assert.equal(second.revision, revision);
    assert.deepEqual([...second.leases].sort(), [kept.ID, brief.ID].sort());
    follower = follow(second, () => {});
    revision = await write(90, 10);
    await until(() => follower.revision === revision);
    await server.drive(client.compact(revision - 5, true));
    await server.drive(follower.stop());
    const { keys } = await server.drive(client.leaseTimeToLive(brief.ID, true));
    const source = await server.drive(finishCopy(client, second, revision));
    assert.equal(source?.compactRevision, revision - 5);
    await server.drive(verifyCopy(server.disk, '/copy', source ?? { hash: 0, compactRevision: 0 }));
    const { lessor } = await server.drive(
      readState({ disk: server.disk, folder: '/copy', onSnapshotDamaged: assert.fail }),
    );
    assert(keys.length > 0);
    assert.equal(lessor.find(brief.ID)?.keyCount, keys.length);
    const wrong = server.drive(verifyCopy(server.disk, '/copy', { hash: 1, compactRevision: 0 }));
    await assert.rejects(wrong, /^RefusedError: \/copy differs from the source: HashKV of revision \d+ is \d+, not 1$/);
  });

  it('says that it has to begin again when its source was compacted beyond it', async () => {
    await write(0, 5);
    await server.drive(beginCopy(client, place));
    const copy = await server.drive(openCopy(place));
    const revision = await write(5, 5);
    await server.drive(client.compact(revision, true));
    const failures: Error[] = [];
    const follower = follow(copy, () => {}, failures);
    await until(() => failures.length > 0);
    assert.match(
      failures[0].message,
      /^the source was compacted at \d+, beyond revision \d+ of the copy: start again$/,
    );
    await server.drive(follower.settled());
    await server.drive(copy.filler.close(undefined));
  });

  it('takes at its end what its source has for as long as it comes, however slow its own disk is', async () => {
    await write(0, 5);
    await server.drive(beginCopy(client, place));
    const copy = await server.drive(openCopy(place));
    const follower = follow(copy, () => {});
    await until(() => follower.sourceRevision > 0);
    for (const operation of ['writeDurable', 'write', 'datasync'] as const) {
      server.disk.faults.push({ operation, pathPart: '/copy', times: 1_000, delayMs: 1_500 });
    }
    const revision = await write(5, 15);
    const startedMs = server.clock.nowMs();
    assert.equal(await server.drive(follower.stop()), revision);
    assert.ok(server.clock.nowMs() - startedMs > 15_000, 'longer than it waits for one change');
    assert.equal(follower.sourceRevision, revision);
    server.disk.faults.length = 0;
    await server.drive(copy.filler.close(undefined));
  });

  it('says that its source lost data when it comes back at a lower revision than the copy has', async () => {
    await write(0, 5);
    await server.drive(beginCopy(client, place));
    const copy = await server.drive(openCopy(place));
    const failures: Error[] = [];
    const follower = follow(copy, () => {}, failures);
    const revision = await write(5, 20);
    await until(() => follower.revision === revision);
    // The disk is the copy's too, and forgets what is on its way when the process dies.
    await server.drive(follower.settled());
    server.kill();
    for (const path of [...server.disk.snapshot().keys()].filter((name) => name.startsWith('/data/'))) {
      server.disk.remove(path);
    }
    await server.start();
    await until(() => failures.length > 0);
    assert.match(failures[0].message, /^the source is at revision 1, behind its copy at \d+: it lost data$/);
    await server.drive(follower.settled());
    await server.drive(copy.filler.close(undefined));
  });
});
