// The folder of the snapshots: `snap/<sequence, 16 hex digits>.snap`, named by the last batch in it. A file named
// `.snap.new` is one being made, or left behind by a crash; everything else in the folder is somebody else's and left alone.

import { basename, join } from 'node:path';
import { type Disk, DiskError } from '../io/disk.ts';

const NAME = /^([0-9a-f]{16})\.snap$/;
const UNFINISHED_NAME = /^[0-9a-f]{16}\.snap\.new$/;

export interface SnapshotFolderContent {
  /** Sequences of the snapshots, the newest first. */
  readonly sequences: readonly number[];
  /** Names of unfinished files. */
  readonly unfinished: readonly string[];
}

/** Where the snapshots of a data folder are. */
export function snapshotFolder(dataFolder: string): string {
  return join(dataFolder, 'snap');
}

export function snapshotPath(folder: string, sequence: number): string {
  return join(folder, `${sequence.toString(16).padStart(16, '0')}.snap`);
}

/** The last batch in the snapshot at this path, as its name says; undefined when it is no snapshot's. */
export function sequenceOfSnapshot(path: string): number | undefined {
  const match = NAME.exec(basename(path));
  return match === null ? undefined : Number.parseInt(match[1], 16);
}

/** Of a folder that does not exist: nothing. Rejects with DiskError. */
export async function listSnapshots(disk: Disk, folder: string): Promise<SnapshotFolderContent> {
  const sequences: number[] = [];
  const unfinished: string[] = [];
  const names = await disk.list(folder).catch((error: unknown) => {
    if (error instanceof DiskError && error.code === 'ENOENT') return [];
    throw error;
  });
  for (const name of names) {
    const match = NAME.exec(name);
    if (match !== null) sequences.push(Number.parseInt(match[1], 16));
    else if (UNFINISHED_NAME.test(name)) unfinished.push(name);
  }
  return { sequences: sequences.sort((a, b) => b - a), unfinished };
}
