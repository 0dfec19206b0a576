// etcd's errors: code and exact text. Clients match on both (clientv3 rebuilds typed errors from the text), so a text
// here is part of the API. Source: etcd 3.7 api/v3rpc/rpctypes/error.go and server/etcdserver/api/v3rpc.

export const OK = 0;
export const CANCELLED = 1;
export const UNKNOWN = 2;
export const INVALID_ARGUMENT = 3;
export const DEADLINE_EXCEEDED = 4;
export const NOT_FOUND = 5;
export const PERMISSION_DENIED = 7;
export const RESOURCE_EXHAUSTED = 8;
export const FAILED_PRECONDITION = 9;
export const OUT_OF_RANGE = 11;
export const UNIMPLEMENTED = 12;
export const INTERNAL = 13;
export const UNAVAILABLE = 14;
export const DATA_LOSS = 15;

/** The names of the codes, as `grpc_server_handled_total` labels them (grpc-go codes.Code.String). */
export const CODE_NAMES: readonly string[] = [
  'OK',
  'Canceled',
  'Unknown',
  'InvalidArgument',
  'DeadlineExceeded',
  'NotFound',
  'AlreadyExists',
  'PermissionDenied',
  'ResourceExhausted',
  'FailedPrecondition',
  'Aborted',
  'OutOfRange',
  'Unimplemented',
  'Internal',
  'Unavailable',
  'DataLoss',
  'Unauthenticated',
];

/** The one error of the API: what a call ends with when it does not succeed. Turned into trailers in one place. */
export class StatusError extends Error {
  override readonly name = 'StatusError';
  readonly code: number;

  constructor(code: number, message: string) {
    super(message);
    this.code = code;
  }
}

function etcdError(code: number, text: string): () => StatusError {
  return () => new StatusError(code, `etcdserver: ${text}`);
}

export const emptyKey: () => StatusError = etcdError(INVALID_ARGUMENT, 'key is not provided');
export const keyNotFound: () => StatusError = etcdError(INVALID_ARGUMENT, 'key not found');
export const valueProvided: () => StatusError = etcdError(INVALID_ARGUMENT, 'value is provided');
export const leaseProvided: () => StatusError = etcdError(INVALID_ARGUMENT, 'lease is provided');
export const tooManyOps: () => StatusError = etcdError(INVALID_ARGUMENT, 'too many operations in txn request');
export const duplicateKey: () => StatusError = etcdError(INVALID_ARGUMENT, 'duplicate key given in txn request');
export const invalidSortOption: () => StatusError = etcdError(INVALID_ARGUMENT, 'invalid sort option');
export const requestTooLarge: () => StatusError = etcdError(INVALID_ARGUMENT, 'request is too large');
export const compacted: () => StatusError = etcdError(OUT_OF_RANGE, 'mvcc: required revision has been compacted');
export const futureRevision: () => StatusError = etcdError(
  OUT_OF_RANGE,
  'mvcc: required revision is a future revision',
);
export const leaseTtlTooLarge: () => StatusError = etcdError(OUT_OF_RANGE, 'too large lease TTL');
export const leaseNotFound: () => StatusError = etcdError(NOT_FOUND, 'requested lease not found');
export const leaseExists: () => StatusError = etcdError(FAILED_PRECONDITION, 'lease already exists');
export const noSpace: () => StatusError = etcdError(RESOURCE_EXHAUSTED, 'mvcc: database space exceeded');
export const corruptCluster: () => StatusError = etcdError(DATA_LOSS, 'corrupt cluster');
export const serverStopped: () => StatusError = etcdError(UNAVAILABLE, 'server stopped');
export const requestTimedOut: () => StatusError = etcdError(UNAVAILABLE, 'request timed out');
export const watchCanceled: () => StatusError = etcdError(CANCELLED, 'watch canceled');
/** etcd's quirk: the server sends the client-side error type, which arrives as UNKNOWN. */
export const tooManyRequests: () => StatusError = etcdError(UNKNOWN, 'too many requests');
export const deadlineExceeded = (): StatusError => new StatusError(DEADLINE_EXCEEDED, 'context deadline exceeded');

/** Reasons in WatchResponse.cancel_reason; the first two have no prefix. */
export const WATCH_RANGE_EMPTY = 'mvcc: watcher range is empty';
export const WATCH_ID_DUPLICATE = 'mvcc: duplicate watch ID provided on the WatchStream';
export const WATCH_COMPACTED = 'etcdserver: mvcc: required revision has been compacted';
