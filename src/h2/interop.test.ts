// Our two roles against node:http2, over loopback sockets.

import assert from 'node:assert/strict';
import * as http2 from 'node:http2';
import { test } from 'node:test';
import { RealClock } from '../io/clock.ts';
import type { Listener } from '../io/network.ts';
import { TcpNetwork } from '../io/tcp-network.ts';
import { Connection } from './connection.ts';
import { RecordingHandler } from './connection-fixture.ts';
import { CLIENT_DEFAULTS, type ConnectionOptions, SERVER_DEFAULTS } from './connection-options.ts';
import { DriverSet } from './driver-set.ts';
import { type HeaderBlock, headerValue } from './header-block.ts';
import { PreparedHeaders } from './prepared-headers.ts';
import type { Stream } from './stream.ts';

const RESPONSE = new PreparedHeaders([
  { name: ':status', value: '200' },
  { name: 'content-type', value: 'application/grpc' },
]);
const TRAILERS = new PreparedHeaders([{ name: 'grpc-status', value: '0' }]);

/** Sends back what it gets, at once. */
class EchoHandler extends RecordingHandler {
  connection: Connection | null = null;

  override onHeaders(stream: Stream, block: HeaderBlock, endStream: boolean): void {
    const path = headerValue(block.fields, ':path') ?? '';
    this.lines.push(path);
    if (path === '/reset') {
      this.connection?.reset(stream, 0xb);
      return;
    }
    this.connection?.sendHeaders(stream, RESPONSE, [{ name: 'x-path', value: path }], false);
    if (endStream) this.connection?.sendHeaders(stream, TRAILERS, null, true);
  }
  override onData(stream: Stream, buffer: Uint8Array, start: number, end: number, endStream: boolean): void {
    this.connection?.sendData(stream, Uint8Array.from(buffer.subarray(start, end)), 0, end - start, false);
    if (endStream) this.connection?.sendHeaders(stream, TRAILERS, null, true);
  }
}

interface OurServer {
  readonly listener: Listener;
  readonly drivers: DriverSet;
}

async function listen(options: Partial<ConnectionOptions> = {}): Promise<OurServer> {
  const drivers = new DriverSet(new RealClock());
  const listener = await new TcpNetwork().listen({ host: '127.0.0.1', port: 0 }, (transport) => {
    const handler = new EchoHandler();
    handler.connection = new Connection('server', { ...SERVER_DEFAULTS, ...options }, handler);
    drivers.add(handler.connection, transport).start();
  });
  return { listener, drivers };
}

interface Reply {
  readonly status: number | undefined;
  readonly path: string | string[] | undefined;
  readonly trailer: string | string[] | undefined;
  readonly body: Buffer;
}

function exchange(session: http2.ClientHttp2Session, path: string, body: Buffer): Promise<Reply> {
  return new Promise((resolve, reject) => {
    const request = session.request({ ':method': 'POST', ':path': path, 'x-long': 'v'.repeat(300) });
    const parts: Buffer[] = [];
    let status: number | undefined;
    let echoed: string | string[] | undefined;
    let trailer: string | string[] | undefined;
    request.on('response', (headers) => {
      status = headers[':status'];
      echoed = headers['x-path'];
    });
    request.on('data', (part: Buffer) => parts.push(part));
    request.on('trailers', (headers) => {
      trailer = headers['grpc-status'];
    });
    request.on('end', () => resolve({ status, path: echoed, trailer, body: Buffer.concat(parts) }));
    request.on('error', reject);
    request.end(body);
  });
}

function pattern(length: number): Buffer {
  const bytes = Buffer.alloc(length);
  for (let i = 0; i < length; i++) bytes[i] = (i * 7 + (i >> 8)) & 0xff;
  return bytes;
}

test("node's client talks to our server: small and large bodies, many at a time, trailers", async () => {
  const { listener, drivers } = await listen({ streamWindowBytes: 30_000 });
  const session = http2.connect(`http://127.0.0.1:${listener.port}`, { settings: { initialWindowSize: 20_000 } });
  const sizes = [0, 1, 100, 5_000, 40_000, 700_000];
  for (const round of [1, 2, 3]) {
    const replies = await Promise.all(sizes.map((size) => exchange(session, `/${round}/${size}`, pattern(size))));
    replies.forEach((reply, i) => {
      assert.equal(reply.status, 200);
      assert.equal(reply.path, `/${round}/${sizes[i]}`);
      assert.equal(reply.trailer, '0');
      assert.ok(reply.body.equals(pattern(sizes[i])));
    });
  }
  await assert.rejects(exchange(session, '/reset', pattern(1)), /NGHTTP2_ENHANCE_YOUR_CALM/);
  await listener.close();
  // A graceful shutdown ends node's session as well.
  const isClosed = new Promise((resolve) => {
    session.on('close', resolve);
  });
  await drivers.shutdown();
  await isClosed;
});

class ClientHandler extends RecordingHandler {
  readonly parts: Map<Stream, Buffer[]> = new Map();
  readonly ended: string[] = [];
  pending = 0;
  whenDone: () => void = () => {};

  override onHeaders(stream: Stream, block: HeaderBlock, endStream: boolean): void {
    this.parts.set(stream, []);
    this.lines.push(`${headerValue(block.fields, ':status')}`);
    if (endStream) this.#end(stream);
  }
  override onData(stream: Stream, buffer: Uint8Array, start: number, end: number, endStream: boolean): void {
    this.parts.get(stream)?.push(Buffer.from(buffer.subarray(start, end)));
    if (endStream) this.#end(stream);
  }
  override onTrailers(stream: Stream, block: HeaderBlock): void {
    this.lines.push(`trailer ${headerValue(block.fields, 'grpc-status')}`);
    this.#end(stream);
  }
  override onClose(errorCode: number, reason: string): void {
    super.onClose(errorCode, reason);
    this.whenDone();
  }
  #end(stream: Stream): void {
    const body = Buffer.concat(this.parts.get(stream) ?? []);
    this.parts.delete(stream);
    this.ended.push(`${body.length} ${body.equals(pattern(body.length))}`);
    this.pending--;
    if (this.pending === 0) this.whenDone();
  }
}

test("our client talks to node's server: small and large bodies, many at a time, trailers", async () => {
  const server = http2.createServer({ settings: { initialWindowSize: 20_000, maxFrameSize: 50_000 } });
  server.on('stream', (stream) => {
    stream.respond({ ':status': 200, 'x-field': 'a value' }, { waitForTrailers: true });
    stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }));
    stream.on('error', () => {});
    stream.pipe(stream);
  });
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  const address = server.address();
  assert.ok(address !== null && typeof address === 'object');
  const handler = new ClientHandler();
  const connection = new Connection('client', { ...CLIENT_DEFAULTS, streamWindowBytes: 30_000 }, handler);
  const drivers = new DriverSet(new RealClock());
  const transport = new TcpNetwork().connect({ host: '127.0.0.1', port: address.port });
  const driver = drivers.add(connection, transport);
  driver.start();
  const headers = new PreparedHeaders([
    { name: ':method', value: 'POST' },
    { name: ':scheme', value: 'http' },
    { name: ':path', value: '/echo' },
    { name: ':authority', value: '127.0.0.1' },
    { name: 'te', value: 'trailers' },
  ]);
  const sizes = [0, 1, 100, 5_000, 40_000, 300_000];
  for (let round = 0; round < 3; round++) {
    const isDone = new Promise<void>((resolve) => {
      handler.whenDone = resolve;
    });
    handler.pending = sizes.length;
    for (const size of sizes) {
      const stream = connection.openStream(headers, [{ name: 'grpc-timeout', value: `${size}m` }], false);
      assert.ok(stream !== null);
      connection.sendData(stream, pattern(size), 0, size, true);
    }
    driver.flush();
    await isDone;
    assert.deepEqual(handler.ended.splice(0).sort(), sizes.map((size) => `${size} true`).sort());
  }
  assert.equal(handler.lines.filter((line) => line === 'trailer 0').length, 3 * sizes.length);
  assert.equal(connection.streamCount, 0);
  await drivers.shutdown();
  assert.match(handler.lines.at(-1) ?? '', /^close NO_ERROR/);
  server.close();
});

test('a connection that cannot be made ends its streams', async () => {
  const network = new TcpNetwork();
  const listener = await network.listen({ host: '127.0.0.1', port: 0 }, (stream) => stream.destroy());
  await listener.close();
  const handler = new ClientHandler();
  const connection = new Connection('client', CLIENT_DEFAULTS, handler);
  const isClosed = new Promise<void>((resolve) => {
    handler.whenDone = resolve;
  });
  const transport = network.connect({ host: '127.0.0.1', port: listener.port });
  new DriverSet(new RealClock()).add(connection, transport).start();
  connection.openStream([{ name: ':method', value: 'GET' }], null, true);
  await isClosed;
  assert.match(handler.lines.join('\n'), /^reset 1 CANCEL\nclose CANCEL .*ECONNREFUSED/);
});

test('what a slow reader does not take waits in the source, and goes on when it reads again', async () => {
  const total = 24 << 20;
  let pulled = 0;
  const piece = Buffer.alloc(16_384, 7);
  const source = {
    read(room: Uint8Array): Uint8Array {
      const part = piece.subarray(0, Math.min(room.length, total - pulled, piece.length));
      pulled += part.length;
      return part;
    },
    get isDone(): boolean {
      return pulled === total;
    },
  };
  const drivers = new DriverSet(new RealClock());
  const listener = await new TcpNetwork().listen({ host: '127.0.0.1', port: 0 }, (transport) => {
    const handler = new RecordingHandler();
    const connection = new Connection('server', SERVER_DEFAULTS, handler);
    handler.whenHeaders = (stream) => {
      connection.sendHeaders(stream, RESPONSE, null, false);
      connection.sendSource(stream, source, true);
    };
    drivers.add(connection, transport).start();
  });
  const settings = { initialWindowSize: 2 ** 31 - 1 };
  const session = http2.connect(`http://127.0.0.1:${listener.port}`, { settings });
  session.on('connect', () => session.setLocalWindowSize(2 ** 31 - 1));
  const request = session.request({ ':path': '/' });
  await new Promise((resolve) => {
    request.once('response', resolve);
  });
  let received = 0;
  let most = 0;
  for await (const part of request) {
    const bytes: Buffer = part;
    received += bytes.length;
    most = Math.max(most, pulled - received);
  }
  assert.equal(received, total);
  assert.ok(most < total);
  session.close();
  await listener.close();
  await drivers.shutdown();
});
