// The data folder that a command makes: etcd's flags for it, where it goes, and what its member and cluster are called.

import type { Command } from 'commander';
import { RefusedError } from '../base/refused-error.ts';
import type { JournalIdentity } from '../journal/journal.ts';
import { isFree } from './backup-source.ts';
import { checkInitialCluster, identityOf } from './serve-config.ts';

/** commander's names of the options. */
export interface NewFolderFlags {
  readonly dataDir: string;
  readonly name: string;
  readonly initialCluster: string;
  readonly initialClusterToken: string;
  readonly initialAdvertisePeerUrls: string;
}

export function addNewFolderOptions(command: Command): Command {
  return command
    .option('--data-dir <folder>', 'the folder to make; without it NAME.k1m here', '')
    .option('--name <name>', 'human-readable name of this member', 'default')
    .option('--initial-cluster <members>', 'must name this member alone', '')
    .option('--initial-cluster-token <token>', 'decides member and cluster id', 'etcd-cluster')
    .option('--initial-advertise-peer-urls <urls>', 'decide the member id', 'http://localhost:2380');
}

export function folderFrom({ dataDir, name }: NewFolderFlags): string {
  return dataDir === '' ? `${name}.k1m` : dataDir;
}

/** Throws UsageError, which names the command. */
export function identityFrom(flags: NewFolderFlags, command: string): JournalIdentity {
  checkInitialCluster(flags.initialCluster, flags.name, command);
  return identityOf(flags.initialAdvertisePeerUrls.split(','), flags.initialClusterToken);
}

/** Throws RefusedError, in etcdutl's words. */
export function refuseUsed(folder: string): void {
  if (!isFree(folder)) throw new RefusedError(`data-dir ${JSON.stringify(folder)} not empty or could not be read`);
}
