// Short ways to write requests in cases: text stands for bytes, and what is left out is zero.

import * as m from '../../src/api/messages.ts';

/** One byte a character. */
export function bytesOf(text: string): Uint8Array {
  return Buffer.from(text, 'latin1');
}

/** The end of every range that has none. */
export const NO_END: Uint8Array = bytesOf('\0');

interface Keys {
  readonly key: string;
  readonly end?: string;
}

export function range(options: Keys & Partial<Omit<m.RangeRequest, 'key' | 'range_end'>>): m.RangeRequest {
  const { key, end, ...rest } = options;
  return m.RangeRequest.create({ key: bytesOf(key), range_end: bytesOf(end ?? ''), ...rest });
}

export function put(key: string, value = '', rest: Partial<m.PutRequest> = {}): m.PutRequest {
  return m.PutRequest.create({ key: bytesOf(key), value: bytesOf(value), ...rest });
}

export function remove(key: string, end = '', isPrevWanted = false): m.DeleteRangeRequest {
  return m.DeleteRangeRequest.create({ key: bytesOf(key), range_end: bytesOf(end), prev_kv: isPrevWanted });
}

export function watchKeys(
  options: Keys & Partial<Omit<m.WatchCreateRequest, 'key' | 'range_end'>>,
): m.WatchCreateRequest {
  const { key, end, ...rest } = options;
  return m.WatchCreateRequest.create({ key: bytesOf(key), range_end: bytesOf(end ?? ''), ...rest });
}

export function compare(
  key: string,
  target: number,
  result: number,
  value: Partial<Pick<m.Compare, 'version' | 'create_revision' | 'mod_revision' | 'value' | 'lease'>>,
  end = '',
): m.Compare {
  return m.Compare.create({ key: bytesOf(key), range_end: bytesOf(end), target, result, ...value });
}

export const opRange = (request: m.RangeRequest): m.RequestOp => m.RequestOp.create({ request_range: request });
export const opPut = (request: m.PutRequest): m.RequestOp => m.RequestOp.create({ request_put: request });
export const opDelete = (request: m.DeleteRangeRequest): m.RequestOp => {
  return m.RequestOp.create({ request_delete_range: request });
};
export const opTxn = (request: m.TxnRequest): m.RequestOp => m.RequestOp.create({ request_txn: request });

/** Compares, then the operations when they hold, then those when they do not. */
export function txn(
  compares: readonly m.Compare[],
  success: readonly m.RequestOp[] = [],
  failure: readonly m.RequestOp[] = [],
): m.TxnRequest {
  return m.TxnRequest.create({ compare: [...compares], success: [...success], failure: [...failure] });
}
