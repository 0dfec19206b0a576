// A request whose answer is read as it comes.
//
// What comes before somebody reads is kept, at most a window of the stream: until then the server gets leave for no more. From then on chunks are
// handed on where they lie, without a copy, and the reader's pace is the connection's.

import { type HeaderField, headerValue } from '../h2/header-block.ts';
import { HttpError, type HttpStream } from '../io/http-client.ts';
import { Http2Request, type RequestParts } from './http2-request.ts';

export interface AnswerStreamOptions {
  readonly signal: AbortSignal;
  /** One of the two is called, once. */
  readonly resolve: (answer: HttpStream) => void;
  readonly reject: (error: unknown) => void;
}

interface Reader {
  readonly onChunk: (chunk: Uint8Array) => void;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

export class AnswerStream extends Http2Request implements HttpStream {
  status = 0;
  readonly #options: AnswerStreamOptions;
  #fields: readonly HeaderField[] = [];
  #early: Buffer[] = [];
  #earlyBytes = 0;
  #reader: Reader | undefined;
  #end: 'open' | 'whole' | { readonly error: unknown } = 'open';

  constructor(parts: RequestParts, options: AnswerStreamOptions) {
    super(parts);
    this.#options = options;
    if (options.signal.aborted) this.#abort();
    else options.signal.addEventListener('abort', this.#abort);
  }

  override get isAutoConsumed(): boolean {
    return false;
  }

  header(name: string): string | undefined {
    return headerValue(this.#fields, name);
  }

  read(onChunk: (chunk: Uint8Array) => void): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#reader = { onChunk, resolve, reject };
      const end = this.#end;
      for (const chunk of this.#early.splice(0)) {
        this.#handOn(chunk);
        // The reader has thrown, or ended it by its signal.
        if (this.#end !== end) return;
      }
      if (end === 'open') this.consume(this.#earlyBytes);
      else this.#tellEnd();
    });
  }

  onResponse(status: number, fields: readonly HeaderField[]): void {
    this.status = status;
    this.#fields = fields;
    this.#options.resolve(this);
  }

  onData(buffer: Uint8Array, start: number, end: number): void {
    const chunk = buffer.subarray(start, end);
    if (this.#reader !== undefined) this.#handOn(chunk);
    else {
      this.#early.push(Buffer.from(chunk));
      this.#earlyBytes += chunk.length;
    }
  }

  protected answered(): void {
    this.#finish('whole');
  }

  protected failed(error: HttpError): void {
    this.#finish({ error });
  }

  /** A reader that throws has ended it. */
  #handOn(chunk: Uint8Array): void {
    try {
      this.#reader?.onChunk(chunk);
    } catch (error) {
      this.giveUp();
      this.#finish({ error });
    }
  }

  #finish(end: 'whole' | { readonly error: unknown }): void {
    this.#options.signal.removeEventListener('abort', this.#abort);
    this.#end = end;
    if (this.#reader !== undefined) this.#tellEnd();
    else if (this.status === 0 && end !== 'whole') this.#options.reject(end.error);
  }

  #tellEnd(): void {
    if (this.#end === 'open' || this.#reader === undefined) return;
    if (this.#end === 'whole') this.#reader.resolve();
    else this.#reader.reject(this.#end.error);
  }

  readonly #abort = (): void => {
    if (this.#end !== 'open') return;
    const stage = this.isSent ? 'exchange' : 'connect';
    this.giveUp();
    this.#finish({ error: new HttpError(stage, 'the request was given up') });
  };
}
