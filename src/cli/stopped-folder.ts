// Work on the data folder of a server that has stopped.

import type { Disk } from '../io/disk.ts';
import { FileDisk } from '../io/file-disk.ts';

/** With the folder's lock held: a server that runs is not looked at, and none starts meanwhile. */
export async function onStopped<Result>(
  folder: string,
  work: (disk: Disk, folder: string) => Promise<Result>,
): Promise<Result> {
  const disk = new FileDisk();
  const lock = await disk.lockDirectory(folder);
  try {
    return await work(disk, folder);
  } finally {
    await lock.release();
  }
}
