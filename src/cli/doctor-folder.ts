// What `k1m doctor DIR` checks: from facts to checks, with no look at anything outside.

import { type ClassBudget, lossText, MISHAPS } from '../etcd/loss-budget.ts';
import type { MachineFacts } from '../io/machine.ts';
import { quoted } from '../repair/byte-text.ts';
import { FORMATS_MAX, type FolderFacts, type FoundFile } from '../repair/folder-facts.ts';
import { isWhole, type Survey } from '../repair/survey.ts';
import { bytesText, type Check, countText, durationText } from './check.ts';

export interface BackupFacts {
  readonly folder: string;
  readonly intervalMs: number;
  /** When the newest was made; undefined when there is none. */
  readonly newestMs: number | undefined;
  /** Of its file system; undefined when the folder is not there. */
  readonly deviceId: number | undefined;
}

export interface FolderSubject {
  readonly facts: FolderFacts;
  readonly machine: MachineFacts;
  /** The process that has the folder; undefined when there is none. */
  readonly holderPid: number | undefined;
  /** Undefined when the files were not read. */
  readonly survey: Survey | undefined;
  readonly budgets: readonly ClassBudget[];
  readonly reserveBytes: number;
  readonly snapshotLogBytesMin: number;
  /** Undefined: none are made by the clock. */
  readonly backups: BackupFacts | undefined;
  readonly nowMs: number;
}

const VOLATILE = new Set(['tmpfs', 'ramfs']);
const REMOTE = new Set(['nfs', 'nfs4', 'cifs', 'smb3', '9p', 'ceph', 'glusterfs', 'fuse.sshfs']);
/** A control plane of a large cluster keeps thousands of connections. */
const OPEN_FILES_MIN = 65_536;
/** The folder takes up to so many times the state (docs/snapshots.md). */
const STATE_TIMES = 4.5;
const MEMORY_SHARE_MAX = 0.7;
/** Before this program was: 2025. */
const CLOCK_MS_MIN = 1_735_689_600_000;
const CLOCK_AHEAD_MS_MAX = 60_000;

export function folderChecks(subject: FolderSubject): Check[] {
  return [
    serverCheck(subject),
    filesCheck(subject),
    formatCheck(subject.facts),
    ...durabilityChecks(subject),
    fileSystemCheck(subject),
    spaceCheck(subject),
    snapshotCheck(subject),
    backupCheck(subject),
    ...leftoverChecks(subject.facts),
    clockCheck(subject),
    openFilesCheck(subject.machine),
    memoryCheck(subject),
    { state: 'ok', subject: 'program', says: `Node.js ${subject.machine.nodeVersion}, ${subject.machine.cores} cores` },
  ];
}

function serverCheck({ facts, machine, holderPid }: FolderSubject): Check {
  const { folder } = facts;
  if (!isLockable(machine))
    return { state: 'ok', subject: 'server', says: `${folder}: whether it is in use cannot be told` };
  const says = holderPid === undefined ? `${folder} is not in use` : `${folder} is in use by process ${holderPid}`;
  const remedy = holderPid === undefined ? undefined : 'k1m doctor --endpoint URL asks that server itself';
  return { state: 'ok', subject: 'server', says, remedy };
}

/** The lock is a file: without writing there is none to be had. */
export function isLockable({ isWritable, isReadOnly }: MachineFacts): boolean {
  return isWritable && !isReadOnly;
}

function filesCheck({ facts, machine, holderPid, survey }: FolderSubject): Check {
  const { folder, segments, snapshots } = facts;
  const counts = `${countText(segments.length, 'segment')} of the log, ${countText(snapshots.length, 'snapshot')}`;
  if (survey === undefined) {
    const idle = isLockable(machine) ? 'not read (--no-verify)' : 'not read: they may be in use';
    const why = holderPid === undefined ? idle : 'not read while a server uses them';
    return { state: 'ok', subject: 'files', says: `${counts}: ${why}` };
  }
  if (isWhole(survey))
    return { state: 'ok', subject: 'files', says: `${counts}: whole, at revision ${survey.revision}` };
  const { refusal, cutBatches } = survey;
  if (refusal !== undefined) {
    const remedy = `k1m wal verify ${folder}, then docs/operating.md, "A disk that lied"`;
    return { state: 'fail', subject: 'files', says: `a start is refused: ${refusal}`, remedy };
  }
  if (cutBatches !== undefined) {
    const says = `a start cuts off good batches, ${cutBatches.first} to ${cutBatches.last}`;
    return { state: 'fail', subject: 'files', says, remedy: `do not start; k1m wal repair ${folder}` };
  }
  const says = `${counts}: damaged, but nothing that a start needs`;
  return { state: 'warn', subject: 'files', says, remedy: `k1m wal verify ${folder} says what; look at the disk` };
}

function formatCheck({ segments, snapshots }: FolderFacts): Check {
  const { log, snapshot } = FORMATS_MAX;
  const isNewer = (files: readonly FoundFile[], max: number): FoundFile | undefined => {
    return files.find(({ format = 0 }) => format > max);
  };
  const newer = isNewer(segments, log) ?? isNewer(snapshots, snapshot);
  const known = `this program reads log up to ${log}, snapshots up to ${snapshot}`;
  if (newer !== undefined) {
    const remedy = 'serve it with the version of k1m that wrote it';
    return { state: 'fail', subject: 'format', says: `${newer.path} has format ${newer.format}; ${known}`, remedy };
  }
  const formats = (files: readonly FoundFile[]): string => {
    return [...new Set(files.map(({ format }) => `${format ?? 'unreadable'}`))].join(' and ') || 'none';
  };
  return {
    state: 'ok',
    subject: 'format',
    says: `log ${formats(segments)}, snapshots ${formats(snapshots)}; ${known}`,
  };
}

function durabilityChecks({ budgets, holderPid }: FolderSubject): Check[] {
  if (holderPid === undefined) return budgetChecks(budgets);
  return [{ state: 'ok', subject: 'durability', says: 'only the server that runs knows its flags' }];
}

/** A line for each class in force. */
export function budgetChecks(budgets: readonly ClassBudget[]): Check[] {
  return budgets.map((budget) => budgetCheck(budget, budgets.length === 1 ? 'all keys' : 'all other keys'));
}

function budgetCheck({ prefix, durability, losses }: ClassBudget, defaultKeys: string): Check {
  const keys = prefix.length === 0 ? defaultKeys : quoted(prefix);
  const [killed, cut, lost] = MISHAPS.map((mishap) => lossText(losses[mishap], mishap));
  const says = `${keys}: ${durability}; a killed process loses ${killed}, a power cut ${cut}, a lost disk ${lost}`;
  if (durability !== 'none') return { state: 'ok', subject: 'durability', says };
  return {
    state: 'warn',
    subject: 'durability',
    says,
    remedy: 'only for what is made anew by itself; else buffered or fsync',
  };
}

function fileSystemCheck({ machine, facts }: FolderSubject): Check {
  const { fileSystem, isReadOnly, isWritable } = machine;
  const name = fileSystem === '' ? 'unknown' : fileSystem;
  const check = (state: Check['state'], says: string, remedy?: string): Check => {
    return { state, subject: 'file system', says, remedy };
  };
  if (isReadOnly)
    return check('fail', `${name}, read-only`, 'mount it for writing; dmesg says why the kernel changed it');
  if (!isWritable)
    return check('fail', `${name}; this user may not write to ${facts.folder}`, 'run as the user of the server');
  if (VOLATILE.has(name)) return check('warn', `${name}: a power cut takes all of it, whatever the class`, 'a disk');
  if (REMOTE.has(name)) {
    return check('warn', `${name}: the lock does not reach over machines, and syncs may lie`, 'a local disk');
  }
  return check('ok', name);
}

function spaceCheck({ facts, reserveBytes }: FolderSubject): Check {
  const { freeBytes, logBytes, snapshots } = facts;
  const state = snapshots.at(0)?.bytes ?? logBytes;
  const used = logBytes + snapshots.reduce((sum, { bytes }) => sum + bytes, 0);
  const missing = Math.max(0, STATE_TIMES * state - used);
  const says = `${bytesText(freeBytes)} free, ${bytesText(used)} used; reserve ${bytesText(reserveBytes)}`;
  const remedy = 'make room, or --disk-reserve-bytes for a small disk; docs/operating.md, "Full disk"';
  if (freeBytes < reserveBytes)
    return { state: 'fail', subject: 'space', says: `${says}: writes that add are refused`, remedy };
  if (freeBytes < Math.max(2 * reserveBytes, missing + reserveBytes)) {
    const why = `the folder may take ${bytesText(missing)} more as it is`;
    return { state: 'warn', subject: 'space', says: `${says}: ${why}`, remedy };
  }
  return { state: 'ok', subject: 'space', says };
}

function snapshotCheck({ facts, snapshotLogBytesMin, nowMs }: FolderSubject): Check {
  const { snapshots, behindBytes } = facts;
  const newest = snapshots.at(0);
  const behind = `a start reads ${bytesText(behindBytes)} of log`;
  const remedy = 'the log line "a snapshot failed" and k1m_snapshot_failures_total say why none is taken';
  const isLate = behindBytes > 2 * Math.max(snapshotLogBytesMin, newest?.bytes ?? 0);
  const state = isLate ? 'warn' : 'ok';
  if (newest === undefined) {
    return { state, subject: 'snapshots', says: `none yet; ${behind}`, remedy: isLate ? remedy : undefined };
  }
  if (newest.head === undefined) {
    const says = `the header of ${newest.path} cannot be read`;
    return { state: 'warn', subject: 'snapshots', says, remedy: `k1m wal verify ${facts.folder}` };
  }
  const { revision, wallMs } = newest.head;
  const age = `the newest is of revision ${revision}, ${bytesText(newest.bytes)}, ${durationText(nowMs - wallMs)} old`;
  return { state, subject: 'snapshots', says: `${age}; ${behind}`, remedy: isLate ? remedy : undefined };
}

function backupCheck({ backups, machine, nowMs }: FolderSubject): Check {
  const check = (state: Check['state'], says: string, remedy?: string): Check => {
    return { state, subject: 'backups', says, remedy };
  };
  if (backups === undefined) {
    return check(
      'warn',
      'none by the clock: a lost disk loses everything',
      '--backup-dir on another disk, or etcdctl snapshot save',
    );
  }
  const { folder, intervalMs, newestMs, deviceId } = backups;
  if (deviceId === undefined || newestMs === undefined) {
    return check('warn', `${folder} has none yet`, 'the server makes the first one within a minute of its start');
  }
  const age = `the newest in ${folder} is ${durationText(nowMs - newestMs)} old`;
  if (nowMs - newestMs > 2 * intervalMs) return check('warn', age, 'the log line "a backup failed" says why');
  if (deviceId === machine.deviceId)
    return check('warn', `${age}, on the disk of the data`, 'put them on another disk');
  return check('ok', age);
}

function leftoverChecks({ unfinished, spares, repairs, others }: FolderFacts): Check[] {
  const checks: Check[] = [];
  const add = (state: Check['state'], says: string, remedy?: string): void => {
    checks.push({ state, subject: 'leftovers', says, remedy });
  };
  if (unfinished.length > 0)
    add('ok', `${unfinished.join(', ')}: made by a start or a snapshot that was interrupted; the next removes it`);
  if (spares.length > 0) add('ok', `${spares.join(', ')}: kept by a server to be later segments; a start removes them`);
  for (const { path, isComplete } of repairs) {
    if (isComplete) add('ok', `${path} has the originals of a repair`, 'remove it when it is no longer needed');
    else add('warn', `${path} is of a repair that was interrupted`, 'k1m wal repair again, then remove it');
  }
  if (others.length > 0) add('warn', `${others.join(', ')}: not of this program`, 'keep the data folder to k1m alone');
  if (checks.length === 0) add('ok', 'none');
  return checks;
}

function clockCheck({ facts, nowMs }: FolderSubject): Check {
  const says = new Date(nowMs).toISOString();
  const remedy = 'set the clock (chronyd, ntpd); leases go by another one, backups and metrics by this';
  if (nowMs < CLOCK_MS_MIN) return { state: 'fail', subject: 'clock', says: `${says}: it was never set`, remedy };
  const newest = Math.max(0, ...facts.snapshots.map(({ head }) => head?.wallMs ?? 0));
  if (newest > nowMs + CLOCK_AHEAD_MS_MAX) {
    const ahead = durationText(newest - nowMs);
    return {
      state: 'warn',
      subject: 'clock',
      says: `${says}: a snapshot is of ${ahead} later; the clock was set back`,
      remedy,
    };
  }
  return { state: 'ok', subject: 'clock', says };
}

export function openFilesCheck({ openFilesMax }: Pick<MachineFacts, 'openFilesMax'>, used = 0): Check {
  const says = openFilesMax === 0 ? 'nobody tells' : `${used === 0 ? '' : `${used} of `}${openFilesMax} at most`;
  const isFew = openFilesMax !== 0 && (openFilesMax < OPEN_FILES_MIN || used > 0.8 * openFilesMax);
  const remedy = isFew
    ? `ulimit -n ${OPEN_FILES_MIN}, or LimitNOFILE= of the unit: each connection takes one`
    : undefined;
  return { state: isFew ? 'warn' : 'ok', subject: 'open files', says, remedy };
}

function memoryCheck({ facts, machine }: FolderSubject): Check {
  const { memoryBytes } = machine;
  const state = Math.max(facts.snapshots.at(0)?.bytes ?? 0, 0) + facts.behindBytes;
  const says = `${bytesText(memoryBytes)}; the state takes ${bytesText(state)} at most`;
  if (state <= MEMORY_SHARE_MAX * memoryBytes) return { state: 'ok', subject: 'memory', says };
  return {
    state: 'warn',
    subject: 'memory',
    says,
    remedy: 'a machine with more, or --quota-backend-bytes and fewer keys',
  };
}
