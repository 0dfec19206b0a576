// etcd's backend read from its database file, as the effects of our log: leases, then versions in revision order with the
// compaction where it belongs, then alarms. What a value must be is checked here; what a page must be, in src/bolt.
//
// Sources: etcd 3.7 server/storage/mvcc (restore) and server/storage/schema; src/etcd/backend-schema.ts has the layout.

import { ByteReader, WireError } from '../base/byte-reader.ts';
import { compareArrays } from '../base/bytes.ts';
import type { RandomAccess } from '../bolt/block-cache.ts';
import { BoltReader, type Bucket } from '../bolt/bolt-reader.ts';
import type { LeafPage } from '../bolt/page-view.ts';
import { ALARM_BUCKET, KEY_BUCKET, LEASE_BUCKET, META_BUCKET } from '../etcd/backend-schema.ts';
import { CorruptionError, ForeignLogError } from '../journal/errors.ts';
import type { JournalVisitor } from '../journal/journal.ts';
import { SUB_MAX } from '../store/history.ts';
import { readRevisionKey } from '../store/revision-key.ts';
import { ValueDecoder } from './value-decoder.ts';

/** The newest storage version that is understood: etcd 3.7's. */
const STORAGE_VERSION_MAX = { major: 3, minor: 7 };
/** Revision 1 is that of an empty store. */
const FIRST_REVISION = 2;

/** Takes the effects; `onRevision` comes before those of a revision. */
export interface BackendVisitor extends JournalVisitor {
  onRevision(main: number): void;
}

/** What the meta bucket says. */
export interface BackendState {
  /** Empty before etcd 3.6. */
  readonly storageVersion: string;
  /** The log entry up to which the backend has everything; 0: unknown. */
  readonly consistentIndex: number;
  /** −1: there was no compaction. */
  readonly compactRevision: number;
  /** Members that vote; 1 when the database does not say. */
  readonly voterCount: number;
}

export class BackendReader {
  readonly state: BackendState;
  readonly #file: RandomAccess;
  readonly #reader: BoltReader;
  readonly #buckets: readonly Bucket[];
  readonly #decoder = new ValueDecoder();
  #revision: number;

  /** Rejects with CorruptionError, or with ForeignLogError for a storage version that is newer than ours. */
  static async open(file: RandomAccess): Promise<BackendReader> {
    const reader = await BoltReader.open(file);
    const buckets = await reader.buckets();
    const meta = new Map<string, Buffer>();
    const metaBucket = find(buckets, META_BUCKET);
    if (metaBucket === undefined || find(buckets, KEY_BUCKET) === undefined) {
      throw new ForeignLogError(file.path, "is a bbolt database, but not etcd's");
    }
    for await (const leaf of reader.leaves(metaBucket)) {
      for (let i = 0; i < leaf.count; i++) {
        const value = Buffer.from(leaf.buffer.subarray(leaf.valueStart(i), leaf.valueEnd(i)));
        meta.set(Buffer.from(leaf.copyKey(i)).toString(), value);
      }
    }
    return new BackendReader(file, reader, buckets, stateOf(file, meta));
  }

  private constructor(file: RandomAccess, reader: BoltReader, buckets: readonly Bucket[], state: BackendState) {
    this.#file = file;
    this.#reader = reader;
    this.#buckets = buckets;
    this.state = state;
    this.#revision = Math.max(1, state.compactRevision);
  }

  /** Bytes of the database, without what may follow it. */
  get bytes(): number {
    return this.#reader.bytes;
  }

  /** The current revision, when `read` is done. */
  get revision(): number {
    return this.#revision;
  }

  /**
   * Gives everything to the visitor; between two revisions, and before the first, `pause` is called and awaited if it
   * returns a promise. Nothing above `toRevision` is given. Once.
   */
  async read(
    visitor: BackendVisitor,
    pause: () => Promise<void> | undefined,
    toRevision: number = Number.MAX_SAFE_INTEGER,
  ): Promise<void> {
    await pause();
    await this.#readLeases(visitor, pause);
    await this.#readVersions(visitor, pause, toRevision);
    await this.#readAlarms(visitor);
  }

  async #readLeases(visitor: BackendVisitor, pause: () => Promise<void> | undefined): Promise<void> {
    for await (const [leaf, i] of this.#entries(LEASE_BUCKET)) {
      const fields = this.#fields(leaf, leaf.valueStart(i), leaf.valueEnd(i), [0x08, 0x10]);
      const ttlSeconds = Number(fields.get(0x10) ?? 0n);
      const id = fields.get(0x08) ?? 0n;
      if (id === 0n || ttlSeconds <= 0) throw this.#damaged(leaf, leaf.keyStart(i), 'a lease has no id or no TTL');
      visitor.onLeaseGrant(id, ttlSeconds);
      await pause();
    }
  }

  async #readAlarms(visitor: BackendVisitor): Promise<void> {
    for await (const [leaf, i] of this.#entries(ALARM_BUCKET)) {
      const fields = this.#fields(leaf, leaf.keyStart(i), leaf.keyEnd(i), [0x08, 0x10]);
      visitor.onAlarm(Number(fields.get(0x10) ?? 0n), true);
    }
  }

  async #readVersions(
    visitor: BackendVisitor,
    pause: () => Promise<void> | undefined,
    toRevision: number,
  ): Promise<void> {
    const { compactRevision } = this.state;
    let isCompacted = compactRevision < 0;
    let current = 0;
    for await (const [leaf, i] of this.#entries(KEY_BUCKET)) {
      const key = readRevisionKey(leaf.buffer, leaf.keyStart(i), leaf.keyEnd(i));
      if (key === undefined || key.main < FIRST_REVISION || key.sub > SUB_MAX) {
        throw this.#damaged(leaf, leaf.keyStart(i), 'a key of the bucket "key" is no revision');
      }
      if (key.main !== current) {
        if (key.main > toRevision) {
          // There are later revisions: this one is reached, also when nothing changed in it.
          current = toRevision;
          break;
        }
        current = key.main;
        const waits = pause();
        if (waits !== undefined) await waits;
        if (!isCompacted && current > compactRevision) {
          isCompacted = true;
          visitor.onCompact(compactRevision);
        }
        visitor.onRevision(current);
      }
      this.#visit(visitor, leaf, i, key);
    }
    if (!isCompacted) visitor.onCompact(compactRevision);
    this.#revision = Math.max(this.#revision, current);
  }

  #visit(
    visitor: BackendVisitor,
    leaf: LeafPage,
    index: number,
    key: { main: number; sub: number; isDeletion: boolean },
  ): void {
    const start = leaf.valueStart(index);
    const end = leaf.valueEnd(index);
    // etcdutl's --bump-revision leaves an empty value behind: a revision without a change.
    if (start === end) return;
    const decoder = this.#decoder;
    const wrong = decoder.decode(leaf.buffer, start, end);
    if (wrong !== undefined) throw this.#damaged(leaf, start, wrong);
    if (key.isDeletion) {
      visitor.onDelete(key.main, key.sub, decoder.key, 0, decoder.key.length);
      return;
    }
    const outOfRange = decoder.wrong();
    if (outOfRange !== undefined) throw this.#damaged(leaf, start, outOfRange);
    if (decoder.modRevision !== key.main)
      throw this.#damaged(leaf, start, 'a version is of another revision than its key');
    const bytes = decoder.encode();
    visitor.onPut(key.sub, bytes, 0, bytes.length);
  }

  /** The varint fields of a small message. */
  #fields(leaf: LeafPage, start: number, end: number, tags: readonly number[]): Map<number, bigint> {
    const fields = new Map<number, bigint>();
    const reader = new ByteReader(leaf.buffer, start, end);
    try {
      while (reader.hasMore) {
        const tag = reader.tag();
        if (tags.includes(tag)) fields.set(tag, reader.varint64());
        else reader.skip(tag);
      }
    } catch (error) {
      if (error instanceof WireError) throw this.#damaged(leaf, start, error.message);
      throw error;
    }
    return fields;
  }

  async *#entries(name: Uint8Array): AsyncGenerator<readonly [LeafPage, number]> {
    const bucket = find(this.#buckets, name);
    if (bucket === undefined) return;
    for await (const leaf of this.#reader.leaves(bucket)) {
      for (let i = 0; i < leaf.count; i++) yield [leaf, i];
    }
  }

  #damaged(leaf: LeafPage, at: number, reason: string): CorruptionError {
    return new CorruptionError(this.#file.path, leaf.fileOffset + at, reason);
  }
}

function find(buckets: readonly Bucket[], name: Uint8Array): Bucket | undefined {
  return buckets.find((bucket) => compareArrays(bucket.name, name) === 0);
}

function stateOf(file: RandomAccess, meta: ReadonlyMap<string, Buffer>): BackendState {
  const storageVersion = meta.get('storageVersion')?.toString() ?? '';
  const version = /^(\d+)\.(\d+)\./.exec(storageVersion);
  const [major, minor] = version === null ? [3, 0] : [Number(version[1]), Number(version[2])];
  if (major !== STORAGE_VERSION_MAX.major || minor > STORAGE_VERSION_MAX.minor) {
    throw new ForeignLogError(
      file.path,
      `has storage version ${storageVersion}, which is newer than this program knows`,
    );
  }
  const finished = revisionOf(meta.get('finishedCompactRev'));
  const scheduled = revisionOf(meta.get('scheduledCompactRev'));
  const index = meta.get('consistent_index');
  return {
    storageVersion,
    consistentIndex: index?.length === 8 ? Number(index.readBigUInt64BE(0)) : 0,
    compactRevision: Math.max(finished, scheduled),
    voterCount: votersOf(meta.get('confState')?.toString() ?? ''),
  };
}

/** From `{"voters":[1,2,3],…}`. The ids are too large for JSON.parse, and only their number counts. */
function votersOf(confState: string): number {
  const voters = /"voters":\[([\d,]*)\]/.exec(confState)?.[1] ?? '';
  return Math.max(1, voters.split(',').length);
}

function revisionOf(value: Buffer | undefined): number {
  return value === undefined ? -1 : (readRevisionKey(value, 0, value.length)?.main ?? -1);
}
