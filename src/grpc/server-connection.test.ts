// Requests that are not one whole message: what the client hears, in the words of grpc-go.

import assert from 'node:assert/strict';
import { it } from 'node:test';
import { gzipSync } from 'node:zlib';
import type { Method } from '../api/methods.ts';
import { WireError } from '../base/byte-reader.ts';
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
const ONE: Method = { path: '/test.Service/One', service: 'test.Service', name: 'One', shape: 'server_stream' };
const STREAM: Method = { path: '/test.Service/Stream', service: 'test.Service', name: 'Stream', shape: 'bidi_stream' };

/** The client's side: the status of each stream. */
class Statuses extends RecordingHandler {
  readonly byStream: Map<number, string> = new Map();

  override onHeaders(stream: Stream, block: HeaderBlock, endStream: boolean): void {
    if (endStream) this.onTrailers(stream, block);
  }

  override onTrailers(stream: Stream, { fields }: HeaderBlock): void {
    const http = headerValue(fields, ':status') ?? '200';
    const text = `${headerValue(fields, 'grpc-status')} ${headerValue(fields, 'grpc-message') ?? ''}`;
    this.byStream.set(stream.id, `${http === '200' ? '' : `HTTP ${http}: `}${text}`.trim());
  }
}

/** A server that echoes, and a client that sends DATA as it is told. */
class Pair {
  readonly heard: string[] = [];
  /** How often the server asked for a flush, beside those that follow what it receives. */
  dirtyCount = 0;
  /** Calls of LATER, to be answered when the test wants. */
  readonly later: ServerCall[] = [];
  /** How often a stream was told that it is over. */
  cancelCount = 0;
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
    for (const method of [STREAM, ONE]) {
      registry.stream(method, (call) => ({
        onMessage: (buffer, start, end): void => {
          this.kept.push(buffer.subarray(start, end));
          this.heard.push(Buffer.from(buffer.subarray(start, end)).toString());
          if (this.heard.at(-1) === 'bad') throw new WireError('bad');
        },
        onHalfClose: (): void => call.end(),
        onDrain: (): void => {},
        onCancel: (): void => {
          this.cancelCount++;
        },
      }));
    }
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
  call(method: Method, frames: readonly Uint8Array[], own: Readonly<Record<string, string>> = {}): string | undefined {
    const values = {
      ':method': 'POST',
      ':scheme': 'http',
      ':path': method.path,
      ':authority': 'localhost',
      'content-type': 'application/grpc',
      te: 'trailers',
      ...own,
    };
    const fields = Object.entries(values).map(([name, value]) => ({ name, value }));
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

function message(content: string | Uint8Array, flag = 0, length = content.length): Buffer {
  const prefix = Buffer.alloc(5);
  prefix[0] = flag;
  prefix.writeUInt32BE(length, 1);
  return Buffer.concat([prefix, Buffer.from(content)]);
}

function zipped(text: string): Buffer {
  return message(gzipSync(text), 1);
}

const NOTHING = Buffer.alloc(0);
const COMPRESSED = '13 grpc: compressed flag set with identity or empty encoding';

const cases: readonly (readonly [string, Method, readonly Buffer[], string, readonly string[]])[] = [
  ['a unary message in one frame', UNARY, [message('one')], '0', ['one']],
  ['an empty unary message', UNARY, [message('')], '0', ['']],
  ['an empty unary message, ended by a frame of its own', UNARY, [message(''), NOTHING], '0', ['']],
  ['a unary message cut anywhere', UNARY, [...message('one')].map((byte) => Buffer.of(byte)), '0', ['one']],
  ['a unary message ended by a frame of its own', UNARY, [message('one'), NOTHING], '0', ['one']],
  ['a compressed unary message', UNARY, [message('one', 1)], COMPRESSED, []],
  ['a compressed message of a stream', STREAM, [message('one', 1)], COMPRESSED, []],
  ['an unknown flag', UNARY, [message('one', 2)], '13 grpc: received unexpected payload format 2', []],
  ['two messages on a unary call', UNARY, [Buffer.concat([message('one'), message('two')])], '0', ['one']],
  ['two messages on a unary call, in two frames', UNARY, [message('one'), message('two')], '0', ['one']],
  [
    'more than a message of a unary call, of which nothing is good',
    UNARY,
    [message('one'), Buffer.of(9, 255, 255, 255, 255)],
    '0',
    ['one'],
  ],
  ['two empty messages on a unary call', UNARY, [message(''), message('')], '0', ['']],
  ['a unary call without a message', UNARY, [NOTHING], '2 EOF', []],
  ['a unary call that ends with its headers', UNARY, [], '2 EOF', []],
  ['a unary call that ends in the prefix', UNARY, [message('').subarray(0, 3)], '2 EOF', []],
  ['a unary call that ends in its message', UNARY, [message('one', 0, 4)], '2 unexpected EOF', []],
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
  [
    'a message of a stream that cannot be read',
    STREAM,
    [message('one'), message('bad'), message('two')],
    '13 grpc: failed to unmarshal the received message: proto: cannot parse invalid wire-format data',
    ['one', 'bad'],
  ],
  ['one request, a stream of answers', ONE, [message('one')], '0', ['one']],
  [
    'a stream of answers without a request',
    ONE,
    [],
    '13 cardinality violation: received no request message from non-client-streaming RPC',
    [],
  ],
  [
    'two requests for a stream of answers',
    ONE,
    [message('one'), message('two')],
    '13 cardinality violation: received multiple request messages for non-client-streaming RPC',
    ['one'],
  ],
  ['a stream that ends in a prefix', STREAM, [message('one'), Buffer.of(0, 0)], '13 unexpected EOF', ['one']],
];

const GZIP = { 'grpc-encoding': 'gzip' };
const TOO_LARGE = '8 grpc: received message after decompression larger than max 1000';
const NO_GZIP = '13 grpc: failed to decompress the message: incorrect header check';

/** With fields of their own; what a real etcd answers, but for what zlib says of a bad message. */
const fieldCases: readonly (readonly [
  string,
  Readonly<Record<string, string>>,
  Method,
  readonly Buffer[],
  string,
  readonly string[],
])[] = [
  ['a compressed unary message', GZIP, UNARY, [zipped('one')], '0', ['one']],
  [
    'a compressed unary message in pieces',
    GZIP,
    UNARY,
    [...zipped('one')].map((byte) => Buffer.of(byte)),
    '0',
    ['one'],
  ],
  ['a plain message where compressed ones may come', GZIP, UNARY, [message('one')], '0', ['one']],
  [
    'plain and compressed messages of a stream',
    GZIP,
    STREAM,
    [Buffer.concat([zipped('one'), message('two'), zipped('six')])],
    '0',
    ['one', 'two', 'six'],
  ],
  ['a message of the limit when plain', GZIP, UNARY, [zipped('x'.repeat(1_000))], '0', ['x'.repeat(1_000)]],
  ['a message above the limit when plain', GZIP, UNARY, [zipped('x'.repeat(1_001))], TOO_LARGE, []],
  ['a bomb', GZIP, STREAM, [zipped('x'.repeat(300_000))], TOO_LARGE, []],
  ['a message that is not compressed as it says', GZIP, UNARY, [message('one', 1)], NO_GZIP, []],
  [
    'an encoding that is not known',
    { 'grpc-encoding': 'snappy' },
    UNARY,
    [message('one')],
    '12 grpc: Decompressor is not installed for grpc-encoding "snappy"',
    [],
  ],
  [
    'a type of gRPC with its codec',
    { 'content-type': 'application/grpc+proto' },
    UNARY,
    [message('one')],
    '0',
    ['one'],
  ],
  [
    'a type that is not of gRPC',
    { 'content-type': 'application/json' },
    UNARY,
    [message('one')],
    'HTTP 415: 3 invalid gRPC request content-type "application/json"',
    [],
  ],
  [
    'a method that is not POST',
    { ':method': 'PUT' },
    UNARY,
    [message('one')],
    'HTTP 405: 13 Received a HEADERS frame with :method "PUT" which should be POST',
    [],
  ],
  [
    'a timeout without a unit',
    { 'grpc-timeout': '10' },
    UNARY,
    [message('one')],
    'HTTP 400: 13 malformed grpc-timeout: transport: timeout unit is not recognized: "10"',
    [],
  ],
  [
    'a timeout that is too long',
    { 'grpc-timeout': '123456789S' },
    UNARY,
    [message('one')],
    'HTTP 400: 13 malformed grpc-timeout: transport: timeout string is too long: "123456789S"',
    [],
  ],
  [
    'a timeout that is too short',
    { 'grpc-timeout': 'S' },
    UNARY,
    [message('one')],
    'HTTP 400: 13 malformed grpc-timeout: transport: timeout string is too short: "S"',
    [],
  ],
  [
    'a timeout below nothing',
    { 'grpc-timeout': '-1S' },
    UNARY,
    [message('one')],
    'HTTP 400: 13 malformed grpc-timeout: strconv.ParseUint: parsing "-1": invalid syntax',
    [],
  ],
  ['no time at all', { 'grpc-timeout': '0S' }, UNARY, [message('one')], '4 context deadline exceeded', []],
  ['a nanosecond', { 'grpc-timeout': '1n' }, STREAM, [message('one')], '4 context deadline exceeded', []],
  ['a second', { 'grpc-timeout': '1S' }, UNARY, [message('one')], '0', ['one']],
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
    // Whoever serves a stream lets go of what it keeps for it.
    assert.equal(pair.cancelCount, method.shape === 'unary' || status === '0' ? 0 : 1);
    // The connection goes on.
    assert.equal(pair.call(UNARY, [message('next')]), '0');
  });
}

for (const [name, fields, method, frames, status, heard] of fieldCases) {
  it(`${name}: ${status}`, () => {
    const pair = new Pair();
    // The second one has the block of the first, or its head as a model.
    for (let times = 1; times <= 2; times++) {
      assert.equal(pair.call(method, frames, fields), status);
      assert.equal(pair.heard.length, times * heard.length);
      const isCut = method.shape !== 'unary' && status.startsWith('8');
      assert.equal(pair.cancelCount, isCut ? times : 0);
    }
    assert.deepEqual(pair.heard, [...heard, ...heard]);
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
