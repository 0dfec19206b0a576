// A data folder that was looked at whole, for commands that say what is in it.

import { RefusedError } from '../base/refused-error.ts';
import type { Disk } from '../io/disk.ts';
import { type Survey, surveyFolder } from '../repair/survey.ts';

/** Throws RefusedError where there is nothing of ours. */
export async function surveyed(disk: Disk, folder: string): Promise<Survey> {
  const survey = await surveyFolder(disk, folder);
  if (survey.segments.length === 0 && survey.snapshots.length === 0 && survey.findings.length === 0) {
    throw new RefusedError(`${folder} is no data folder of k1m: it has no log and no snapshot`);
  }
  return survey;
}
