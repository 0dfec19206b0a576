// HTTP/2 by our own client where the server offers it over TLS; else undici, which speaks HTTP/1.1 too: over plain TCP from the first, and from the moment
// on that a server turns out to offer no HTTP/2 (undici takes it where it is offered later). It is loaded when it is needed.

import {
  type HttpAnswer,
  type HttpClient,
  HttpError,
  type HttpRequest,
  type HttpStream,
  type ShortRequest,
} from '../io/http-client.ts';
import { NoHttp2Error } from './connection-pool.ts';

export interface AdaptiveOptions {
  /** Undefined: the server is not spoken to over TLS. */
  readonly http2: HttpClient | undefined;
  readonly openOther: () => Promise<HttpClient>;
}

export class AdaptiveClient implements HttpClient {
  readonly #http2: HttpClient | undefined;
  readonly #openOther: () => Promise<HttpClient>;
  #other: Promise<HttpClient> | undefined;
  #isClosed = false;

  constructor({ http2, openOther }: AdaptiveOptions) {
    this.#http2 = http2;
    this.#openOther = openOther;
  }

  exchange(request: ShortRequest): Promise<HttpAnswer> {
    return this.#by((client) => client.exchange(request));
  }

  open(request: HttpRequest, signal: AbortSignal): Promise<HttpStream> {
    return this.#by((client) => client.open(request, signal));
  }

  renewConnections(): void {
    this.#http2?.renewConnections();
    void this.#other?.then((client) => client.renewConnections());
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    await this.#http2?.close();
    await (await this.#other)?.close();
  }

  #by<Answer>(send: (client: HttpClient) => Promise<Answer>): Promise<Answer> {
    if (this.#other !== undefined || this.#http2 === undefined) return this.#byOther(send);
    return send(this.#http2).catch((error: unknown) => {
      if (error instanceof NoHttp2Error) return this.#byOther(send);
      throw error;
    });
  }

  async #byOther<Answer>(send: (client: HttpClient) => Promise<Answer>): Promise<Answer> {
    if (this.#isClosed) throw new HttpError('connect', 'the client is closed');
    this.#other ??= this.#openOther();
    return send(await this.#other);
  }
}
