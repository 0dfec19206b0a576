// What etcd 3.7 keeps in its backend (server/storage/schema): bucket names, keys and values, for the way out and the way in.
//
//   key        revision key → mvccpb.KeyValue; of a deletion, one with the key alone
//   lease      id, 8 bytes big endian → leasepb.Lease
//   alarm      etcdserverpb.AlarmMember → nothing
//   members    id in hex → JSON                 members_removed, authUsers, authRoles: empty here
//   cluster    clusterVersion                   auth: authRevision
//   meta       consistent_index, term (8 bytes big endian), confState (JSON), storageVersion, and after a compaction
//              scheduledCompactRev, finishedCompactRev (revision keys: src/store/revision-key.ts)

import { ByteWriter } from '../base/byte-writer.ts';
import { EMPTY_BYTES } from '../base/bytes.ts';
import { REVISION_KEY_BYTES, writeRevisionKey } from '../store/revision-key.ts';

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
