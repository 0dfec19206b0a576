// HttpClient over undici, for servers that our own client (src/http) does not speak with: HTTP/1.1, or HTTP/2 where the server offers it (ALPN).
//
// Short requests are answered as a whole (whole-exchange.ts), the others as a stream. Two pools: short requests, and answers that go on for long (lists, watches), since those fill the flow control window of a whole
// connection. Half-open connections are found by PINGs over HTTP/2. Decides nothing: no retries, no redirects.

import { buildConnector, Pool } from 'undici';
import { errorText } from '../base/error-text.ts';
import type { Clock } from './clock.ts';
import type { TlsOptions } from './dialer.ts';
import {
  type HttpAnswer,
  type HttpClient,
  HttpError,
  type HttpRequest,
  type HttpStream,
  type ShortRequest,
  timeoutText,
} from './http-client.ts';
import { type WholeAnswer, WholeExchange } from './whole-exchange.ts';

/** Of each pool. Over HTTP/2 one carries STREAMS_MAX requests; further requests wait. */
const CONNECTIONS_MAX = 32;
const STREAMS_MAX = 100;
const CONNECT_TIMEOUT_MS = 10_000;
const KEEP_ALIVE_MS = 60_000;
const PING_INTERVAL_MS = 15_000;
const HEADER_BYTES_MAX = 64 << 10;
/** What a server may send ahead of its reader, of one stream and of one connection. */
const STREAM_WINDOW_BYTES = 1 << 20;
const CONNECTION_WINDOW_BYTES = 8 << 20;

/** Errors before a connection stands: the request has not left. Those of TLS are named ERR_TLS_… and ERR_SSL_… . */
const CONNECT_CODES: ReadonlySet<string> = new Set([
  'EACCES',
  'EADDRNOTAVAIL',
  'EAI_AGAIN',
  'ECONNREFUSED',
  'EHOSTDOWN',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'ENOTFOUND',
  'UND_ERR_CONNECT_TIMEOUT',
  'UND_ERR_DESTROYED',
  'UND_ERR_CLOSED',
  'UND_ERR_INVALID_ARG',
]);
/** Node's names for what is wrong with a certificate (node:tls, "X509 certificate error codes"). */
const CERTIFICATE_CODE =
  /^(?:ERR_TLS_|ERR_SSL_|ERR_OSSL_|CERT_|CRL_|DEPTH_ZERO_|SELF_SIGNED_|UNABLE_TO_|INVALID_|HOSTNAME_)/;

export class UndiciHttpClient implements HttpClient {
  readonly #origin: string;
  readonly #tls: () => TlsOptions;
  readonly #clock: Clock;
  #short: Pool;
  #long: Pool;

  /** `origin` like "https://127.0.0.1:6443"; `tls` is asked when connections are made anew. */
  constructor(origin: string, tls: () => TlsOptions, clock: Clock) {
    this.#origin = origin;
    this.#tls = tls;
    this.#clock = clock;
    this.#short = this.#newPool();
    this.#long = this.#newPool();
  }

  #newPool(): Pool {
    const { ca, certificate, key, serverName, isUnchecked } = this.#tls();
    return new Pool(this.#origin, {
      connections: CONNECTIONS_MAX,
      allowH2: true,
      keepAliveTimeout: KEEP_ALIVE_MS,
      headersTimeout: 0,
      bodyTimeout: 0,
      maxHeaderSize: HEADER_BYTES_MAX,
      h2Options: {
        maxConcurrentStreams: STREAMS_MAX,
        pingInterval: PING_INTERVAL_MS,
        connectionWindowSize: CONNECTION_WINDOW_BYTES,
        settings: { initialWindowSize: STREAM_WINDOW_BYTES },
      },
      connect: buildConnector({
        allowH2: true,
        timeout: CONNECT_TIMEOUT_MS,
        keepAlive: true,
        rejectUnauthorized: !isUnchecked,
        ...(ca === undefined ? {} : { ca }),
        ...(certificate === undefined ? {} : { cert: certificate }),
        ...(key === undefined ? {} : { key }),
        ...(serverName === undefined ? {} : { servername: serverName }),
      }),
    });
  }

  async open({ method, path, headers, body }: HttpRequest, signal: AbortSignal): Promise<HttpStream> {
    try {
      const answer = await this.#long.request({ method, path, headers, body: body ?? null, signal });
      return {
        status: answer.statusCode,
        header: (name) => firstOf(answer.headers[name]),
        read: (onChunk) => readAll(answer.body, onChunk),
      };
    } catch (error) {
      throw httpErrorOf(error);
    }
  }

  async exchange({ method, path, headers, body, timeoutMs }: ShortRequest): Promise<HttpAnswer> {
    const controller = new AbortController();
    const timer = this.#clock.setTimer(timeoutMs, () => controller.abort(new Error(timeoutText(timeoutMs))));
    try {
      const answer = await new Promise<WholeAnswer>((resolve, reject) => {
        const exchange = new WholeExchange(controller.signal, resolve, reject);
        this.#short.dispatch({ method, path, headers, body: body ?? null }, exchange);
      });
      const header = (name: string): string | undefined => firstOf(answer.headers[name]);
      return { status: answer.status, header, body: Buffer.concat(answer.chunks) };
    } catch (error) {
      throw httpErrorOf(error);
    } finally {
      timer.cancel();
    }
  }

  renewConnections(): void {
    const old = [this.#short, this.#long];
    this.#short = this.#newPool();
    this.#long = this.#newPool();
    // Closing waits for what is under way; how that ends is told to those who sent it.
    for (const pool of old) pool.close().catch(() => {});
  }

  async close(): Promise<void> {
    await Promise.all([this.#short.destroy(), this.#long.destroy()]);
  }
}

function firstOf(value: string | string[] | undefined): string | undefined {
  return typeof value === 'object' ? value[0] : value;
}

async function readAll(body: AsyncIterable<Uint8Array>, onChunk: (chunk: Uint8Array) => void): Promise<void> {
  const chunks = body[Symbol.asyncIterator]();
  try {
    for (;;) {
      const next = await nextOf(chunks);
      if (next.done === true) return;
      onChunk(next.value);
    }
  } finally {
    // Leaving early ends the request.
    await chunks.return?.();
  }
}

async function nextOf(chunks: AsyncIterator<Uint8Array>): Promise<IteratorResult<Uint8Array>> {
  try {
    return await chunks.next();
  } catch (error) {
    throw new HttpError('exchange', textOf(error));
  }
}

function httpErrorOf(error: unknown): HttpError {
  const code = codeOf(error);
  const isConnecting = code !== undefined && (CONNECT_CODES.has(code) || CERTIFICATE_CODE.test(code));
  return new HttpError(isConnecting ? 'connect' : 'exchange', textOf(error));
}

function codeOf(error: unknown): string | undefined {
  // Several addresses were tried: the first failure stands for all.
  const first = error instanceof AggregateError ? error.errors[0] : error;
  if (!(first instanceof Error) || !('code' in first)) return undefined;
  return typeof first.code === 'string' ? first.code : undefined;
}

function textOf(error: unknown): string {
  const first = error instanceof AggregateError ? error.errors[0] : error;
  return errorText(first);
}
