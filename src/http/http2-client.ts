// HttpClient over HTTP/2 by our own core (src/h2): many requests at once on one connection, more connections where streams run out.
//
// The limits, beside those of src/h2 (docs/h2.md):
//
//   connectionsMax, waitingMax, connectMsMax    connection-pool.ts
//   answerBytesMax of a short request           `exchange`: a longer answer ends it
//   RESENDS_MAX of an unprocessed request       `connect`
//   KEEPALIVE_…: silence, then a PING, then the connection counts as dead (client-go's ReadIdleTimeout and PingTimeout)

import { CLIENT_H2_OPTIONS, type ConnectionOptions } from '../h2/connection-options.ts';
import { SplitHeaders } from '../h2/prepared-headers.ts';
import type { Clock } from '../io/clock.ts';
import type { Dialer } from '../io/dialer.ts';
import {
  ANSWER_BYTES_MAX,
  type HttpAnswer,
  type HttpClient,
  type HttpHeaders,
  type HttpRequest,
  type HttpStream,
  type ShortRequest,
} from '../io/http-client.ts';
import { AnswerStream } from './answer-stream.ts';
import { ConnectionPool } from './connection-pool.ts';
import { Exchange } from './exchange.ts';
import type { RequestParts } from './http2-request.ts';

const KEEPALIVE_TIME_MS = 30_000;
const KEEPALIVE_TIMEOUT_MS = 15_000;

export interface Http2ClientLimits {
  readonly connectionsMax: number;
  readonly waitingMax: number;
  readonly connectMsMax: number;
  readonly answerBytesMax: number;
}

export const HTTP2_CLIENT_LIMITS: Http2ClientLimits = {
  connectionsMax: 32,
  waitingMax: 20_000,
  connectMsMax: 10_000,
  answerBytesMax: ANSWER_BYTES_MAX,
};

export interface Http2ClientOptions {
  readonly dialer: Dialer;
  readonly clock: Clock;
  /** Host and port, as the server is called. */
  readonly authority: string;
  readonly limits?: Partial<Http2ClientLimits>;
  readonly h2?: Partial<ConnectionOptions>;
}

export class Http2Client implements HttpClient {
  readonly #authority: string;
  readonly #clock: Clock;
  readonly #pool: ConnectionPool;
  readonly #answerBytesMax: number;
  /** By the object of the headers, then by the method. */
  readonly #heads = new WeakMap<object, Map<string, SplitHeaders>>();

  constructor({ dialer, clock, authority, limits, h2 }: Http2ClientOptions) {
    this.#authority = authority;
    this.#clock = clock;
    const keepalive = {
      keepaliveTimeMs: KEEPALIVE_TIME_MS,
      keepaliveTimeoutMs: KEEPALIVE_TIMEOUT_MS,
      isKeepaliveWithoutStreams: true,
    };
    const { answerBytesMax, ...poolLimits } = { ...HTTP2_CLIENT_LIMITS, ...limits };
    this.#answerBytesMax = answerBytesMax;
    this.#pool = new ConnectionPool({
      ...poolLimits,
      dialer,
      clock,
      h2: { ...CLIENT_H2_OPTIONS, ...keepalive, ...h2 },
    });
  }

  get connectionCount(): number {
    return this.#pool.connectionCount;
  }

  exchange(request: ShortRequest): Promise<HttpAnswer> {
    const parts = this.#parts(request);
    return new Promise((resolve, reject) => {
      const exchange = new Exchange(parts, {
        clock: this.#clock,
        answerBytesMax: this.#answerBytesMax,
        request,
        resolve,
        reject,
      });
      this.#pool.enqueue(exchange);
    });
  }

  open(request: HttpRequest, signal: AbortSignal): Promise<HttpStream> {
    const parts = this.#parts(request);
    return new Promise((resolve, reject) => {
      const stream = new AnswerStream(parts, { signal, resolve, reject });
      if (!stream.isOver) this.#pool.enqueue(stream);
    });
  }

  renewConnections(): void {
    this.#pool.renew();
  }

  close(): Promise<void> {
    this.#pool.close();
    return Promise.resolve();
  }

  #parts({ method, path, headers, body }: HttpRequest): RequestParts {
    const head = this.#head(method, headers);
    return { queue: this.#pool, head, path, body: typeof body === 'string' ? Buffer.from(body) : body };
  }

  #head(method: string, headers: HttpHeaders): SplitHeaders {
    let byMethod = this.#heads.get(headers);
    if (byMethod === undefined) {
      byMethod = new Map();
      this.#heads.set(headers, byMethod);
    }
    let head = byMethod.get(method);
    if (head === undefined) {
      const front = { ':method': method, ':scheme': 'https', ':authority': this.#authority };
      head = new SplitHeaders(fieldsOf(front), fieldsOf(headers));
      byMethod.set(method, head);
    }
    return head;
  }
}

function fieldsOf(headers: HttpHeaders): { name: string; value: string }[] {
  return Object.entries(headers).flatMap(([name, values]) =>
    // A field holds a byte a character.
    [values].flat().map((value) => ({ name, value: Buffer.from(value).toString('latin1') })),
  );
}
