// What clients saw of a server: calls with their times and outcomes, and watches with every response. The checkers
// (`history-revisions.ts`, `history-keys.ts`, `history-watches.ts`) decide from it alone whether the server kept
// etcd's promises. Keys and values are text, one character a byte.
//
// A call's outcome is one of three:
//   answered   it happened between `invoked` and `at`
//   refused    it did not happen (an error that says so)
//   unknown    it may have happened at any time after `invoked`, or may yet, or never will

/** `order` is unique over a history and grows with real time; `ms` is monotonic time. */
export interface Moment {
  readonly order: number;
  readonly ms: number;
}

/** A key with everything etcd says of it. */
export interface Pair {
  readonly key: string;
  readonly value: string;
  readonly create: number;
  readonly mod: number;
  readonly version: number;
  readonly lease: bigint;
}

/** `end` empty: the one key; one zero byte: to the end of all keys; else up to, not including, `end`. */
export interface KeyRange {
  readonly key: string;
  readonly end: string;
}

export interface Condition {
  readonly key: string;
  readonly target: 'version' | 'create' | 'mod' | 'value';
  readonly relation: '=' | '>' | '<' | '!=';
  readonly operand: number | string;
}

export interface PutRequest {
  readonly kind: 'put';
  readonly key: string;
  readonly value: string;
  /** 0: none. */
  readonly lease: bigint;
}
export interface RangeRequest extends KeyRange {
  readonly kind: 'range';
  /** 0: the newest. */
  readonly revision: number;
}
export interface DeleteRequest extends KeyRange {
  readonly kind: 'delete';
}
export interface TxnRequest {
  readonly kind: 'txn';
  readonly conditions: readonly Condition[];
  readonly success: readonly SimpleRequest[];
  readonly failure: readonly SimpleRequest[];
}
export type SimpleRequest = PutRequest | RangeRequest | DeleteRequest;
/** Requests about keys. */
export type KeyRequest = SimpleRequest | TxnRequest;
export interface CompactRequest {
  readonly kind: 'compact';
  readonly revision: number;
}
export interface LeaseRequest {
  readonly kind: 'grant' | 'renew' | 'revoke' | 'timeToLive';
  readonly lease: bigint;
  /** Of a grant. */
  readonly ttlSeconds: number;
}
export type Request = KeyRequest | CompactRequest | LeaseRequest;

export type Result =
  | { readonly kind: 'put' }
  | { readonly kind: 'range'; readonly pairs: readonly Pair[] }
  | { readonly kind: 'delete'; readonly deleted: number }
  | { readonly kind: 'txn'; readonly isSuccess: boolean; readonly results: readonly Result[] }
  | { readonly kind: 'compact' | 'revoke' }
  /** Of grant, renew, timeToLive: what is in force or left; 0 or less: there is no such lease. */
  | { readonly kind: 'lease'; readonly ttlSeconds: number };

export type Outcome =
  | { readonly kind: 'answered'; readonly at: Moment; readonly revision: number; readonly result: Result }
  | { readonly kind: 'refused'; readonly at: Moment; readonly reason: string }
  | { readonly kind: 'unknown' };

export interface Call {
  readonly client: number;
  readonly invoked: Moment;
  readonly request: Request;
  readonly outcome: Outcome;
}

export interface WatchEvent {
  readonly isDelete: boolean;
  /** Of a deletion: key and mod revision, the rest empty. */
  readonly pair: Pair;
  readonly previous: Pair | undefined;
}

export type WatchResponse =
  | { readonly kind: 'created' | 'progress'; readonly at: Moment; readonly revision: number }
  | {
      readonly kind: 'events';
      readonly at: Moment;
      readonly revision: number;
      readonly events: readonly WatchEvent[];
      /** More of the same revision follows; only when the request allows fragments. */
      readonly isFragment: boolean;
    }
  | { readonly kind: 'compacted'; readonly at: Moment; readonly revision: number; readonly compactRevision: number };

/** One watch on one stream: a watch that was resumed is several of these. */
export interface WatchRecord extends KeyRange {
  readonly client: number;
  readonly invoked: Moment;
  /** 0: from now on. */
  readonly startRevision: number;
  readonly wantsPrevious: boolean;
  readonly skipsPuts: boolean;
  readonly skipsDeletes: boolean;
  readonly allowsFragments: boolean;
  readonly responses: readonly WatchResponse[];
}

/**
 * A restart that lost revisions of a relaxed class: what was read afterwards, whole. Revisions above the newest known
 * before, up to `revision`, are unknown from then on.
 */
export interface Jump {
  readonly at: Moment;
  readonly revision: number;
  readonly pairs: readonly Pair[];
}

export interface History {
  readonly calls: readonly Call[];
  readonly watches: readonly WatchRecord[];
  /** In order; none where every class is fsync. */
  readonly jumps: readonly Jump[];
}

/** A broken promise: its name, for the mutations that must be found, and what was seen. */
export interface Violation {
  readonly promise: string;
  readonly text: string;
}

export const TO_THE_END = '\0';

export function isWithin(key: string, range: KeyRange): boolean {
  if (range.end === '') return key === range.key;
  return key >= range.key && (range.end === TO_THE_END || key < range.end);
}

export function pairText(pair: Pair): string {
  const lease = pair.lease === 0n ? '' : ` lease ${pair.lease}`;
  return `${pair.key}=${pair.value} (create ${pair.create}, mod ${pair.mod}, version ${pair.version}${lease})`;
}

export function resultText(result: Result): string {
  switch (result.kind) {
    case 'range':
      return `[${result.pairs.map(pairText).join(', ')}]`;
    case 'delete':
      return `deleted ${result.deleted}`;
    case 'txn':
      return `${result.isSuccess ? 'succeeded' : 'failed'} {${result.results.map(resultText).join('; ')}}`;
    case 'lease':
      return `ttl ${result.ttlSeconds}`;
    default:
      return result.kind;
  }
}

export function requestText(request: Request): string {
  switch (request.kind) {
    case 'put':
      return `put ${request.key}=${request.value}${request.lease === 0n ? '' : ` lease ${request.lease}`}`;
    case 'range':
    case 'delete': {
      const end = request.end === '' ? '' : `…${request.end === TO_THE_END ? '' : request.end}`;
      return `${request.kind} ${request.key}${end}`;
    }
    case 'txn': {
      const conditions = request.conditions.map((one) => `${one.target}(${one.key}) ${one.relation} ${one.operand}`);
      const list = (requests: readonly Request[]): string => requests.map(requestText).join('; ');
      return `txn [${conditions.join(', ')}] then [${list(request.success)}] else [${list(request.failure)}]`;
    }
    case 'compact':
      return `compact ${request.revision}`;
    default:
      return `${request.kind} ${request.lease}${request.kind === 'grant' ? ` ttl ${request.ttlSeconds}` : ''}`;
  }
}

export function callText(call: Call): string {
  const { outcome } = call;
  let end = 'unknown';
  if (outcome.kind === 'answered') end = `at ${outcome.revision}: ${resultText(outcome.result)}`;
  else if (outcome.kind === 'refused') end = outcome.reason;
  return `client ${call.client}, ${call.invoked.ms.toFixed(1)} ms, ${requestText(call.request)} → ${end}`;
}
