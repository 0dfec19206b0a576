// A client of etcd's API, for any server of it. All failures are StatusError, with etcd's codes and texts.
//
//   const client = new EtcdClient({ network: new TcpNetwork(), clock: new RealClock(), endpoints: ['http://127.0.0.1:2379'] });
//   await client.put('key', 'value');
//
// Unary calls are promises; what is hot (load generation) has its own way over the connection core.

import type * as m from '../api/messages.ts';
import type { TypedMethod } from '../api/methods.ts';
import * as methods from '../api/methods.ts';
import { ByteWriter } from '../base/byte-writer.ts';
import { CLIENT_H2_OPTIONS, type ConnectionOptions } from '../h2/connection-options.ts';
import type { Clock } from '../io/clock.ts';
import type { Network } from '../io/network.ts';
import { Channel } from './channel.ts';
import { type ConditionalPut, decodeConditionalPut, encodeConditionalPut, type PutOutcome } from './conditional-put.ts';
import { parseEndpoint } from './endpoint.ts';
import { type Key, keyBytes } from './key-range.ts';
import type { RangePage } from './kv-view.ts';
import { LeaseKeeper, type LeaseListener } from './lease-keeper.ts';
import { readServerStream } from './server-stream.ts';
import { callUnary } from './unary-call.ts';
import { type ViewListener, Watch, type WatchListener, type WatchOptions } from './watch.ts';

export interface EtcdClientOptions {
  readonly network: Network;
  readonly clock: Clock;
  /** `http://host:port`, tried in order, the next one after a failure. */
  readonly endpoints: readonly string[];
  readonly h2?: ConnectionOptions;
  /** For calls without their own; 0: they wait for ever. */
  readonly timeoutMs?: number;
  /** For the jitter of waits. */
  readonly random?: () => number;
}

export interface CallOptions {
  readonly timeoutMs?: number;
}

/** What clientv3 sends again after UNAVAILABLE, since doing it twice does no harm. */
const REPEATABLE: ReadonlySet<string> = new Set(
  [
    methods.range,
    methods.leaseGrant,
    methods.leaseRevoke,
    methods.leaseTimeToLive,
    methods.leaseLeases,
    methods.memberList,
    methods.alarm,
    methods.status,
    methods.hash,
    methods.hashKv,
  ].map((method) => method.path),
);

export class EtcdClient {
  readonly #clock: Clock;
  readonly #channel: Channel;
  readonly #leases: LeaseKeeper;
  readonly #random: () => number;
  readonly #timeoutMs: number;
  readonly #writer = new ByteWriter();

  constructor(options: EtcdClientOptions) {
    const { network, clock, random = Math.random } = options;
    this.#clock = clock;
    this.#random = random;
    this.#timeoutMs = options.timeoutMs ?? 0;
    const endpoints = options.endpoints.map(parseEndpoint);
    this.#channel = new Channel({ network, clock, endpoints, h2: options.h2 ?? CLIENT_H2_OPTIONS, random });
    this.#leases = new LeaseKeeper(this.#channel, clock);
  }

  /** Ends every call with UNAVAILABLE. */
  close(): void {
    this.#leases.close();
    this.#channel.close();
  }

  /** Any unary method; fields that are left out count as zero. */
  call<Request extends object, Response extends object>(
    method: TypedMethod<Request, Response>,
    request: Partial<Request>,
    options: CallOptions = {},
  ): Promise<Response> {
    const message = this.#encode(method, request);
    const decode = (buffer: Uint8Array, start: number, end: number): Response =>
      method.response.decode(buffer, start, end);
    return this.#unary(method.path, message, decode, options);
  }

  put(
    key: Key,
    value: Key,
    fields: Partial<Omit<m.PutRequest, 'key' | 'value'>> = {},
    options?: CallOptions,
  ): Promise<m.PutResponse> {
    return this.call(methods.put, { ...fields, key: keyBytes(key), value: keyBytes(value) }, options);
  }

  /** The key's newest version, or undefined. */
  async get(key: Key, options?: CallOptions): Promise<m.KeyValue | undefined> {
    const response = await this.call(methods.range, { key: keyBytes(key) }, options);
    return response.kvs.at(0);
  }

  range(request: Partial<m.RangeRequest>, options?: CallOptions): Promise<m.RangeResponse> {
    return this.call(methods.range, request, options);
  }

  /** The same with the answer as it came, in a page that may have held another: for whoever reads very many pairs. */
  rangePage(request: Partial<m.RangeRequest>, page: RangePage, options: CallOptions = {}): Promise<RangePage> {
    const { range } = methods;
    const decode = (buffer: Uint8Array, start: number, end: number): RangePage => {
      page.fill(buffer, start, end);
      return page;
    };
    return this.#unary(range.path, this.#encode(range, request), decode, options);
  }

  /** A range in pieces, as the server cuts it. Not repeated. */
  async *rangeStream(request: Partial<m.RangeRequest>): AsyncGenerator<m.RangeResponse> {
    const { rangeStream } = methods;
    const responses = readServerStream({
      channel: this.#channel,
      path: rangeStream.path,
      message: this.#encode(rangeStream, request),
      decode: (buffer, start, end) => rangeStream.response.decode(buffer, start, end),
    });
    for await (const response of responses) {
      if (response.range_response !== undefined) yield response.range_response;
    }
  }

  /** The pieces of a snapshot file, and its hash in the last one. Not repeated. */
  snapshot(): AsyncGenerator<m.SnapshotResponse> {
    const { snapshot } = methods;
    return readServerStream({
      channel: this.#channel,
      path: snapshot.path,
      message: this.#encode(snapshot, {}),
      decode: (buffer, start, end) => snapshot.response.decode(buffer, start, end),
    });
  }

  deleteRange(request: Partial<m.DeleteRangeRequest>, options?: CallOptions): Promise<m.DeleteRangeResponse> {
    return this.call(methods.deleteRange, request, options);
  }

  txn(request: Partial<m.TxnRequest>, options?: CallOptions): Promise<m.TxnResponse> {
    return this.call(methods.txn, request, options);
  }

  /** Puts the key if nobody has written it since that revision. */
  putIfUnchanged(put: ConditionalPut, options: CallOptions = {}): Promise<PutOutcome> {
    this.#writer.reset();
    encodeConditionalPut(this.#writer, put);
    return this.#unary(methods.txn.path, this.#writer.take(), decodeConditionalPut, options);
  }

  compact(revision: number, physical = false, options?: CallOptions): Promise<m.HeaderOnly> {
    return this.call(methods.compact, { revision, physical }, options);
  }

  /** Id 0: the server chooses. */
  leaseGrant(ttlSeconds: number, id = 0n, options?: CallOptions): Promise<m.LeaseGrantResponse> {
    return this.call(methods.leaseGrant, { TTL: ttlSeconds, ID: id }, options);
  }

  leaseRevoke(id: bigint, options?: CallOptions): Promise<m.HeaderOnly> {
    return this.call(methods.leaseRevoke, { ID: id }, options);
  }

  leaseTimeToLive(id: bigint, keys = false, options?: CallOptions): Promise<m.LeaseTimeToLiveResponse> {
    return this.call(methods.leaseTimeToLive, { ID: id, keys }, options);
  }

  status(options?: CallOptions): Promise<m.StatusResponse> {
    return this.call(methods.status, {}, options);
  }

  /** Refreshes a lease until stopKeeping, or until it is lost. */
  keepLease(id: bigint, ttlSeconds: number, listener: LeaseListener): void {
    this.#leases.keep(id, ttlSeconds, listener);
  }

  stopKeeping(id: bigint): void {
    this.#leases.stop(id);
  }

  watch(options: WatchOptions, listener: WatchListener | ViewListener): Watch {
    return new Watch(this.#channel, this.#clock, options, listener);
  }

  #unary<Response>(
    path: string,
    message: Uint8Array,
    decode: (buffer: Uint8Array, start: number, end: number) => Response,
    options: CallOptions,
  ): Promise<Response> {
    return callUnary({
      channel: this.#channel,
      clock: this.#clock,
      random: this.#random,
      path,
      message,
      decode,
      isRepeatable: REPEATABLE.has(path),
      timeoutMs: options.timeoutMs ?? this.#timeoutMs,
    });
  }

  #encode<Request extends object, Response extends object>(
    method: TypedMethod<Request, Response>,
    request: Partial<Request>,
  ): Uint8Array {
    this.#writer.reset();
    method.request.encode(request, this.#writer);
    return this.#writer.take();
  }
}
