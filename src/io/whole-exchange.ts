// A short request and its whole answer by undici's dispatch: without a stream, an iterator and a controller for each, which cost more than what they carry.
//
// Limit: an answer above ANSWER_BYTES_MAX ends the request.

import type { Dispatcher } from 'undici';
import { ANSWER_BYTES_MAX } from './http-client.ts';

export interface WholeAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly chunks: readonly Uint8Array[];
}

type Headers = Parameters<NonNullable<Dispatcher.DispatchHandler['onResponseStart']>>[2];

export class WholeExchange implements Dispatcher.DispatchHandler {
  readonly #signal: AbortSignal;
  readonly #resolve: (answer: WholeAnswer) => void;
  readonly #reject: (error: unknown) => void;
  readonly #chunks: Uint8Array[] = [];
  #bytes = 0;
  #status = 0;
  #headers: Headers = {};
  #controller: Dispatcher.DispatchController | undefined;
  #isAborted = false;

  /** Exactly one of the two is called, once. */
  constructor(signal: AbortSignal, resolve: (answer: WholeAnswer) => void, reject: (error: unknown) => void) {
    this.#signal = signal;
    this.#resolve = resolve;
    this.#reject = reject;
    if (signal.aborted) this.#abort();
    else signal.addEventListener('abort', this.#abort);
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#controller = controller;
    if (this.#isAborted) controller.abort(reasonOf(this.#signal));
  }

  onResponseStart(_: Dispatcher.DispatchController, status: number, headers: Headers): void {
    // An answer that only announces the real one.
    if (status < 200) return;
    this.#status = status;
    this.#headers = headers;
  }

  onResponseData(controller: Dispatcher.DispatchController, chunk: Buffer): void {
    this.#bytes += chunk.length;
    if (this.#bytes > ANSWER_BYTES_MAX) controller.abort(new Error(`an answer of more than ${ANSWER_BYTES_MAX} bytes`));
    else this.#chunks.push(chunk);
  }

  onResponseEnd(): void {
    this.#signal.removeEventListener('abort', this.#abort);
    this.#resolve({ status: this.#status, headers: this.#headers, chunks: this.#chunks });
  }

  onResponseError(_: Dispatcher.DispatchController, error: Error): void {
    this.#signal.removeEventListener('abort', this.#abort);
    this.#reject(error);
  }

  /** A request that is still in the pool's queue is told of it when its turn comes; who waits for the answer is told at once. */
  readonly #abort = (): void => {
    this.#isAborted = true;
    this.#controller?.abort(reasonOf(this.#signal));
    this.#reject(reasonOf(this.#signal));
  };
}

function reasonOf({ reason }: AbortSignal): Error {
  return reason instanceof Error ? reason : new Error('aborted');
}
