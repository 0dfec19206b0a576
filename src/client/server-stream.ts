// A call with one request and many responses, read by `for await`. Between two reads the server may send no more than
// one stream window.

import { INTERNAL, StatusError, UNAVAILABLE } from '../api/errors.ts';
import type { Channel, Waiter } from './channel.ts';
import type { CallListener, ClientCall } from './client-call.ts';
import type { ClientConnection } from './client-connection.ts';

const PREFIX_BYTES = 5;

export interface ServerStreamOptions<Response> {
  readonly channel: Channel;
  readonly path: string;
  readonly message: Uint8Array;
  readonly decode: (buffer: Uint8Array, start: number, end: number) => Response;
}

interface Received<Response> {
  readonly response: Response;
  readonly bytes: number;
}

/** Not repeated: the iteration throws StatusError when the call fails, and cancels it when left early. */
export async function* readServerStream<Response>(options: ServerStreamOptions<Response>): AsyncGenerator<Response> {
  const stream = new ServerStream(options);
  options.channel.acquire(stream);
  try {
    for (;;) {
      const received = await stream.next();
      if (received === undefined) return;
      yield received.response;
      stream.consumed(received.bytes);
    }
  } finally {
    stream.cancel();
  }
}

class ServerStream<Response> implements Waiter, CallListener {
  readonly #options: ServerStreamOptions<Response>;
  readonly #received: Received<Response>[] = [];
  #call: ClientCall | undefined;
  #isEnded = false;
  #error: StatusError | undefined;
  #wake: (() => void) | undefined;

  constructor(options: ServerStreamOptions<Response>) {
    this.#options = options;
  }

  async next(): Promise<Received<Response> | undefined> {
    while (this.#received.length === 0 && !this.#isEnded) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
    const received = this.#received.shift();
    if (received === undefined && this.#error !== undefined) throw this.#error;
    return received;
  }

  consumed(bytes: number): void {
    this.#call?.consumed(bytes);
  }

  cancel(): void {
    this.#options.channel.abandon(this);
    this.#call?.cancel();
  }

  onConnection(connection: ClientConnection): void {
    const { path, message } = this.#options;
    const call = connection.unary({ path, extra: null, listener: this, isAutoConsumed: false }, message);
    if (call === null) this.#end(new StatusError(UNAVAILABLE, 'the connection takes no more calls'));
    else this.#call = call;
  }

  onFailure(error: StatusError): void {
    this.#end(error);
  }

  onMessage(buffer: Uint8Array, start: number, end: number): void {
    try {
      const response = this.#options.decode(buffer, start, end);
      this.#received.push({ response, bytes: end - start + PREFIX_BYTES });
      this.#wake?.();
    } catch (error) {
      this.#call?.cancel();
      this.#end(new StatusError(INTERNAL, `malformed response: ${String(error)}`));
    }
  }

  onEnd(error: StatusError | undefined): void {
    this.#end(error);
  }

  #end(error: StatusError | undefined): void {
    this.#isEnded = true;
    this.#error = error;
    this.#wake?.();
  }
}
