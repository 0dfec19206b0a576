// The snapshots of a data folder, each read whole and checked.

import { type Disk, DiskError } from '../io/disk.ts';
import { CorruptionError, ForeignLogError } from '../journal/errors.ts';
import type { SnapshotHeader, SnapshotTrailer } from '../snapshot/format.ts';
import { listSnapshots, snapshotPath } from '../snapshot/snapshot-folder.ts';
import { SnapshotReader } from '../snapshot/snapshot-reader.ts';

export interface SurveyedSnapshot {
  readonly path: string;
  /** As the name says. */
  readonly sequence: number;
  readonly bytes: number;
  /** Undefined when they cannot be read. */
  readonly header: SnapshotHeader | undefined;
  readonly trailer: SnapshotTrailer | undefined;
  /** Why it cannot be used; undefined when it is good. */
  readonly error: CorruptionError | ForeignLogError | undefined;
}

/** Newest first. Rejects with DiskError. */
export async function surveySnapshots(disk: Disk, folder: string): Promise<SurveyedSnapshot[]> {
  const { sequences } = await listSnapshots(disk, folder);
  const found: SurveyedSnapshot[] = [];
  for (const sequence of sequences) found.push(await surveySnapshot(disk, snapshotPath(folder, sequence), sequence));
  return found;
}

/** Of the one with this name, whatever its state. */
export async function surveySnapshot(disk: Disk, path: string, sequence: number): Promise<SurveyedSnapshot> {
  let header: SnapshotHeader | undefined;
  let trailer: SnapshotTrailer | undefined;
  let error: SurveyedSnapshot['error'];
  try {
    const reader = await SnapshotReader.open(disk, path);
    try {
      ({ header, trailer } = reader);
      if (header.sequence !== sequence) {
        throw new CorruptionError(path, 0, `it holds batch ${header.sequence}, its name says otherwise`);
      }
      await reader.readAll({ memoryFor: ({ bytes }) => new ArrayBuffer(bytes), take: () => {} }, () => {});
    } finally {
      await reader.close();
    }
  } catch (thrown) {
    error = damageOf(path, thrown);
    if (error === undefined) throw thrown;
  }
  return { path, sequence, bytes: await sizeOf(disk, path), header, trailer, error };
}

/** What the header says; undefined when it cannot be read. Rejects with DiskError. */
export async function snapshotHead(disk: Disk, path: string): Promise<SnapshotHeader | undefined> {
  try {
    const reader = await SnapshotReader.open(disk, path);
    const { header } = reader;
    await reader.close();
    return header;
  } catch (error) {
    if (damageOf(path, error) === undefined) throw error;
    return undefined;
  }
}

/** The error as one of the file; undefined when it says nothing of that. */
function damageOf(path: string, error: unknown): SurveyedSnapshot['error'] {
  if (error instanceof CorruptionError || error instanceof ForeignLogError) return error;
  const isUnreadable = error instanceof DiskError && error.operation === 'read' && error.code === 'EIO';
  return isUnreadable ? new CorruptionError(path, 0, error.message) : undefined;
}

export async function sizeOf(disk: Disk, path: string): Promise<number> {
  const file = await disk.open(path, 'read');
  try {
    return await file.size();
  } finally {
    await file.close();
  }
}
