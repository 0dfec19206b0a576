// What a path given to `k1m snapshot` is: a snapshot file, a folder of backups, the data folder of an etcd, or one of ours.

import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { RefusedError } from '../base/refused-error.ts';
import { type BackupName, backupsAmong } from '../etcd/backups.ts';
import { sequenceOfName } from '../journal/segment.ts';

/** Throws the operating system's error when there is nothing. */
function isFolder(path: string): boolean {
  return statSync(path).isDirectory();
}

function exists(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false }) !== undefined;
}

export function isFolderOfOurs(path: string): boolean {
  return isFolder(path) && exists(join(path, 'wal')) && !exists(join(path, 'member'));
}

/** The database itself, or the one in an etcd's data folder. Throws RefusedError where a log of ours is beside it: which one is meant is not known. */
export function databaseOf(path: string): string {
  if (!isFolder(path)) return path;
  const database = join(path, 'member', 'snap', 'db');
  if (exists(database)) {
    if (!hasLogOfOurs(path)) return database;
    throw new RefusedError(`${path} has the data of an etcd and of a k1m: move member/, or wal/ and snap/, elsewhere`);
  }
  throw new RefusedError(`${path} is no data folder of an etcd: it has no member/snap/db`);
}

function hasLogOfOurs(folder: string): boolean {
  const wal = join(folder, 'wal');
  return exists(wal) && isFolder(wal) && readdirSync(wal).some((name) => sequenceOfName(name) !== undefined);
}

/** The files of an etcd's log, in their order; none for a snapshot file. */
export function raftFilesOf(path: string): string[] {
  if (!isFolder(path)) return [];
  const folder = join(path, 'member', 'wal');
  const names = readdirSync(folder).filter((name) => /^[0-9a-f]{16}-[0-9a-f]{16}\.wal$/.test(name));
  return names.sort().map((name) => join(folder, name));
}

/**
 * The process that has locked the file, as Linux tells; undefined when there is none, or nobody can tell. etcd locks its
 * database while it runs.
 */
export function lockHolder(path: string): number | undefined {
  let locks: string;
  try {
    locks = readFileSync('/proc/locks', 'utf8');
  } catch {
    return undefined;
  }
  const { ino } = statSync(path);
  for (const line of locks.split('\n')) {
    const [, kind, , access, pid, place] = line.trim().split(/\s+/);
    if (kind === 'FLOCK' && access === 'WRITE' && place?.split(':')[2] === `${ino}`) return Number(pid);
  }
  return undefined;
}

/** True when a data folder may be made there: nothing is, or an empty folder. */
export function isFree(path: string): boolean {
  return !exists(path) || (isFolder(path) && readdirSync(path).length === 0);
}

/** Which state is wanted; undefined: the newest. */
export interface Wanted {
  readonly revision: number | undefined;
  readonly wallMs: number | undefined;
}

/**
 * Of a folder of backups, the file to restore from: the newest one not after the time, or the first one that has the revision.
 * Undefined: it is no such folder. Throws RefusedError when there is none as old, or as new, as that.
 */
export function backupIn(path: string, { revision, wallMs }: Wanted): string | undefined {
  if (!isFolder(path)) return undefined;
  const backups = backupsAmong(readdirSync(path));
  const [oldest, newest] = [backups.at(0), backups.at(-1)];
  if (oldest === undefined || newest === undefined) return undefined;
  let chosen: BackupName | undefined = newest;
  if (wallMs !== undefined) chosen = backups.findLast((backup) => backup.wallMs <= wallMs);
  else if (revision !== undefined) chosen = backups.find((backup) => backup.revision >= revision);
  if (chosen !== undefined) return join(path, chosen.name);
  throw new RefusedError(
    wallMs === undefined
      ? `revision ${revision} is in no backup of ${path}: the newest is ${newest.name}`
      : `no backup in ${path} is as old as ${new Date(wallMs).toISOString()}: the oldest is ${oldest.name}`,
  );
}
