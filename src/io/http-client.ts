// An HTTP client of one server: the interface. `src/http` has the real ones; tests bring scripts.
//
// A short request has a time limit and is answered as a whole. A long one (a list, a watch) is opened, and its answer read as it comes.

/** By name in lower case; several of a name as a list. */
export type HttpHeaders = Readonly<Record<string, string | string[]>>;

export interface HttpRequest {
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  /** Path and query. */
  readonly path: string;
  /** Requests that are alike give the same object, so that it is encoded once for a connection. */
  readonly headers: HttpHeaders;
  readonly body?: string | Uint8Array | undefined;
}

export interface ShortRequest extends HttpRequest {
  /** From now on, the wait for a connection included. */
  readonly timeoutMs: number;
  /** Of an answer of 2xx nothing but the status is wanted: its body may be answered empty. */
  readonly isSuccessUnread?: boolean;
}

export interface AnswerHead {
  readonly status: number;
  /** The first value of a header by its name in lower case. */
  header(name: string): string | undefined;
}

export interface HttpAnswer extends AnswerHead {
  readonly body: Buffer;
}

export interface HttpStream extends AnswerHead {
  /**
   * Hands on what comes, in order, until it ends; a chunk is valid during its call only. To be called once. Rejects with HttpError where the answer
   * breaks off, and with what `onChunk` throws, which ends the request.
   */
  read(onChunk: (chunk: Uint8Array) => void): Promise<void>;
}

/** No answer, or only a part of one. */
export class HttpError extends Error {
  override readonly name = 'HttpError';
  /** `connect`: nothing of the request has left, or the server has not looked at it. `exchange`: it may have been carried out. */
  readonly stage: 'connect' | 'exchange';

  constructor(stage: 'connect' | 'exchange', message: string) {
    super(message);
    this.stage = stage;
  }
}

/** An answer of a short request that is longer ends it: an object of the API and what surrounds it is a tenth of that. */
export const ANSWER_BYTES_MAX: number = 16 << 20;

/** Of a request whose time is over. */
export function timeoutText(timeoutMs: number): string {
  return `no answer within ${timeoutMs} ms`;
}

export interface HttpClient {
  /** Rejects with HttpError, also when the time is over. */
  exchange(request: ShortRequest): Promise<HttpAnswer>;
  /** Resolves when the answer begins. The signal ends the request, also while it is read. Rejects with HttpError. */
  open(request: HttpRequest, signal: AbortSignal): Promise<HttpStream>;
  /** New requests use new connections, with the credentials of now; the old ones close when they are done. */
  renewConnections(): void;
  /** Ends what is under way. */
  close(): Promise<void>;
}
