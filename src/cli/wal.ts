// `k1m wal verify`: what a stopped data folder holds, and what is wrong with it.
// 0 whole · 1 damaged, or failed · 2 wrong usage. docs/repair.md has the kinds.

import { Command } from 'commander';
import { RefusedError } from '../backup/refused-error.ts';
import type { Disk } from '../io/disk.ts';
import { FileDisk } from '../io/file-disk.ts';
import { isWhole, type Survey, surveyFolder } from '../repair/survey.ts';
import { surveyJson, surveyText } from './wal-text.ts';

export function walCommand(): Command {
  return new Command('wal')
    .description('look at the log and the snapshots of a stopped data folder')
    .addCommand(verifyCommand());
}

function verifyCommand(): Command {
  return new Command('verify')
    .description('say what every segment and snapshot holds and what is wrong with it; exit code 1 when something is')
    .argument('<data-dir>', 'the data folder of a server that has stopped')
    .option('--json', 'as JSON', false)
    .action(async (folder: string, { json }: { json: boolean }) => {
      const survey = await onStopped(folder, surveyed);
      process.stdout.write(json ? `${JSON.stringify(surveyJson(survey))}\n` : surveyText(survey));
      if (!isWhole(survey)) process.exitCode = 1;
    });
}

async function surveyed(disk: Disk, folder: string): Promise<Survey> {
  const survey = await surveyFolder(disk, folder);
  if (survey.segments.length === 0 && survey.snapshots.length === 0 && survey.findings.length === 0) {
    throw new RefusedError(`${folder} is no data folder of k1m: it has no log and no snapshot`);
  }
  return survey;
}

/** With the folder's lock held: a server that runs is not looked at, and none starts meanwhile. */
async function onStopped<Result>(
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
