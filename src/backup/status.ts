// What `etcdutl snapshot status` says of a database, and the same of a data folder of ours.
//
// The hash of a database is the CRC-32C over the names of its buckets, their keys and values, as etcdutl computes it; that of
// a data folder of ours is its HashKV, since it has no buckets.

import { compareArrays } from '../base/bytes.ts';
import type { RandomAccess } from '../bolt/block-cache.ts';
import { BoltReader } from '../bolt/bolt-reader.ts';
import type { LeafPage } from '../bolt/page-view.ts';
import { KEY_BUCKET, META_BUCKET } from '../etcd/backend-schema.ts';
import { STORAGE_VERSION } from '../etcd/maintenance-service.ts';
import { readState } from '../etcd/state-opening.ts';
import type { Disk } from '../io/disk.ts';
import { CorruptionError } from '../journal/errors.ts';
import { crc32c } from '../store/crc32c.ts';
import { readRevisionKey } from '../store/revision-key.ts';
import { ValueDecoder } from './value-decoder.ts';

export interface SnapshotStatus {
  readonly hash: number;
  readonly revision: number;
  readonly totalKey: number;
  readonly totalSize: number;
  /** The storage version; empty before etcd 3.6. */
  readonly version: string;
}

/** Rejects with CorruptionError. */
export async function databaseStatus(file: RandomAccess): Promise<SnapshotStatus> {
  const reader = await BoltReader.open(file);
  const keys = new LiveKeys(file.path);
  let hash = 0;
  let version = '';
  for (const bucket of await reader.buckets()) {
    hash = crc32c(hash, bucket.name, 0, bucket.name.length);
    const isKeys = compareArrays(bucket.name, KEY_BUCKET) === 0;
    const isMeta = compareArrays(bucket.name, META_BUCKET) === 0;
    for await (const leaf of reader.leaves(bucket)) {
      for (let i = 0; i < leaf.count; i++) {
        // The value follows its key.
        hash = crc32c(hash, leaf.buffer, leaf.keyStart(i), leaf.valueEnd(i));
        if (isKeys) keys.add(leaf, i);
        if (isMeta && Buffer.from(leaf.copyKey(i)).toString() === 'storageVersion') {
          version = leaf.buffer.toString('utf8', leaf.valueStart(i), leaf.valueEnd(i));
        }
      }
    }
  }
  return { hash, revision: keys.revision, totalKey: keys.count, totalSize: reader.bytes, version };
}

/** Of a data folder of ours, which is only read. Rejects with CorruptionError, ForeignLogError or DiskError. */
export async function folderStatus(disk: Disk, folder: string): Promise<SnapshotStatus> {
  const { store, bytes } = await readState({ disk, folder, onSnapshotDamaged: () => {} });
  const job = store.hashKv(store.currentRevision);
  while (!job.step(Number.MAX_SAFE_INTEGER));
  const { currentRevision, liveKeyCount } = store;
  const version = STORAGE_VERSION;
  return { hash: job.hash, revision: currentRevision, totalKey: liveKeyCount, totalSize: bytes, version };
}

/** Keys whose last version so far is no deletion. In several sets, since one holds no more than 2^24. */
class LiveKeys {
  revision = 0;
  readonly #path: string;
  readonly #decoder = new ValueDecoder();
  readonly #sets: Set<string>[] = Array.from({ length: 64 }, () => new Set<string>());

  constructor(path: string) {
    this.#path = path;
  }

  get count(): number {
    let count = 0;
    for (const set of this.#sets) count += set.size;
    return count;
  }

  add(leaf: LeafPage, index: number): void {
    const start = leaf.valueStart(index);
    const end = leaf.valueEnd(index);
    const revision = readRevisionKey(leaf.buffer, leaf.keyStart(index), leaf.keyEnd(index));
    if (revision === undefined) {
      throw new CorruptionError(
        this.#path,
        leaf.fileOffset + leaf.keyStart(index),
        'a key of the bucket "key" is no revision',
      );
    }
    this.revision = revision.main;
    const wrong = this.#decoder.decode(leaf.buffer, start, end);
    // What etcdutl's --bump-revision leaves behind counts as the empty key, as it does there.
    if (wrong !== undefined && start !== end) throw new CorruptionError(this.#path, leaf.fileOffset + start, wrong);
    const { key } = this.#decoder;
    const set = this.#sets[crc32c(0, key, 0, key.length) % this.#sets.length];
    const text = Buffer.from(key.buffer, key.byteOffset, key.length).toString('latin1');
    if (revision.isDeletion) set.delete(text);
    else set.add(text);
  }
}
