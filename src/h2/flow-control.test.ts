// Client core against server core in memory: random windows, message sizes, chunking and order of events. A naive
// model watches the frames between them: no DATA beyond a window. All bytes arrive, in order.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Connection } from './connection.ts';
import { RecordingHandler } from './connection-fixture.ts';
import { CLIENT_DEFAULTS, SERVER_DEFAULTS } from './connection-options.ts';
import { FRAME_HEADER_BYTES, PREFACE, readUint31, readUint32 } from './frame.ts';
import type { HeaderField } from './header-block.ts';
import { PreparedHeaders } from './prepared-headers.ts';
import type { Stream } from './stream.ts';

const RUNS = Number(process.env.K1M_RUNS ?? 100);

const REQUEST = new PreparedHeaders([
  { name: ':method', value: 'POST' },
  { name: ':scheme', value: 'http' },
  { name: ':path', value: '/a/b' },
]);
const RESPONSE = new PreparedHeaders([
  { name: ':status', value: '200' },
  { name: 'content-type', value: 'application/grpc' },
]);
const TRAILERS = new PreparedHeaders([{ name: 'grpc-status', value: '0' }]);
const EXTRA: readonly HeaderField[] = [{ name: 'grpc-timeout', value: '17m' }];

/** Windows by the book, from the frames of both directions in the order they are delivered. */
class WindowModel {
  /** Per direction (0 to the server, 1 to the client): credit of the connection, of streams, and the initial one. */
  readonly #connection = [65_535, 65_535];
  readonly #initial = [65_535, 65_535];
  readonly #streams: Map<number, number>[] = [new Map(), new Map()];
  readonly #pending: Buffer[] = [Buffer.alloc(0), Buffer.alloc(0)];
  #isPrefaceCut = false;

  /** Bytes that go to the server (0) or the client (1), when their sender writes them. */
  sent(direction: number, bytes: Uint8Array): void {
    this.#each(direction, bytes, (type, flags, id, payload) => {
      if (type !== 0) return;
      assert.equal(flags & 8, 0);
      const left = (this.#streams[direction].get(id) ?? 0) - payload.length;
      this.#connection[direction] -= payload.length;
      this.#streams[direction].set(id, left);
      assert.ok(payload.length === 0 || (left >= 0 && this.#connection[direction] >= 0), 'a window was exceeded');
    });
  }

  /** A receiver's grants count once their sender was handed them. */
  granted(direction: number, frames: Uint8Array): void {
    const to = 1 - direction;
    let at = 0;
    while (at < frames.length) {
      const length = (frames[at] << 16) | (frames[at + 1] << 8) | frames[at + 2];
      const type = frames[at + 3];
      const id = readUint31(frames, at + 5);
      const payload = frames.subarray(at + FRAME_HEADER_BYTES, at + FRAME_HEADER_BYTES + length);
      at += FRAME_HEADER_BYTES + length;
      if (type === 8 && id === 0) this.#connection[to] += readUint31(payload, 0);
      else if (type === 8) this.#streams[to].set(id, (this.#streams[to].get(id) ?? 0) + readUint31(payload, 0));
      else if (type === 4) this.#setting(to, payload);
    }
  }

  opened(id: number): void {
    for (const direction of [0, 1]) {
      if (!this.#streams[direction].has(id)) this.#streams[direction].set(id, this.#initial[direction]);
    }
  }

  #setting(to: number, payload: Uint8Array): void {
    for (let at = 0; at < payload.length; at += 6) {
      if (payload[at + 1] !== 4) continue;
      const change = readUint32(payload, at + 2) - this.#initial[to];
      this.#initial[to] += change;
      for (const [id, window] of this.#streams[to]) this.#streams[to].set(id, window + change);
    }
  }

  #each(
    direction: number,
    bytes: Uint8Array,
    visit: (type: number, flags: number, id: number, payload: Uint8Array) => void,
  ): void {
    let rest = Buffer.concat([this.#pending[direction], bytes]);
    if (direction === 0 && !this.#isPrefaceCut) {
      rest = rest.subarray(PREFACE.length);
      this.#isPrefaceCut = true;
    }
    while (rest.length >= FRAME_HEADER_BYTES) {
      const length = rest.readUIntBE(0, 3);
      if (rest.length < FRAME_HEADER_BYTES + length) break;
      const id = readUint31(rest, 5);
      if (rest[3] === 1) this.opened(id);
      visit(rest[3], rest[4], id, rest.subarray(FRAME_HEADER_BYTES, FRAME_HEADER_BYTES + length));
      rest = rest.subarray(FRAME_HEADER_BYTES + length);
    }
    this.#pending[direction] = rest;
  }
}

/** Collects what arrives on each stream. */
class Collector extends RecordingHandler {
  readonly received: Map<number, Buffer[]> = new Map();
  readonly ended: Set<number> = new Set();
  whenEnd: (stream: Stream) => void = () => {};

  override onData(stream: Stream, buffer: Uint8Array, start: number, end: number, endStream: boolean): void {
    const id = stream.id;
    const parts = this.received.get(id) ?? [];
    parts.push(Buffer.from(buffer.subarray(start, end)));
    this.received.set(id, parts);
    if (endStream) {
      this.ended.add(id);
      this.whenEnd(stream);
    }
  }

  override onTrailers(stream: Stream): void {
    this.ended.add(stream.id);
  }

  bytes(id: number): Buffer {
    return Buffer.concat(this.received.get(id) ?? []);
  }
}

function pattern(length: number, seed: number): Buffer {
  const bytes = Buffer.alloc(length);
  for (let i = 0; i < length; i++) bytes[i] = (i * 31 + seed * 17) & 0xff;
  return bytes;
}

function prefixed(message: Buffer): Buffer {
  const prefix = Buffer.alloc(5);
  prefix.writeUInt32BE(message.length, 1);
  return Buffer.concat([prefix, message]);
}

const SIZE = fc.oneof(fc.nat(100), fc.nat(5_000), fc.nat(60_000));
const CALL = fc.record({
  request: SIZE,
  response: SIZE,
  isUnary: fc.boolean(),
  isSource: fc.boolean(),
  isStable: fc.boolean(),
});
const WINDOW = fc.oneof(fc.integer({ min: 1, max: 50 }), fc.integer({ min: 100, max: 20_000 }), fc.constant(1 << 20));

interface Side {
  readonly connection: Connection;
  /** Frames not delivered yet, and how the reader gets them. */
  wire: Buffer;
}

test('all bytes arrive in order and no window is exceeded, whatever the windows, sizes and chunks', () => {
  fc.assert(
    fc.property(
      fc.array(CALL, { minLength: 1, maxLength: 6 }),
      fc.record({ server: WINDOW, client: WINDOW, frame: fc.constantFrom(16_384, 20_000, 70_000) }),
      fc.array(fc.oneof(fc.constant(1), fc.integer({ min: 2, max: 64 }), fc.integer({ min: 500, max: 90_000 })), {
        minLength: 1,
        maxLength: 20,
      }),
      (calls, windows, chunkSizes) => {
        const limits = { controlFramesMax: 1e9, windowUpdatesMax: 1e9, transportBacklogBytesMax: 30_000 };
        const serverHandler = new Collector();
        const clientHandler = new Collector();
        const server: Side = {
          connection: new Connection(
            'server',
            { ...SERVER_DEFAULTS, ...limits, streamWindowBytes: windows.server, frameBytesMax: windows.frame },
            serverHandler,
          ),
          wire: Buffer.alloc(0),
        };
        const client: Side = {
          connection: new Connection(
            'client',
            { ...CLIENT_DEFAULTS, ...limits, streamWindowBytes: windows.client },
            clientHandler,
          ),
          wire: Buffer.alloc(0),
        };
        const model = new WindowModel();
        const want = new Map<number, { request: Buffer; response: Buffer }>();
        serverHandler.whenEnd = (stream) => answer(server.connection, stream, calls[(stream.id - 1) / 2], want);
        for (const call of calls) ask(client.connection, call, want);
        let turn = 0;
        for (let idle = 0; idle < 2; ) {
          const from = turn % 2 === 0 ? client : server;
          const to = from === client ? server : client;
          const direction = from === client ? 0 : 1;
          // Both sides' output is what they sent before they hear of what is delivered now.
          collect(client, 0, model);
          collect(server, 1, model);
          const size = chunkSizes[(turn >> 1) % chunkSizes.length];
          const chunk = from.wire.subarray(0, wholeFrames(from.wire, size, direction === 0 && turn === 0));
          from.wire = from.wire.subarray(chunk.length);
          model.granted(direction, turn === 0 ? chunk.subarray(PREFACE.length) : chunk);
          for (let at = 0; at < chunk.length; at += size) to.connection.receive(chunk.subarray(at, at + size), turn);
          idle = chunk.length === 0 ? idle + 1 : 0;
          turn++;
        }
        assert.deepEqual(
          serverHandler.lines.filter((line) => line.startsWith('close')),
          [],
        );
        for (const [id, { request, response }] of want) {
          assert.ok(serverHandler.bytes(id).equals(request), `request ${id}`);
          assert.ok(clientHandler.bytes(id).equals(response), `response ${id}`);
          assert.ok(clientHandler.ended.has(id));
        }
        assert.equal(server.connection.streamCount, 0);
        assert.equal(client.connection.streamCount, 0);
      },
    ),
    { numRuns: RUNS },
  );
});

function collect(side: Side, direction: number, model: WindowModel): void {
  while (side.connection.outputBytes > 0) {
    const fresh = Buffer.concat(side.connection.takeOutput());
    model.sent(direction, fresh);
    side.wire = Buffer.concat([side.wire, fresh]);
    side.connection.setTransportBacklog(0);
  }
}

/** How many bytes of whole frames to deliver for a chunk of about `size` (the chunk itself is cut anyhow). */
function wholeFrames(wire: Buffer, size: number, hasPreface: boolean): number {
  let at = hasPreface ? PREFACE.length : 0;
  while (at < wire.length) {
    at += FRAME_HEADER_BYTES + wire.readUIntBE(at, 3);
    if (at >= size) break;
  }
  return at;
}

interface Call {
  readonly request: number;
  readonly response: number;
  readonly isUnary: boolean;
  readonly isSource: boolean;
  readonly isStable: boolean;
}

function ask(connection: Connection, call: Call, want: Map<number, { request: Buffer; response: Buffer }>): void {
  const message = pattern(call.request, 1);
  const answerMessage = pattern(call.response, 2);
  const stream = call.isUnary
    ? connection.request(REQUEST, call.isSource ? EXTRA : null, message, 0, message.length)
    : connection.openStream(REQUEST, null, false);
  assert.ok(stream !== null);
  want.set(stream.id, { request: prefixed(message), response: prefixed(answerMessage) });
  if (!call.isUnary) connection.sendMessage(stream, message, 0, message.length, true);
}

function answer(
  connection: Connection,
  stream: Stream,
  call: Call,
  want: Map<number, { request: Buffer; response: Buffer }>,
): void {
  const message = pattern(call.response, 2);
  if (call.isUnary) {
    connection.respondUnary(stream, RESPONSE, message, 0, message.length, TRAILERS);
    return;
  }
  connection.sendHeaders(stream, RESPONSE, null, false);
  const bytes = want.get(stream.id)?.response ?? Buffer.alloc(0);
  if (call.isSource) {
    let at = 0;
    connection.sendSource(
      stream,
      {
        read(room: Uint8Array): Uint8Array {
          const part = bytes.subarray(at, at + room.length);
          at += part.length;
          if (call.isStable) return part;
          room.set(part);
          return room.subarray(0, part.length);
        },
        get isDone(): boolean {
          return at === bytes.length;
        },
      },
      false,
    );
  } else {
    const half = bytes.length >> 1;
    connection.sendData(stream, bytes, 0, half, false);
    connection.sendData(stream, bytes, half, bytes.length, false);
  }
  connection.sendHeaders(stream, TRAILERS, null, true);
}

test('thousands of short streams pass by a long-lived one', () => {
  const handler = new Collector();
  const client = new Connection('client', CLIENT_DEFAULTS, handler);
  const serverHandler = new Collector();
  const server = new Connection('server', SERVER_DEFAULTS, serverHandler);
  const message = Buffer.alloc(3);
  client.openStream(REQUEST, null, false);
  serverHandler.whenEnd = (stream) => server.respondUnary(stream, RESPONSE, message, 0, 3, TRAILERS);
  for (let round = 0; round < 500; round++) {
    for (let i = 0; i < 40; i++) client.request(REQUEST, null, message, 0, 3);
    for (const chunk of client.takeOutput()) server.receive(chunk, round);
    for (const chunk of server.takeOutput()) client.receive(chunk, round);
    handler.received.clear();
    serverHandler.received.clear();
  }
  assert.equal(client.streamCount, 1);
  assert.equal(server.streamCount, 1);
  assert.equal(handler.ended.size, 20_000);
});
