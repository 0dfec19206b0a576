// What a data folder looks like from outside: which files, of which formats, how large, how old. Only names, sizes and headers are
// read, so that it may be asked of a folder that a server uses; files may go meanwhile, and are then left out.

import { join } from 'node:path';
import { type Disk, DiskError } from '../io/disk.ts';
import { FORMAT_VERSION, readUint32 } from '../journal/format.ts';
import { isSpareName, isUnusedName, sequenceOfName } from '../journal/segment.ts';
import { SNAPSHOT_FORMAT_VERSION } from '../snapshot/format.ts';
import { listSnapshots, snapshotFolder, snapshotPath } from '../snapshot/snapshot-folder.ts';
import { namesIn } from './originals.ts';
import { snapshotHead } from './snapshot-survey.ts';

/** Where a segment and a snapshot have their format's version. */
const AT_FORMAT = 8;
const REPAIR_NAME = /^repair-\d{8}T\d{6}Z(-\d+)?$/;
const LOCK_NAME = /^lock\.[0-9a-f]{16}\.\d+$/;

/** The newest formats that this program reads. */
export const FORMATS_MAX: { readonly log: number; readonly snapshot: number } = {
  log: FORMAT_VERSION,
  snapshot: SNAPSHOT_FORMAT_VERSION,
};

export interface FoundFile {
  readonly path: string;
  readonly bytes: number;
  /** Undefined where the file is too short to tell. */
  readonly format: number | undefined;
}

export interface FoundSnapshot extends FoundFile {
  readonly sequence: number;
  /** Undefined when its header cannot be read. */
  readonly head: { readonly revision: number; readonly wallMs: number } | undefined;
}

export interface FolderFacts {
  readonly folder: string;
  /** In the order of the log. */
  readonly segments: readonly FoundFile[];
  /** Newest first. */
  readonly snapshots: readonly FoundSnapshot[];
  readonly logBytes: number;
  /** Log that a start would read behind the newest snapshot, at most. */
  readonly behindBytes: number;
  /** Files of creations that did not come to their end. */
  readonly unfinished: readonly string[];
  /** Files of segments that are kept to be later ones. */
  readonly spares: readonly string[];
  readonly repairs: readonly { readonly path: string; readonly isComplete: boolean }[];
  /** In the folder, and not ours. */
  readonly others: readonly string[];
  readonly freeBytes: number;
}

/** Undefined when nothing of ours is there. Rejects with DiskError. */
export async function folderFacts(disk: Disk, folder: string): Promise<FolderFacts | undefined> {
  const names = await disk.list(folder);
  const walFolder = join(folder, 'wal');
  const walNames = (await namesIn(disk, walFolder)) ?? [];
  const content = await listSnapshots(disk, snapshotFolder(folder));
  const segmentNames = walNames.filter((name) => sequenceOfName(name) !== undefined);
  if (segmentNames.length === 0 && content.sequences.length === 0) return undefined;
  const segments = await present(segmentNames.map((name) => () => foundFile(disk, join(walFolder, name))));
  const snapshots = await present(content.sequences.map((sequence) => () => foundSnapshot(disk, folder, sequence)));
  const newest = snapshots.at(0)?.sequence ?? 0;
  const firsts = segmentNames.map((name) => sequenceOfName(name) ?? 0);
  const first = Math.max(
    0,
    firsts.findLastIndex((sequence) => sequence <= newest + 1),
  );
  return {
    folder,
    segments,
    snapshots,
    logBytes: sum(segments),
    behindBytes: sum(segments.slice(first)),
    unfinished: [
      ...walNames.filter((name) => isUnusedName(name) && !isSpareName(name)).map((name) => join(walFolder, name)),
      ...content.unfinished.map((name) => join(snapshotFolder(folder), name)),
    ],
    spares: walNames.filter(isSpareName).map((name) => join(walFolder, name)),
    repairs: await repairsAmong(disk, folder, names),
    others: names.filter((name) => !['wal', 'snap'].includes(name) && !LOCK_NAME.test(name) && !REPAIR_NAME.test(name)),
    freeBytes: await disk.freeBytes(folder),
  };
}

async function repairsAmong(disk: Disk, folder: string, names: readonly string[]): Promise<FolderFacts['repairs']> {
  const found: { path: string; isComplete: boolean }[] = [];
  for (const name of names) {
    if (!REPAIR_NAME.test(name)) continue;
    const path = join(folder, name);
    found.push({ path, isComplete: ((await namesIn(disk, path)) ?? []).includes('report.json') });
  }
  return found;
}

async function foundFile(disk: Disk, path: string): Promise<FoundFile> {
  const file = await disk.open(path, 'read');
  try {
    const head = new Uint8Array(AT_FORMAT + 4);
    const isLongEnough = (await file.read(head, 0)) === head.length;
    return { path, bytes: await file.size(), format: isLongEnough ? readUint32(head, AT_FORMAT) : undefined };
  } finally {
    await file.close();
  }
}

async function foundSnapshot(disk: Disk, folder: string, sequence: number): Promise<FoundSnapshot> {
  const path = snapshotPath(snapshotFolder(folder), sequence);
  const file = await foundFile(disk, path);
  return { ...file, sequence, head: await snapshotHead(disk, path) };
}

/** Of those that are still there. */
async function present<File>(finders: readonly (() => Promise<File>)[]): Promise<File[]> {
  const files: File[] = [];
  for (const find of finders) {
    try {
      files.push(await find());
    } catch (error) {
      if (!(error instanceof DiskError && error.code === 'ENOENT')) throw error;
    }
  }
  return files;
}

function sum(files: readonly FoundFile[]): number {
  return files.reduce((bytes, file) => bytes + file.bytes, 0);
}
