// `k1m migrate`: copies a running etcd (or k1m) into a data folder and follows it until it is stopped. docs/operating.md has the
// runbook.

import { resolve } from 'node:path';
import { Command } from 'commander';
import { Follower, type Progress } from '../backup/follower.ts';
import { beginCopy, finishCopy, type OpenCopy, openCopy, type SourceHash, verifyCopy } from '../backup/migrate.ts';
import { RefusedError } from '../base/refused-error.ts';
import { EtcdClient } from '../client/etcd-client.ts';
import { RealClock } from '../io/clock.ts';
import { FileDisk } from '../io/file-disk.ts';
import { TcpNetwork } from '../io/tcp-network.ts';
import type { JournalIdentity } from '../journal/journal.ts';
import { isFolderOfOurs, isFree } from './backup-source.ts';
import { addNewFolderOptions, folderFrom, identityFrom, type NewFolderFlags, refuseUsed } from './new-folder.ts';
import { intoFolder } from './restore.ts';

const CALL_TIMEOUT_MS = 30_000;
/** Times that the source was asked between two lines about it. */
const POLLS_PER_LINE = 10;

/** commander's names of the options. */
interface Flags extends NewFolderFlags {
  readonly from: string;
  readonly resume: boolean;
  readonly untilCaughtUp: boolean;
  readonly verify: boolean;
}

export function migrateCommand(): Command {
  const command = new Command('migrate')
    .description('copy a running etcd into a data folder and follow it until stopped')
    .requiredOption('--from <url>', 'the server to follow');
  return addNewFolderOptions(command)
    .option('--resume', 'go on with a folder that an earlier run has left', false)
    .option('--until-caught-up', 'stop when the source has nothing more, instead of on SIGINT or SIGTERM', false)
    .option('--no-verify', 'do not compare the copy with the source at the end')
    .action((flags: Flags) => migrate(flags));
}

async function migrate(flags: Flags): Promise<void> {
  const identity = identityFrom(flags, 'migrate');
  const folder = folderFrom(flags);
  const clock = new RealClock();
  const client = new EtcdClient({
    network: new TcpNetwork(),
    clock,
    endpoints: [flags.from],
    timeoutMs: CALL_TIMEOUT_MS,
  });
  try {
    if (!flags.resume) await copyInto(client, folder, identity);
    else if (isFree(folder) || !isFolderOfOurs(folder)) throw new RefusedError(`${folder} is no data folder of k1m`);
    const disk = new FileDisk();
    const copy = await openCopy({ disk, clock, folder: resolve(folder), identity });
    const { revision, sourceRevision } = await follow(client, copy, flags);
    const source = await finishCopy(client, copy, revision);
    await verify(folder, revision, flags, source);
    if (revision < sourceRevision) {
      throw new RefusedError(
        `the copy is ${sourceRevision - revision} revisions behind its source, which sends no more: go on with --resume`,
      );
    }
  } finally {
    client.close();
  }
}

async function copyInto(client: EtcdClient, folder: string, identity: JournalIdentity): Promise<void> {
  refuseUsed(folder);
  const disk = new FileDisk();
  const { revision } = await intoFolder(disk, folder, (part) => {
    return beginCopy(client, { disk, clock: new RealClock(), folder: part, identity });
  });
  say(`copied revision ${revision} into ${folder}; following`);
}

/** Where a copy ended, and where its source was then. */
interface End {
  readonly revision: number;
  readonly sourceRevision: number;
}

/** Until a signal, or until caught up. */
async function follow(client: EtcdClient, copy: OpenCopy, flags: Flags): Promise<End> {
  const lines = new ProgressLines();
  const end = Promise.withResolvers<void>();
  const follower = new Follower({
    client,
    clock: new RealClock(),
    filler: copy.filler,
    revision: copy.revision,
    leases: copy.leases,
    onProgress: (progress) => {
      lines.take(progress);
      if (flags.untilCaughtUp && isCaughtUp(progress)) end.resolve();
    },
    onFailure: (error) => end.reject(error),
  });
  const stop = (): void => end.resolve();
  process.on('SIGINT', stop);
  process.on('SIGTERM', stop);
  // The follower's timers do not keep the process alive while its connection is down.
  const alive = setInterval(() => {}, 1 << 30);
  try {
    await end.promise;
    const revision = await follower.stop();
    return { revision, sourceRevision: follower.sourceRevision };
  } catch (error) {
    // What is in the log is good: the folder can be served, or resumed.
    await follower.settled();
    await copy.filler.close(undefined).catch(() => {});
    throw error;
  } finally {
    clearInterval(alive);
    process.removeListener('SIGINT', stop);
    process.removeListener('SIGTERM', stop);
  }
}

function isCaughtUp({ revision, sourceRevision, failure }: Progress): boolean {
  return failure === undefined && revision >= sourceRevision;
}

async function verify(folder: string, revision: number, flags: Flags, source: SourceHash | undefined): Promise<void> {
  const done = `stopped at revision ${revision}; k1m serve --data-dir ${folder} starts on it`;
  if (source === undefined) {
    say(`${done}; not compared with the source, which does not answer`);
    return;
  }
  if (!flags.verify) {
    say(done);
    return;
  }
  await verifyCopy(new FileDisk(), folder, source);
  say(`${done}; verified: HashKV ${source.hash}, compacted at ${source.compactRevision}, is the source's`);
}

/** A line when it has caught up, when the source fails or is back, and from time to time. */
class ProgressLines {
  #count = 0;
  /** Where the source was when it was asked before. */
  #sourceBefore = Number.POSITIVE_INFINITY;
  #isFailing = false;
  #hasCaughtUp = false;

  take(progress: Progress): void {
    const { revision, sourceRevision, leaseCount, failure } = progress;
    const isFailing = failure !== undefined;
    if (isFailing !== this.#isFailing)
      say(isFailing ? `the source does not answer: ${failure}` : 'the source answers again');
    this.#isFailing = isFailing;
    if (isFailing) return;
    const behind = Math.max(0, sourceRevision - revision);
    // A source under load is always a few revisions ahead: what it had a poll ago has to be there.
    if (!this.#hasCaughtUp && (behind === 0 || revision >= this.#sourceBefore)) {
      this.#hasCaughtUp = true;
      say(`caught up at revision ${revision}, ${behind} behind, ${leaseCount} leases`);
    } else if (this.#count % POLLS_PER_LINE === 0) {
      say(`at revision ${revision}, the source at ${sourceRevision}: ${behind} behind, ${leaseCount} leases`);
    }
    this.#sourceBefore = sourceRevision;
    this.#count++;
  }
}

function say(text: string): void {
  process.stdout.write(`${text}\n`);
}
