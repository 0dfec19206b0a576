// Every method of etcd's gRPC API: path, shape, messages. The server registers handlers by it, the client calls by it,
// and the metrics are pre-registered from it. Methods without messages here exist in etcd and answer UNIMPLEMENTED.

import * as m from './messages.ts';
import type { MessageType } from './schema.ts';

export type MethodShape = 'unary' | 'server_stream' | 'bidi_stream';

export interface Method {
  readonly service: string;
  readonly name: string;
  readonly path: string;
  readonly shape: MethodShape;
}

/** A method with its messages, as the client needs it. */
export interface TypedMethod<Request extends object, Response extends object> extends Method {
  readonly request: MessageType<Request>;
  readonly response: MessageType<Response>;
}

function method(service: string, name: string, shape: MethodShape): Method {
  return { service, name, path: `/${service}/${name}`, shape };
}

function typed<Request extends object, Response extends object>(
  base: Method,
  request: MessageType<Request>,
  response: MessageType<Response>,
): TypedMethod<Request, Response> {
  return { ...base, request, response };
}

const KV = 'etcdserverpb.KV';
const LEASE = 'etcdserverpb.Lease';
const MAINTENANCE = 'etcdserverpb.Maintenance';
const CLUSTER = 'etcdserverpb.Cluster';
const AUTH = 'etcdserverpb.Auth';
const HEALTH = 'grpc.health.v1.Health';

export const range: TypedMethod<m.RangeRequest, m.RangeResponse> = typed(
  method(KV, 'Range', 'unary'),
  m.RangeRequest,
  m.RangeResponse,
);
export const rangeStream: TypedMethod<m.RangeRequest, m.RangeStreamResponse> = typed(
  method(KV, 'RangeStream', 'server_stream'),
  m.RangeRequest,
  m.RangeStreamResponse,
);
export const put: TypedMethod<m.PutRequest, m.PutResponse> = typed(
  method(KV, 'Put', 'unary'),
  m.PutRequest,
  m.PutResponse,
);
export const deleteRange: TypedMethod<m.DeleteRangeRequest, m.DeleteRangeResponse> = typed(
  method(KV, 'DeleteRange', 'unary'),
  m.DeleteRangeRequest,
  m.DeleteRangeResponse,
);
export const txn: TypedMethod<m.TxnRequest, m.TxnResponse> = typed(
  method(KV, 'Txn', 'unary'),
  m.TxnRequest,
  m.TxnResponse,
);
export const compact: TypedMethod<m.CompactionRequest, m.HeaderOnly> = typed(
  method(KV, 'Compact', 'unary'),
  m.CompactionRequest,
  m.HeaderOnly,
);
export const watch: TypedMethod<m.WatchRequest, m.WatchResponse> = typed(
  method('etcdserverpb.Watch', 'Watch', 'bidi_stream'),
  m.WatchRequest,
  m.WatchResponse,
);
export const leaseGrant: TypedMethod<m.LeaseGrantRequest, m.LeaseGrantResponse> = typed(
  method(LEASE, 'LeaseGrant', 'unary'),
  m.LeaseGrantRequest,
  m.LeaseGrantResponse,
);
export const leaseRevoke: TypedMethod<m.LeaseIdRequest, m.HeaderOnly> = typed(
  method(LEASE, 'LeaseRevoke', 'unary'),
  m.LeaseIdRequest,
  m.HeaderOnly,
);
export const leaseKeepAlive: TypedMethod<m.LeaseIdRequest, m.LeaseKeepAliveResponse> = typed(
  method(LEASE, 'LeaseKeepAlive', 'bidi_stream'),
  m.LeaseIdRequest,
  m.LeaseKeepAliveResponse,
);
export const leaseTimeToLive: TypedMethod<m.LeaseTimeToLiveRequest, m.LeaseTimeToLiveResponse> = typed(
  method(LEASE, 'LeaseTimeToLive', 'unary'),
  m.LeaseTimeToLiveRequest,
  m.LeaseTimeToLiveResponse,
);
export const leaseLeases: TypedMethod<m.Empty, m.LeaseLeasesResponse> = typed(
  method(LEASE, 'LeaseLeases', 'unary'),
  m.Empty,
  m.LeaseLeasesResponse,
);
export const memberList: TypedMethod<m.MemberListRequest, m.MemberListResponse> = typed(
  method(CLUSTER, 'MemberList', 'unary'),
  m.MemberListRequest,
  m.MemberListResponse,
);
export const alarm: TypedMethod<m.AlarmRequest, m.AlarmResponse> = typed(
  method(MAINTENANCE, 'Alarm', 'unary'),
  m.AlarmRequest,
  m.AlarmResponse,
);
export const status: TypedMethod<m.Empty, m.StatusResponse> = typed(
  method(MAINTENANCE, 'Status', 'unary'),
  m.Empty,
  m.StatusResponse,
);
export const defragment: TypedMethod<m.Empty, m.HeaderOnly> = typed(
  method(MAINTENANCE, 'Defragment', 'unary'),
  m.Empty,
  m.HeaderOnly,
);
export const hash: TypedMethod<m.Empty, m.HashKVResponse> = typed(
  method(MAINTENANCE, 'Hash', 'unary'),
  m.Empty,
  m.HashKVResponse,
);
export const hashKv: TypedMethod<m.HashKVRequest, m.HashKVResponse> = typed(
  method(MAINTENANCE, 'HashKV', 'unary'),
  m.HashKVRequest,
  m.HashKVResponse,
);
export const snapshot: TypedMethod<m.Empty, m.SnapshotResponse> = typed(
  method(MAINTENANCE, 'Snapshot', 'server_stream'),
  m.Empty,
  m.SnapshotResponse,
);
export const healthCheck: TypedMethod<m.HealthCheckRequest, m.HealthCheckResponse> = typed(
  method(HEALTH, 'Check', 'unary'),
  m.HealthCheckRequest,
  m.HealthCheckResponse,
);
export const healthWatch: TypedMethod<m.HealthCheckRequest, m.HealthCheckResponse> = typed(
  method(HEALTH, 'Watch', 'server_stream'),
  m.HealthCheckRequest,
  m.HealthCheckResponse,
);

const AUTH_METHODS = [
  'AuthEnable',
  'AuthDisable',
  'AuthStatus',
  'Authenticate',
  'UserAdd',
  'UserGet',
  'UserList',
  'UserDelete',
  'UserChangePassword',
  'UserGrantRole',
  'UserRevokeRole',
  'RoleAdd',
  'RoleGet',
  'RoleList',
  'RoleDelete',
  'RoleGrantPermission',
  'RoleRevokePermission',
];

/** In etcd but not served here: they answer UNIMPLEMENTED, and a client may ask for them. */
export const UNSERVED_METHODS: readonly Method[] = [
  ...['MemberAdd', 'MemberRemove', 'MemberUpdate', 'MemberPromote'].map((name) => method(CLUSTER, name, 'unary')),
  method(MAINTENANCE, 'MoveLeader', 'unary'),
  method(MAINTENANCE, 'Downgrade', 'unary'),
  ...AUTH_METHODS.map((name) => method(AUTH, name, 'unary')),
  ...['Campaign', 'Proclaim', 'Leader', 'Resign'].map((name) => method('v3electionpb.Election', name, 'unary')),
  method('v3electionpb.Election', 'Observe', 'server_stream'),
  ...['Lock', 'Unlock'].map((name) => method('v3lockpb.Lock', name, 'unary')),
];

/** What is served, in the order of the services. */
export const SERVED_METHODS: readonly Method[] = [
  range,
  rangeStream,
  put,
  deleteRange,
  txn,
  compact,
  watch,
  leaseGrant,
  leaseRevoke,
  leaseKeepAlive,
  leaseTimeToLive,
  leaseLeases,
  memberList,
  alarm,
  status,
  defragment,
  hash,
  hashKv,
  snapshot,
  healthCheck,
  healthWatch,
];
