// The cluster that a question is about: a live one, or one out of files.

import type { Command } from 'commander';
import { readTextFile } from '../io/text-file.ts';
import { readCluster } from '../scheduler/inquiry/cluster-reading.ts';
import { ClusterSnapshot, isClusterKind } from '../scheduler/inquiry/cluster-snapshot.ts';
import { type Manifest, readManifests } from '../scheduler/inquiry/manifest-file.ts';
import { UsageError } from './flag-values.ts';
import { addClusterOptions, type ClusterFlags, openApi } from './schedule-settings.ts';

const STANDARD_INPUT = '/dev/stdin';

/** commander's names of the options. */
export interface SnapshotFlags extends ClusterFlags {
  readonly cluster?: readonly string[];
}

export function addSnapshotOptions(command: Command): Command {
  return addClusterOptions(command).option(
    '--cluster <files...>',
    'a cluster as kubectl get nodes,pods,… -A -o json or yaml printed it, in place of a live one',
  );
}

/** Rejects with ClusterReadingError, CredentialsError or ManifestError. */
export async function snapshotOf(flags: SnapshotFlags, kubeconfig: string | undefined): Promise<ClusterSnapshot> {
  if (flags.cluster !== undefined) return snapshotIn(flags.cluster);
  const api = await openApi(flags, kubeconfig);
  try {
    return await readCluster(api);
  } finally {
    await api.close();
  }
}

function snapshotIn(paths: readonly string[]): ClusterSnapshot {
  const snapshot = new ClusterSnapshot();
  for (const path of paths) {
    for (const { kind, object } of manifestsIn(path)) {
      if (kind === 'Node' || kind === 'Pod' || isClusterKind(kind)) snapshot.set(kind, object);
    }
  }
  return snapshot;
}

/** Of a file, or of standard input for `-`. Throws ManifestError or UsageError. */
export function manifestsIn(path: string): Manifest[] {
  const text = readTextFile(path === '-' ? STANDARD_INPUT : path);
  if (text === undefined) throw new UsageError(`the path "${path}" does not exist`, 'schedule');
  return readManifests(text, path);
}
