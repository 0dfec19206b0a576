// An HTTP client of one server, with bodies as streams: the interface. `undici-http-client.ts` is the real one; tests bring scripts.

export interface HttpRequest {
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  /** Path and query. */
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string | Uint8Array;
  /** Ends the request, also while its body is being read. Time limits are the caller's. */
  readonly signal: AbortSignal;
  /**
   * Answers that go on for long have connections of their own, so that none of them holds up short ones, which come as a whole: one of
   * more than 16 MiB is an HttpError.
   */
  readonly isLong: boolean;
}

export interface HttpResponse {
  readonly status: number;
  /** The first value of a header by its name in lower case. */
  header(name: string): string | undefined;
  /** Throws HttpError where it breaks off. Leaving the iteration early ends the request. Chunks are the reader's to keep. */
  readonly body: AsyncIterable<Uint8Array>;
}

/** No answer, or only a part of one. */
export class HttpError extends Error {
  override readonly name = 'HttpError';
  /** `connect`: nothing of the request has left. `exchange`: the server may have seen it. */
  readonly stage: 'connect' | 'exchange';

  constructor(stage: 'connect' | 'exchange', message: string) {
    super(message);
    this.stage = stage;
  }
}

export interface HttpClient {
  /** Rejects with HttpError. A body that nobody reads has to be cancelled by the signal. */
  send(request: HttpRequest): Promise<HttpResponse>;
  /** New requests use new connections, with the TLS options of now; the old ones close when they are done. */
  renewConnections(): void;
  /** Ends what is under way. */
  close(): Promise<void>;
}
