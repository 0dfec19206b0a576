// Requests with credentials, time limits, counting and repetition, and nothing of what they are about.
//
// Short requests pass the gate (or, if urgent, beside it), have a time limit, and give an Answer. Long ones (lists and watches) are opened
// with a signal, and their bodies belong to whoever opened them. A 401 renews the credentials, once for all that got one, and
// the request is sent again once. A 429 closes the gate and is sent again so often as its sender allows: it has not been carried out.

import type { Clock } from '../io/clock.ts';
import { type HttpClient, HttpError, type HttpRequest, type HttpResponse } from '../io/http-client.ts';
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
  /** Short requests on their way at once; the pace of 429s may lower it. */
  readonly inFlightMax: number;
  /** Short requests waiting for their turn; one more is answered `full`. */
  readonly waitingMax: number;
}

export interface ShortCall {
  readonly method: HttpRequest['method'];
  readonly path: string;
  readonly body?: string | Uint8Array;
  readonly contentType?: string;
  /** From the moment it is sent. */
  readonly timeoutMs: number;
  /** By the clock's nowMs: not sent later, and given up then, by the API server too. */
  readonly deadlineMs?: number;
  /** Goes beside the gate. */
  readonly isUrgent?: boolean;
  /** How often it is sent again after 429. */
  readonly repeatsMax: number;
}

/** Credentials refused are renewed at most so often. */
const RENEWAL_MS_MIN = 2_000;
const RETRY_AFTER_MS_DEFAULT = 1_000;
const ERROR_CODE = '<error>';

export class ApiCaller {
  readonly #http: HttpClient;
  readonly #credentials: Credentials;
  readonly #clock: Clock;
  readonly #userAgent: string;
  readonly #gate: RequestGate;
  readonly #underWay = new Set<AbortController>();
  /** By verb and code, with a space between. */
  readonly #counts = new Map<string, number>();
  #renewal: Promise<void> | undefined;
  #renewedAtMs = Number.NEGATIVE_INFINITY;
  #isClosed = false;

  constructor({ http, credentials, clock, userAgent, inFlightMax, waitingMax }: CallerOptions) {
    this.#http = http;
    this.#credentials = credentials;
    this.#clock = clock;
    this.#userAgent = userAgent;
    this.#gate = new RequestGate({ clock, inFlightMax, waitingMax });
  }

  get origin(): string {
    return this.#credentials.origin;
  }

  get gate(): RequestGate {
    return this.#gate;
  }

  counts(): RequestCount[] {
    return [...this.#counts].map(([label, count]) => {
      const [verb, code] = label.split(' ');
      return { verb, code, count };
    });
  }

  async call(call: ShortCall): Promise<Answer> {
    for (let repeats = 0; ; repeats++) {
      if (call.isUrgent !== true && !(await this.#gate.enter())) {
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
      if (call.isUrgent === true) await this.#pause(answer.retryAfterMs ?? RETRY_AFTER_MS_DEFAULT);
    }
  }

  async #callOnce(call: ShortCall): Promise<Answer> {
    const { deadlineMs = Number.POSITIVE_INFINITY } = call;
    const leftMs = Math.floor(deadlineMs - this.#clock.nowMs());
    if (leftMs <= 0) return TOO_LATE;
    const isShort = leftMs < call.timeoutMs;
    const timeoutMs = isShort ? leftMs : call.timeoutMs;
    const controller = new AbortController();
    this.#underWay.add(controller);
    const timer = this.#clock.setTimer(timeoutMs, () => controller.abort(new Error('time is over')));
    let isRead = false;
    try {
      const { method, body, contentType = 'application/json' } = call;
      const path = isShort ? `${call.path}?timeout=${timeoutMs}ms` : call.path;
      const headers = body === undefined ? {} : { 'content-type': contentType };
      const response = await this.#send({
        method,
        path,
        headers,
        signal: controller.signal,
        isLong: false,
        ...(body === undefined ? {} : { body }),
      });
      const text = await readText(response);
      isRead = true;
      return {
        kind: 'answer',
        status: response.status,
        body: text,
        retryAfterMs: readRetryAfter(response.header('retry-after')),
      };
    } catch (error) {
      if (!(error instanceof HttpError)) throw error;
      const text = controller.signal.aborted ? `no answer within ${timeoutMs} ms` : error.message;
      return { kind: 'no-answer', stage: error.stage, text: this.#isClosed ? CLOSED.text : text };
    } finally {
      timer.cancel();
      this.#underWay.delete(controller);
      // To abort what is over costs as much as to send it.
      if (!isRead) controller.abort();
    }
  }

  /** Opens a list or a watch, of the content types that are accepted. Rejects with HttpError. */
  async open(path: string, accept: string, signal: AbortSignal): Promise<HttpResponse> {
    return this.#send({ method: 'GET', path, headers: { accept }, signal, isLong: true });
  }

  async #send(request: HttpRequest): Promise<HttpResponse> {
    const response = await this.#sendAs(request);
    if (response.status !== 401) return response;
    if (!(await this.#renew())) return response;
    await drain(response);
    return this.#sendAs(request);
  }

  async #sendAs(request: HttpRequest): Promise<HttpResponse> {
    if (this.#isClosed) throw new HttpError('connect', CLOSED.text);
    const credentials = await this.#headers();
    const path = `${this.#credentials.pathPrefix}${request.path}`;
    const headers = {
      accept: 'application/json',
      'user-agent': this.#userAgent,
      ...request.headers,
      ...credentials,
    };
    try {
      const response = await this.#http.send({ ...request, path, headers });
      this.#count(request.method, String(response.status));
      return response;
    } catch (error) {
      if (error instanceof HttpError) this.#count(request.method, ERROR_CODE);
      throw error;
    }
  }

  async #headers(): Promise<Readonly<Record<string, string>>> {
    try {
      return await this.#credentials.headers();
    } catch (error) {
      // A plugin that is missing, or a token file that cannot be read.
      throw new HttpError('connect', `no credentials: ${error instanceof Error ? error.message : String(error)}`);
    }
  }

  /** Whether it is worth sending again. */
  async #renew(): Promise<boolean> {
    if (this.#renewal === undefined) {
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

  #count(verb: string, code: string): void {
    const label = `${verb} ${code}`;
    this.#counts.set(label, (this.#counts.get(label) ?? 0) + 1);
  }

  #pause(ms: number): Promise<void> {
    return new Promise((resolve) => {
      this.#clock.setTimer(ms, resolve);
    });
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.#gate.end();
    for (const controller of this.#underWay) controller.abort(new Error(CLOSED.text));
    await this.#http.close();
  }
}

const TOO_LATE = { kind: 'no-answer', stage: 'connect', text: 'its time was over before it was sent' } as const;
const CLOSED = { kind: 'no-answer', stage: 'connect', text: 'the client is closed' } as const;

async function readText(response: HttpResponse): Promise<string> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of response.body) chunks.push(chunk);
  return Buffer.concat(chunks).toString();
}

/** What a body that only says why not has to say, as far as it can be read. */
export async function readReason(response: HttpResponse, decoder: MessageDecoder): Promise<string> {
  const bytes = await readBeginning(response);
  const isBinary = isProtobuf(response.header('content-type'));
  const message = isBinary ? readProtobufObject(decoder, bytes)?.message : undefined;
  return typeof message === 'string' ? message : messageOf(bytes.toString());
}

async function readBeginning(response: HttpResponse): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of response.body) {
    bytes += chunk.length;
    chunks.push(chunk);
    if (bytes > REASON_BYTES_MAX) break;
  }
  return Buffer.concat(chunks);
}
const REASON_BYTES_MAX = 64 << 10;

async function drain(response: HttpResponse): Promise<void> {
  await readBeginning(response);
}
