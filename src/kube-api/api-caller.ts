// Requests with credentials, time limits, counting and repetition, and nothing of what they are about.
//
// Short requests pass the gate (or, if urgent, beside it), have a time limit, and give an Answer. Long ones (lists and watches) are opened
// with a signal, and their bodies belong to whoever opened them. A 401 renews the credentials, once for all that got one, and
// the request is sent again once. A 429 closes the gate and is sent again so often as its sender allows: it has not been carried out.

import { errorText } from '../base/error-text.ts';
import { type Clock, pause } from '../io/clock.ts';
import {
  type AnswerHead,
  type HttpAnswer,
  type HttpClient,
  HttpError,
  type HttpHeaders,
  type HttpRequest,
  type HttpStream,
} from '../io/http-client.ts';
import type { MessageDecoder } from '../kube/message-decoder.ts';
import type { Credentials } from './credentials.ts';
import type { RequestCount } from './kube-api.ts';
import { type Answer, messageOf, readRetryAfter } from './outcome.ts';
import { isProtobuf, readProtobufObject } from './protobuf-stream.ts';
import { RequestGate } from './request-gate.ts';

export interface CallerOptions {
  readonly http: HttpClient;
  readonly credentials: Credentials;
  readonly clock: Clock;
  readonly userAgent: string;
  /** Of Status objects in protobuf. */
  readonly decoder: MessageDecoder;
  /** Short requests on their way at once; the pace of 429s may lower it. */
  readonly inFlightMax: number;
  /** Short requests waiting for their turn; one more is answered `full`. */
  readonly waitingMax: number;
}

export interface ShortCall {
  readonly method: HttpRequest['method'];
  readonly path: string;
  readonly body?: string | Uint8Array | undefined;
  /** Of the body; JSON, unless another is named. */
  readonly contentType?: string | undefined;
  /** JSON, unless another is wanted. */
  readonly accept?: string | undefined;
  /** Nothing but its status is wanted of an answer of 2xx. */
  readonly isSuccessUnread?: boolean;
  /** From the moment it is sent. */
  readonly timeoutMs: number;
  /** By the clock's nowMs: not sent later, and given up then, by the API server too. */
  readonly deadlineMs?: number | undefined;
  /** Goes beside the gate. */
  readonly isUrgent?: boolean;
  /** How often it is sent again after 429. */
  readonly repeatsMax: number;
}

/** One request by one of the HTTP client's ways, with its content types ('' for no body). */
interface Sending<Head extends AnswerHead> {
  readonly method: HttpRequest['method'];
  readonly accept: string;
  readonly contentType: string;
  readonly send: (headers: HttpHeaders) => Promise<Head>;
  /** Ends an answer that nobody reads. */
  readonly drop?: (answer: Head) => Promise<unknown>;
}

/** Credentials refused are renewed at most so often. */
const RENEWAL_MS_MIN = 2_000;
const RETRY_AFTER_MS_DEFAULT = 1_000;
const ERROR_CODE = '<error>';
const JSON_TYPE = 'application/json';
/** Above every status: counts are kept by verb and status as one number. */
const STATUS_END = 1_000;
const VERBS = ['GET', 'POST', 'PUT', 'PATCH', 'DELETE'] as const;

export class ApiCaller {
  readonly #http: HttpClient;
  readonly #credentials: Credentials;
  readonly #clock: Clock;
  readonly #userAgent: string;
  readonly #decoder: MessageDecoder;
  readonly #gate: RequestGate;
  /** By the verb's place in VERBS and the status; status 0 stands for no answer. */
  readonly #counts = new Map<number, number>();
  /** By content types, with the credentials of `#headersOf`. */
  readonly #headersByType = new Map<string, HttpHeaders>();
  #headersOf: HttpHeaders | undefined;
  #renewal: Promise<void> | undefined;
  #renewedAtMs = Number.NEGATIVE_INFINITY;
  #isClosed = false;

  constructor({ http, credentials, clock, userAgent, decoder, inFlightMax, waitingMax }: CallerOptions) {
    this.#http = http;
    this.#credentials = credentials;
    this.#clock = clock;
    this.#userAgent = userAgent;
    this.#decoder = decoder;
    this.#gate = new RequestGate({ clock, inFlightMax, waitingMax });
  }

  get origin(): string {
    return this.#credentials.origin;
  }

  get gate(): RequestGate {
    return this.#gate;
  }

  counts(): RequestCount[] {
    return [...this.#counts].map(([key, count]) => {
      const status = key % STATUS_END;
      const verb = VERBS[(key - status) / STATUS_END];
      return { verb, code: status === 0 ? ERROR_CODE : String(status), count };
    });
  }

  async call(call: ShortCall): Promise<Answer> {
    for (let repeats = 0; ; repeats++) {
      if (call.isUrgent !== true && !this.#gate.tryEnter() && !(await this.#gate.enter())) {
        return this.#isClosed ? CLOSED : { kind: 'full' };
      }
      let answer: Answer;
      try {
        answer = await this.#callOnce(call);
        if (answer.kind === 'answer' && answer.status === 429) {
          this.#gate.onRefusal(answer.retryAfterMs ?? RETRY_AFTER_MS_DEFAULT);
        } else if (answer.kind === 'answer') this.#gate.onAnswer();
      } finally {
        if (call.isUrgent !== true) this.#gate.leave();
      }
      if (answer.kind !== 'answer' || answer.status !== 429 || repeats >= call.repeatsMax) return answer;
      // The gate holds it back as long as is asked for; who goes beside the gate waits here.
      if (call.isUrgent === true) await pause(this.#clock, answer.retryAfterMs ?? RETRY_AFTER_MS_DEFAULT);
    }
  }

  async #callOnce(call: ShortCall): Promise<Answer> {
    const { deadlineMs = Number.POSITIVE_INFINITY } = call;
    const leftMs = Math.floor(deadlineMs - this.#clock.nowMs());
    if (leftMs <= 0) return TOO_LATE;
    const isShort = leftMs < call.timeoutMs;
    const timeoutMs = isShort ? leftMs : call.timeoutMs;
    try {
      const answer = await this.#exchange(call, isShort ? `${call.path}?timeout=${timeoutMs}ms` : call.path, timeoutMs);
      return {
        kind: 'answer',
        status: answer.status,
        body: this.#textOf(answer),
        retryAfterMs: readRetryAfter(answer.header('retry-after')),
      };
    } catch (error) {
      if (!(error instanceof HttpError)) throw error;
      return { kind: 'no-answer', stage: error.stage, text: this.#isClosed ? CLOSED.text : error.message };
    }
  }

  #exchange(call: ShortCall, path: string, timeoutMs: number): Promise<HttpAnswer> {
    const { method, body, accept = JSON_TYPE, isSuccessUnread = false } = call;
    const contentType = body === undefined ? '' : (call.contentType ?? JSON_TYPE);
    return this.#sendTwice({
      method,
      accept,
      contentType,
      send: (headers) =>
        this.#http.exchange({
          method,
          path: `${this.#credentials.pathPrefix}${path}`,
          headers,
          timeoutMs,
          isSuccessUnread,
          body,
        }),
    });
  }

  /** Opens a list or a watch, of the content types that are accepted. Rejects with HttpError. */
  async open(path: string, accept: string, signal: AbortSignal): Promise<HttpStream> {
    const request = { method: 'GET', path: `${this.#credentials.pathPrefix}${path}` } as const;
    return this.#sendTwice({
      method: 'GET',
      accept,
      contentType: '',
      send: (headers) => this.#http.open({ ...request, headers }, signal),
      drop: readBeginning,
    });
  }

  /** Again with new credentials, where those of now are refused. */
  async #sendTwice<Head extends AnswerHead>(sending: Sending<Head>): Promise<Head> {
    const sentMs = this.#clock.nowMs();
    const answer = await this.#sendOnce(sending);
    if (answer.status !== 401 || !(await this.#renew(sentMs))) return answer;
    await sending.drop?.(answer);
    return this.#sendOnce(sending);
  }

  async #sendOnce<Head extends AnswerHead>({ method, accept, contentType, send }: Sending<Head>): Promise<Head> {
    const headers = this.#headers(await this.#credentialHeaders(), accept, contentType);
    if (this.#isClosed) throw new HttpError('connect', CLOSED.text);
    try {
      const answer = await send(headers);
      this.#count(method, answer.status);
      return answer;
    } catch (error) {
      if (error instanceof HttpError) this.#count(method, 0);
      throw error;
    }
  }

  /** The same object for the same fields, by which the HTTP client knows them again. */
  #headers(credentials: HttpHeaders, accept: string, contentType: string): HttpHeaders {
    if (credentials !== this.#headersOf) {
      this.#headersOf = credentials;
      this.#headersByType.clear();
    }
    const key = `${accept} ${contentType}`;
    let headers = this.#headersByType.get(key);
    if (headers === undefined) {
      const typed = contentType === '' ? {} : { 'content-type': contentType };
      headers = { accept, ...typed, 'user-agent': this.#userAgent, ...credentials };
      this.#headersByType.set(key, headers);
    }
    return headers;
  }

  async #credentialHeaders(): Promise<HttpHeaders> {
    try {
      return await this.#credentials.headers();
    } catch (error) {
      // A plugin that is missing, or a token file that cannot be read.
      throw new HttpError('connect', `no credentials: ${errorText(error)}`);
    }
  }

  /** Whether it is worth sending again what was sent then. */
  async #renew(sentMs: number): Promise<boolean> {
    if (this.#renewal === undefined) {
      // Another one's 401 has done it meanwhile.
      if (this.#renewedAtMs >= sentMs) return true;
      if (this.#clock.nowMs() - this.#renewedAtMs < RENEWAL_MS_MIN) return false;
      this.#renewal = this.#renewNow();
    }
    await this.#renewal;
    return true;
  }

  async #renewNow(): Promise<void> {
    try {
      if (await this.#credentials.renew()) this.#http.renewConnections();
    } catch {
      // The next request asks for its headers and tells what is wrong.
    } finally {
      this.#renewedAtMs = this.#clock.nowMs();
      this.#renewal = undefined;
    }
  }

  #count(verb: HttpRequest['method'], status: number): void {
    const key = VERBS.indexOf(verb) * STATUS_END + status;
    this.#counts.set(key, (this.#counts.get(key) ?? 0) + 1);
  }

  /** Of a body in protobuf, which is a Status where somebody reads it, its message. */
  #textOf(answer: HttpAnswer): string {
    return isProtobuf(answer.header('content-type'))
      ? (messageIn(this.#decoder, answer.body) ?? '')
      : answer.body.toString();
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.#gate.end();
    await this.#http.close();
  }
}

const TOO_LATE = { kind: 'no-answer', stage: 'connect', text: 'its time was over before it was sent' } as const;
const CLOSED = { kind: 'no-answer', stage: 'connect', text: 'the client is closed' } as const;

/** What a body that only says why not has to say, as far as it can be read. */
export async function readReason(answer: HttpStream, decoder: MessageDecoder): Promise<string> {
  const bytes = await readBeginning(answer);
  if (isProtobuf(answer.header('content-type'))) return messageIn(decoder, bytes) ?? messageOf(bytes.toString());
  return messageOf(bytes.toString());
}

function messageIn(decoder: MessageDecoder, bytes: Uint8Array): string | undefined {
  const message = readProtobufObject(decoder, bytes)?.message;
  return typeof message === 'string' ? message : undefined;
}

/** There is enough of it. */
class EnoughError extends Error {}

async function readBeginning(answer: HttpStream): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  try {
    await answer.read((chunk) => {
      bytes += chunk.length;
      chunks.push(Buffer.from(chunk));
      if (bytes > REASON_BYTES_MAX) throw new EnoughError();
    });
  } catch (error) {
    if (!(error instanceof EnoughError)) throw error;
  }
  return Buffer.concat(chunks);
}
const REASON_BYTES_MAX = 64 << 10;
