// A copy of a running server in a folder of ours: begun from a snapshot, followed change by change (follower.ts), and at its
// end compared with the source.
//
//   beginCopy ─► folder at revision R ─► openCopy ─► Follower … stop ─► finishCopy ─► verifyCopy

import { join } from 'node:path';
import { StatusError } from '../api/errors.ts';
import * as methods from '../api/methods.ts';
import { RefusedError } from '../base/refused-error.ts';
import type { EtcdClient } from '../client/etcd-client.ts';
import type { Clock } from '../io/clock.ts';
import type { Disk } from '../io/disk.ts';
import type { JournalIdentity, JournalVisitor } from '../journal/journal.ts';
import { KeyValueView } from '../store/key-value.ts';
import { JournalFiller } from './journal-filler.ts';
import { type Restored, restoreBackend } from './restore.ts';
import { saveSnapshot } from './save.ts';
import { openFile, withoutHash } from './snapshot-file.ts';
import { folderStatus } from './status.ts';

const SNAPSHOT_NAME = 'source.db';

export interface CopyPlace {
  readonly disk: Disk;
  readonly clock: Clock;
  readonly folder: string;
  readonly identity: JournalIdentity;
}

/** Fills an empty folder with the source's state as it is now. */
export async function beginCopy(client: EtcdClient, place: CopyPlace): Promise<Restored> {
  const { disk, folder } = place;
  const path = join(folder, SNAPSHOT_NAME);
  await saveSnapshot(disk, path, client.snapshot());
  const file = await openFile(disk, path);
  try {
    return await restoreBackend({ ...place, file: withoutHash(file), raftFiles: [], bumpRevision: 0 });
  } finally {
    await file.close();
    await disk.unlink(path);
  }
}

/** What a log has, as far as going on with it needs. */
class CopyState implements JournalVisitor {
  readonly leases = new Set<bigint>();
  revision = 1;
  compactRevision = -1;
  readonly #view = new KeyValueView();

  onPut(_sub: number, buffer: Uint8Array, kvStart: number): void {
    this.revision = this.#view.readHead(buffer, kvStart).modRevision;
  }

  onDelete(main: number): void {
    this.revision = main;
  }

  onLeaseGrant(id: bigint): void {
    this.leases.add(id);
  }

  onLeaseRevoke(id: bigint): void {
    this.leases.delete(id);
  }

  onCompact(revision: number): void {
    this.compactRevision = revision;
  }

  onAlarm(): void {}
}

export interface OpenCopy {
  readonly filler: JournalFiller;
  /** Everything up to here is in it. */
  readonly revision: number;
  readonly compactRevision: number;
  readonly leases: ReadonlySet<bigint>;
}

/** Opens a folder that `beginCopy` made, or one that was followed before. */
export async function openCopy(place: CopyPlace): Promise<OpenCopy> {
  const state = new CopyState();
  const filler = await JournalFiller.open({ ...place, visitor: state });
  const { isClean, revision } = filler.recovery;
  const { compactRevision, leases } = state;
  // The number that an orderly end left; else the last change that is in the log, which nothing is missing before.
  return { filler, revision: isClean ? revision : Math.max(state.revision, compactRevision), compactRevision, leases };
}

/** The source's hash of all versions at the copy's revision; undefined when it cannot be asked. */
export interface SourceHash {
  readonly hash: number;
  readonly compactRevision: number;
}

/** Ends a copy at `revision`, with the source's last compaction. */
export async function finishCopy(
  client: EtcdClient,
  copy: OpenCopy,
  revision: number,
): Promise<SourceHash | undefined> {
  const source = await hashOf(client, revision);
  if (source !== undefined && source.compactRevision > copy.compactRevision) {
    copy.filler.onCompact(source.compactRevision);
  }
  await copy.filler.close(revision);
  return source;
}

/** Reads the whole folder. Rejects with RefusedError when it is not what the source has. */
export async function verifyCopy(disk: Disk, folder: string, source: SourceHash): Promise<void> {
  const { hash, revision } = await folderStatus(disk, folder);
  if (hash === source.hash) return;
  throw new RefusedError(
    `${folder} differs from the source: HashKV of revision ${revision} is ${hash}, not ${source.hash}`,
  );
}

async function hashOf(client: EtcdClient, revision: number): Promise<SourceHash | undefined> {
  try {
    const { hash, compact_revision } = await client.call(methods.hashKv, { revision });
    return { hash, compactRevision: compact_revision };
  } catch (error) {
    if (error instanceof StatusError) return undefined;
    throw error;
  }
}
