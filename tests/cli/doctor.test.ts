// `k1m doctor`: what each line says for which facts, and the program on folders and servers.

import assert from 'node:assert/strict';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import type { Check } from '../../src/cli/check.ts';
import { type FolderSubject, folderChecks } from '../../src/cli/doctor-folder.ts';
import { parseMetrics, type ServerAnswers, serverChecks } from '../../src/cli/doctor-server.ts';
import { DurabilityMap } from '../../src/etcd/durability.ts';
import { budgetText, classBudgets } from '../../src/etcd/loss-budget.ts';
import { LISTEN, message, run, serve, temporaryFolder } from './binary-fixture.ts';

const GIB = 1 << 30;
const NOW_MS = Date.UTC(2026, 5, 1);
const HOUR_MS = 3_600_000;

const SNAPSHOT = {
  path: '/d/snap/1.snap',
  bytes: GIB,
  format: 1,
  sequence: 1,
  head: { revision: 7, wallMs: NOW_MS - 5 * HOUR_MS },
};

/** A folder without a fault. */
const HEALTHY: FolderSubject = {
  facts: {
    folder: '/d',
    segments: [{ path: '/d/wal/1.wal', bytes: 1000, format: 1 }],
    snapshots: [SNAPSHOT],
    logBytes: 1000,
    behindBytes: 1000,
    unfinished: [],
    spares: [],
    repairs: [],
    others: [],
    freeBytes: 100 * GIB,
  },
  machine: {
    fileSystem: 'ext4',
    isReadOnly: false,
    isWritable: true,
    deviceId: 1,
    openFilesMax: 1_000_000,
    memoryBytes: 16 * GIB,
    cores: 4,
    nodeVersion: 'v24.0.0',
  },
  holderPid: undefined,
  survey: undefined,
  budgets: classBudgets(new DurabilityMap(), { bufferedLossMsMax: 200, bufferedLossBytesMax: 32 << 20 }),
  reserveBytes: 256 << 20,
  snapshotLogBytesMin: 256 << 20,
  backups: { folder: '/b', intervalMs: HOUR_MS, newestMs: NOW_MS - HOUR_MS / 2, deviceId: 2 },
  nowMs: NOW_MS,
};

type FactChanges = Partial<FolderSubject['facts']>;
type MachineChanges = Partial<FolderSubject['machine']>;

function withFacts(facts: FactChanges): FolderSubject {
  return { ...HEALTHY, facts: { ...HEALTHY.facts, ...facts } };
}

function onMachine(machine: MachineChanges): FolderSubject {
  return { ...HEALTHY, machine: { ...HEALTHY.machine, ...machine } };
}

/** What is not ok, a line each. */
function faults(checks: readonly Check[]): string[] {
  return checks.filter(({ state }) => state !== 'ok').map(({ state, subject, says }) => `${state} ${subject}: ${says}`);
}

const FOLDERS: readonly { readonly name: string; readonly subject: FolderSubject; readonly says: RegExp }[] = [
  {
    name: 'a log of a newer format',
    subject: withFacts({ segments: [{ path: '/d/wal/1.wal', bytes: 1, format: 9 }] }),
    says: /^fail format: \/d\/wal\/1\.wal has format 9; this program reads log up to 3, snapshots up to \d+$/,
  },
  {
    name: 'little room',
    subject: withFacts({ freeBytes: 300 << 20 }),
    says: /^warn space: 300 MiB free, .*; reserve 256 MiB: the folder may take 3\.5 GiB more as it is$/,
  },
  {
    name: 'less room than the reserve',
    subject: withFacts({ freeBytes: 200 << 20 }),
    says: /^fail space: 200 MiB free, .*: writes that add are refused$/,
  },
  {
    name: 'a RAM disk',
    subject: onMachine({ fileSystem: 'tmpfs' }),
    says: /^warn file system: tmpfs: a power cut takes all/,
  },
  {
    name: 'a remote disk',
    subject: onMachine({ fileSystem: 'nfs4' }),
    says: /^warn file system: nfs4: the lock does not/,
  },
  { name: 'a read-only disk', subject: onMachine({ isReadOnly: true }), says: /^fail file system: ext4, read-only$/ },
  {
    name: 'another user',
    subject: onMachine({ isWritable: false }),
    says: /^fail file system: ext4; this user may not write/,
  },
  { name: 'few open files', subject: onMachine({ openFilesMax: 1024 }), says: /^warn open files: 1024 at most$/ },
  {
    name: 'little memory',
    subject: onMachine({ memoryBytes: GIB }),
    says: /^warn memory: 1\.0 GiB; the state takes 1\.0 GiB/,
  },
  {
    name: 'no snapshot for long',
    subject: withFacts({ behindBytes: 3 * GIB }),
    says: /^warn snapshots: the newest is of revision 7, 1\.0 GiB, 5 h old; a start reads 3\.0 GiB of log$/,
  },
  {
    name: 'a snapshot without a header',
    subject: withFacts({ snapshots: [{ ...SNAPSHOT, head: undefined }] }),
    says: /^warn snapshots: the header of \/d\/snap\/1\.snap cannot be read$/,
  },
  {
    name: 'no backups',
    subject: { ...HEALTHY, backups: undefined },
    says: /^warn backups: none by the clock: a lost disk loses everything$/,
  },
  {
    name: 'an old backup',
    subject: {
      ...HEALTHY,
      backups: { folder: '/b', intervalMs: HOUR_MS, newestMs: NOW_MS - 3 * HOUR_MS, deviceId: 2 },
    },
    says: /^warn backups: the newest in \/b is 3 h old$/,
  },
  {
    name: 'backups on the disk of the data',
    subject: { ...HEALTHY, backups: { folder: '/b', intervalMs: HOUR_MS, newestMs: NOW_MS, deviceId: 1 } },
    says: /^warn backups: the newest in \/b is 0 s old, on the disk of the data$/,
  },
  {
    name: 'an interrupted repair',
    subject: withFacts({ repairs: [{ path: '/d/repair-x', isComplete: false }] }),
    says: /^warn leftovers: \/d\/repair-x is of a repair that was interrupted$/,
  },
  {
    name: 'files of others',
    subject: withFacts({ others: ['notes'] }),
    says: /^warn leftovers: notes: not of this program$/,
  },
  {
    name: 'a clock that was never set',
    subject: { ...HEALTHY, nowMs: 1000 },
    says: /^fail clock: 1970-01-01T00:00:01\.000Z: it was/,
  },
  {
    name: 'a clock that was set back',
    subject: withFacts({ snapshots: [{ ...SNAPSHOT, head: { revision: 7, wallMs: NOW_MS + HOUR_MS * 3 } }] }),
    says: /^warn clock: 2026-06-01T00:00:00\.000Z: a snapshot is of 3 h later; the clock was set back$/,
  },
  {
    name: 'a class that a restart takes',
    subject: {
      ...HEALTHY,
      budgets: classBudgets(new DurabilityMap('none'), { bufferedLossMsMax: 200, bufferedLossBytesMax: 1 }),
    },
    says: /^warn durability: all keys: none; a killed process loses all since the start, a power cut all since the start,/,
  },
];

describe('a check of a folder', () => {
  it('finds nothing wrong with a healthy one', () => {
    assert.deepEqual(faults(folderChecks(HEALTHY)), []);
  });

  for (const { name, subject, says } of FOLDERS) {
    it(`tells ${name}, and what to do`, () => {
      const checks = folderChecks(subject);
      const found = faults(checks).filter((fault) => says.test(fault));
      assert.equal(found.length, 1, faults(checks).join('\n'));
      for (const { state, remedy } of checks) if (state !== 'ok') assert.ok(remedy !== undefined);
    });
  }
});

const HEALTHY_METRICS = `# HELP k1m_durability_class x
k1m_durability_class{prefix="",class="fsync"} 1
k1m_durability_loss_seconds{prefix="",class="fsync",event="process-kill"} 0
k1m_durability_loss_seconds{prefix="",class="fsync",event="power-cut"} 0
k1m_durability_loss_seconds{prefix="",class="fsync",event="disk-loss"} +Inf
k1m_durability_loss_bytes{prefix="",class="fsync",event="process-kill"} 0
k1m_durability_loss_bytes{prefix="",class="fsync",event="power-cut"} 0
k1m_durability_loss_bytes{prefix="",class="fsync",event="disk-loss"} +Inf
etcd_debugging_server_alarms 0
etcd_disk_wal_fsync_duration_seconds_bucket{le="0.001"} 98
etcd_disk_wal_fsync_duration_seconds_bucket{le="0.002"} 100
etcd_disk_wal_fsync_duration_seconds_bucket{le="0.064"} 100
etcd_disk_wal_fsync_duration_seconds_count 100
k1m_disk_free_bytes 1e12
k1m_disk_reserve_bytes 268435456
k1m_backup_last_seconds ${NOW_MS / 1000 - 60}
process_max_fds 1000000
process_open_fds 30
`;

function answers(change: (metrics: string) => string, more: Partial<ServerAnswers> = {}): ServerAnswers {
  return {
    endpoint: 'http://x',
    version: '{}',
    isReady: true,
    readiness: '',
    metrics: parseMetrics(change(HEALTHY_METRICS)),
    wallMs: NOW_MS,
    nowMs: NOW_MS,
    ...more,
  };
}

const same = (text: string): string => text;
const setTo = (name: string, value: string): ((text: string) => string) => {
  return (text) => `${name} ${value}\n${text}`;
};

const SERVERS: readonly { readonly name: string; readonly answers: ServerAnswers; readonly says: RegExp }[] = [
  {
    name: 'a server that is not ready',
    answers: answers(same, {
      isReady: false,
      readiness: '[+]a ok\n[-]b failed: the disk is full\nreadyz check failed',
    }),
    says: /^fail ready: \[-\]b failed: the disk is full$/,
  },
  {
    name: 'an etcd',
    answers: answers(() => 'x 1\n'),
    says: /^warn durability: it does not say which class is in force/,
  },
  { name: 'an alarm', answers: answers(setTo('etcd_debugging_server_alarms', '1')), says: /^fail alarms: 1 stand/ },
  { name: 'a stalled disk', answers: answers(setTo('k1m_disk_stalled', '1')), says: /^fail disk: it has not answered/ },
  {
    name: 'a disk that stalled',
    answers: answers(setTo('k1m_disk_stalls_total', '3')),
    says: /^warn disk: it stalled 3 times/,
  },
  {
    name: 'a full disk',
    answers: answers(setTo('k1m_disk_low', '1')),
    says: /^fail space: .*: writes that add are refused$/,
  },
  {
    name: 'little room',
    answers: answers(setTo('k1m_disk_free_bytes', '300000000')),
    says: /^warn space: 286 MiB free/,
  },
  {
    name: 'slow syncs',
    answers: answers((text) => text.replace('{le="0.002"} 100', '{le="0.002"} 98')),
    says: /^warn syncs: 99 % of 100 took at most 64 ms$/,
  },
  {
    name: 'failed snapshots',
    answers: answers(setTo('k1m_snapshot_failures_total', '2')),
    says: /^warn snapshots: .*; 2 failed$/,
  },
  {
    name: 'failed backups',
    answers: answers(setTo('k1m_backup_failures_total', '2')),
    says: /^warn backups: .* 60 s old; 2 failed$/,
  },
  {
    name: 'no backups',
    answers: answers(setTo('k1m_backup_last_seconds', '0')),
    says: /^warn backups: none by the clock/,
  },
  {
    name: 'a full quota',
    answers: answers(
      (text) => `etcd_server_quota_backend_bytes 100\netcd_mvcc_db_total_size_in_use_in_bytes 90\n${text}`,
    ),
    says: /^warn memory: 90 B of 100 B$/,
  },
  {
    name: 'many open files',
    answers: answers(setTo('process_open_fds', '900000')),
    says: /^warn open files: 900000 of 1000000/,
  },
  {
    name: 'a held event loop',
    answers: answers(setTo('k1m_event_loop_stall_seconds', '0.5')),
    says: /^warn load: .* 500 ms/,
  },
  {
    name: 'a clock that is off',
    answers: answers(same, { wallMs: NOW_MS - 60_000 }),
    says: /^warn clock: the server's is 60 s/,
  },
];

describe('a check of a server', () => {
  it('finds nothing wrong with a healthy one', () => {
    assert.deepEqual(faults(serverChecks(answers(same))), []);
  });

  for (const { name, answers: given, says } of SERVERS) {
    it(`tells ${name}, and what to do`, () => {
      const checks = serverChecks(given);
      const found = faults(checks).filter((fault) => says.test(fault));
      assert.equal(found.length, 1, faults(checks).join('\n'));
      for (const { state, remedy } of checks) if (state !== 'ok') assert.ok(remedy !== undefined);
    });
  }
});

const FLAGS = ['--durability-prefix', '/e/=buffered,/n/"=none', '--buffered-loss-ms', '50'];

describe('k1m doctor', { concurrency: 2 }, () => {
  it('says of a server and of its folder what its start says, and nothing of a folder in use that only the server knows', async (test) => {
    const folder = join(temporaryFolder(test), 'data');
    const server = await serve(test, folder, [...LISTEN, ...FLAGS]);
    await server.client.put('a', 'b');
    const asked = await run(['doctor', '--endpoint', server.endpoint]);
    assert.deepEqual([asked.code, asked.stderr], [0, '']);
    const map = new DurabilityMap('fsync', [
      { prefix: Buffer.from('/e/'), durability: 'buffered' },
      { prefix: Buffer.from('/n/"'), durability: 'none' },
    ]);
    for (const budget of classBudgets(map, { bufferedLossMsMax: 50, bufferedLossBytesMax: 32 << 20 })) {
      assert.ok(server.welcome.includes(budgetText(budget)), server.welcome);
      const [name, losses] = budgetText(budget).split(/: (.*)/);
      assert.ok(asked.stdout.includes(`: ${name}; ${losses}`), asked.stdout);
    }
    const inUse = await run(['doctor', folder]);
    assert.equal(inUse.code, 0);
    assert.match(inUse.stdout, /^ok {4}server {7}\S+data is in use by process \d+\n/);
    assert.match(inUse.stdout, /\nok {4}durability {3}only the server that runs knows its flags\n/);

    await server.end('SIGTERM');
    const stopped = await run(['doctor', folder, '--', ...FLAGS]);
    assert.equal(stopped.code, 0);
    assert.match(stopped.stdout, /\nok {4}files {8}1 segment of the log, 0 snapshots: whole, at revision 2\n/);
    assert.match(stopped.stdout, /\nok {4}durability {3}"\/e\/": buffered; .*at most 50 ms or 32 MiB,/);
    const gone = await run(['doctor', '--endpoint', server.endpoint]);
    assert.equal(gone.code, 1);
    assert.match(gone.stdout, /^fail {2}server {7}http:\S+ does not answer: connect ECONNREFUSED/);
  });

  it('finds a damaged folder damaged, and changes nothing', async (test) => {
    const folder = join(temporaryFolder(test), 'data');
    const server = await serve(test, folder);
    for (let n = 0; n < 3; n++) await server.client.put('a', `value ${n}`);
    await server.end('SIGTERM');
    const [name] = readdirSync(join(folder, 'wal'));
    const path = join(folder, 'wal', name);
    const bytes = readFileSync(path);
    bytes[bytes.indexOf('value 0')] ^= 1;
    writeFileSync(path, bytes);
    mkdirSync(join(folder, 'repair-20260101T000000Z'));
    const names = readdirSync(folder);
    const { code, stdout } = await run(['doctor', folder, '-w', 'json']);
    assert.equal(code, 1);
    const { isFine, checks } = JSON.parse(stdout) as { isFine: boolean; checks: Check[] };
    assert.equal(isFine, false);
    const files = checks.find(({ subject }) => subject === 'files');
    assert.match(files?.says ?? '', /^a start is refused: \S+\.wal is damaged at byte \d+/);
    assert.match(files?.remedy ?? '', /^k1m wal verify /);
    assert.ok(checks.some(({ subject, state }) => subject === 'leftovers' && state === 'warn'));
    assert.deepEqual(readdirSync(folder), names);
    assert.deepEqual(readFileSync(path), bytes);
    const unread = await run(['doctor', folder, '--no-verify']);
    assert.equal(unread.code, 0);
    assert.match(unread.stdout, /not read \(--no-verify\)/);
  });

  it('refuses what is no data folder, and wrong usage, in one line', async (test) => {
    const folder = temporaryFolder(test);
    const nothing = await run(['doctor', folder]);
    assert.deepEqual(
      [nothing.code, message(nothing)],
      [1, `k1m: ${folder} is no data folder of k1m: it has no log and no snapshot`],
    );
    for (const args of [[], [folder, '--endpoint', 'http://127.0.0.1:1'], [folder, '--', '--durability', 'raid']]) {
      const outcome = await run(['doctor', ...args]);
      assert.equal(outcome.code, 2, args.join(' '));
    }
    assert.deepEqual(readdirSync(folder), []);
  });
});
