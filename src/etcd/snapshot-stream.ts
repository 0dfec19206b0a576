// The state as a bbolt file with etcd's buckets, made while it is sent to a client or written to a file.
//
//   begun: revision, alarms ─► gathered: versions, leases ─► planned: page numbers ─► visible ─► streamed
//
// The state is that of the moment when it was asked for, R = the newest revision then, and it leaves when that is visible:
// nothing that a crash could take back is in the file. Writes go on meanwhile; compaction stands still while the versions
// are gathered and then goes on, with the memory of what is in the file pinned until the end. A client that reads
// slowly therefore holds memory, as it holds free pages in etcd.
//
// Work is done in slices; nothing is made while the target is full.

import { assert } from '../base/assert.ts';
import { BoltPlan } from '../bolt/bolt-plan.ts';
import { BoltWriter, type ByteSink } from '../bolt/bolt-writer.ts';
import type { LeaseWalk } from '../lease/lease-walk.ts';
import { KeyValueView } from '../store/key-value.ts';
import { REVISION_KEY_BYTES, TOMBSTONE_KEY_BYTES, writeRevisionKey } from '../store/revision-key.ts';
import type { Store } from '../store/store.ts';
import type { VersionList } from '../store/version-list.ts';
import { VersionSort } from '../store/version-sort.ts';
import {
  ALARM_BUCKET,
  AUTH_BUCKET,
  AUTH_ROLES_BUCKET,
  AUTH_USERS_BUCKET,
  alarmPair,
  authPairs,
  type BackendMember,
  type BackendMeta,
  type BackendPair,
  CLUSTER_BUCKET,
  clusterPairs,
  KEY_BUCKET,
  LEASE_BUCKET,
  leaseKey,
  leaseValue,
  MEMBERS_BUCKET,
  MEMBERS_REMOVED_BUCKET,
  META_BUCKET,
  memberPair,
  metaPairs,
} from './backend-schema.ts';
import type { Engine } from './engine.ts';

/** Versions looked at in one piece of work, and bytes written in one: a tenth of a millisecond each. */
const SLICE_VERSIONS = 2_000;
const SLICE_BYTES = 64 << 10;
const LEASE_KEY_BYTES = 8;

type Phase = 'leases' | 'sort leases' | 'versions' | 'plan' | 'plan leases' | 'wait' | 'keys' | 'write leases' | 'over';

/** Where a snapshot goes. */
export interface SnapshotTarget {
  /** What takes the file, which has `bytes` bytes. Called once. */
  open(bytes: number): ByteSink;
  /** Bytes taken so far. */
  readonly writtenBytes: number;
  /** No more now: `drained` will be called. */
  readonly isFull: boolean;
  /** The file is complete; the hash is the target's affair. */
  finish(): void;
}

export interface SnapshotStreamOptions {
  readonly target: SnapshotTarget;
  readonly engine: Engine;
  readonly member: BackendMember;
  readonly meta: Omit<BackendMeta, 'compactRevision'>;
  readonly clusterVersion: string;
  /** Calls back once all that was computed so far may be shown. */
  readonly whenVisible: (callback: () => void) => void;
  /** Takes a job: a step that says whether there is nothing to do now. */
  readonly schedule: (step: () => boolean) => void;
  readonly onEnd: () => void;
}

interface SmallBucket {
  readonly name: Uint8Array;
  readonly pairs: readonly BackendPair[];
}

export class SnapshotStream {
  readonly #options: SnapshotStreamOptions;
  readonly #target: SnapshotTarget;
  readonly #store: Store;
  readonly #versions: VersionList;
  readonly #leaseWalk: LeaseWalk;
  /** Leases by id without sign: the upper half as the main, the lower as the sub revision. */
  readonly #leases: VersionSort;
  readonly #alarms: readonly BackendPair[];
  readonly #plan = new BoltPlan();
  readonly #view = new KeyValueView();
  readonly #key: Uint8Array = new Uint8Array(TOMBSTONE_KEY_BYTES);
  #phase: Phase = 'leases';
  #isVisible = false;
  #cursor = 0;
  #deletion = 0;
  #writer: BoltWriter | undefined;
  /** Buckets behind the leases that are too large to be inline. */
  readonly #late: SmallBucket[] = [];
  /** The target, or the disk, has to do something before the next step. */
  #isWaiting = false;

  constructor(options: SnapshotStreamOptions) {
    this.#options = options;
    this.#target = options.target;
    const { engine, member } = options;
    this.#store = engine.store;
    this.#versions = engine.store.listVersions(engine.store.currentRevision);
    this.#leaseWalk = engine.lessor.walk();
    this.#leases = new VersionSort((index) => Number(BigInt.asUintN(32, this.#leaseWalk.leases[index].id)));
    const alarms = [...engine.alarms].sort((a, b) => a - b);
    this.#alarms = alarms.map((alarm) => alarmPair(member.id, alarm));
    options.whenVisible(() => {
      this.#isVisible = true;
      this.#wake();
    });
  }

  /** Of the state in the file. */
  get revision(): number {
    return this.#versions.revision;
  }

  start(): void {
    this.#options.schedule(() => this.#step());
  }

  /** The target has room again. */
  drained(): void {
    this.#wake();
  }

  /** Ends the work; harmless when it is over. */
  close(): void {
    if (this.#phase === 'over') return;
    this.#phase = 'over';
    this.#versions.close();
    this.#leaseWalk.close();
    this.#options.onEnd();
  }

  #wake(): void {
    if (!this.#isWaiting) return;
    this.#isWaiting = false;
    this.start();
  }

  /** A piece of work; true when there is nothing to do now. */
  #step(): boolean {
    switch (this.#phase) {
      case 'leases':
        if (this.#leaseWalk.step(SLICE_VERSIONS)) this.#begin('sort leases');
        return false;
      case 'sort leases':
        this.#sortLeases();
        return false;
      case 'versions':
        if (this.#versions.step(SLICE_VERSIONS)) this.#beginPlan();
        return false;
      case 'plan':
        this.#planKeys();
        return false;
      case 'plan leases':
        this.#planLeases();
        return false;
      case 'wait':
        return this.#wait();
      case 'keys':
      case 'write leases':
        return this.#write();
      case 'over':
        return true;
    }
  }

  #begin(phase: Phase): void {
    this.#phase = phase;
    this.#cursor = 0;
    this.#deletion = 0;
  }

  #sortLeases(): void {
    const { leases } = this.#leaseWalk;
    if (this.#leases.count < leases.length) {
      const end = Math.min(this.#leases.count + SLICE_VERSIONS, leases.length);
      for (let i = this.#leases.count; i < end; i++) {
        this.#leases.add(Number(BigInt.asUintN(64, leases[i].id) >> 32n), i);
      }
      return;
    }
    if (this.#leases.step(SLICE_VERSIONS) > 0) this.#begin('versions');
  }

  #beginPlan(): void {
    this.#addSmall(ALARM_BUCKET, this.#alarms);
    this.#addSmall(AUTH_BUCKET, authPairs());
    this.#addSmall(AUTH_ROLES_BUCKET, []);
    this.#addSmall(AUTH_USERS_BUCKET, []);
    this.#addSmall(CLUSTER_BUCKET, clusterPairs(this.#options.clusterVersion));
    this.#plan.begin(KEY_BUCKET);
    this.#begin('plan');
  }

  #addSmall(name: Uint8Array, pairs: readonly BackendPair[]): void {
    if (!this.#plan.addBucket(name, pairs)) this.#late.push({ name, pairs });
  }

  #planKeys(): void {
    const { count } = this.#versions;
    const end = Math.min(this.#cursor + SLICE_VERSIONS, count);
    for (; this.#cursor < end; this.#cursor++) {
      const item = this.#versions.item(this.#cursor);
      this.#plan.add(
        item < 0 ? TOMBSTONE_KEY_BYTES : REVISION_KEY_BYTES,
        this.#valueEnd(item) - this.#valueStart(item),
      );
    }
    if (this.#cursor < count) return;
    this.#plan.end();
    this.#plan.begin(LEASE_BUCKET);
    this.#begin('plan leases');
  }

  #planLeases(): void {
    const end = Math.min(this.#cursor + SLICE_VERSIONS, this.#leases.count);
    for (; this.#cursor < end; this.#cursor++) {
      const { id, ttlSeconds } = this.#leaseAt(this.#cursor);
      this.#plan.add(LEASE_KEY_BYTES, leaseValue(id, ttlSeconds).length);
    }
    if (this.#cursor < this.#leases.count) return;
    const { member, meta } = this.#options;
    const { compactRevision } = this.#versions;
    this.#plan.end();
    this.#addSmall(MEMBERS_BUCKET, [memberPair(member)]);
    this.#addSmall(MEMBERS_REMOVED_BUCKET, []);
    this.#addSmall(META_BUCKET, metaPairs({ ...meta, compactRevision }));
    this.#begin('wait');
  }

  #wait(): boolean {
    if (!this.#isVisible) {
      this.#isWaiting = true;
      return true;
    }
    const layout = this.#plan.finish();
    this.#writer = new BoltWriter(layout, this.#target.open(layout.pageCount * layout.pageBytes));
    if (this.#versions.count > 0) this.#writer.begin(KEY_BUCKET);
    this.#begin('keys');
    return false;
  }

  #write(): boolean {
    if (this.#target.isFull) {
      this.#isWaiting = true;
      return true;
    }
    const writer = this.#writer;
    assert(writer !== undefined, 'planned before it is written');
    const until = this.#target.writtenBytes + SLICE_BYTES;
    const isDone = this.#phase === 'keys' ? this.#writeKeys(writer, until) : this.#writeLeases(writer, until);
    if (!isDone) return false;
    if (this.#phase === 'keys') {
      if (this.#versions.count > 0) writer.end();
      if (this.#leases.count > 0) writer.begin(LEASE_BUCKET);
      this.#begin('write leases');
      return false;
    }
    if (this.#leases.count > 0) writer.end();
    for (const { name, pairs } of this.#late) {
      writer.begin(name);
      for (const [key, value] of pairs) writer.add(key, 0, key.length, value, 0, value.length);
      writer.end();
    }
    writer.finish();
    this.close();
    this.#target.finish();
    return true;
  }

  #writeKeys(writer: BoltWriter, until: number): boolean {
    const store = this.#store;
    const versions = this.#versions;
    const key = this.#key;
    for (const { count } = versions; this.#cursor < count && this.#target.writtenBytes < until; this.#cursor++) {
      const item = versions.item(this.#cursor);
      const start = this.#valueStart(item);
      const end = this.#valueEnd(item);
      const segment = store.segmentOf(Math.abs(item));
      let keyBytes: number;
      if (item < 0) {
        const deletion = this.#deletion++;
        keyBytes = writeRevisionKey(key, versions.deletionMain(deletion), versions.deletionSub(deletion), true);
      } else {
        keyBytes = writeRevisionKey(key, this.#view.readHead(segment, start).modRevision, store.recordSub(item), false);
      }
      writer.add(key, 0, keyBytes, segment, start, end);
    }
    return this.#cursor === versions.count;
  }

  #writeLeases(writer: BoltWriter, until: number): boolean {
    const { count } = this.#leases;
    for (; this.#cursor < count && this.#target.writtenBytes < until; this.#cursor++) {
      const { id, ttlSeconds } = this.#leaseAt(this.#cursor);
      const value = leaseValue(id, ttlSeconds);
      writer.add(leaseKey(id), 0, LEASE_KEY_BYTES, value, 0, value.length);
    }
    return this.#cursor === count;
  }

  #leaseAt(index: number): { readonly id: bigint; readonly ttlSeconds: number } {
    return this.#leaseWalk.leases[this.#leases.item(index)];
  }

  #valueStart(item: number): number {
    return this.#store.kvStart(Math.abs(item));
  }

  /** A record starts with the key field, which is all that the KeyValue of a deletion has. */
  #valueEnd(item: number): number {
    if (item > 0) return this.#store.kvEnd(item);
    const segment = this.#store.segmentOf(-item);
    return this.#view.readHead(segment, this.#store.kvStart(-item)).keyEnd;
  }
}
