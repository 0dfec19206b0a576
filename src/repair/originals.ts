// The files of a data folder, set aside as they are before a repair:
//
//   <data folder>/repair-<date>/
//     wal/…  snap/…     second names of the same files where the file system has such, else copies
//     report.json       what the repair does, and all that is uncertain; the last file: without it the repair was interrupted
//
// A second name costs no space, and is safe: what is repaired is made new, and the old files are never written again.

import { join } from 'node:path';
import { type Disk, DiskError, datasync, writeAll } from '../io/disk.ts';
import { NewFile } from '../io/new-file.ts';

const PIECE_BYTES = 4 << 20;
const NAMES_MAX = 1000;
/** Where there are no second names, or not here. */
const NO_LINK_CODES: ReadonlySet<string> = new Set(['EPERM', 'EXDEV', 'EMLINK', 'ENOSYS', 'ENOTSUP', 'EOPNOTSUPP']);

/** They are durable in the folder that this resolves with; nothing else has changed. Rejects with DiskError. */
export async function setAside(disk: Disk, dataFolder: string, wallMs: number): Promise<string> {
  const folder = await freeFolder(disk, dataFolder, wallMs);
  for (const part of ['wal', 'snap']) {
    const source = join(dataFolder, part);
    const names = await namesIn(disk, source);
    if (names === undefined) continue;
    const target = join(folder, part);
    await disk.ensureDirectory(target);
    for (const name of names) await keep(disk, join(source, name), join(target, name));
    await disk.syncDirectory(target);
  }
  return folder;
}

/** The report is complete and durable when this resolves. */
export async function writeReport(disk: Disk, folder: string, report: object): Promise<void> {
  const path = join(folder, 'report.json');
  const made = await NewFile.create(disk, `${path}.part`);
  try {
    await writeAll(made.file, Buffer.from(`${JSON.stringify(report, undefined, 1)}\n`), 0);
    await datasync(made.file);
    await made.publish(path);
  } finally {
    await made.close();
  }
}

/** Undefined when there is no such folder. */
export async function namesIn(disk: Disk, folder: string): Promise<string[] | undefined> {
  try {
    return await disk.list(folder);
  } catch (error) {
    if (error instanceof DiskError && error.code === 'ENOENT') return undefined;
    throw error;
  }
}

/** A folder that was not there. */
async function freeFolder(disk: Disk, dataFolder: string, wallMs: number): Promise<string> {
  const date = new Date(wallMs).toISOString().replace(/[-:]|\.\d+/g, '');
  let folder = join(dataFolder, `repair-${date}`);
  for (let number = 2; (await namesIn(disk, folder)) !== undefined; number++) {
    if (number > NAMES_MAX) throw new DiskError('mkdir', folder, new Error('too many folders of this name'));
    folder = join(dataFolder, `repair-${date}-${number}`);
  }
  await disk.ensureDirectory(folder);
  return folder;
}

async function keep(disk: Disk, from: string, to: string): Promise<void> {
  try {
    await disk.link(from, to);
  } catch (error) {
    if (!(error instanceof DiskError) || !NO_LINK_CODES.has(error.code)) throw error;
    await copy(disk, from, to);
  }
}

async function copy(disk: Disk, from: string, to: string): Promise<void> {
  const source = await disk.open(from, 'read');
  try {
    const target = await disk.open(to, 'create');
    try {
      const size = await source.size();
      const piece = Buffer.allocUnsafe(Math.min(PIECE_BYTES, size));
      for (let at = 0; at < size; ) {
        const bytes = await source.read(piece.subarray(0, Math.min(piece.length, size - at)), at);
        if (bytes === 0) break;
        await writeAll(target, piece.subarray(0, bytes), at);
        at += bytes;
      }
      await datasync(target);
    } finally {
      await target.close();
    }
  } finally {
    await source.close();
  }
}
