// A client whose every call goes into the history. Calls are sent by src/client as any program would; what it learns of their
// outcome is what is recorded.

import { StatusError, UNAVAILABLE } from '../../src/api/errors.ts';
import * as m from '../../src/api/messages.ts';
import * as methods from '../../src/api/methods.ts';
import type { EtcdClient } from '../../src/client/etcd-client.ts';
import type {
  Condition,
  Outcome,
  Pair,
  Request,
  Result,
  SimpleRequest,
  TxnRequest,
} from '../../src/testing/history.ts';
import type { HistoryRecorder } from './recorder.ts';

type Answer = { readonly revision: number; readonly result: Result };

export class RecordingClient {
  readonly id: number;
  readonly #client: EtcdClient;
  readonly #recorder: HistoryRecorder;

  constructor(id: number, client: EtcdClient, recorder: HistoryRecorder) {
    this.id = id;
    this.#client = client;
    this.#recorder = recorder;
  }

  /** Never rejects for what a server or a network does. */
  async perform(request: Request): Promise<Outcome> {
    const invoked = this.#recorder.moment();
    let outcome: Outcome;
    try {
      const { revision, result } = await this.#send(request);
      outcome = { kind: 'answered', at: this.#recorder.moment(), revision, result };
    } catch (error) {
      if (!(error instanceof StatusError)) throw error;
      const isDefinite = isRefusal(error) && !mayBeRepetition(request, error);
      outcome = isDefinite
        ? { kind: 'refused', at: this.#recorder.moment(), reason: error.message }
        : { kind: 'unknown' };
    }
    this.#recorder.note({ client: this.id, invoked, request, outcome });
    return outcome;
  }

  async #send(request: Request): Promise<Answer> {
    const client = this.#client;
    switch (request.kind) {
      case 'put': {
        const response = await client.put(bytesOf(request.key), bytesOf(request.value), { lease: request.lease });
        return { revision: revisionOf(response), result: { kind: 'put' } };
      }
      case 'range': {
        const response = await client.range(rangeOf(request));
        return { revision: revisionOf(response), result: { kind: 'range', pairs: response.kvs.map(pairOf) } };
      }
      case 'delete': {
        const response = await client.deleteRange(rangeOf(request));
        return { revision: revisionOf(response), result: { kind: 'delete', deleted: response.deleted } };
      }
      case 'txn': {
        const response = await client.txn(txnOf(request));
        const results = response.responses.map(resultOf);
        return { revision: revisionOf(response), result: { kind: 'txn', isSuccess: response.succeeded, results } };
      }
      case 'compact':
        return { revision: revisionOf(await client.compact(request.revision)), result: { kind: 'compact' } };
      case 'grant': {
        const response = await client.leaseGrant(request.ttlSeconds, request.lease);
        return { revision: revisionOf(response), result: { kind: 'lease', ttlSeconds: response.TTL } };
      }
      case 'revoke':
        return { revision: revisionOf(await client.leaseRevoke(request.lease)), result: { kind: 'revoke' } };
      case 'renew': {
        // One message and the end of it is a call like any other.
        const response = await client.call(methods.leaseKeepAlive, { ID: request.lease });
        return { revision: revisionOf(response), result: { kind: 'lease', ttlSeconds: response.TTL } };
      }
      case 'timeToLive': {
        const response = await client.leaseTimeToLive(request.lease);
        return { revision: revisionOf(response), result: { kind: 'lease', ttlSeconds: response.TTL } };
      }
    }
  }
}

/** etcd's own errors say that nothing was done, unless they say that it cannot tell. */
function isRefusal(error: StatusError): boolean {
  return error.code !== UNAVAILABLE && error.message.startsWith('etcdserver: ');
}

/** The client repeats these by itself: the error may be the answer to what its first try did. */
function mayBeRepetition(request: Request, error: StatusError): boolean {
  if (request.kind === 'grant') return error.message.includes('lease already exists');
  return request.kind === 'revoke' && error.message.includes('lease not found');
}

function revisionOf({ header }: { header: m.ResponseHeader | undefined }): number {
  return header?.revision ?? 0;
}

export function bytesOf(text: string): Uint8Array {
  return Buffer.from(text, 'latin1');
}

export function textOf(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('latin1');
}

export function pairOf(kv: m.KeyValue): Pair {
  return {
    key: textOf(kv.key),
    value: textOf(kv.value),
    create: kv.create_revision,
    mod: kv.mod_revision,
    version: kv.version,
    lease: kv.lease,
  };
}

function rangeOf(request: { key: string; end: string; revision?: number }): m.RangeRequest {
  return m.RangeRequest.create({
    key: bytesOf(request.key),
    range_end: bytesOf(request.end),
    revision: request.revision ?? 0,
  });
}

const TARGETS = { version: m.TARGET_VERSION, create: m.TARGET_CREATE, mod: m.TARGET_MOD, value: m.TARGET_VALUE };
const RELATIONS = { '=': m.COMPARE_EQUAL, '>': m.COMPARE_GREATER, '<': m.COMPARE_LESS, '!=': m.COMPARE_NOT_EQUAL };

function compareOf({ key, target, relation, operand }: Condition): m.Compare {
  const common = { key: bytesOf(key), target: TARGETS[target], result: RELATIONS[relation] };
  if (typeof operand === 'string') return m.Compare.create({ ...common, value: bytesOf(operand) });
  if (target === 'version') return m.Compare.create({ ...common, version: operand });
  if (target === 'create') return m.Compare.create({ ...common, create_revision: operand });
  return m.Compare.create({ ...common, mod_revision: operand });
}

function opOf(request: SimpleRequest): m.RequestOp {
  switch (request.kind) {
    case 'put': {
      const { key, value, lease } = request;
      const put = m.PutRequest.create({ key: bytesOf(key), value: bytesOf(value), lease });
      return m.RequestOp.create({ request_put: put });
    }
    case 'range':
      return m.RequestOp.create({ request_range: rangeOf(request) });
    case 'delete': {
      const range = m.DeleteRangeRequest.create({ key: bytesOf(request.key), range_end: bytesOf(request.end) });
      return m.RequestOp.create({ request_delete_range: range });
    }
  }
}

function txnOf({ conditions, success, failure }: TxnRequest): m.TxnRequest {
  return m.TxnRequest.create({
    compare: conditions.map(compareOf),
    success: success.map(opOf),
    failure: failure.map(opOf),
  });
}

function resultOf(response: m.ResponseOp): Result {
  if (response.response_range !== undefined) return { kind: 'range', pairs: response.response_range.kvs.map(pairOf) };
  if (response.response_delete_range !== undefined) {
    return { kind: 'delete', deleted: response.response_delete_range.deleted };
  }
  return { kind: 'put' };
}
