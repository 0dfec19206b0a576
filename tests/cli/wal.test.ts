// `k1m wal verify|dump|repair` as a person meets them: texts, exit codes, and what is left in the folder.

import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { crc32 } from 'node:zlib';
import * as methods from '../../src/api/methods.ts';
import type { JournalIdentity } from '../../src/journal/journal.ts';
import { put } from '../compat/requests.ts';
import { SimulatedServer } from '../compat/server-fixture.ts';
import { SMALL_SEGMENTS } from '../state-snapshot-fixture.ts';
import { LISTEN, message, type Outcome, run, type Serving, serve, temporaryFolder } from './binary-fixture.ts';

const KEYS = 12;

/** Files of a folder by their names, as hashes, to see whether anything has changed. */
function contentOf(folder: string): Map<string, string> {
  const names = readdirSync(folder, { recursive: true, encoding: 'utf8' }).sort();
  const files = names.filter((name) => !/lock\./.test(name) && existsSync(join(folder, name)));
  return new Map(
    files.map((name) => {
      try {
        return [
          name,
          createHash('sha256')
            .update(readFileSync(join(folder, name)))
            .digest('hex'),
        ];
      } catch {
        return [name, 'folder'];
      }
    }),
  );
}

function json(outcome: Outcome): unknown {
  return JSON.parse(outcome.stdout);
}

interface MadeFolder {
  readonly snapshots: number;
  readonly identity?: JournalIdentity;
}

/** The files of a server after an orderly end, from the data folder on; batch n + 1 puts key n. */
async function filesOf({ snapshots, identity }: MadeFolder): Promise<Map<string, Uint8Array>> {
  const server = await SimulatedServer.open(1, { ...(identity && { identity }), ...(snapshots > 0 && SMALL_SEGMENTS) });
  const write = (n: number): Promise<unknown> => {
    return server.drive(server.client.unary(methods.put, put(`key${n}`, `value ${n}`)));
  };
  for (let i = 0; i < snapshots; i++) {
    for (let n = 1; n <= 2 * KEYS; n++) await write(n);
    await server.drive(server.server.snapshotter.take());
  }
  for (let n = 1; n <= KEYS; n++) await write(n);
  await server.close();
  const paths = [...server.disk.snapshot().keys()].sort();
  return new Map(paths.map((path) => [path.replace('/data/', ''), server.disk.bytes(path)]));
}

const LOG = await filesOf({ snapshots: 0 });
const WITH_SNAPSHOTS = await filesOf({ snapshots: 2 });
const OTHER_CLUSTER = await filesOf({ snapshots: 2, identity: { clusterId: 5n, memberId: 6n } });

function folderOf(test: TestContext, files: ReadonlyMap<string, Uint8Array>): string {
  const folder = join(temporaryFolder(test), 'data');
  for (const [name, bytes] of files) {
    mkdirSync(dirname(join(folder, name)), { recursive: true });
    writeFileSync(join(folder, name), bytes);
  }
  return folder;
}

function pathsIn(folder: string, part: string): string[] {
  return readdirSync(join(folder, part))
    .sort()
    .map((name) => join(folder, part, name));
}

function segmentOf(folder: string): string {
  return pathsIn(folder, 'wal')[0];
}

/** Changes a file in place. */
function edit(path: string, change: (bytes: Buffer) => Buffer): void {
  writeFileSync(path, change(readFileSync(path)));
}

function flip(bytes: Buffer, at: number): Buffer {
  bytes[at] ^= 1;
  return bytes;
}

function written(bytes: Buffer, value: number, at: number): Buffer {
  bytes.writeUInt32LE(value, at);
  return bytes;
}

/** With the checksum of a snapshot's header as it is now. */
function sealed(bytes: Buffer): Buffer {
  return written(bytes, crc32(bytes.subarray(16, 128), crc32(bytes.subarray(0, 12))), 12);
}

/** A bit of the value of key4, which is in batch 5. */
function damage(folder: string): void {
  edit(segmentOf(folder), (bytes) => flip(bytes, bytes.indexOf('value 4')));
}

async function refusedToServe(folder: string): Promise<string> {
  const outcome = await run(['serve', '--data-dir', folder, ...LISTEN]);
  assert.equal(outcome.code, 1);
  return message(outcome);
}

async function keysOf({ client }: Serving): Promise<string[]> {
  const keys: string[] = [];
  for (let n = 1; n <= KEYS; n++) if ((await client.get(`key${n}`)) !== undefined) keys.push(`key${n}`);
  return keys;
}

describe('k1m wal', { concurrency: 2 }, () => {
  it('verify finds a whole folder whole, and names what is wrong with a damaged one', async (test) => {
    const folder = folderOf(test, LOG);
    const whole = await run(['wal', 'verify', folder]);
    assert.deepEqual([whole.code, whole.stderr], [0, '']);
    assert.match(
      whole.stdout,
      /wal\/0000000000000001\.wal +\d+ +1…14 +2…13 +12 puts, 0 deletes, 4 others, \S+Z to \S+Z +good\n\nWhole\.\n$/,
    );
    damage(folder);
    const damaged = await run(['wal', 'verify', folder]);
    assert.equal(damaged.code, 1);
    assert.match(
      damaged.stdout,
      /\nflipped: wal\/\w+\.wal at byte \d+, \d+ bytes; batches 5, revisions 5: the checksum/,
    );
    assert.match(damaged.stdout, /\nDamaged: k1m serve refuses to start: .*, but later batches are there\.\n$/);
    const { isWhole, findings } = json(await run(['wal', 'verify', folder, '-w', 'json'])) as {
      isWhole: boolean;
      findings: { kind: string; sequences: object }[];
    };
    assert.equal(isWhole, false);
    assert.deepEqual(
      findings.map(({ kind, sequences }) => ({ kind, sequences })),
      [{ kind: 'flipped', sequences: { first: 5, last: 5 } }],
    );
  });

  it('dump prints segments, batches and effects, and damage in its place', async (test) => {
    const folder = folderOf(test, LOG);
    const { code, stdout, stderr } = await run(['wal', 'dump', folder]);
    assert.deepEqual([code, stderr], [0, '']);
    const lines = stdout.split('\n');
    assert.match(
      lines[0],
      /^segment wal\/0000000000000001\.wal: \d+ bytes, format 3, cluster \w+, member \w+, epoch 1, from batch 1$/,
    );
    assert.match(lines[1], /^ {2}batch 1 at byte 64, 96 bytes: no revision, epoch 1, durable before 0, fsync$/);
    assert.ok(lines.includes('    5.0 put "key4": value of 7 bytes, created 5, version 1'), stdout);
    assert.ok(lines.includes('    clean: an orderly end, at revision 13'));

    const some = ['wal', 'dump', folder, '--from-revision', '5', '--to-revision', '6', '--values'];
    const puts = (await run(some)).stdout.split('\n').filter((line) => line.includes(' put '));
    assert.deepEqual(puts, [
      '    5.0 put "key4": value "value 4", created 5, version 1',
      '    6.0 put "key5": value "value 5", created 6, version 1',
    ]);
    const last = (await run(['wal', 'dump', folder, '--from-sequence', '14'])).stdout;
    assert.match(last, /^segment .*\n {2}batch 14 .*\n {4}clean: .*\n$/);

    damage(folder);
    const damaged = await run(['wal', 'dump', folder, '--json', '--values']);
    assert.equal(damaged.code, 0);
    const records = damaged.stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as Record<string, unknown>);
    const types = records.map(({ type }) => type);
    assert.deepEqual(types.slice(0, 4), ['segment', 'batch', 'meta', 'open']);
    const at = types.indexOf('damage');
    assert.deepEqual([records[at].kind, types[at + 1], records[at + 1].isUncertain], ['flipped', 'put', true]);
    assert.equal(records[at + 1].key, Buffer.from('key4').toString('base64'));
    assert.equal(types.filter((type) => type === 'put').length, KEYS);
  });

  it('dump goes on behind whatever is in a file', async (test) => {
    const folder = folderOf(test, LOG);
    const path = segmentOf(folder);
    const bytes = readFileSync(path);
    for (const content of [
      Buffer.alloc(0),
      bytes.subarray(0, 30),
      Buffer.concat([bytes.subarray(0, 64), Buffer.alloc(3000, 'K1MB')]),
    ]) {
      writeFileSync(path, content);
      const { code, stderr, stdout } = await run(['wal', 'dump', folder]);
      assert.deepEqual([code, stderr], [0, '']);
      assert.match(stdout, /^segment /);
    }
  });

  it('repair says what it would do and changes nothing, until the loss is accepted', async (test) => {
    const folder = folderOf(test, LOG);
    damage(folder);
    const refusal = await refusedToServe(folder);
    const content = contentOf(folder);
    const asked = await run(['wal', 'repair', folder]);
    assert.equal(asked.code, 1);
    assert.match(
      asked.stdout,
      /\nlost: batches 5, revisions 5; they may have changed more keys than are listed below\n/,
    );
    assert.match(asked.stdout, /\nuncertain key "key4": a put at revision 5 may be missing\n/);
    assert.match(asked.stdout, /\nNothing was changed\. To do this, run it again with --accept-loss\.\n$/);
    assert.deepEqual(contentOf(folder), content);
    assert.equal(await refusedToServe(folder), refusal);

    const done = await run(['wal', 'repair', '--accept-loss', folder]);
    assert.deepEqual([done.code, done.stderr], [0, '']);
    assert.match(done.stdout, /\nDone: k1m serve starts on this folder\.\n$/);
    const kept = readdirSync(folder).find((name) => name.startsWith('repair-')) ?? '';
    const report = JSON.parse(readFileSync(join(folder, kept, 'report.json'), 'utf8')) as {
      revision: number;
      uncertainKeys: { text: string }[];
    };
    assert.deepEqual(
      report.uncertainKeys.map(({ text }) => text),
      ['"key4"'],
    );
    assert.equal(report.revision, 13 + 1e9);
    // The originals are a data folder by themselves, as damaged as ever.
    for (const [name, text] of content) assert.equal(contentOf(join(folder, kept)).get(name), text, name);
    assert.equal((await run(['wal', 'verify', folder])).code, 0);

    const server = await serve(test, folder);
    assert.deepEqual(
      await keysOf(server),
      Array.from({ length: KEYS }, (_, i) => `key${i + 1}`).filter((key) => key !== 'key4'),
    );
    // Who watched the damaged server is told to list anew.
    const compactRevision = await new Promise<number>((resolve) => {
      const listener = { onEvents: () => {}, onEnd: (_error: unknown, revision: number) => resolve(revision) };
      server.client.watch({ key: Buffer.from('key4'), startRevision: 14 }, listener);
    });
    assert.equal(compactRevision, report.revision);
    const { header } = await server.client.put('new', 'x');
    assert.equal(header?.revision, report.revision + 1);
    const inUse = await run(['wal', 'repair', '--accept-loss', folder]);
    assert.match(message(inUse), /is in use by process \d+$/);
    await server.end('SIGKILL');
    const again = await serve(test, folder);
    assert.equal((await again.client.get('new'))?.mod_revision, report.revision + 1);
    await again.end('SIGTERM');
    const nothing = await run(['wal', 'repair', folder]);
    assert.deepEqual([nothing.code, nothing.stdout], [0, 'Nothing to repair. Whole.\n']);
  });

  it('repair goes above the highest revision as far as it is told', async (test) => {
    const folder = folderOf(test, LOG);
    damage(folder);
    const { revision, isDone } = json(
      await run(['wal', 'repair', folder, '--accept-loss', '--bump-revision', '10', '--json']),
    ) as { revision: number; isDone: boolean };
    assert.deepEqual([revision, isDone], [23, true]);
    assert.equal((await run(['wal', 'repair', folder, '--bump-revision', '0'])).code, 2);
  });

  const BAD: readonly {
    readonly name: string;
    readonly files?: ReadonlyMap<string, Uint8Array>;
    readonly change: (folder: string) => void;
    /** What `k1m serve` and `k1m wal repair` say. */
    readonly serve: RegExp;
    /** Undefined: it can be repaired. */
    readonly repair?: RegExp;
    readonly lost?: RegExp;
  }[] = [
    {
      name: 'a log of a newer format',
      change: (folder) => edit(segmentOf(folder), (bytes) => written(bytes, 9, 8)),
      serve: /^k1m: \S+\.wal has format 9; this program reads up to 3$/,
      repair:
        /^k1m: \S+ is not repaired while something foreign is in it: \S+\.wal has format 9; this program reads up to 3$/,
    },
    {
      name: 'a snapshot of a newer format',
      files: WITH_SNAPSHOTS,
      change: (folder) => edit(pathsIn(folder, 'snap')[1], (bytes) => sealed(written(bytes, 99, 8))),
      serve: /^k1m: \S+\.snap has format 99; this program reads up to \d+$/,
      repair: /^k1m: \S+ is not repaired while something foreign is in it: \S+\.snap has format 99/,
    },
    {
      name: 'a file that is not of the log',
      change: (folder) => writeFileSync(join(folder, 'wal', 'notes.txt'), 'mine'),
      serve: /^k1m: \S+notes\.txt is not a file of the log; move it away$/,
      repair:
        /^k1m: \S+ is not repaired while something foreign is in it: \S+notes\.txt: is not a file of the log; move it away$/,
    },
    {
      name: "another cluster's snapshot",
      files: WITH_SNAPSHOTS,
      change: (folder) => {
        for (const [name, bytes] of OTHER_CLUSTER)
          if (name.startsWith('snap/')) writeFileSync(join(folder, name), bytes);
      },
      serve: /^k1m: \S+\.snap belongs to cluster \w+, the log to \w+$/,
      repair:
        /^k1m: \S+ is not repaired while something foreign is in it: \S+\.snap: it belongs to another cluster than the log$/,
    },
    {
      name: "another cluster's segment",
      files: WITH_SNAPSHOTS,
      change: (folder) => {
        const last = pathsIn(folder, 'wal').at(-1) ?? '';
        writeFileSync(last, OTHER_CLUSTER.get(`wal/${basename(last)}`) ?? '');
      },
      serve: /^k1m: \S+\.wal belongs to cluster \w+, unlike the log before it$/,
      repair: /something foreign is in it: \S+\.wal: it belongs to another cluster than the files before it$/,
    },
    {
      name: 'a snapshot newer than the log: half of the copy is missing',
      files: WITH_SNAPSHOTS,
      change: (folder) => {
        for (const path of pathsIn(folder, 'wal').slice(1)) rmSync(path);
      },
      serve:
        /^k1m: \S+\.snap is newer than the log: it holds batch \d+, and \S+ ends at batch \d+\. Going on would use revisions twice; bring the log's missing segments back$/,
      lost: /\nlost: batches \d+…, revisions \d+…; they may have changed more keys/,
    },
    {
      name: 'a copy without its log',
      files: WITH_SNAPSHOTS,
      change: (folder) => rmSync(join(folder, 'wal'), { recursive: true }),
      serve: /^k1m: \S+\.snap is newer than the log: it holds batch \d+/,
      lost: /\nlost: batches \d+…, revisions \d+…;/,
    },
    {
      name: 'two damaged snapshots, of which the log needs one',
      files: WITH_SNAPSHOTS,
      change: (folder) => {
        for (const path of pathsIn(folder, 'snap')) edit(path, (bytes) => bytes.subarray(0, bytes.length - 9));
      },
      serve:
        /^k1m: \S+ is damaged at byte 0: the log begins at batch \d+, but batch 1 is needed; no good snapshot holds what was before: bring one back, or the missing segments$/,
      lost: /begins with {3}nothing: there is no good snapshot[\s\S]*\nlost: batches 1…\d+, revisions 1…\d+; they may/,
    },
    {
      name: 'a header that somebody has edited',
      change: (folder) => edit(segmentOf(folder), (bytes) => written(bytes, 7, 40)),
      serve: /^k1m: \S+ is damaged at byte 0: the checksum of the segment header does not match$/,
      lost: /\nNothing is lost\.\n/,
    },
    {
      name: 'a segment that somebody has renamed',
      change: (folder) => renameSync(segmentOf(folder), join(folder, 'wal', '0000000000000005.wal')),
      serve: /^k1m: \S+ is damaged at byte 0: the segment begins at batch 1, its name says otherwise$/,
      lost: /\nNothing is lost\.\n/,
    },
    {
      name: 'a segment that cannot be read',
      change: (folder) => {
        rmSync(segmentOf(folder));
        mkdirSync(join(folder, 'wal', '0000000000000001.wal'));
      },
      serve: /^k1m: read \S+\.wal: EISDIR: illegal operation on a directory, read$/,
      repair: /^k1m: read \S+\.wal: EISDIR: illegal operation on a directory, read$/,
    },
  ];
  for (const { name, files = LOG, change, serve: says, repair, lost } of BAD) {
    it(`${name} is refused at a start and by a repair, or the loss is told; nothing is changed`, async (test) => {
      const folder = folderOf(test, files);
      change(folder);
      const content = contentOf(folder);
      assert.match(await refusedToServe(folder), says);
      assert.deepEqual(contentOf(folder), content);
      const accept = repair === undefined ? [] : ['--accept-loss'];
      const outcome = await run(['wal', 'repair', folder, ...accept]);
      assert.equal(outcome.code, 1);
      if (repair !== undefined) assert.match(message(outcome), repair);
      if (lost !== undefined) assert.match(outcome.stdout, lost);
      assert.deepEqual(contentOf(folder), content);
    });
  }

  it('all of it refuses what is no data folder, in one line', async (test) => {
    const empty = temporaryFolder(test);
    const file = join(empty, 'file');
    writeFileSync(file, 'x');
    for (const command of [['verify'], ['dump'], ['repair', '--accept-loss']]) {
      const nothing = await run(['wal', ...command, empty]);
      assert.equal(nothing.code, 1);
      assert.equal(message(nothing), `k1m: ${empty} is no data folder of k1m: it has no log and no snapshot`);
    }
    const missing = await run(['wal', 'repair', join(empty, 'missing')]);
    assert.equal(missing.code, 1);
    assert.match(message(missing), /^k1m: open \S+missing: ENOENT: no such file or directory/);
    assert.match(message(await run(['wal', 'dump', file])), /^k1m: open \S+file: ENOTDIR: not a directory/);
    assert.equal((await run(['wal', 'dump'])).code, 2);
    assert.deepEqual(readdirSync(empty), ['file']);
  });
});
