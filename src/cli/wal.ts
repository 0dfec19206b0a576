// `k1m wal verify|dump|repair`: what a stopped data folder holds, what is wrong with it, and how it serves again.
// docs/repair.md has the kinds of damage, and what a repair does.

import { Command } from 'commander';
import { RealClock } from '../io/clock.ts';
import { BUMP_REVISIONS, planRepair, type Repaired, repairFolder, tidyRepair } from '../repair/repair.ts';
import { repairReport } from '../repair/repair-report.ts';
import { isWhole } from '../repair/survey.ts';
import { dumpLog } from '../repair/wal-dump.ts';
import { jsonDump, textDump } from './dump-text.ts';
import { addFormatOptions, type FormatFlags, isJson, withOutput } from './output.ts';
import { repairText } from './repair-text.ts';
import { onStopped } from './stopped-folder.ts';
import { surveyed } from './surveyed-folder.ts';
import { surveyJson, surveyText } from './wal-text.ts';
import { positiveNumber, wholeNumber } from './whole-number.ts';

const DONE = '\nDone: k1m serve starts on this folder.\n';
const NOT_DONE = '\nNothing was changed. To do this, run it again with --accept-loss.\n';

export function walCommand(): Command {
  return new Command('wal')
    .description('look at the log and the snapshots of a stopped data folder, and repair them')
    .addCommand(verifyCommand())
    .addCommand(dumpCommand())
    .addCommand(repairCommand());
}

/** 0 whole · 1 damaged, or failed · 2 wrong usage. */
function verifyCommand(): Command {
  const command = new Command('verify')
    .description('say what every segment and snapshot holds and what is wrong with it; exit code 1 when something is')
    .argument('<data-dir>', 'the data folder of a server that has stopped');
  return addFormatOptions(command).action(async (folder: string, flags: FormatFlags) => {
    const survey = await onStopped(folder, surveyed);
    await withOutput(async (output) => {
      await output.write(isJson(flags) ? `${JSON.stringify(surveyJson(survey))}\n` : surveyText(survey));
    });
    if (!isWhole(survey)) process.exitCode = 1;
  });
}

/** commander's names of the options. */
interface DumpFlags extends FormatFlags {
  readonly fromSequence: number;
  readonly toSequence?: number;
  readonly fromRevision: number;
  readonly toRevision?: number;
  readonly values: boolean;
}

/** 0 printed, whatever there is · 1 failed · 2 wrong usage. */
function dumpCommand(): Command {
  const command = new Command('dump')
    .description('print the log: each segment, batch and effect, and what is damaged, in its place')
    .argument('<data-dir>', 'the data folder of a server that has stopped')
    .option('--from-sequence <n>', 'the first batch to print', wholeNumber, 1)
    .option('--to-sequence <n>', 'the last batch to print', wholeNumber)
    .option('--from-revision <n>', 'the first revision to print; batches without any are then left out', wholeNumber, 1)
    .option('--to-revision <n>', 'the last revision to print', wholeNumber)
    .option('--values', 'print values, not only their sizes', false);
  return addFormatOptions(command).action(async (folder: string, flags: DumpFlags) => {
    await onStopped(folder, async (disk) => {
      const survey = await surveyed(disk, folder);
      const range = {
        sequences: { first: flags.fromSequence, last: flags.toSequence ?? Number.MAX_SAFE_INTEGER },
        revisions: { first: flags.fromRevision, last: flags.toRevision ?? Number.MAX_SAFE_INTEGER },
      };
      await withOutput((output) => {
        const options = { folder, output, hasValues: flags.values };
        return dumpLog(disk, survey, range, isJson(flags) ? jsonDump(options) : textDump(options));
      });
    });
  });
}

/** commander's names of the options. */
interface RepairFlags extends FormatFlags {
  readonly acceptLoss: boolean;
  readonly bumpRevision: number;
}

/** 0 repaired, or nothing to repair · 1 damaged and left as it is, or failed · 2 wrong usage. */
function repairCommand(): Command {
  const command = new Command('repair')
    .description(
      'make a damaged data folder serve again without what is lost; without --accept-loss only say what that is',
    )
    .argument('<data-dir>', 'the data folder of a server that has stopped')
    .option('--accept-loss', 'do it: give up what cannot be read', false)
    .option(
      '--bump-revision <n>',
      'how far to go above the highest revision that the folder names',
      positiveNumber,
      BUMP_REVISIONS,
    );
  return addFormatOptions(command).action(async (folder: string, flags: RepairFlags) => {
    await onStopped(folder, async (disk) => {
      const plan = await planRepair(disk, await surveyed(disk, folder), flags.bumpRevision);
      let repaired: Repaired | undefined;
      if (flags.acceptLoss && plan.kind === 'tidy') await tidyRepair(disk, plan);
      if (flags.acceptLoss && plan.kind === 'rebuild') repaired = await repairFolder(disk, new RealClock(), plan);
      await withOutput(async (output) => {
        const isDone = flags.acceptLoss && plan.kind !== 'none';
        if (isJson(flags)) {
          const report = { ...repairReport(plan), isDone, keptIn: repaired?.keptIn ?? null };
          await output.write(`${JSON.stringify(report)}\n`);
          return;
        }
        await output.write(repairText(plan, repaired));
        if (plan.kind !== 'none') await output.write(isDone ? DONE : NOT_DONE);
      });
      if (plan.kind !== 'none' && !flags.acceptLoss) process.exitCode = 1;
    });
  });
}
