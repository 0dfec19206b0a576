// An HTTP client without a network: a function answers each request, with bodies that a test writes as it goes.

import { setImmediate } from 'node:timers/promises';
import { type HttpClient, HttpError, type HttpRequest, type HttpResponse } from '../io/http-client.ts';
import type { SimulatedClock } from '../testing/clock.ts';
import type { Credentials } from './credentials.ts';
import { HttpKubeApi, type HttpKubeApiOptions } from './http-kube-api.ts';

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
  readonly #answer: Answering;
  renewals = 0;

  constructor(answer: Answering) {
    this.#answer = answer;
  }

  get paths(): string[] {
    return this.requests.map(({ path }) => path);
  }

  /** The last request's body, parsed. */
  get lastBody(): unknown {
    return JSON.parse(String(this.requests.at(-1)?.body ?? 'null'));
  }

  async send(request: HttpRequest): Promise<HttpResponse> {
    this.requests.push(request);
    const answer = this.#answer(request);
    if (answer instanceof HttpError) throw answer;
    const { signal } = request;
    if (answer === 'silence') {
      await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
      throw new HttpError('exchange', 'aborted');
    }
    const { status = 200, headers = {}, body = {} } = answer;
    const whole = body instanceof FakeBody ? body : new FakeBody().write(textOf(body)).end();
    signal.addEventListener('abort', () => whole.abort(), { once: true });
    return { status, header: (name) => headers[name], body: whole };
  }

  renewConnections(): void {
    this.renewals++;
  }

  async close(): Promise<void> {}
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
  const http = new FakeHttp(answer);
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
