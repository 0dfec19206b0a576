// What a case plays on: calls that write themselves and their replies into the transcript.

import { StatusError } from '../../src/api/errors.ts';
import * as m from '../../src/api/messages.ts';
import * as methods from '../../src/api/methods.ts';
import type { CompatClient, CompatStream } from './compat-client.ts';
import { bytesOf, put, remove } from './requests.ts';
import { Transcript } from './transcript.ts';

export interface Case {
  readonly name: string;
  /** Needs a store that nothing was ever written to. */
  readonly isFresh?: boolean;
  /** Waits for seconds of the store's time. */
  readonly isSlow?: boolean;
  /** Writes megabytes, which makes a simulated disk slow: played last. */
  readonly isLarge?: boolean;
  readonly run: (session: Session) => Promise<void>;
}

/** How long a stream is listened to before it counts as silent: longer than etcd's rounds for lagging watchers. */
const SILENCE_MS = 300;

export class Session {
  readonly client: CompatClient;
  readonly transcript: Transcript = new Transcript();
  readonly #streams: CompatStream<m.WatchRequest, m.WatchResponse>[] = [];

  constructor(client: CompatClient) {
    this.client = client;
  }

  /** Empties the store; its revision then is `r0`. */
  async begin(): Promise<void> {
    const { leases } = await this.client.unary(methods.leaseLeases, {});
    for (const { ID } of leases) await this.client.unary(methods.leaseRevoke, { ID });
    await this.client.unary(methods.put, put('begin'));
    const { header } = await this.client.unary(methods.deleteRange, remove('\0', '\0'));
    this.transcript.base = header?.revision ?? 0;
  }

  end(): void {
    for (const stream of this.#streams) stream.cancel();
  }

  /** The revision of `r<n>`. */
  at(n: number): number {
    return this.transcript.base + n;
  }

  note(text: string): void {
    this.transcript.add(`# ${text}`);
  }

  async call<Request extends object, Response extends object>(
    method: methods.TypedMethod<Request, Response>,
    request: Partial<Request>,
  ): Promise<Response | undefined> {
    const { transcript } = this;
    transcript.add(`${method.name} ${transcript.show(request)}`);
    try {
      const reply = await this.client.unary(method, request);
      transcript.add(`  ${transcript.show(reply)}`);
      return reply;
    } catch (error) {
      transcript.add(`  ${describeError(error)}`);
      return undefined;
    }
  }

  put(key: string, value = '', rest: Partial<m.PutRequest> = {}): Promise<m.PutResponse | undefined> {
    return this.call(methods.put, put(key, value, rest));
  }

  remove(key: string, end = '', isPrevWanted = false): Promise<m.DeleteRangeResponse | undefined> {
    return this.call(methods.deleteRange, remove(key, end, isPrevWanted));
  }

  range(request: m.RangeRequest): Promise<m.RangeResponse | undefined> {
    return this.call(methods.range, request);
  }

  txn(request: m.TxnRequest): Promise<m.TxnResponse | undefined> {
    return this.call(methods.txn, request);
  }

  compact(revision: number, physical = false): Promise<m.HeaderOnly | undefined> {
    return this.call(methods.compact, { revision, physical });
  }

  /** Raw bytes as a request; only the outcome is written down. */
  async raw(method: methods.Method, request: string, label: string): Promise<void> {
    this.transcript.add(`${method.name} ${label}`);
    try {
      await this.client.raw(method, bytesOf(request));
      this.transcript.add('  OK');
    } catch (error) {
      this.transcript.add(`  ${describeError(error)}`);
    }
  }

  /** All messages of a range stream as one reply: where they are cut is the server's affair. */
  async rangeStream(request: m.RangeRequest): Promise<void> {
    const { transcript } = this;
    transcript.add(`RangeStream ${transcript.show(request)}`);
    const stream = await this.client.stream(methods.rangeStream, request);
    const whole = m.RangeResponse.create();
    for (;;) {
      const item = await stream.next();
      if ('end' in item) {
        transcript.add(`  ${transcript.show(whole)}`);
        transcript.add(`  end ${item.end === undefined ? 'OK' : describeError(item.end)}`);
        return;
      }
      const reply = item.message.range_response;
      if (reply === undefined) continue;
      if (whole.header !== undefined) transcript.add('  a message after the one with the header');
      whole.kvs.push(...reply.kvs);
      whole.header = reply.header;
      whole.more = reply.more;
      whole.count = reply.count;
    }
  }

  async watch(): Promise<WatchSession> {
    const stream = await this.client.stream(methods.watch);
    this.#streams.push(stream);
    return new WatchSession(this, stream);
  }

  /** A watch whose client has ended its side behind the one request. */
  async watchHalfClosed(create: m.WatchCreateRequest): Promise<WatchSession> {
    this.transcript.add(`half-closed watch ${this.transcript.show(create)}`);
    const stream = await this.client.stream(methods.watch, { create_request: create });
    this.#streams.push(stream);
    return new WatchSession(this, stream);
  }

  pass(ms: number): Promise<void> {
    return new Promise((resolve) => {
      this.client.clock.setTimer(ms, resolve);
    });
  }

  grant(ID: bigint, TTL = 1000): Promise<m.LeaseGrantResponse | undefined> {
    return this.call(methods.leaseGrant, { ID, TTL });
  }
}

export class WatchSession {
  readonly #session: Session;
  readonly stream: CompatStream<m.WatchRequest, m.WatchResponse>;

  constructor(session: Session, stream: CompatStream<m.WatchRequest, m.WatchResponse>) {
    this.#session = session;
    this.stream = stream;
  }

  /** Sends a create request and writes down the answer. */
  async create(request: m.WatchCreateRequest): Promise<m.WatchResponse | undefined> {
    this.send({ create_request: request });
    return this.message();
  }

  send(request: Partial<m.WatchRequest>): void {
    const { transcript } = this.#session;
    transcript.add(`watch ${transcript.show(request)}${request.progress_request === undefined ? '' : ' progress'}`);
    this.stream.send(request);
  }

  /** Writes down the next message as it is. */
  async message(): Promise<m.WatchResponse | undefined> {
    const { transcript } = this.#session;
    const item = await this.stream.next();
    if ('end' in item) {
      transcript.add(`  end ${item.end === undefined ? 'OK' : describeError(item.end)}`);
      return undefined;
    }
    transcript.add(`  ${transcript.show(item.message)}`);
    return item.message;
  }

  /** Writes down the next `count` events, whatever messages they come in; says what is wrong about the messages. */
  async events(count: number): Promise<m.Event[]> {
    const { transcript } = this.#session;
    const events: m.Event[] = [];
    let last = 0;
    while (events.length < count) {
      const item = await this.stream.next();
      if ('end' in item) {
        transcript.add(`  end ${item.end === undefined ? 'OK' : describeError(item.end)}`);
        return events;
      }
      const { message } = item;
      if (message.events.length === 0) transcript.add(`  ${transcript.show(message)}`);
      for (const event of message.events) {
        const revision = event.kv?.mod_revision ?? 0;
        if (revision > (message.header?.revision ?? 0)) transcript.add('  an event newer than its header');
        if (revision < last) transcript.add('  an event out of order');
        transcript.add(`  ${message.watch_id}: ${transcript.show(event)}`);
        events.push(event);
      }
      const first = message.events[0]?.kv?.mod_revision ?? last + 1;
      if (first === last) transcript.add('  a revision in two messages');
      last = message.events.at(-1)?.kv?.mod_revision ?? last;
    }
    return events;
  }

  /** Writes down what comes in some time: nothing, mostly. */
  async silence(): Promise<void> {
    await this.#session.pass(SILENCE_MS);
    this.#session.transcript.add('  silence');
    const lines: string[] = [];
    while (this.stream.waiting.length > 0) {
      await this.message();
      lines.push(this.#session.transcript.lines.pop() ?? '');
    }
    // Between watchers there is no order.
    for (const line of lines.sort()) this.#session.transcript.add(line);
  }
}

export function describeError(error: unknown): string {
  // Go's protobuf library writes a space or a no-break space, so that nobody relies on its texts.
  if (error instanceof StatusError)
    return `error ${error.code} ${JSON.stringify(error.message.replaceAll('\u00a0', ' '))}`;
  throw error;
}
