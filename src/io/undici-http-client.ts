// HttpClient over undici: HTTP/2 where the server offers it (ALPN), else HTTP/1.1 on more connections.
//
// Short requests are answered as a whole (whole-exchange.ts), the others as a stream. Two pools: short requests, and answers that go on for long (lists, watches), since those fill the flow control window of a whole
// connection. Half-open connections are found by PINGs over HTTP/2. Decides nothing: no retries, no redirects, no time limits except
// the connection's.

import { buildConnector, Pool } from 'undici';
import { type HttpClient, HttpError, type HttpRequest, type HttpResponse } from './http-client.ts';
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

export interface TlsOptions {
  /** PEM; the system's roots where absent. */
  readonly ca?: string | Buffer;
  readonly certificate?: string | Buffer;
  readonly key?: string | Buffer;
  /** Name to check the certificate against, if not the host's. */
  readonly serverName?: string;
  /** True leaves the server unchecked: only where the user asked for it. */
  readonly isUnchecked: boolean;
}

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
  #short: Pool;
  #long: Pool;

  /** `origin` like "https://127.0.0.1:6443"; `tls` is asked when connections are made anew. */
  constructor(origin: string, tls: () => TlsOptions) {
    this.#origin = origin;
    this.#tls = tls;
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

  send(request: HttpRequest): Promise<HttpResponse> {
    return request.isLong ? this.#open(request) : this.#exchange(request);
  }

  async #open({ method, path, headers, body, signal }: HttpRequest): Promise<HttpResponse> {
    try {
      const answer = await this.#long.request({ method, path, headers, body: body ?? null, signal });
      return {
        status: answer.statusCode,
        header: (name) => firstOf(answer.headers[name]),
        body: chunksOf(answer.body),
      };
    } catch (error) {
      throw httpErrorOf(error);
    }
  }

  async #exchange({ method, path, headers, body, signal }: HttpRequest): Promise<HttpResponse> {
    try {
      const answer = await new Promise<WholeAnswer>((resolve, reject) => {
        const exchange = new WholeExchange(signal, resolve, reject);
        this.#short.dispatch({ method, path, headers, body: body ?? null }, exchange);
      });
      return { status: answer.status, header: (name) => firstOf(answer.headers[name]), body: eachOf(answer.chunks) };
    } catch (error) {
      throw httpErrorOf(error);
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

async function* eachOf(chunks: readonly Uint8Array[]): AsyncGenerator<Uint8Array> {
  yield* chunks;
}

async function* chunksOf(body: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  try {
    yield* body;
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
  return first instanceof Error ? first.message : String(first);
}
