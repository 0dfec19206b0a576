// One unary call to its result: finds a connection, sends, and repeats where clientv3 does.
//
//   sent, and the server or the connection failed (UNAVAILABLE): repeated only if the method may be
//   never sent, or not looked at by the server:                  repeated in any case
//
// At most 100 tries, 25 ms ± 10 % between, within the deadline. Source: clientv3 retry_interceptor.go and retry.go.

import { deadlineExceeded, INTERNAL, StatusError, UNAVAILABLE } from '../api/errors.ts';
import type { Clock, Timer } from '../io/clock.ts';
import type { Channel, Waiter } from './channel.ts';
import type { CallListener, ClientCall } from './client-call.ts';
import type { ClientConnection } from './client-connection.ts';
import { timeoutField } from './request-fields.ts';

const TRIES_MAX = 100;
const RETRY_MS = 25;
const RETRY_JITTER = 0.1;

export interface UnaryCallOptions<Response> {
  readonly channel: Channel;
  readonly clock: Clock;
  readonly random: () => number;
  readonly path: string;
  readonly message: Uint8Array;
  readonly decode: (buffer: Uint8Array, start: number, end: number) => Response;
  /** The method may be sent again although the server may have carried it out. */
  readonly isRepeatable: boolean;
  /** 0: waits for ever. */
  readonly timeoutMs: number;
}

export function callUnary<Response>(options: UnaryCallOptions<Response>): Promise<Response> {
  return new Promise((resolve, reject) => new UnaryCall(options, resolve, reject).start());
}

class UnaryCall<Response> implements Waiter, CallListener {
  readonly #options: UnaryCallOptions<Response>;
  readonly #resolve: (response: Response) => void;
  readonly #reject: (error: unknown) => void;
  readonly #deadlineMs: number;
  #deadline: Timer | undefined;
  #retry: Timer | undefined;
  #call: ClientCall | undefined;
  #tries = 0;
  /** Of the last try. */
  #response: Response | undefined;
  #responseCount = 0;
  #isOver = false;

  constructor(
    options: UnaryCallOptions<Response>,
    resolve: (response: Response) => void,
    reject: (error: unknown) => void,
  ) {
    this.#options = options;
    this.#resolve = resolve;
    this.#reject = reject;
    this.#deadlineMs = options.timeoutMs > 0 ? options.clock.nowMs() + options.timeoutMs : 0;
  }

  start(): void {
    const { clock, timeoutMs, channel } = this.#options;
    if (timeoutMs > 0) this.#deadline = clock.setTimer(timeoutMs, () => this.#expire());
    channel.acquire(this);
  }

  onConnection(connection: ClientConnection): void {
    const { path, message, clock } = this.#options;
    this.#responseCount = 0;
    const extra = this.#deadlineMs === 0 ? null : [timeoutField(this.#deadlineMs - clock.nowMs())];
    const call = connection.unary({ path, extra, listener: this, isAutoConsumed: true }, message);
    if (call === null) this.onFailure(new StatusError(UNAVAILABLE, 'the connection takes no more calls'));
    else this.#call = call;
  }

  onFailure(error: StatusError): void {
    this.#failed(error, true);
  }

  onMessage(buffer: Uint8Array, start: number, end: number): void {
    try {
      this.#response = this.#options.decode(buffer, start, end);
      this.#responseCount++;
    } catch (error) {
      this.#call?.cancel();
      this.#fail(new StatusError(INTERNAL, `malformed response: ${String(error)}`));
    }
  }

  onEnd(error: StatusError | undefined, isUnprocessed: boolean): void {
    if (error !== undefined) this.#failed(error, isUnprocessed);
    else if (this.#responseCount === 1 && this.#response !== undefined) {
      if (this.#end()) this.#resolve(this.#response);
    } else {
      this.#fail(new StatusError(INTERNAL, `a unary call was answered with ${this.#responseCount} messages`));
    }
  }

  #failed(error: StatusError, isUnprocessed: boolean): void {
    if (this.#isOver) return;
    const { channel, clock, isRepeatable, random } = this.#options;
    this.#tries++;
    const mayRepeat = isUnprocessed || (isRepeatable && error.code === UNAVAILABLE);
    if (!mayRepeat || this.#tries >= TRIES_MAX || channel.isClosed) {
      this.#fail(error);
      return;
    }
    const waitMs = RETRY_MS * (1 + RETRY_JITTER * (2 * random() - 1));
    this.#retry = clock.setTimer(waitMs, () => channel.acquire(this));
  }

  #expire(): void {
    this.#call?.cancel();
    this.#fail(deadlineExceeded());
  }

  #fail(error: StatusError): void {
    if (this.#end()) this.#reject(error);
  }

  /** False: it was over already. */
  #end(): boolean {
    if (this.#isOver) return false;
    this.#isOver = true;
    this.#deadline?.cancel();
    this.#retry?.cancel();
    this.#options.channel.abandon(this);
    return true;
  }
}
