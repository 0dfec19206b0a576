// `k1m snapshot restore`: a new data folder from etcd's snapshot file, or from the data folder of an etcd that has stopped.
//
// The folder is made beside its place, under a name of its own, and renamed when all of it is on the disk: an interrupted
// restore leaves no folder that a server would start on.

import { mkdtempSync, rmSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { Command, InvalidArgumentError } from 'commander';
import { momentIn, type Restored, type RestoreOptions, restoreBackend, restoreFolder } from '../backup/restore.ts';
import { checkHash, hasHash, type OpenFile, openFile, withoutHash } from '../backup/snapshot-file.ts';
import { RefusedError } from '../base/refused-error.ts';
import { RealClock } from '../io/clock.ts';
import type { Disk } from '../io/disk.ts';
import { FileDisk } from '../io/file-disk.ts';
import { backupIn, databaseOf, isFolderOfOurs, lockHolder, raftFilesOf } from './backup-source.ts';
import { UsageError } from './flag-values.ts';
import { addNewFolderOptions, folderFrom, identityFrom, type NewFolderFlags, refuseUsed } from './new-folder.ts';
import { onStopped } from './stopped-folder.ts';
import { wholeNumber } from './whole-number.ts';

/** commander's names of the options. */
interface Flags extends NewFolderFlags {
  readonly skipHashCheck: boolean;
  readonly bumpRevision: number;
  readonly markCompacted: boolean;
  readonly walDir: string;
  readonly toRevision: number;
  readonly toTime: number | undefined;
}

export function restoreCommand(): Command {
  const command = new Command('restore')
    .description('make a data folder from a snapshot file, or from the data folder of an etcd or k1m that has stopped')
    .argument('<filename>', "etcd's snapshot file, a folder of them that k1m serve made, or a data folder");
  return addNewFolderOptions(command)
    .option('--skip-hash-check', 'take a file without the right hash (a copied database has none)', false)
    .option('--bump-revision <n>', 'how much to increase the latest revision after restore', wholeNumber, 0)
    .option('--mark-compacted', 'count the latest revision as compacted (with --bump-revision only)', false)
    .option('--to-revision <n>', 'the state as it was at this revision; 0: the newest', wholeNumber, 0)
    .option(
      '--to-time <time>',
      'the state as it was then, like 2026-01-31T12:00:00Z: of a data folder to a second, of a folder of backups the newest not after it',
      time,
    )
    .option('--wal-dir <folder>', "etcd's flag; the log is in the data folder here", '')
    .option('--initial-memory-map-size <bytes>', "etcd's flag; no effect here", wholeNumber, 0)
    .action((path: string, flags: Flags) => restore(path, flags));
}

async function restore(source: string, flags: Flags): Promise<void> {
  checkFlags(flags);
  const wanted = { revision: flags.toRevision === 0 ? undefined : flags.toRevision, wallMs: flags.toTime };
  const backup = backupIn(source, wanted);
  const path = backup ?? source;
  const isOurs = isFolderOfOurs(path);
  if (backup === undefined && flags.toTime !== undefined && !isOurs) {
    throw new RefusedError(`${source} is neither a folder of backups nor a data folder of k1m: only they have times`);
  }
  const folder = folderFrom(flags);
  const identity = identityFrom(flags, 'snapshot restore');
  refuseUsed(folder);
  const disk = new FileDisk();
  const common = {
    disk,
    clock: new RealClock(),
    identity,
    bumpRevision: flags.bumpRevision,
    toRevision: wanted.revision,
  };
  const restored = isOurs
    ? await restoreOurs(common, path, folder, flags.toTime)
    : await restoreEtcds(common, path, folder, flags.skipHashCheck);
  process.stdout.write(restoredText(path, folder, restored));
}

type Common = Omit<RestoreOptions, 'folder' | 'file' | 'raftFiles'>;

/** From a data folder of ours; its lock is held meanwhile, so that no server changes it. */
async function restoreOurs(
  common: Common,
  source: string,
  folder: string,
  wallMs: number | undefined,
): Promise<Restored> {
  return await onStopped(source, async (disk) => {
    const toRevision = wallMs === undefined ? common.toRevision : await revisionAt(disk, source, wallMs);
    return await intoFolder(disk, folder, (part) => restoreFolder({ ...common, toRevision, source, folder: part }));
  });
}

/** Says which one it is. */
async function revisionAt(disk: Disk, source: string, wallMs: number): Promise<number> {
  const { revision, earlierRevision } = await momentIn(disk, source, wallMs);
  const time = new Date(wallMs).toISOString();
  process.stdout.write(`Revision ${revision} is the last that is certainly not after ${time}\n`);
  if (earlierRevision !== undefined) {
    process.stdout.write(`The clock was set back: it had been ${time} at revision ${earlierRevision} before\n`);
  }
  return revision;
}

/** From a snapshot file, or from the data folder of an etcd. */
async function restoreEtcds(common: Common, path: string, folder: string, isHashSkipped: boolean): Promise<Restored> {
  const { disk } = common;
  const database = databaseOf(path);
  const holder = lockHolder(database);
  if (holder !== undefined) throw new RefusedError(`${database} is in use by process ${holder}: stop that etcd first`);
  const files: OpenFile[] = [];
  try {
    files.push(await openFile(disk, database));
    for (const file of raftFilesOf(path)) files.push(await openFile(disk, file));
    const isCopy = database !== path;
    await checkFile(files[0], isCopy || isHashSkipped);
    return await intoFolder(disk, folder, (part) => {
      return restoreBackend({ ...common, folder: part, file: withoutHash(files[0]), raftFiles: files.slice(1) });
    });
  } finally {
    for (const file of files) await file.close();
  }
}

function time(text: string): number {
  const ms = Date.parse(text);
  if (Number.isNaN(ms)) throw new InvalidArgumentError('It must be a time, like 2026-01-31T12:00:00Z.');
  return ms;
}

function checkFlags(flags: Flags): void {
  if (flags.toTime !== undefined && flags.toRevision !== 0) {
    throw new UsageError('--to-time and --to-revision cannot both be given', 'snapshot restore');
  }
  if (flags.bumpRevision > 0 !== flags.markCompacted) {
    throw new UsageError('--mark-compacted required if --bump-revision > 0', 'snapshot restore');
  }
  if (flags.walDir !== '') {
    throw new UsageError('--wal-dir is not supported: the log is in the data folder', 'snapshot restore');
  }
}

async function checkFile(file: OpenFile, isHashSkipped: boolean): Promise<void> {
  if (isHashSkipped) return;
  if (!hasHash(file.bytes)) throw new RefusedError(`${file.path}: snapshot missing hash but --skip-hash-check=false`);
  await checkHash(file);
}

/** Lets `make` fill a folder that becomes `folder`, or goes again. */
export async function intoFolder<Result>(
  disk: Disk,
  folder: string,
  make: (part: string) => Promise<Result>,
): Promise<Result> {
  const target = resolve(folder);
  await disk.ensureDirectory(dirname(target));
  const part = mkdtempSync(`${target}.part-`);
  try {
    const result = await make(part);
    await disk.rename(part, target);
    await disk.syncDirectory(dirname(target));
    return result;
  } catch (error) {
    rmSync(part, { recursive: true, force: true });
    throw error;
  }
}

function restoredText(path: string, folder: string, { revision, compactRevision, replayed }: Restored): string {
  const compacted = compactRevision < 0 ? 'never compacted' : `compacted at ${compactRevision}`;
  const more = replayed === 0 ? '' : `, ${replayed} requests of etcd's log replayed`;
  return `Restored ${path} to ${folder}: revision ${revision}, ${compacted}${more}\n`;
}
