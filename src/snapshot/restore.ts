// The state from the newest snapshot that is good. One that is damaged or incomplete is reported and passed over for the
// one before; one that this program must not read (a newer format) ends the search with its error.
//
// A file is found to be damaged at any block, when part of the state is there already: so each file fills a store of its
// own, and what a damaged one filled is dropped.

import { type Disk, DiskError } from '../io/disk.ts';
import { CorruptionError } from '../journal/errors.ts';
import { readId, readUint32, readUint64 } from '../journal/format.ts';
import type { LogBase } from '../journal/journal.ts';
import { Lessor } from '../lease/lessor.ts';
import { IMAGE_ATTACHMENT_BYTES } from '../store/image.ts';
import type { ImageLoader } from '../store/image-loader.ts';
import type { StoreMemory } from '../store/memory.ts';
import { Store } from '../store/store.ts';
import { type IndexEntry, LEASE_BYTES, type SnapshotHeader } from './format.ts';
import { listSnapshots, snapshotPath } from './snapshot-folder.ts';
import { type BlockTaker, SnapshotReader } from './snapshot-reader.ts';

export interface RestoreOptions {
  readonly disk: Disk;
  /** The folder of the snapshots; it need not exist. */
  readonly folder: string;
  readonly minimumLeaseTtlSeconds: number;
  /** Of the store; undefined for private memory. */
  readonly memory?: StoreMemory | undefined;
  readonly nowMs: () => number;
  /** Snapshots of later revisions are passed over. */
  readonly revisionMax?: number | undefined;
  /** A snapshot was passed over because it is damaged. */
  readonly onDamaged: (error: CorruptionError) => void;
  readonly onProgress: (path: string, bytesDone: number, bytesTotal: number) => void;
}

export interface RestoredSnapshot {
  readonly store: Store;
  readonly lessor: Lessor;
  readonly alarms: Set<number>;
  readonly header: SnapshotHeader;
  readonly path: string;
  readonly bytes: number;
  /** What the log goes on from. */
  readonly base: LogBase;
}

/** Undefined when there is no good one. Rejects with ForeignLogError or DiskError. */
export async function restoreSnapshot(options: RestoreOptions): Promise<RestoredSnapshot | undefined> {
  const { disk, folder, onDamaged } = options;
  const { sequences } = await listSnapshots(disk, folder);
  for (const sequence of sequences) {
    const path = snapshotPath(folder, sequence);
    try {
      const snapshot = await load(options, path, sequence);
      if (snapshot !== undefined) return snapshot;
    } catch (error) {
      const damage = damageOf(path, error);
      if (damage === undefined) throw error;
      onDamaged(damage);
    }
  }
  return undefined;
}

/** The error as one of the file's bytes; undefined when it says nothing of them. */
function damageOf(path: string, error: unknown): CorruptionError | undefined {
  if (error instanceof CorruptionError) return error;
  const isUnreadable = error instanceof DiskError && error.operation === 'read' && error.code === 'EIO';
  return isUnreadable ? new CorruptionError(path, 0, error.message) : undefined;
}

/** Undefined when it is of a revision that is too late. */
async function load(options: RestoreOptions, path: string, sequence: number): Promise<RestoredSnapshot | undefined> {
  const reader = await SnapshotReader.open(options.disk, path);
  try {
    const { header, trailer, bytes } = reader;
    if (header.sequence !== sequence) {
      throw new CorruptionError(path, 0, `it holds batch ${header.sequence}, its name says otherwise`);
    }
    const { memory, revisionMax = Number.POSITIVE_INFINITY } = options;
    if (header.revision > revisionMax) return undefined;
    const store = new Store({ hashSeed: header.hashSeed, ...(memory && { memory }) });
    const lessor = new Lessor(store, options.minimumLeaseTtlSeconds);
    const filler = new Filler(store.beginLoad(trailer.rows, header.hasHashes), lessor, options.nowMs());
    await reader.readAll(filler, (done) => options.onProgress(path, done, bytes));
    store.endLoad(filler.loader, header.revision, header.compactedRevision);
    if (header.compactTarget > header.compactedRevision) store.compact(header.compactTarget);
    const { revisionMark, identity } = header;
    const base = { sequence, revision: revisionMark, clusterId: identity.clusterId, file: path };
    return { store, lessor, alarms: new Set(header.alarms), header, path, bytes, base };
  } finally {
    await reader.close();
  }
}

/** Blocks into store and lessor. */
class Filler implements BlockTaker {
  readonly loader: ImageLoader;
  readonly #lessor: Lessor;
  readonly #nowMs: number;

  constructor(loader: ImageLoader, lessor: Lessor, nowMs: number) {
    this.loader = loader;
    this.#lessor = lessor;
    this.#nowMs = nowMs;
  }

  memoryFor({ kind, bytes }: IndexEntry): ArrayBuffer | SharedArrayBuffer {
    return kind === 'leases' ? new ArrayBuffer(bytes) : this.loader.memoryFor(kind, bytes);
  }

  take({ kind, count, mainMax }: IndexEntry, memory: ArrayBuffer | SharedArrayBuffer): void {
    if (kind === 'leases') this.#takeLeases(new Uint8Array(memory), count);
    else if (kind === 'attachments') this.#takeAttachments(new Uint8Array(memory), count);
    else this.loader.accept(kind, memory, count, mainMax);
  }

  #takeLeases(bytes: Uint8Array, count: number): void {
    for (let i = 0, at = 0; i < count; i++, at += LEASE_BYTES) {
      this.#lessor.grant(readId(bytes, at), readUint64(bytes, at + 8), this.#nowMs);
    }
  }

  /** A key may name a lease that is gone: then it hangs on none. */
  #takeAttachments(bytes: Uint8Array, count: number): void {
    for (let i = 0, at = 0; i < count; i++, at += IMAGE_ATTACHMENT_BYTES) {
      const lease = this.#lessor.find(readId(bytes, at + 4));
      if (lease !== undefined) this.#lessor.attach(readUint32(bytes, at), lease);
    }
  }
}
