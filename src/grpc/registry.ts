// The methods a server offers, with their handlers and counters.
//
// A unary handler gets the request's bytes, valid during the call only, and answers by `call.reply` or `call.fail`,
// at once or later. A stream handler gets the call once and returns a listener for what the peer sends.
// Both may throw StatusError, which is the same as `call.fail`.

import { CODE_NAMES } from '../api/errors.ts';
import type { Method } from '../api/methods.ts';
import type { ServerCall } from './server-call.ts';

export type UnaryHandler = (call: ServerCall, buffer: Uint8Array, start: number, end: number) => void;

/** Told of a request that runs soon, beside others: what is kept of it lasts until they have run. */
export type RequestHint = (buffer: Uint8Array, start: number, end: number) => void;

/** What a streaming call's handler wants to hear of it. */
export interface CallListener {
  /** One message of the peer; the bytes are the listener's to keep. */
  onMessage(buffer: Uint8Array, start: number, end: number): void;
  /** The peer will send nothing more. */
  onHalfClose(): void;
  /** Queued replies have been sent: there is room again. */
  onDrain(): void;
  /** The call is over by the peer's cancel, a message that cannot be taken, the deadline or the connection's end. Not called after end or fail. */
  onCancel(): void;
}

export type StreamHandler = (call: ServerCall) => CallListener;

/** One method as served. Counters are what grpc_server_* metrics publish. */
export class MethodEntry {
  readonly method: Method;
  readonly unary: UnaryHandler | undefined;
  readonly stream: StreamHandler | undefined;
  readonly hint: RequestHint | undefined;
  /** The peer sends one message and no more. */
  readonly hasOneRequest: boolean;
  started = 0;
  messagesReceived = 0;
  messagesSent = 0;
  /** By gRPC code. */
  readonly handled: Float64Array = new Float64Array(CODE_NAMES.length);

  constructor(
    method: Method,
    unary: UnaryHandler | undefined,
    stream: StreamHandler | undefined,
    hint: RequestHint | undefined,
  ) {
    this.method = method;
    this.unary = unary;
    this.stream = stream;
    this.hint = hint;
    this.hasOneRequest = method.shape === 'unary' || method.shape === 'server_stream';
  }
}

export class Registry {
  readonly #entries = new Map<string, MethodEntry>();
  readonly #services = new Set<string>();

  /** Called when hints were given, before the first of their requests runs. */
  onHinted: () => void = () => {};

  unary(method: Method, handler: UnaryHandler, hint?: RequestHint): void {
    this.#add(new MethodEntry(method, handler, undefined, hint));
  }

  stream(method: Method, handler: StreamHandler): void {
    this.#add(new MethodEntry(method, undefined, handler, undefined));
  }

  get entries(): Iterable<MethodEntry> {
    return this.#entries.values();
  }

  find(path: string): MethodEntry | undefined {
    return this.#entries.get(path);
  }

  /** The text of UNIMPLEMENTED for a path that `find` does not know, in grpc-go's words. */
  unimplementedText(path: string): string {
    const slash = path.lastIndexOf('/');
    if (!path.startsWith('/') || slash <= 0) return `malformed method name: ${JSON.stringify(path)}`;
    const service = path.slice(1, slash);
    if (!this.#services.has(service)) return `unknown service ${service}`;
    return `unknown method ${path.slice(slash + 1)} for service ${service}`;
  }

  #add(entry: MethodEntry): void {
    this.#entries.set(entry.method.path, entry);
    this.#services.add(entry.method.service);
  }
}
