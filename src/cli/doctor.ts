// `k1m doctor DIR | --endpoint URL`: what an operator would want to know of a data folder or a running server, each line ok, warn or
// fail, with what to do. 0 nothing failed · 1 something did, or it could not be asked · 2 wrong usage. Nothing is changed.

import { statSync } from 'node:fs';
import { totalmem } from 'node:os';
import { Command } from 'commander';
import { RefusedError } from '../base/refused-error.ts';
import { listBackups } from '../etcd/backups.ts';
import { classBudgets } from '../etcd/loss-budget.ts';
import { RealClock } from '../io/clock.ts';
import { type Disk, FolderLockedError } from '../io/disk.ts';
import { FileDisk } from '../io/file-disk.ts';
import { machineFacts } from '../io/machine.ts';
import { folderFacts } from '../repair/folder-facts.ts';
import { type Survey, surveyFolder } from '../repair/survey.ts';
import { type Check, checksJson, checksText, exitCodeFor } from './check.ts';
import { type BackupFacts, folderChecks, isLockable } from './doctor-folder.ts';
import { askServer } from './doctor-server.ts';
import { UsageError } from './flag-values.ts';
import { addFormatOptions, type FormatFlags, isJson, withOutput } from './output.ts';
import { type ServeConfig, serveConfig } from './serve-config.ts';
import { readServeFlags } from './serve-flags.ts';

/** commander's names of the options. */
interface DoctorFlags extends FormatFlags {
  readonly endpoint?: string;
  readonly verify: boolean;
}

export function doctorCommand(): Command {
  const command = new Command('doctor')
    .description(
      'check a data folder, or a running server: durability, space, snapshots, limits, leftovers; exit code 1 when something fails',
    )
    .argument('[data-dir]', 'a data folder, in use or not')
    .argument('[serve-flags...]', 'behind --: the flags that k1m serve gets; its environment and config file count too')
    .option('--endpoint <url>', 'a running server instead of a folder')
    .option('--no-verify', 'do not read the files of a folder that is not in use');
  return addFormatOptions(command).action(
    async (folder: string | undefined, serveFlags: readonly string[], flags: DoctorFlags) => {
      const checks = await checksFor(folder, serveFlags, flags);
      await withOutput(async (output) => {
        await output.write(isJson(flags) ? `${JSON.stringify(checksJson(checks))}\n` : checksText(checks));
      });
      process.exitCode = exitCodeFor(checks);
    },
  );
}

async function checksFor(
  folder: string | undefined,
  serveFlags: readonly string[],
  { endpoint, verify }: DoctorFlags,
): Promise<Check[]> {
  if (endpoint !== undefined && folder === undefined) return askServer(endpoint, Date.now());
  if (endpoint !== undefined || folder === undefined) {
    throw new UsageError('give a data folder or --endpoint, one of them', 'doctor');
  }
  return checkFolder(folder, serveFlags, verify);
}

async function checkFolder(folder: string, serveFlags: readonly string[], isVerified: boolean): Promise<Check[]> {
  const values = readServeFlags(serveFlags, () => {});
  values.check();
  const config = serveConfig(values, totalmem());
  const disk = new FileDisk();
  const facts = await folderFacts(disk, folder);
  if (facts === undefined) {
    throw new RefusedError(`${folder} is no data folder of k1m: it has no log and no snapshot`);
  }
  const machine = machineFacts(folder);
  // Without writing there is no lock to be had, and nothing is known of a holder.
  const { holderPid, survey } = isLockable(machine)
    ? await lookInside(disk, folder, isVerified)
    : { holderPid: undefined, survey: undefined };
  const limits = {
    bufferedLossMsMax: values.number('buffered-loss-ms'),
    bufferedLossBytesMax: values.number('buffered-loss-bytes'),
  };
  return folderChecks({
    facts,
    machine,
    holderPid,
    survey,
    budgets: classBudgets(config.durability, limits),
    reserveBytes: values.number('disk-reserve-bytes'),
    snapshotLogBytesMin: values.number('snapshot-log-bytes'),
    backups: await backupFacts(disk, config),
    nowMs: new RealClock().wallMs(),
  });
}

/** Reads the files when nobody uses them. */
async function lookInside(
  disk: Disk,
  folder: string,
  isVerified: boolean,
): Promise<{ holderPid: number | undefined; survey: Survey | undefined }> {
  try {
    const lock = await disk.lockDirectory(folder);
    try {
      return { holderPid: undefined, survey: isVerified ? await surveyFolder(disk, folder) : undefined };
    } finally {
      await lock.release();
    }
  } catch (error) {
    if (error instanceof FolderLockedError) return { holderPid: error.holderPid, survey: undefined };
    throw error;
  }
}

async function backupFacts(disk: Disk, { backups }: ServeConfig): Promise<BackupFacts | undefined> {
  if (backups === undefined) return undefined;
  const { folder, intervalMs } = backups;
  const newestMs = (await listBackups(disk, folder)).at(-1)?.wallMs;
  return { folder, intervalMs, newestMs, deviceId: statSync(folder, { throwIfNoEntry: false })?.dev };
}
