// etcd's messages, field for field: etcd 3.7 api/etcdserverpb/rpc.proto and api/mvccpb/kv.proto, grpc.health.v1.
// Ids of leases, members and clusters use all 64 bits and are bigint (signed); revisions, counts and TTLs are numbers.

import {
  bool,
  bytes,
  id64,
  int64,
  type MessageType,
  message,
  nested,
  presentBytes,
  presentId64,
  presentInt64,
  repeated,
  string,
} from './schema.ts';

export interface ResponseHeader {
  cluster_id: bigint;
  member_id: bigint;
  revision: number;
  raft_term: number;
}
export const ResponseHeader: MessageType<ResponseHeader> = message({
  cluster_id: id64(1),
  member_id: id64(2),
  revision: int64(3),
  raft_term: int64(4),
});

export interface KeyValue {
  key: Uint8Array;
  create_revision: number;
  mod_revision: number;
  version: number;
  value: Uint8Array;
  lease: bigint;
}
export const KeyValue: MessageType<KeyValue> = message({
  key: bytes(1),
  create_revision: int64(2),
  mod_revision: int64(3),
  version: int64(4),
  value: bytes(5),
  lease: id64(6),
});

export const EVENT_PUT = 0;
export const EVENT_DELETE = 1;
export interface Event {
  type: number;
  kv: KeyValue | undefined;
  prev_kv: KeyValue | undefined;
}
export const Event: MessageType<Event> = message({
  type: int64(1),
  kv: nested(2, KeyValue),
  prev_kv: nested(3, KeyValue),
});

/** A request without fields. */
export type Empty = Record<never, never>;
export const Empty: MessageType<Empty> = message({});

/** A reply with only a header. */
export interface HeaderOnly {
  header: ResponseHeader | undefined;
}
export const HeaderOnly: MessageType<HeaderOnly> = message({ header: nested(1, ResponseHeader) });

export const SORT_NONE = 0;
export const SORT_ASCEND = 1;
export const SORT_DESCEND = 2;
export const SORT_BY_KEY = 0;
export const SORT_BY_VERSION = 1;
export const SORT_BY_CREATE = 2;
export const SORT_BY_MOD = 3;
export const SORT_BY_VALUE = 4;

export interface RangeRequest {
  key: Uint8Array;
  range_end: Uint8Array;
  limit: number;
  revision: number;
  sort_order: number;
  sort_target: number;
  serializable: boolean;
  keys_only: boolean;
  count_only: boolean;
  min_mod_revision: number;
  max_mod_revision: number;
  min_create_revision: number;
  max_create_revision: number;
}
export const RangeRequest: MessageType<RangeRequest> = message({
  key: bytes(1),
  range_end: bytes(2),
  limit: int64(3),
  revision: int64(4),
  sort_order: int64(5),
  sort_target: int64(6),
  serializable: bool(7),
  keys_only: bool(8),
  count_only: bool(9),
  min_mod_revision: int64(10),
  max_mod_revision: int64(11),
  min_create_revision: int64(12),
  max_create_revision: int64(13),
});
export interface RangeResponse {
  header: ResponseHeader | undefined;
  kvs: KeyValue[];
  more: boolean;
  count: number;
}
export const RangeResponse: MessageType<RangeResponse> = message({
  header: nested(1, ResponseHeader),
  kvs: repeated(nested(2, KeyValue)),
  more: bool(3),
  count: int64(4),
});
export interface RangeStreamResponse {
  range_response: RangeResponse | undefined;
}
export const RangeStreamResponse: MessageType<RangeStreamResponse> = message({
  range_response: nested(1, RangeResponse),
});

export interface PutRequest {
  key: Uint8Array;
  value: Uint8Array;
  lease: bigint;
  prev_kv: boolean;
  ignore_value: boolean;
  ignore_lease: boolean;
}
export const PutRequest: MessageType<PutRequest> = message({
  key: bytes(1),
  value: bytes(2),
  lease: id64(3),
  prev_kv: bool(4),
  ignore_value: bool(5),
  ignore_lease: bool(6),
});
export interface PutResponse {
  header: ResponseHeader | undefined;
  prev_kv: KeyValue | undefined;
}
export const PutResponse: MessageType<PutResponse> = message({
  header: nested(1, ResponseHeader),
  prev_kv: nested(2, KeyValue),
});

export interface DeleteRangeRequest {
  key: Uint8Array;
  range_end: Uint8Array;
  prev_kv: boolean;
}
export const DeleteRangeRequest: MessageType<DeleteRangeRequest> = message({
  key: bytes(1),
  range_end: bytes(2),
  prev_kv: bool(3),
});
export interface DeleteRangeResponse {
  header: ResponseHeader | undefined;
  deleted: number;
  prev_kvs: KeyValue[];
}
export const DeleteRangeResponse: MessageType<DeleteRangeResponse> = message({
  header: nested(1, ResponseHeader),
  deleted: int64(2),
  prev_kvs: repeated(nested(3, KeyValue)),
});

/** Exactly one member is set in a well-formed request. */
export interface RequestOp {
  request_range: RangeRequest | undefined;
  request_put: PutRequest | undefined;
  request_delete_range: DeleteRangeRequest | undefined;
  request_txn: TxnRequest | undefined;
}
export const RequestOp: MessageType<RequestOp> = message({
  request_range: nested(1, RangeRequest),
  request_put: nested(2, PutRequest),
  request_delete_range: nested(3, DeleteRangeRequest),
  request_txn: nested(4, () => TxnRequest),
});
export interface ResponseOp {
  response_range: RangeResponse | undefined;
  response_put: PutResponse | undefined;
  response_delete_range: DeleteRangeResponse | undefined;
  response_txn: TxnResponse | undefined;
}
export const ResponseOp: MessageType<ResponseOp> = message({
  response_range: nested(1, RangeResponse),
  response_put: nested(2, PutResponse),
  response_delete_range: nested(3, DeleteRangeResponse),
  response_txn: nested(4, () => TxnResponse),
});

export const COMPARE_EQUAL = 0;
export const COMPARE_GREATER = 1;
export const COMPARE_LESS = 2;
export const COMPARE_NOT_EQUAL = 3;
export const TARGET_VERSION = 0;
export const TARGET_CREATE = 1;
export const TARGET_MOD = 2;
export const TARGET_VALUE = 3;
export const TARGET_LEASE = 4;

export interface Compare {
  result: number;
  target: number;
  key: Uint8Array;
  version: number | undefined;
  create_revision: number | undefined;
  mod_revision: number | undefined;
  value: Uint8Array | undefined;
  lease: bigint | undefined;
  range_end: Uint8Array;
}
export const Compare: MessageType<Compare> = message({
  result: int64(1),
  target: int64(2),
  key: bytes(3),
  version: presentInt64(4),
  create_revision: presentInt64(5),
  mod_revision: presentInt64(6),
  value: presentBytes(7),
  lease: presentId64(8),
  range_end: bytes(64),
});
export interface TxnRequest {
  compare: Compare[];
  success: RequestOp[];
  failure: RequestOp[];
}
export const TxnRequest: MessageType<TxnRequest> = message({
  compare: repeated(nested(1, Compare)),
  success: repeated(nested(2, RequestOp)),
  failure: repeated(nested(3, RequestOp)),
});
export interface TxnResponse {
  header: ResponseHeader | undefined;
  succeeded: boolean;
  responses: ResponseOp[];
}
export const TxnResponse: MessageType<TxnResponse> = message({
  header: nested(1, ResponseHeader),
  succeeded: bool(2),
  responses: repeated(nested(3, ResponseOp)),
});

export interface CompactionRequest {
  revision: number;
  physical: boolean;
}
export const CompactionRequest: MessageType<CompactionRequest> = message({ revision: int64(1), physical: bool(2) });

export const FILTER_NOPUT = 0;
export const FILTER_NODELETE = 1;
export interface WatchCreateRequest {
  key: Uint8Array;
  range_end: Uint8Array;
  start_revision: number;
  progress_notify: boolean;
  filters: number[];
  prev_kv: boolean;
  watch_id: bigint;
  fragment: boolean;
}
export const WatchCreateRequest: MessageType<WatchCreateRequest> = message({
  key: bytes(1),
  range_end: bytes(2),
  start_revision: int64(3),
  progress_notify: bool(4),
  filters: repeated(int64(5)),
  prev_kv: bool(6),
  watch_id: id64(7),
  fragment: bool(8),
});
export interface WatchCancelRequest {
  watch_id: bigint;
}
export const WatchCancelRequest: MessageType<WatchCancelRequest> = message({ watch_id: id64(1) });
export interface WatchRequest {
  create_request: WatchCreateRequest | undefined;
  cancel_request: WatchCancelRequest | undefined;
  progress_request: Empty | undefined;
}
export const WatchRequest: MessageType<WatchRequest> = message({
  create_request: nested(1, WatchCreateRequest),
  cancel_request: nested(2, WatchCancelRequest),
  progress_request: nested(3, Empty),
});
export interface WatchResponse {
  header: ResponseHeader | undefined;
  watch_id: bigint;
  created: boolean;
  canceled: boolean;
  compact_revision: number;
  cancel_reason: string;
  fragment: boolean;
  events: Event[];
}
/** For whoever reads the events where they lie. */
export type WatchResponseHead = Omit<WatchResponse, 'events'>;
const WATCH_RESPONSE_HEAD = {
  header: nested(1, ResponseHeader),
  watch_id: id64(2),
  created: bool(3),
  canceled: bool(4),
  compact_revision: int64(5),
  cancel_reason: string(6),
  fragment: bool(7),
};
export const WatchResponseHead: MessageType<WatchResponseHead> = message(WATCH_RESPONSE_HEAD);
export const WatchResponse: MessageType<WatchResponse> = message({
  ...WATCH_RESPONSE_HEAD,
  events: repeated(nested(11, Event)),
});

export interface LeaseGrantRequest {
  TTL: number;
  ID: bigint;
}
export const LeaseGrantRequest: MessageType<LeaseGrantRequest> = message({ TTL: int64(1), ID: id64(2) });
export interface LeaseGrantResponse {
  header: ResponseHeader | undefined;
  ID: bigint;
  TTL: number;
  error: string;
}
export const LeaseGrantResponse: MessageType<LeaseGrantResponse> = message({
  header: nested(1, ResponseHeader),
  ID: id64(2),
  TTL: int64(3),
  error: string(4),
});
/** LeaseRevokeRequest, LeaseKeepAliveRequest, LeaseStatus. */
export interface LeaseIdRequest {
  ID: bigint;
}
export const LeaseIdRequest: MessageType<LeaseIdRequest> = message({ ID: id64(1) });
export interface LeaseKeepAliveResponse {
  header: ResponseHeader | undefined;
  ID: bigint;
  TTL: number;
}
export const LeaseKeepAliveResponse: MessageType<LeaseKeepAliveResponse> = message({
  header: nested(1, ResponseHeader),
  ID: id64(2),
  TTL: int64(3),
});
export interface LeaseTimeToLiveRequest {
  ID: bigint;
  keys: boolean;
}
export const LeaseTimeToLiveRequest: MessageType<LeaseTimeToLiveRequest> = message({ ID: id64(1), keys: bool(2) });
export interface LeaseTimeToLiveResponse {
  header: ResponseHeader | undefined;
  ID: bigint;
  TTL: number;
  grantedTTL: number;
  keys: Uint8Array[];
}
export const LeaseTimeToLiveResponse: MessageType<LeaseTimeToLiveResponse> = message({
  header: nested(1, ResponseHeader),
  ID: id64(2),
  TTL: int64(3),
  grantedTTL: int64(4),
  keys: repeated(bytes(5)),
});
export interface LeaseLeasesResponse {
  header: ResponseHeader | undefined;
  leases: LeaseIdRequest[];
}
export const LeaseLeasesResponse: MessageType<LeaseLeasesResponse> = message({
  header: nested(1, ResponseHeader),
  leases: repeated(nested(2, LeaseIdRequest)),
});

export interface Member {
  ID: bigint;
  name: string;
  peerURLs: string[];
  clientURLs: string[];
  isLearner: boolean;
}
export const Member: MessageType<Member> = message({
  ID: id64(1),
  name: string(2),
  peerURLs: repeated(string(3)),
  clientURLs: repeated(string(4)),
  isLearner: bool(5),
});
export interface MemberListRequest {
  linearizable: boolean;
}
export const MemberListRequest: MessageType<MemberListRequest> = message({ linearizable: bool(1) });
export interface MemberListResponse {
  header: ResponseHeader | undefined;
  members: Member[];
}
export const MemberListResponse: MessageType<MemberListResponse> = message({
  header: nested(1, ResponseHeader),
  members: repeated(nested(2, Member)),
});

export const ALARM_GET = 0;
export const ALARM_ACTIVATE = 1;
export const ALARM_DEACTIVATE = 2;
export const ALARM_NONE = 0;
export const ALARM_NOSPACE = 1;
export const ALARM_CORRUPT = 2;
export interface AlarmRequest {
  action: number;
  memberID: bigint;
  alarm: number;
}
export const AlarmRequest: MessageType<AlarmRequest> = message({
  action: int64(1),
  memberID: id64(2),
  alarm: int64(3),
});
export interface AlarmMember {
  memberID: bigint;
  alarm: number;
}
export const AlarmMember: MessageType<AlarmMember> = message({ memberID: id64(1), alarm: int64(2) });
export interface AlarmResponse {
  header: ResponseHeader | undefined;
  alarms: AlarmMember[];
}
export const AlarmResponse: MessageType<AlarmResponse> = message({
  header: nested(1, ResponseHeader),
  alarms: repeated(nested(2, AlarmMember)),
});

export interface DowngradeInfo {
  enabled: boolean;
  targetVersion: string;
}
export const DowngradeInfo: MessageType<DowngradeInfo> = message({ enabled: bool(1), targetVersion: string(2) });
export interface StatusResponse {
  header: ResponseHeader | undefined;
  version: string;
  dbSize: number;
  leader: bigint;
  raftIndex: number;
  raftTerm: number;
  raftAppliedIndex: number;
  errors: string[];
  dbSizeInUse: number;
  isLearner: boolean;
  storageVersion: string;
  dbSizeQuota: number;
  downgradeInfo: DowngradeInfo | undefined;
}
export const StatusResponse: MessageType<StatusResponse> = message({
  header: nested(1, ResponseHeader),
  version: string(2),
  dbSize: int64(3),
  leader: id64(4),
  raftIndex: int64(5),
  raftTerm: int64(6),
  raftAppliedIndex: int64(7),
  errors: repeated(string(8)),
  dbSizeInUse: int64(9),
  isLearner: bool(10),
  storageVersion: string(11),
  dbSizeQuota: int64(12),
  downgradeInfo: nested(13, DowngradeInfo),
});
export interface HashKVRequest {
  revision: number;
}
export const HashKVRequest: MessageType<HashKVRequest> = message({ revision: int64(1) });
export interface HashKVResponse {
  header: ResponseHeader | undefined;
  hash: number;
  compact_revision: number;
  hash_revision: number;
}
export const HashKVResponse: MessageType<HashKVResponse> = message({
  header: nested(1, ResponseHeader),
  hash: int64(2),
  compact_revision: int64(3),
  hash_revision: int64(4),
});
export interface SnapshotResponse {
  header: ResponseHeader | undefined;
  /** Of the database, behind this blob; 0 also with the hash that comes last. */
  remaining_bytes: number;
  blob: Uint8Array;
  /** The storage version. */
  version: string;
}
export const SnapshotResponse: MessageType<SnapshotResponse> = message({
  header: nested(1, ResponseHeader),
  remaining_bytes: int64(2),
  blob: bytes(3),
  version: string(4),
});

export const HEALTH_SERVING = 1;
export const HEALTH_NOT_SERVING = 2;
export interface HealthCheckRequest {
  service: string;
}
export const HealthCheckRequest: MessageType<HealthCheckRequest> = message({ service: string(1) });
export interface HealthCheckResponse {
  status: number;
}
export const HealthCheckResponse: MessageType<HealthCheckResponse> = message({ status: int64(1) });
