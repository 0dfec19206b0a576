// An HTTP client without a network: a function answers each request, with bodies that a test writes as it goes.

import { setImmediate } from 'node:timers/promises';
import { ByteReader } from '../base/byte-reader.ts';
import type { Clock } from '../io/clock.ts';
import {
  type HttpAnswer,
  type HttpClient,
  HttpError,
  type HttpRequest,
  type HttpStream,
  type ShortRequest,
  timeoutText,
} from '../io/http-client.ts';
import { readEnvelope } from '../kube/stored-object.ts';
import type { SimulatedClock } from '../testing/clock.ts';
import type { Credentials } from './credentials.ts';
import { HttpKubeApi, type HttpKubeApiOptions } from './http-kube-api.ts';
import { PROTOBUF } from './protobuf-stream.ts';

/** A body that is written while it is read. */
export class FakeBody implements AsyncIterable<Uint8Array> {
  #chunks: Uint8Array[] = [];
  #end: 'open' | 'ended' | HttpError = 'open';
  #wake: () => void = () => {};
  isAborted = false;

  write(text: string): this {
    return this.writeBytes(Buffer.from(text));
  }

  writeBytes(bytes: Uint8Array): this {
    this.#chunks.push(bytes);
    this.#wake();
    return this;
  }

  /** Lines of a watch. */
  event(type: string, object: object): this {
    return this.write(`${JSON.stringify({ type, object })}\n`);
  }

  end(): this {
    return this.#finish('ended');
  }

  cut(message = 'other side closed'): this {
    return this.#finish(new HttpError('exchange', message));
  }

  abort(): void {
    this.isAborted = true;
    this.#finish(new HttpError('exchange', 'aborted'));
  }

  #finish(end: 'ended' | HttpError): this {
    if (this.#end === 'open') this.#end = end;
    this.#wake();
    return this;
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array> {
    for (;;) {
      while (this.#chunks.length > 0) yield* this.#chunks.splice(0);
      if (this.#end === 'ended') return;
      if (this.#end !== 'open') throw this.#end;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }
}

export interface FakeAnswer {
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string>>;
  /** Text or an object is a whole body. */
  readonly body?: string | object | FakeBody;
}

/** `silence` never answers. */
export type Answering = (request: HttpRequest) => FakeAnswer | HttpError | 'silence';

export class FakeHttp implements HttpClient {
  readonly requests: HttpRequest[] = [];
  readonly #clock: Clock;
  readonly #answer: Answering;
  readonly #underWay = new Set<AbortController>();
  renewals = 0;

  constructor(clock: Clock, answer: Answering) {
    this.#clock = clock;
    this.#answer = answer;
  }

  get paths(): string[] {
    return this.requests.map(({ path }) => path);
  }

  /** The last request's body, parsed. */
  get lastBody(): unknown {
    return bodyOf(this.requests.at(-1));
  }

  async exchange(request: ShortRequest): Promise<HttpAnswer> {
    const controller = new AbortController();
    this.#underWay.add(controller);
    const { timeoutMs, isSuccessUnread = false } = request;
    let isLate = false;
    const timer = this.#clock.setTimer(timeoutMs, () => {
      isLate = true;
      controller.abort();
    });
    try {
      const answer = await this.open(request, controller.signal);
      const chunks: Uint8Array[] = [];
      await answer.read((chunk) => chunks.push(Uint8Array.from(chunk)));
      const isUnread = isSuccessUnread && answer.status < 300;
      return { ...answer, body: Buffer.concat(isUnread ? [] : chunks) };
    } catch (error) {
      throw isLate ? new HttpError('exchange', timeoutText(timeoutMs)) : error;
    } finally {
      timer.cancel();
      this.#underWay.delete(controller);
    }
  }

  async open(request: HttpRequest, signal: AbortSignal): Promise<HttpStream> {
    this.requests.push(request);
    const answer = this.#answer(request);
    if (answer instanceof HttpError) throw answer;
    if (answer === 'silence') {
      await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
      throw new HttpError('exchange', 'aborted');
    }
    const { status = 200, headers = {}, body = {} } = answer;
    const whole = body instanceof FakeBody ? body : new FakeBody().write(textOf(body)).end();
    signal.addEventListener('abort', () => whole.abort(), { once: true });
    return { status, header: (name) => headers[name], read: (onChunk) => readPoisoned(whole, onChunk) };
  }

  renewConnections(): void {
    this.renewals++;
  }

  async close(): Promise<void> {
    for (const controller of this.#underWay) controller.abort();
  }
}

/** Overwrites chunks after their call, so that a reader that keeps them is found out. */
async function readPoisoned(body: FakeBody, onChunk: (chunk: Uint8Array) => void): Promise<void> {
  for await (const chunk of body) {
    const lent = Uint8Array.from(chunk);
    onChunk(lent);
    lent.fill(POISON);
  }
}
const POISON = 0xdd;

/** A request's body as the JSON of it parses, also of one in protobuf; null where there is none. */
export function bodyOf(request: HttpRequest | undefined): unknown {
  const { body, headers = {} } = request ?? {};
  if (body === undefined) return null;
  const bytes = Buffer.from(body);
  if (headers['content-type'] !== PROTOBUF) return JSON.parse(bytes.toString());
  const { apiVersion, kind, rawStart, rawEnd } = readEnvelope(bytes);
  return { apiVersion, kind, ...messageOf(BODIES[kind], bytes.subarray(rawStart, rawEnd)) };
}

/** The fields of a message by number: a name, and of a message its own fields. */
type Fields = Readonly<Record<number, string | readonly [string, Fields]>>;

const META: Fields = { 1: 'name', 3: 'namespace', 5: 'uid', 6: 'resourceVersion' };
const REFERENCE: Fields = { 1: 'kind', 2: 'namespace', 3: 'name', 4: 'uid', 5: 'apiVersion', 6: 'resourceVersion' };
const EVENT: Fields = {
  1: ['metadata', META],
  2: ['eventTime', { 1: 'seconds', 2: 'nanos' }],
  4: 'reportingController',
  5: 'reportingInstance',
  6: 'action',
  7: 'reason',
  8: ['regarding', REFERENCE],
  9: ['related', REFERENCE],
  10: 'note',
  11: 'type',
};
const BODIES: Readonly<Record<string, Fields>> = {
  Binding: { 1: ['metadata', META], 2: ['target', REFERENCE] },
  Event: EVENT,
};

function messageOf(fields: Fields, bytes: Uint8Array): Record<string, unknown> {
  const reader = new ByteReader(bytes);
  const message: Record<string, unknown> = {};
  while (reader.hasMore) {
    const tag = reader.tag();
    const field = fields[tag >>> 3];
    if (typeof field !== 'string') message[field[0]] = messageOf(field[1], reader.view());
    else message[field] = (tag & 7) === 0 ? reader.varint() : reader.string();
  }
  return message;
}

function textOf(body: string | object): string {
  return typeof body === 'string' ? body : JSON.stringify(body);
}

export class FakeCredentials implements Credentials {
  readonly origin = 'https://api.test';
  readonly pathPrefix = '';
  renewals = 0;

  tls(): { readonly isUnchecked: boolean } {
    return { isUnchecked: false };
  }

  async headers(): Promise<Readonly<Record<string, string>>> {
    return { authorization: `Bearer token-${this.renewals}` };
  }

  async renew(): Promise<boolean> {
    this.renewals++;
    await setImmediate();
    return false;
  }
}

export function fakeApi(
  clock: SimulatedClock,
  answer: Answering,
  options: Partial<HttpKubeApiOptions> = {},
): { api: HttpKubeApi; http: FakeHttp; credentials: FakeCredentials } {
  const http = new FakeHttp(clock, answer);
  const credentials = new FakeCredentials();
  const api = new HttpKubeApi({
    http,
    credentials,
    clock,
    chance: () => 0,
    userAgent: 'test',
    inFlightMax: 8,
    waitingMax: 100,
    ...options,
  });
  return { api, http, credentials };
}

export function objectNamed(name: string, version: number, uid = `uid-${name}`): object {
  return { metadata: { namespace: 'default', name, uid, resourceVersion: String(version) } };
}

export function listOf(version: number, items: readonly object[], token = ''): object {
  return {
    kind: 'PodList',
    apiVersion: 'v1',
    metadata: { resourceVersion: String(version), ...(token === '' ? {} : { continue: token }) },
    items,
  };
}
