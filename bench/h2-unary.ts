// What a small unary exchange costs in h2 alone, per role: recorded bytes of one side are fed to the other, in chunks
// of many exchanges, as a busy socket delivers them. Prints microseconds; asserts nothing.
//
//   node bench/h2-unary.ts [exchanges]

import { Connection } from '../src/h2/connection.ts';
import type { ConnectionHandler } from '../src/h2/connection-handler.ts';
import { CLIENT_DEFAULTS, SERVER_DEFAULTS } from '../src/h2/connection-options.ts';
import type { HeaderBlock, HeaderField } from '../src/h2/header-block.ts';
import { PreparedHeaders } from '../src/h2/prepared-headers.ts';
import type { Stream } from '../src/h2/stream.ts';

const EXCHANGES = Number(process.argv[2] ?? 400_000);
const BATCH = 40;
const REQUEST_BYTES = 64;
const RESPONSE_BYTES = 32;

const REQUEST = new PreparedHeaders([
  { name: ':method', value: 'POST' },
  { name: ':scheme', value: 'http' },
  { name: ':path', value: '/etcdserverpb.KV/Txn' },
  { name: ':authority', value: '127.0.0.1:2379' },
  { name: 'content-type', value: 'application/grpc' },
  { name: 'user-agent', value: 'grpc-go/1.72.2' },
  { name: 'te', value: 'trailers' },
]);
const RESPONSE = new PreparedHeaders([
  { name: ':status', value: '200' },
  { name: 'content-type', value: 'application/grpc' },
]);
const TRAILERS = new PreparedHeaders([
  { name: 'grpc-status', value: '0' },
  { name: 'grpc-message', value: '' },
]);

class Handler implements ConnectionHandler {
  connection: Connection | null = null;
  finished = 0;
  bytes = 0;
  readonly #response = Buffer.alloc(RESPONSE_BYTES, 1);

  onHeaders(stream: Stream, block: HeaderBlock, _endStream: boolean): void {
    stream.userData = block.memo;
  }
  onData(stream: Stream, _buffer: Uint8Array, start: number, end: number, endStream: boolean): void {
    this.bytes += end - start;
    if (!endStream) return;
    this.finished++;
    this.connection?.respondUnary(stream, RESPONSE, this.#response, 0, RESPONSE_BYTES, TRAILERS);
  }
  onTrailers(_stream: Stream, _block: HeaderBlock): void {
    this.finished++;
  }
  onReset(): void {}
  onDrain(): void {}
  onSettings(): void {}
  onGoaway(): void {}
  onPingAck(): void {}
  onClose(errorCode: number, reason: string): void {
    throw new Error(`closed: ${errorCode} ${reason}`);
  }
}

function run(name: string, timeouts: boolean): void {
  const serverHandler = new Handler();
  const clientHandler = new Handler();
  const server = new Connection('server', SERVER_DEFAULTS, serverHandler);
  const client = new Connection('client', CLIENT_DEFAULTS, clientHandler);
  serverHandler.connection = server;
  const message = Buffer.alloc(REQUEST_BYTES, 2);
  let requestMs = 0;
  let serverMs = 0;
  let clientMs = 0;
  let count = 0;
  let extra: readonly HeaderField[] | null = null;
  for (let batch = 0; clientHandler.finished < EXCHANGES; batch++) {
    const nowMs = batch * 100;
    if (batch === 1000) {
      requestMs = 0;
      serverMs = 0;
      clientMs = 0;
      count = 0;
    }
    const t0 = performance.now();
    for (let i = 0; i < BATCH; i++) {
      if (timeouts) extra = [{ name: 'grpc-timeout', value: `${4_999_000 + ((batch * BATCH + i) % 1000)}u` }];
      client.request(REQUEST, extra, message, 0, REQUEST_BYTES);
    }
    const sent = client.takeOutput();
    const t1 = performance.now();
    for (const chunk of sent) server.receive(chunk, nowMs);
    const answered = server.takeOutput();
    const t2 = performance.now();
    for (const chunk of answered) client.receive(chunk, nowMs);
    const t3 = performance.now();
    if (batch % 10 === 0) {
      server.tick(nowMs);
      client.tick(nowMs);
    }
    requestMs += t1 - t0;
    serverMs += t2 - t1;
    clientMs += t3 - t2;
    count += BATCH;
  }
  const each = (ms: number): string => ((ms * 1000) / count).toFixed(3);
  console.log(
    `${name}: server ${each(serverMs)} µs, client ${each(requestMs + clientMs)} µs (request ${each(requestMs)}, response ${each(clientMs)})`,
  );
}

run('prepared headers      ', false);
run('and a grpc-timeout    ', true);
