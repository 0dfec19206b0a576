// A short request and its whole answer, within its time.

import { type HeaderField, headerValue } from '../h2/header-block.ts';
import type { Clock, Timer } from '../io/clock.ts';
import { type HttpAnswer, HttpError, type ShortRequest, timeoutText } from '../io/http-client.ts';
import { Http2Request, type RequestParts } from './http2-request.ts';

const NO_BYTES: Buffer = Buffer.alloc(0);
const NO_FIELDS: readonly HeaderField[] = [];

export interface ExchangeOptions {
  readonly clock: Clock;
  readonly request: ShortRequest;
  readonly answerBytesMax: number;
  /** One of the two is called, once. */
  readonly resolve: (answer: HttpAnswer) => void;
  readonly reject: (error: HttpError) => void;
}

class WholeAnswer implements HttpAnswer {
  readonly status: number;
  readonly body: Buffer;
  readonly #fields: readonly HeaderField[];

  constructor(status: number, fields: readonly HeaderField[], body: Buffer) {
    this.status = status;
    this.body = body;
    this.#fields = fields;
  }

  header(name: string): string | undefined {
    return headerValue(this.#fields, name);
  }
}

export class Exchange extends Http2Request {
  readonly #resolve: (answer: HttpAnswer) => void;
  readonly #reject: (error: HttpError) => void;
  readonly #isSuccessUnread: boolean;
  readonly #answerBytesMax: number;
  readonly #timer: Timer;
  #status = 0;
  #fields = NO_FIELDS;
  #isUnread = false;
  #chunks: Buffer[] = [];
  #bytes = 0;

  constructor(parts: RequestParts, { clock, request, answerBytesMax, resolve, reject }: ExchangeOptions) {
    super(parts);
    this.#resolve = resolve;
    this.#reject = reject;
    this.#answerBytesMax = answerBytesMax;
    this.#isSuccessUnread = request.isSuccessUnread === true;
    this.#timer = clock.setTimer(request.timeoutMs, () => this.#abort(timeoutText(request.timeoutMs)));
  }

  onResponse(status: number, fields: readonly HeaderField[]): void {
    this.#status = status;
    this.#fields = fields;
    this.#isUnread = this.#isSuccessUnread && status >= 200 && status <= 299;
  }

  onData(buffer: Uint8Array, start: number, end: number): void {
    if (this.#isUnread) return;
    this.#bytes += end - start;
    if (this.#bytes > this.#answerBytesMax) this.#abort(`an answer of more than ${this.#answerBytesMax} bytes`);
    else this.#chunks.push(Buffer.from(buffer.subarray(start, end)));
  }

  protected answered(): void {
    this.#timer.cancel();
    const chunks = this.#chunks;
    const body = chunks.length === 0 ? NO_BYTES : chunks.length === 1 ? chunks[0] : Buffer.concat(chunks);
    this.#resolve(new WholeAnswer(this.#status, this.#fields, body));
  }

  protected failed(error: HttpError): void {
    this.#timer.cancel();
    this.#reject(error);
  }

  #abort(text: string): void {
    if (this.isOver) return;
    const stage = this.isSent ? 'exchange' : 'connect';
    this.giveUp();
    this.failed(new HttpError(stage, text));
  }
}
