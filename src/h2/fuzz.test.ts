// Hostile bytes: whatever comes, nothing is thrown out of receive, the answer is frames (RST_STREAM, GOAWAY), what the
// core holds stays bounded, and streams end for the layer above exactly once.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { Role } from './connection.ts';
import { Connection } from './connection.ts';
import {
  describe,
  frame,
  REQUEST_FIELDS,
  RESPONSE_FIELDS,
  RecordingHandler,
  section,
  setting,
  uint32,
} from './connection-fixture.ts';
import { CLIENT_DEFAULTS, SERVER_DEFAULTS } from './connection-options.ts';
import { PREFACE } from './frame.ts';
import { PreparedHeaders } from './prepared-headers.ts';
import type { Stream } from './stream.ts';

const RUNS = Number(process.env.K1M_RUNS ?? 300);
const RESPONSE = new PreparedHeaders(RESPONSE_FIELDS);
const TRAILERS = new PreparedHeaders([{ name: 'grpc-status', value: '0' }]);

/** Checks that each stream begins once and ends once, and nothing happens to it in between or after. */
class StrictHandler extends RecordingHandler {
  readonly open: Set<number> = new Set();

  override onHeaders(stream: Stream): void {
    this.open.add(stream.id);
  }
  override onTrailers(stream: Stream): void {
    this.#expectOpen(stream);
  }
  override onData(stream: Stream, _buffer: Uint8Array, _start: number, _end: number, _endStream: boolean): void {
    this.#expectOpen(stream);
  }
  override onReset(stream: Stream): void {
    assert.ok(stream.id > 0);
    this.open.delete(stream.id);
  }
  #expectOpen(stream: Stream): void {
    assert.ok(this.open.has(stream.id));
  }
}

/** A server that answers each request as soon as it is whole. */
class AnsweringHandler extends StrictHandler {
  connection: Connection | null = null;

  override onData(stream: Stream, buffer: Uint8Array, start: number, end: number, endStream: boolean): void {
    super.onData(stream, buffer, start, end, endStream);
    if (!endStream) return;
    this.open.delete(stream.id);
    this.connection?.respondUnary(stream, RESPONSE, new Uint8Array(20), 0, 20, TRAILERS);
  }
}

const TYPE = fc.oneof(fc.nat(10), fc.nat(255));
const FLAGS = fc.oneof(fc.constantFrom(0, 1, 4, 5, 0x2d), fc.nat(255));
const ID = fc.oneof(fc.nat(9), fc.constantFrom(0x7fff_ffff, 0));
const PAYLOAD = fc.oneof(
  fc.uint8Array({ maxLength: 40 }),
  fc.constantFrom(
    section(REQUEST_FIELDS),
    section(RESPONSE_FIELDS),
    section([{ name: 'a', value: 'b' }]),
    uint32(1),
    uint32(8),
    uint32(0x7fff_ffff),
    uint32(3, 0),
    setting(4, 0),
    setting(4, 70_000),
    setting(1, 0),
    setting(3, 1),
    new Uint8Array(16_384),
    new Uint8Array(0),
  ),
);
const FRAME = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.tuple(TYPE, FLAGS, ID, PAYLOAD).map(([type, flags, id, payload]) => frame(type, flags, id, payload)),
  },
  { weight: 1, arbitrary: fc.uint8Array({ maxLength: 30 }) },
);
const FRAMES = fc.array(FRAME, { maxLength: 40 });

function connect(role: Role, handler: RecordingHandler): Connection {
  const options = role === 'server' ? SERVER_DEFAULTS : CLIENT_DEFAULTS;
  const connection = new Connection(role, options, handler);
  const start = role === 'server' ? Buffer.from(PREFACE) : Buffer.alloc(0);
  connection.receive(Buffer.concat([start, frame(4, 0, 0)]), 0);
  return connection;
}

function checkEnd(connection: Connection, received: number): void {
  // Every answer is a whole frame, and there are not more than the input can ask for.
  const output = Buffer.concat(connection.takeOutput());
  const lines = describe(output);
  assert.ok(lines.length <= 10 + received);
  const goaway = lines.findIndex((line) => line.startsWith('GOAWAY'));
  assert.ok(goaway === -1 || goaway === lines.length - 1, 'something follows GOAWAY');
  connection.transportClosed('end');
  assert.equal(connection.streamCount, 0);
}

for (const chunkBytes of [1, 7, 100_000]) {
  test(`a server outlives random frames in chunks of ${chunkBytes}`, () => {
    fc.assert(
      fc.property(FRAMES, (frames) => {
        const handler = new AnsweringHandler();
        const connection = connect('server', handler);
        handler.connection = connection;
        const bytes = Buffer.concat(frames);
        for (let at = 0; at < bytes.length; at += chunkBytes)
          connection.receive(bytes.subarray(at, at + chunkBytes), at);
        checkEnd(connection, bytes.length);
        assert.equal(handler.open.size, 0);
      }),
      { numRuns: RUNS },
    );
  });

  test(`a client outlives random frames in chunks of ${chunkBytes}`, () => {
    fc.assert(
      fc.property(FRAMES, (frames) => {
        const handler = new RecordingHandler();
        const connection = connect('client', handler);
        for (let i = 0; i < 4; i++) connection.openStream(REQUEST_FIELDS, null, i % 2 === 0);
        const bytes = Buffer.concat(frames);
        for (let at = 0; at < bytes.length; at += chunkBytes)
          connection.receive(bytes.subarray(at, at + chunkBytes), at);
        checkEnd(connection, bytes.length);
        const resets = handler.lines.filter((line) => line.startsWith('reset')).map((line) => line.split(' ')[1]);
        assert.equal(new Set(resets).size, resets.length);
        assert.equal(handler.lines.filter((line) => line.startsWith('close')).length, 1);
      }),
      { numRuns: RUNS },
    );
  });
}

test('a server outlives a good conversation with some bytes changed', () => {
  const client = new Connection('client', CLIENT_DEFAULTS, new RecordingHandler());
  const request = new PreparedHeaders(REQUEST_FIELDS);
  for (let i = 0; i < 30; i++)
    client.request(request, [{ name: 'grpc-timeout', value: `${i}m` }], new Uint8Array(50), 0, 50);
  const capture = Buffer.concat(client.takeOutput());
  const change = fc.record({ at: fc.nat(capture.length - 1), value: fc.nat(255) });
  fc.assert(
    fc.property(
      fc.array(change, { minLength: 1, maxLength: 5 }),
      fc.integer({ min: 1, max: 3000 }),
      (changes, chunkBytes) => {
        const handler = new AnsweringHandler();
        const server = new Connection('server', SERVER_DEFAULTS, handler);
        handler.connection = server;
        const bytes = Buffer.from(capture);
        for (const { at, value } of changes) bytes[at] = value;
        for (let at = 0; at < bytes.length; at += chunkBytes) server.receive(bytes.subarray(at, at + chunkBytes), at);
        checkEnd(server, bytes.length);
        assert.equal(handler.open.size, 0);
      },
    ),
    { numRuns: RUNS },
  );
});
