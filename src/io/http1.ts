// HTTP/1.1 on a byte stream that was accepted elsewhere, parsed by node:http. For health checks and metrics, not for load.
//
// A connection is in one of three states, each with a limit in time; whoever exceeds it is dropped:
//
//   receiving ──whole request──► answering ──answer taken──► idle ──first byte──► receiving
//
// node has limits of this kind for connections that it accepts itself only.

import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { Duplex } from 'node:stream';
import type { Clock, Timer } from './clock.ts';
import type { ByteStream, ByteStreamHandler } from './network.ts';

export interface Http1Request {
  readonly method: string;
  readonly target: string;
}

export interface Http1Response {
  readonly status: number;
  readonly headers: readonly (readonly [string, string])[];
  readonly body: string;
}

export type Http1Handler = (request: Http1Request, reply: (response: Http1Response) => void) => void;

export interface Http1Limits {
  /** From a request's first byte, or the connection's begin, until all of it is there. */
  readonly requestMsMax: number;
  /** From then on until the operating system has taken all of the answer. */
  readonly answerMsMax: number;
  /** From then on until the next request begins. */
  readonly idleMsMax: number;
}

export const HTTP1_LIMITS: Http1Limits = { requestMsMax: 10_000, answerMsMax: 60_000, idleMsMax: 180_000 };

const HEADERS_TIMEOUT_MS = 10_000;
const REQUEST_TIMEOUT_MS = 30_000;
const HEADER_BYTES_MAX = 16 << 10;
/** Request bodies are not used by any endpoint; a longer one ends the connection. */
const BODY_BYTES_MAX = 64 << 10;

/** A node stream over a ByteStream whose events the caller forwards, with the time that its state may last. */
class StreamAdapter extends Duplex implements ByteStreamHandler {
  readonly #stream: ByteStream;
  readonly #clock: Clock;
  readonly #limits: Http1Limits;
  readonly #onTimeout: () => void;
  #timer: Timer | undefined;
  #isIdle = false;
  #onDrained: (() => void) | undefined;

  constructor(stream: ByteStream, clock: Clock, limits: Http1Limits, onTimeout: () => void) {
    super();
    this.#stream = stream;
    this.#clock = clock;
    this.#limits = limits;
    this.#onTimeout = onTimeout;
    this.#limit(limits.requestMsMax);
  }

  /** All of a request is there. */
  answering(): void {
    this.#limit(this.#limits.answerMsMax);
  }

  /** Its answer has been taken. */
  answered(): void {
    this.#isIdle = true;
    this.#limit(this.#limits.idleMsMax);
  }

  #limit(ms: number): void {
    this.#timer?.cancel();
    this.#timer = this.#clock.setTimer(ms, () => {
      this.#onTimeout();
      this.destroy();
    });
  }

  onData(chunk: Uint8Array): void {
    if (this.#isIdle) {
      this.#isIdle = false;
      this.#limit(this.#limits.requestMsMax);
    }
    if (!this.push(Buffer.from(chunk))) this.#stream.pause();
  }

  onDrain(): void {
    const onDrained = this.#onDrained;
    this.#onDrained = undefined;
    onDrained?.();
  }

  onEnd(): void {
    this.push(null);
  }

  onClose(error: Error | undefined): void {
    this.destroy(error);
  }

  override _read(): void {
    this.#stream.resume();
  }

  override _write(chunk: Buffer, _encoding: string, callback: () => void): void {
    this.#stream.write(chunk);
    if (this.#stream.bufferedBytes > 0) this.#onDrained = callback;
    else callback();
  }

  override _final(callback: () => void): void {
    this.#stream.end();
    callback();
  }

  override _destroy(error: Error | null, callback: (error?: Error | null) => void): void {
    this.#timer?.cancel();
    this.#stream.destroy();
    callback(error);
  }
}

export class Http1 {
  readonly #server: Server;
  readonly #clock: Clock;
  readonly #limits: Http1Limits;
  /** Connections dropped because of Http1Limits; and because what came was too long, or no HTTP. */
  timeouts = 0;
  refusals = 0;

  constructor(clock: Clock, handler: Http1Handler, limits: Http1Limits = HTTP1_LIMITS) {
    this.#clock = clock;
    this.#limits = limits;
    // The answers tell how long a connection may rest.
    const options = { maxHeaderSize: HEADER_BYTES_MAX, keepAliveTimeout: limits.idleMsMax };
    this.#server = createServer(options, (request, response) => {
      // Connections are given to the server by `accept` alone. node's types know sockets of its own only.
      const adapter = request.socket as Duplex as StreamAdapter;
      response.on('finish', () => adapter.answered());
      const onRequest = (method: string, target: string): void => {
        adapter.answering();
        handler({ method, target }, (reply) => sendResponse(response, reply));
      };
      readRequest(request, onRequest, () => this.refusals++);
    });
    limitServer(this.#server);
    // Who closes its side behind a request is answered, as by Go's server. node's types leave it out.
    Object.assign(this.#server, { httpAllowHalfOpen: true });
    // Connections that break are told of too.
    this.#server.on('clientError', ({ code = '' }: Error & { code?: string }) => {
      if (code.startsWith('HPE_')) this.refusals++;
    });
  }

  /** Takes over a stream that has been started; its further events go to the handler returned. */
  accept(stream: ByteStream): ByteStreamHandler {
    const adapter = new StreamAdapter(stream, this.#clock, this.#limits, () => this.timeouts++);
    adapter.on('error', () => stream.destroy());
    this.#server.emit('connection', adapter);
    return adapter;
  }

  close(): void {
    this.#server.closeAllConnections();
  }
}

export function limitServer(server: Server): void {
  server.headersTimeout = HEADERS_TIMEOUT_MS;
  server.requestTimeout = REQUEST_TIMEOUT_MS;
  server.on('clientError', (_error, socket) => socket.destroy());
}

/** Tells of the request when all of it is there, or that its body is too long, which ends the connection. */
export function readRequest(
  request: IncomingMessage,
  onRequest: (method: string, target: string) => void,
  onTooLong?: () => void,
): void {
  let bytes = 0;
  request.on('data', (chunk: Buffer) => {
    bytes += chunk.length;
    if (bytes <= BODY_BYTES_MAX || request.destroyed) return;
    onTooLong?.();
    request.destroy();
  });
  request.on('end', () => onRequest(request.method ?? '', request.url ?? ''));
}

export function sendResponse(response: ServerResponse, { status, headers, body }: Http1Response): void {
  if (response.destroyed) return;
  response.writeHead(status, Object.fromEntries(headers));
  response.end(body);
}
