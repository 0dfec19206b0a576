import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { etcdSnapshot } from '../../src/bolt/bolt-fixture.ts';
import { backupIn } from '../../src/cli/backup-source.ts';
import { sizeText, statusText } from '../../src/cli/snapshot.ts';
import { message, run, serve, temporaryFolder } from './binary-fixture.ts';

interface Refused {
  readonly name: string;
  /** What lies in the folder as `file`. */
  readonly content: Buffer;
  readonly flags?: readonly string[];
  readonly code?: number;
  readonly says: RegExp;
}

const SNAPSHOT = etcdSnapshot();
const WITHOUT_HASH = SNAPSHOT.subarray(0, SNAPSHOT.length - 32);

function changed(content: Buffer, at: number): Buffer {
  const copy = Buffer.from(content);
  copy[at] ^= 1;
  return copy;
}

const REFUSED: readonly Refused[] = [
  {
    name: 'a file whose hash is wrong',
    content: changed(SNAPSHOT, SNAPSHOT.length - 100),
    says: /^k1m: \S+file is damaged at byte 20480: expected sha256 [0-9a-f]{64}, got [0-9a-f]{64}$/,
  },
  {
    name: 'a file without a hash',
    content: WITHOUT_HASH,
    says: /^k1m: \S+file: snapshot missing hash but --skip-hash-check=false$/,
  },
  {
    name: 'a file of a newer etcd',
    content: Buffer.from(
      WITHOUT_HASH.toString('latin1').replaceAll('storageVersion3.7.0', 'storageVersion3.9.0'),
      'latin1',
    ),
    flags: ['--skip-hash-check'],
    says: /^k1m: \S+file has storage version 3.9.0, which is newer than this program knows$/,
  },
  {
    name: 'a bump without the mark',
    content: SNAPSHOT,
    flags: ['--bump-revision', '5'],
    code: 2,
    says: /^k1m: --mark-compacted required if --bump-revision > 0$/,
  },
];

function fileIn(test: TestContext, content: Buffer): { folder: string; file: string } {
  const folder = temporaryFolder(test);
  const file = join(folder, 'file');
  writeFileSync(file, content);
  return { folder, file };
}

describe('k1m snapshot', () => {
  for (const { name, content, flags = [], code = 1, says } of REFUSED) {
    it(`restore refuses ${name}, in one line, and leaves nothing behind`, async (test) => {
      const { folder, file } = fileIn(test, content);
      const outcome = await run(['snapshot', 'restore', file, '--data-dir', join(folder, 'data'), ...flags]);
      assert.equal(outcome.code, code);
      assert.match(message(outcome), says);
      assert.deepEqual(readdirSync(folder), ['file']);
    });
  }

  it('restore refuses a folder that has something in it', async (test) => {
    const { folder, file } = fileIn(test, SNAPSHOT);
    const data = join(folder, 'data');
    mkdirSync(data);
    writeFileSync(join(data, 'mine'), '');
    const outcome = await run(['snapshot', 'restore', file, '--data-dir', data]);
    assert.equal(message(outcome), `k1m: data-dir "${data}" not empty or could not be read`);
    assert.deepEqual(readdirSync(data), ['mine']);
  });

  it('does not choose between the data of an etcd and a log of ours in one folder', async (test) => {
    const { folder } = fileIn(test, SNAPSHOT);
    const both = join(folder, 'both');
    for (const part of ['member/snap', 'wal']) mkdirSync(join(both, part), { recursive: true });
    writeFileSync(join(both, 'member/snap/db'), SNAPSHOT);
    writeFileSync(join(both, 'wal/0000000000000001.wal'), '');
    const says = `k1m: ${both} has the data of an etcd and of a k1m: move member/, or wal/ and snap/, elsewhere`;
    const restored = await run(['snapshot', 'restore', both, '--data-dir', join(folder, 'data'), '--skip-hash-check']);
    assert.deepEqual([restored.code, message(restored)], [1, says]);
    assert.equal(message(await run(['snapshot', 'status', both])), says);
  });

  it('restores what etcd saved; serves it; saves it again with the same content', async (test) => {
    const { folder, file } = fileIn(test, SNAPSHOT);
    const data = join(folder, 'data');
    const restored = await run(['snapshot', 'restore', file, '--data-dir', data]);
    assert.equal(restored.stdout, `Restored ${file} to ${data}: revision 8, compacted at 5\n`);
    const server = await serve(test, data);
    assert.equal((await server.client.get('k2'))?.mod_revision, 8);
    assert.equal((await server.client.leaseTimeToLive(0x390da210bd408e03n)).grantedTTL, 600);
    const again = join(folder, 'again');
    const saved = await run(['snapshot', 'save', again, '--endpoint', server.endpoint]);
    assert.equal(saved.stdout, `Snapshot saved at ${again}\nServer version 3.7.0\n`);
    assert.equal(existsSync(`${again}.part`), false);
    assert.match(message(await run(['snapshot', 'status', data])), /^k1m: \S+ is in use by process \d+$/);
    await server.end('SIGTERM');

    const status = async (path: string): Promise<{ revision: number; totalKey: number }> => {
      const { stdout } = await run(['snapshot', 'status', path, '-w', 'json']);
      const { revision, totalKey } = JSON.parse(stdout) as { revision: number; totalKey: number };
      return { revision, totalKey };
    };
    for (const path of [file, again, data]) assert.deepEqual(await status(path), { revision: 8, totalKey: 4 });
  });

  it('status prints as etcdutl does', async (test) => {
    const { file } = fileIn(test, SNAPSHOT);
    const { stdout } = await run(['snapshot', 'status', file]);
    assert.equal(stdout, 'a5a494e2, 8, 4, 20 kB, 3.7.0\n');
    const status = { hash: 0xa5a494e2, revision: 8, totalKey: 4, totalSize: 20480, version: '3.7.0' };
    const json = '{"hash":2779026658,"revision":8,"totalKey":4,"totalSize":20480,"version":"3.7.0"}\n';
    assert.equal(statusText(status, 'json'), json);
    const fields = '"Hash" : 2779026658\n"Revision" : 8\n"Keys" : 4\n"Size" : 20480\n"Version" : 3.7.0\n';
    assert.equal(statusText(status, 'fields'), fields);
    const table = [
      '┌──────────┬──────────┬────────────┬────────────┬─────────┐',
      '│   HASH   │ REVISION │ TOTAL KEYS │ TOTAL SIZE │ VERSION │',
      '├──────────┼──────────┼────────────┼────────────┼─────────┤',
      '│ a5a494e2 │        8 │          4 │      20 kB │   3.7.0 │',
      '└──────────┴──────────┴────────────┴────────────┴─────────┘',
    ];
    assert.equal(statusText(status, 'table'), `${table.join('\n')}\n`);
  });

  it('restore picks of a folder of backups the one for a revision or a time', (test) => {
    const folder = temporaryFolder(test);
    for (const name of [
      'backup-00000001-20260130T120000Z-r100.db',
      'backup-00000002-20260131T120000Z-r200.db',
      'backup-00000003-20260201T120000Z-r300.db',
      'mine.db',
    ]) {
      writeFileSync(join(folder, name), '');
    }
    const pick = (revision: number | undefined, time: string | undefined): string => {
      const wallMs = time === undefined ? undefined : Date.parse(time);
      return basename(backupIn(folder, { revision, wallMs }) ?? 'none');
    };
    assert.equal(pick(undefined, undefined), 'backup-00000003-20260201T120000Z-r300.db');
    assert.equal(pick(150, undefined), 'backup-00000002-20260131T120000Z-r200.db');
    assert.equal(pick(200, undefined), 'backup-00000002-20260131T120000Z-r200.db');
    assert.equal(pick(undefined, '2026-01-31T11:59:59Z'), 'backup-00000001-20260130T120000Z-r100.db');
    assert.throws(
      () => pick(301, undefined),
      /^RefusedError: revision 301 is in no backup of \S+: the newest is backup-00000003-20260201/,
    );
    const early = (): string => pick(undefined, '2026-01-01T00:00:00Z');
    assert.throws(
      early,
      /^RefusedError: no backup in \S+ is as old as 2026-01-01T00:00:00.000Z: the oldest is backup-00000001-20260130/,
    );
    assert.equal(backupIn(temporaryFolder(test), { revision: 1, wallMs: undefined }), undefined);
  });

  it('says sizes as etcdutl does', () => {
    const sizes = [9, 10, 999, 1000, 9950, 20480, 20500, 82_854_982, 1_073_741_824].map(sizeText);
    assert.deepEqual(sizes, ['9 B', '10 B', '999 B', '1.0 kB', '10 kB', '20 kB', '20 kB', '83 MB', '1.1 GB']);
  });
});

describe('k1m migrate', () => {
  it('copies a running server, verifies the copy, and goes on with it later', async (test) => {
    const folder = temporaryFolder(test);
    const copy = join(folder, 'copy');
    const server = await serve(test, join(folder, 'source'));
    await server.client.put('a', '1');
    const { ID } = await server.client.leaseGrant(600);
    await server.client.put('b', '2', { lease: ID });
    const migrate = ['migrate', '--from', server.endpoint, '--data-dir', copy, '--until-caught-up'];
    const first = await run(migrate);
    assert.equal(first.code, 0);
    assert.match(first.stdout, /^copied revision 3 into \S+; following\ncaught up at revision 3, 0 behind, 1 leases\n/);
    assert.match(
      first.stdout,
      /\nstopped at revision 3; .*; verified: HashKV \d+, compacted at -1, is the source's\n$/,
    );
    const again = await run(migrate);
    assert.deepEqual([again.code, message(again)], [1, `k1m: data-dir "${copy}" not empty or could not be read`]);
    await server.client.put('c', '3');
    const resumed = await run([...migrate, '--resume']);
    assert.match(resumed.stdout, /stopped at revision 4; .*; verified/);
  });

  it('leaves nothing behind when there is no server', async (test) => {
    const folder = temporaryFolder(test);
    const outcome = await run(['migrate', '--from', 'http://127.0.0.1:1', '--data-dir', join(folder, 'x')]);
    assert.equal(outcome.code, 1);
    assert.match(message(outcome), /^k1m: connection error: .*ECONNREFUSED/);
    assert.deepEqual(readdirSync(folder), []);
  });
});
