// The limits in time of a connection, on a clock that the test moves; what is parsed comes from node:http.

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { SimulatedClock } from '../testing/clock.ts';
import { Http1, type Http1Handler } from './http1.ts';
import type { ByteStream, ByteStreamHandler } from './network.ts';

const REQUEST = 'GET /health HTTP/1.1\r\nHost: a\r\n\r\n';

/** The server's side of a connection, whose peer takes nothing while `isSlow`. */
class Peer implements ByteStream {
  readonly remoteAddress = 'peer';
  readonly clock: SimulatedClock = new SimulatedClock();
  readonly http1: Http1;
  readonly #handler: ByteStreamHandler;
  received = '';
  /** By the server. */
  isEnded = false;
  isSlow = false;
  isClosed = false;
  bufferedBytes = 0;

  constructor(answer: Http1Handler = ({ target }, reply) => reply({ status: 200, headers: [], body: target })) {
    this.http1 = new Http1(this.clock, answer);
    this.#handler = this.http1.accept(this);
  }

  /** Closes its side. */
  async leave(): Promise<void> {
    this.#handler.onEnd();
    await this.#turns();
  }

  async send(text: string): Promise<void> {
    this.#handler.onData(Buffer.from(text));
    await this.#turns();
  }

  /** Parsing, the answer and its end take turns of the event loop. */
  async #turns(): Promise<void> {
    for (let i = 0; i < 5; i++) await turn();
  }

  async pass(ms: number): Promise<void> {
    await this.clock.advance(ms);
    await turn();
  }

  get answers(): number {
    return this.received.split('HTTP/1.1 200').length - 1;
  }

  write(chunk: Uint8Array): void {
    if (this.isSlow) this.bufferedBytes += chunk.length;
    this.received += Buffer.from(chunk).toString();
  }

  writeAll(chunks: readonly Uint8Array[]): void {
    for (const chunk of chunks) this.write(chunk);
  }

  destroy(): void {
    this.isClosed = true;
  }

  start(): void {}
  pause(): void {}
  resume(): void {}
  end(): void {
    this.isEnded = true;
  }
}

describe('a connection of HTTP/1.1', () => {
  for (const [name, bytes] of [
    ['a request line', 'GET /hea'],
    ['its header', 'GET /health HTTP/1.1\r\nHost: a\r\n'],
    ['its body', 'POST /health HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nabc'],
  ] as const) {
    it(`is dropped when ${name} does not end within ten seconds, however slowly it comes`, async () => {
      const peer = new Peer();
      await peer.send(bytes);
      await peer.pass(6_000);
      await peer.send('a');
      await peer.pass(3_999);
      assert.deepEqual([peer.isClosed, peer.http1.timeouts], [false, 0]);
      await peer.pass(1);
      assert.deepEqual([peer.isClosed, peer.http1.timeouts, peer.answers], [true, 1, 0]);
    });
  }

  it('is answered when the peer has closed its side, also by who takes his time, and closed then', async () => {
    const replies: (() => void)[] = [];
    const peer = new Peer(({ target }, reply) => {
      replies.push(() => reply({ status: 200, headers: [], body: target }));
    });
    await peer.send(REQUEST);
    await peer.leave();
    assert.deepEqual([peer.answers, peer.isEnded], [0, false]);
    for (const reply of replies) reply();
    await turn();
    assert.deepEqual([peer.answers, peer.isEnded], [1, true]);
  });

  it('may rest for three minutes between requests', async () => {
    const peer = new Peer();
    for (let n = 1; n <= 3; n++) {
      await peer.send(REQUEST);
      assert.equal(peer.answers, n);
      assert.match(peer.received, /\r\nKeep-Alive: timeout=180\r\n/);
      await peer.pass(179_999);
      assert.equal(peer.isClosed, false);
    }
    await peer.pass(1);
    assert.deepEqual([peer.isClosed, peer.http1.timeouts], [true, 1]);
  });

  it('has ten seconds for each further request as for the first', async () => {
    const peer = new Peer();
    await peer.send(REQUEST);
    await peer.pass(60_000);
    await peer.send('GET /');
    await peer.pass(10_000);
    assert.deepEqual([peer.isClosed, peer.http1.timeouts, peer.answers], [true, 1, 1]);
  });

  it('is dropped when an answer is not taken within a minute', async () => {
    const peer = new Peer();
    peer.isSlow = true;
    await peer.send(REQUEST);
    await peer.pass(59_999);
    assert.equal(peer.isClosed, false);
    await peer.pass(1);
    assert.deepEqual([peer.isClosed, peer.http1.timeouts], [true, 1]);
  });

  it('is dropped at once for too long a header or body, and for what is no HTTP', async () => {
    for (const bytes of [
      'GET /health HTTP/9.9\r\n\r\n',
      `POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n${`8000\r\n${'x'.repeat(0x8000)}\r\n`.repeat(4)}`,
      `GET / HTTP/1.1\r\nX: ${'x'.repeat(20_000)}\r\n\r\n`,
      `POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n${'x'.repeat(100_000)}`,
    ]) {
      const peer = new Peer();
      await peer.send(bytes);
      assert.deepEqual([peer.isClosed, peer.answers, peer.http1.refusals, peer.http1.timeouts], [true, 0, 1, 0]);
    }
  });
});
