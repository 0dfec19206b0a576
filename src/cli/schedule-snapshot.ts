// The cluster that a question is about: a live one, or one out of files.

import type { Command } from 'commander';
import { readChunks } from '../io/file-chunks.ts';
import { readStandardInput, readTextFile } from '../io/text-file.ts';
import { readCluster } from '../scheduler/inquiry/cluster-reading.ts';
import { ClusterSnapshot } from '../scheduler/inquiry/cluster-snapshot.ts';
import { isJsonText, type Manifest, readManifests, scanManifests } from '../scheduler/inquiry/manifest-file.ts';
import { isClusterKind } from '../scheduler/model/cluster-objects.ts';
import { UsageError } from './flag-values.ts';
import { addClusterOptions, type ClusterFlags, openApi } from './schedule-settings.ts';

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
    for (const { kind, object } of clusterObjectsIn(path)) {
      if (kind === 'Node' || kind === 'Pod' || isClusterKind(kind)) snapshot.set(kind, object);
    }
  }
  return snapshot;
}

/** A list in JSON may be of any size; what is not one is read whole. */
function clusterObjectsIn(path: string): Iterable<Manifest> {
  if (path === '-') return manifestsIn(path, 'schedule');
  const [beginning] = readChunks(path) ?? [];
  const isJson = beginning !== undefined && isJsonText(Buffer.from(beginning.subarray(0, 1024)).toString());
  return isJson ? scanManifests(readChunks(path) ?? [], path) : manifestsIn(path, 'schedule');
}

/** Of a file, or of standard input for `-`. `command` is whose help is named when it is not there. Throws ManifestError or UsageError. */
export function manifestsIn(path: string, command: string): Manifest[] {
  const text = path === '-' ? readStandardInput() : readTextFile(path);
  if (text === undefined) throw new UsageError(`the path "${path}" does not exist`, command);
  return readManifests(text, path);
}
