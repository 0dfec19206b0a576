// Calls on any server that speaks etcd's API, with every reply and error as it came.

import { StatusError, UNAVAILABLE } from '../../src/api/errors.ts';
import type { Method, TypedMethod } from '../../src/api/methods.ts';
import { ByteWriter } from '../../src/base/byte-writer.ts';
import { Channel } from '../../src/client/channel.ts';
import type { CallListener, ClientCall } from '../../src/client/client-call.ts';
import type { ClientConnection } from '../../src/client/client-connection.ts';
import { parseEndpoint } from '../../src/client/endpoint.ts';
import { timeoutField } from '../../src/client/request-fields.ts';
import { CLIENT_H2_OPTIONS } from '../../src/h2/connection-options.ts';
import type { Clock } from '../../src/io/clock.ts';
import type { Network } from '../../src/io/network.ts';

export interface CompatClientOptions {
  readonly network: Network;
  readonly clock: Clock;
  readonly endpoint: string;
}

/** What a stream brought: a message, or its end (undefined for OK). */
export type StreamItem<T> = { readonly message: T } | { readonly end: StatusError | undefined };

export class CompatClient {
  readonly clock: Clock;
  readonly #channel: Channel;

  constructor({ network, clock, endpoint }: CompatClientOptions) {
    this.clock = clock;
    this.#channel = new Channel({
      network,
      clock,
      endpoints: [parseEndpoint(endpoint)],
      h2: CLIENT_H2_OPTIONS,
      random: () => 0.5,
    });
  }

  close(): void {
    this.#channel.close();
  }

  /** Rejects with StatusError. */
  unary<Request extends object, Response extends object>(
    method: TypedMethod<Request, Response>,
    request: Partial<Request>,
  ): Promise<Response> {
    return this.#unaryBytes(method, encoded(method, request)).then((bytes) => method.response.decode(bytes));
  }

  /** A call with any bytes as its request; the reply's bytes. */
  raw(method: Method, request: Uint8Array, timeoutMs = 0): Promise<Uint8Array> {
    return this.#unaryBytes(method, request, timeoutMs);
  }

  /** A stream; with `only`, one whose requests end after that one. */
  async stream<Request extends object, Response extends object>(
    method: TypedMethod<Request, Response>,
    only?: Partial<Request>,
  ): Promise<CompatStream<Request, Response>> {
    const stream = new CompatStream(method);
    const connection = await this.#connection();
    const start = { path: method.path, extra: null, listener: stream, isAutoConsumed: true };
    stream.call = only === undefined ? connection.stream(start) : connection.unary(start, encoded(method, only));
    return stream;
  }

  async #unaryBytes(method: Method, message: Uint8Array, timeoutMs = 0): Promise<Uint8Array> {
    const connection = await this.#connection();
    return new Promise((resolve, reject) => {
      let reply: Uint8Array | undefined;
      const call = connection.unary(
        {
          path: method.path,
          extra: timeoutMs === 0 ? null : [timeoutField(timeoutMs)],
          isAutoConsumed: true,
          listener: {
            onMessage: (buffer, start, end) => {
              reply = Uint8Array.prototype.slice.call(buffer, start, end);
            },
            onEnd: (error) => {
              if (error === undefined && reply !== undefined) resolve(reply);
              else reject(error ?? new Error('OK without a message'));
            },
          },
        },
        message,
      );
      if (call === null) reject(new StatusError(UNAVAILABLE, 'no stream'));
    });
  }

  #connection(): Promise<ClientConnection> {
    return new Promise((resolve, reject) => {
      this.#channel.acquire({ onConnection: resolve, onFailure: reject });
    });
  }
}

export class CompatStream<Request extends object, Response extends object> implements CallListener {
  readonly #method: TypedMethod<Request, Response>;
  readonly #items: StreamItem<Response>[] = [];
  #waiter: ((item: StreamItem<Response>) => void) | undefined;
  call: ClientCall | null = null;

  constructor(method: TypedMethod<Request, Response>) {
    this.#method = method;
  }

  send(request: Partial<Request>): void {
    const bytes = encoded(this.#method, request);
    this.call?.send(bytes, 0, bytes.length);
  }

  cancel(): void {
    this.call?.cancel();
  }

  /** Messages that came and nobody has asked for yet. */
  get waiting(): readonly StreamItem<Response>[] {
    return this.#items;
  }

  next(): Promise<StreamItem<Response>> {
    const item = this.#items.shift();
    if (item !== undefined) return Promise.resolve(item);
    return new Promise((resolve) => {
      this.#waiter = resolve;
    });
  }

  onMessage(buffer: Uint8Array, start: number, end: number): void {
    this.#take({ message: this.#method.response.decode(buffer, start, end) });
  }

  onEnd(error: StatusError | undefined): void {
    this.#take({ end: error });
  }

  #take(item: StreamItem<Response>): void {
    const waiter = this.#waiter;
    this.#waiter = undefined;
    if (waiter === undefined) this.#items.push(item);
    else waiter(item);
  }
}

export function encoded<Request extends object, Response extends object>(
  method: TypedMethod<Request, Response>,
  request: Partial<Request>,
): Uint8Array {
  const writer = new ByteWriter();
  method.request.encode(request, writer);
  return writer.copy();
}
