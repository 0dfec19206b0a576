// Work on the data folder of a server that has stopped.

import { RefusedError } from '../base/refused-error.ts';
import type { Disk } from '../io/disk.ts';
import { FileDisk } from '../io/file-disk.ts';
import { type Survey, surveyFolder } from '../repair/survey.ts';

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

/** Throws RefusedError where there is nothing of ours. */
export async function surveyed(disk: Disk, folder: string): Promise<Survey> {
  const survey = await surveyFolder(disk, folder);
  if (survey.segments.length === 0 && survey.snapshots.length === 0 && survey.findings.length === 0) {
    throw new RefusedError(`${folder} is no data folder of k1m: it has no log and no snapshot`);
  }
  return survey;
}
