// Requests that are not one whole message: what the client hears, in the words of grpc-go.

import assert from 'node:assert/strict';
import { it } from 'node:test';
import type { Method } from '../api/methods.ts';
import { Connection } from '../h2/connection.ts';
import { RecordingHandler } from '../h2/connection-fixture.ts';
import { CLIENT_DEFAULTS, SERVER_DEFAULTS } from '../h2/connection-options.ts';
import { type HeaderBlock, headerValue } from '../h2/header-block.ts';
import type { Stream } from '../h2/stream.ts';
import { Deadlines } from './deadlines.ts';
import { MessageMemory } from './message-memory.ts';
import { Registry } from './registry.ts';
import type { ServerCall } from './server-call.ts';
import { ServerConnection } from './server-connection.ts';

const MESSAGE_BYTES_MAX = 1_000;
const UNARY: Method = { path: '/test.Service/Unary', service: 'test.Service', name: 'Unary', shape: 'unary' };
const LATER: Method = { path: '/test.Service/Later', service: 'test.Service', name: 'Later', shape: 'unary' };
const STREAM: Method = { path: '/test.Service/Stream', service: 'test.Service', name: 'Stream', shape: 'bidi_stream' };

/** The client's side: the status of each stream. */
class Statuses extends RecordingHandler {
  readonly byStream: Map<number, string> = new Map();

  override onHeaders(stream: Stream, block: HeaderBlock, endStream: boolean): void {
    if (endStream) this.onTrailers(stream, block);
  }

  override onTrailers(stream: Stream, { fields }: HeaderBlock): void {
    const text = `${headerValue(fields, 'grpc-status')} ${headerValue(fields, 'grpc-message') ?? ''}`;
    this.byStream.set(stream.id, text.trim());
  }
}

/** A server that echoes, and a client that sends DATA as it is told. */
class Pair {
  readonly heard: string[] = [];
  /** How often the server asked for a flush, beside those that follow what it receives. */
  dirtyCount = 0;
  /** Calls of LATER, to be answered when the test wants. */
  readonly later: ServerCall[] = [];
  /** Messages of streams as they were given. */
  readonly kept: Uint8Array[] = [];
  readonly #statuses = new Statuses();
  readonly #client: Connection = new Connection('client', CLIENT_DEFAULTS, this.#statuses);
  readonly #server: ServerConnection;

  constructor() {
    const registry = new Registry();
    registry.unary(UNARY, (call, buffer, start, end) => {
      this.heard.push(Buffer.from(buffer.subarray(start, end)).toString());
      call.reply(buffer, start, end);
    });
    registry.unary(LATER, (call) => {
      this.later.push(call);
    });
    registry.stream(STREAM, (call) => ({
      onMessage: (buffer, start, end): void => {
        this.kept.push(buffer.subarray(start, end));
        this.heard.push(Buffer.from(buffer.subarray(start, end)).toString());
      },
      onHalfClose: (): void => call.end(),
      onDrain: (): void => {},
      onCancel: (): void => {},
    }));
    this.#server = new ServerConnection({
      h2: SERVER_DEFAULTS,
      registry,
      deadlines: new Deadlines(),
      memory: new MessageMemory(),
      http: () => assert.fail('no plain request was sent'),
      messageBytesMax: MESSAGE_BYTES_MAX,
      nowMs: () => 0,
      onBug: (error) => {
        throw error;
      },
      onDirty: () => {
        this.dirtyCount++;
      },
    });
    for (const connection of [this.#client, this.#server.h2]) connection.tick(0);
    this.#exchange();
  }

  /** Sends DATA frames, the last one with END_STREAM; the call's status and message. */
  call(method: Method, frames: readonly Uint8Array[]): string | undefined {
    const fields = [
      { name: ':method', value: 'POST' },
      { name: ':scheme', value: 'http' },
      { name: ':path', value: method.path },
      { name: ':authority', value: 'localhost' },
      { name: 'content-type', value: 'application/grpc' },
      { name: 'te', value: 'trailers' },
    ];
    const stream = this.#client.openStream(fields, null, frames.length === 0);
    assert.ok(stream !== null);
    const { id } = stream;
    for (const [index, bytes] of frames.entries()) {
      // The server may have ended the call before.
      if (stream.id === id) this.#client.sendData(stream, bytes, 0, bytes.length, index === frames.length - 1);
      this.#exchange();
    }
    this.#exchange();
    return this.#statuses.byStream.get(id);
  }

  #exchange(): void {
    for (let round = 0; round < 4; round++) {
      this.#server.h2.receive(Buffer.concat(this.#client.takeOutput()), 0);
      this.#client.receive(Buffer.concat(this.#server.h2.takeOutput()), 0);
      this.#server.flushed();
    }
  }
}

function message(text: string, flag = 0, length = text.length): Buffer {
  const prefix = Buffer.alloc(5);
  prefix[0] = flag;
  prefix.writeUInt32BE(length, 1);
  return Buffer.concat([prefix, Buffer.from(text)]);
}

const NOTHING = Buffer.alloc(0);
const COMPRESSED = '13 grpc: compressed flag set with identity or empty encoding';
const TWO = '13 received more than one message for a unary call';

const cases: readonly (readonly [string, Method, readonly Buffer[], string, readonly string[]])[] = [
  ['a unary message in one frame', UNARY, [message('one')], '0', ['one']],
  ['an empty unary message', UNARY, [message('')], '0', ['']],
  ['an empty unary message, ended by a frame of its own', UNARY, [message(''), NOTHING], '0', ['']],
  ['a unary message cut anywhere', UNARY, [...message('one')].map((byte) => Buffer.of(byte)), '0', ['one']],
  ['a unary message ended by a frame of its own', UNARY, [message('one'), NOTHING], '0', ['one']],
  ['a compressed unary message', UNARY, [message('one', 1)], COMPRESSED, []],
  ['a compressed message of a stream', STREAM, [message('one', 1)], COMPRESSED, []],
  ['an unknown flag', UNARY, [message('one', 2)], '13 grpc: received unexpected payload format 2', []],
  ['two messages on a unary call', UNARY, [Buffer.concat([message('one'), message('two')])], TWO, []],
  ['two messages on a unary call, in two frames', UNARY, [message('one'), message('two')], TWO, []],
  ['two empty messages on a unary call', UNARY, [message(''), message('')], TWO, []],
  ['a unary call without a message', UNARY, [NOTHING], '13 unexpected EOF', []],
  ['a unary call that ends with its headers', UNARY, [], '13 unexpected EOF', []],
  ['a unary call that ends in the prefix', UNARY, [message('').subarray(0, 3)], '13 unexpected EOF', []],
  ['a unary call that ends in its message', UNARY, [message('one', 0, 4)], '13 unexpected EOF', []],
  [
    'a unary message with the beginning of another',
    UNARY,
    [Buffer.concat([message('one'), Buffer.of(0)])],
    '0',
    ['one'],
  ],
  [
    'a message above the limit',
    UNARY,
    [message('x', 0, 1_001)],
    '8 grpc: received message larger than max (1001 vs. 1000)',
    [],
  ],
  [
    'a whole message above the limit',
    UNARY,
    [message('x'.repeat(1_001))],
    '8 grpc: received message larger than max (1001 vs. 1000)',
    [],
  ],
  [
    'a length above 2^31',
    UNARY,
    [message('x', 0, 0xffff_ffff)],
    '8 grpc: received message larger than max (4294967295 vs. 1000)',
    [],
  ],
  ['a stream without a message', STREAM, [], '0', []],
  [
    'a stream of three messages',
    STREAM,
    [message('one'), Buffer.concat([message(''), message('two')])],
    '0',
    ['one', '', 'two'],
  ],
  [
    'a stream that ends in a message',
    STREAM,
    [message('one'), message('two').subarray(0, 6)],
    '13 unexpected EOF',
    ['one'],
  ],
  ['a stream that ends in a prefix', STREAM, [message('one'), Buffer.of(0, 0)], '13 unexpected EOF', ['one']],
];

it("a message of a stream is its listener's to keep", () => {
  const pair = new Pair();
  pair.call(STREAM, [message('one'), message('two')]);
  pair.call(
    UNARY,
    [...message('six')].map((byte) => Buffer.of(byte)),
  );
  assert.deepEqual(
    pair.kept.map((bytes) => Buffer.from(bytes).toString()),
    ['one', 'two'],
  );
});

for (const [name, method, frames, status, heard] of cases) {
  it(`${name}: ${status}`, () => {
    const pair = new Pair();
    assert.equal(pair.call(method, frames), status);
    assert.deepEqual(pair.heard, heard);
    // The connection goes on.
    assert.equal(pair.call(UNARY, [message('next')]), '0');
  });
}

it('asks for a flush when it answers later, and once; not when it answers at once, since that leaves with what is received', () => {
  const pair = new Pair();
  pair.call(UNARY, [message('one')]);
  assert.equal(pair.dirtyCount, 0);
  for (const text of ['two', 'three']) pair.call(LATER, [message(text)]);
  assert.equal(pair.dirtyCount, 0);
  for (const call of pair.later) call.reply(NOTHING, 0, 0);
  assert.equal(pair.dirtyCount, 1);
});
