// What etcd 3.7 keeps in its backend (server/storage/schema): bucket names, keys and values, for the way out and the way in.
//
//   key        revision key → mvccpb.KeyValue; of a deletion, one with the key alone
//   lease      id, 8 bytes big endian → leasepb.Lease
//   alarm      etcdserverpb.AlarmMember → nothing
//   members    id in hex → JSON                 members_removed, authUsers, authRoles: empty here
//   cluster    clusterVersion                   auth: authRevision
//   meta       consistent_index, term (8 bytes big endian), confState (JSON), storageVersion, and after a compaction
//              scheduledCompactRev, finishedCompactRev (revision keys)
//
//   revision key   [u64 main, big endian] '_' [u64 sub, big endian] ('t' if a deletion)

import { ByteWriter } from '../base/byte-writer.ts';
import { EMPTY_BYTES } from '../base/bytes.ts';

export const REVISION_KEY_BYTES = 17;
export const TOMBSTONE_KEY_BYTES = 18;
const UNDERSCORE = 0x5f;
const TOMBSTONE_MARK = 0x74;
const TWO_32 = 0x1_0000_0000;

/** Names of the buckets, in their order. */
export const ALARM_BUCKET: Uint8Array = Buffer.from('alarm');
export const AUTH_BUCKET: Uint8Array = Buffer.from('auth');
export const AUTH_ROLES_BUCKET: Uint8Array = Buffer.from('authRoles');
export const AUTH_USERS_BUCKET: Uint8Array = Buffer.from('authUsers');
export const CLUSTER_BUCKET: Uint8Array = Buffer.from('cluster');
export const KEY_BUCKET: Uint8Array = Buffer.from('key');
export const LEASE_BUCKET: Uint8Array = Buffer.from('lease');
export const MEMBERS_BUCKET: Uint8Array = Buffer.from('members');
export const MEMBERS_REMOVED_BUCKET: Uint8Array = Buffer.from('members_removed');
export const META_BUCKET: Uint8Array = Buffer.from('meta');

export type BackendPair = readonly [key: Uint8Array, value: Uint8Array];

export interface BackendMember {
  readonly id: bigint;
  readonly name: string;
  readonly peerUrls: readonly string[];
  readonly clientUrls: readonly string[];
}

export interface BackendMeta {
  readonly memberId: bigint;
  readonly consistentIndex: number;
  readonly term: number;
  readonly storageVersion: string;
  /** −1: there was no compaction. */
  readonly compactRevision: number;
}

/** Writes a revision key at 0; returns its length. `target` has room for 18 bytes. */
export function writeRevisionKey(target: Uint8Array, main: number, sub: number, isDeletion: boolean): number {
  writeUint32(target, 0, Math.floor(main / TWO_32));
  writeUint32(target, 4, main >>> 0);
  target[8] = UNDERSCORE;
  writeUint32(target, 9, 0);
  writeUint32(target, 13, sub);
  if (!isDeletion) return REVISION_KEY_BYTES;
  target[17] = TOMBSTONE_MARK;
  return TOMBSTONE_KEY_BYTES;
}

export interface RevisionKey {
  readonly main: number;
  readonly sub: number;
  readonly isDeletion: boolean;
}

/** Undefined: these bytes are no revision key. */
export function readRevisionKey(source: Buffer, start: number, end: number): RevisionKey | undefined {
  const bytes = end - start;
  if ((bytes !== REVISION_KEY_BYTES && bytes !== TOMBSTONE_KEY_BYTES) || source[start + 8] !== UNDERSCORE) {
    return undefined;
  }
  const main = source.readUInt32BE(start) * TWO_32 + source.readUInt32BE(start + 4);
  const sub = source.readUInt32BE(start + 9) * TWO_32 + source.readUInt32BE(start + 13);
  if (main > Number.MAX_SAFE_INTEGER || sub > Number.MAX_SAFE_INTEGER) return undefined;
  const isDeletion = bytes === TOMBSTONE_KEY_BYTES && source[start + 17] === TOMBSTONE_MARK;
  return { main, sub, isDeletion };
}

/** The key in the lease bucket, where ids are ordered without sign. */
export function leaseKey(id: bigint): Uint8Array {
  const key = Buffer.alloc(8);
  key.writeBigInt64BE(BigInt.asIntN(64, id));
  return key;
}

export function leaseValue(id: bigint, ttlSeconds: number): Uint8Array {
  const writer = new ByteWriter(32);
  writer.int64(0x08, id);
  writer.int(0x10, ttlSeconds);
  return writer.copy();
}

export function alarmPair(memberId: bigint, alarm: number): BackendPair {
  const writer = new ByteWriter(32);
  writer.int64(0x08, memberId);
  writer.int(0x10, alarm);
  return [writer.copy(), EMPTY_BYTES];
}

export function memberPair({ id, name, peerUrls, clientUrls }: BackendMember): BackendPair {
  const unsigned = BigInt.asUintN(64, id);
  // By hand, because JSON.stringify has no numbers of 64 bits.
  const json =
    `{"id":${unsigned},"peerURLs":${JSON.stringify(peerUrls)},"name":${JSON.stringify(name)},` +
    `"clientURLs":${JSON.stringify(clientUrls)}}`;
  return [Buffer.from(unsigned.toString(16)), Buffer.from(json)];
}

export function authPairs(): BackendPair[] {
  return [[Buffer.from('authRevision'), uint64(1)]];
}

export function clusterPairs(clusterVersion: string): BackendPair[] {
  return [[Buffer.from('clusterVersion'), Buffer.from(clusterVersion)]];
}

export function metaPairs(meta: BackendMeta): BackendPair[] {
  const { consistentIndex, term, storageVersion, compactRevision } = meta;
  const confState = `{"voters":[${BigInt.asUintN(64, meta.memberId)}],"auto_leave":false}`;
  const pairs: BackendPair[] = [
    [Buffer.from('confState'), Buffer.from(confState)],
    [Buffer.from('consistent_index'), uint64(consistentIndex)],
  ];
  if (compactRevision >= 0) {
    const revision = new Uint8Array(REVISION_KEY_BYTES);
    writeRevisionKey(revision, compactRevision, 0, false);
    pairs.push([Buffer.from('finishedCompactRev'), revision], [Buffer.from('scheduledCompactRev'), revision]);
  }
  pairs.push([Buffer.from('storageVersion'), Buffer.from(storageVersion)], [Buffer.from('term'), uint64(term)]);
  return pairs;
}

function uint64(value: number): Uint8Array {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64BE(BigInt(value));
  return bytes;
}

function writeUint32(target: Uint8Array, at: number, value: number): void {
  target[at] = value >>> 24;
  target[at + 1] = value >>> 16;
  target[at + 2] = value >>> 8;
  target[at + 3] = value;
}
