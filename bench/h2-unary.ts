// What a small unary exchange costs in h2 alone, per role: recorded bytes of one side are fed to the other, in chunks
// of many exchanges, as a busy socket delivers them. Prints microseconds; asserts nothing.
//
//   node bench/h2-unary.ts [exchanges]

import { Connection } from '../src/h2/connection.ts';
import type { ConnectionHandler } from '../src/h2/connection-handler.ts';
import { CLIENT_DEFAULTS, SERVER_DEFAULTS } from '../src/h2/connection-options.ts';
import { FRAME_HEADER_BYTES, PREFACE, writeFrameHeader } from '../src/h2/frame.ts';
import type { HeaderBlock, HeaderField } from '../src/h2/header-block.ts';
import { huffmanEncode, huffmanEncodedBytes } from '../src/h2/huffman.ts';
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
  onBatchEnd(): void {}
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

/** Writes requests as grpc-go's client does: every new field enters the table, so timeouts push the others out. */
class RollingEncoder {
  #table: HeaderField[] = [];
  #usedBytes = 0;

  encode(fields: readonly HeaderField[]): Buffer {
    const bytes: number[] = [];
    for (const { name, value } of fields) {
      const known = this.#table.findIndex((field) => field.name === name && field.value === value);
      const named = this.#table.findIndex((field) => field.name === name);
      if (known >= 0) {
        this.#integer(bytes, 0x80, 0x7f, 62 + known);
        continue;
      }
      this.#integer(bytes, 0x40, 0x3f, named < 0 ? 0 : 62 + named);
      if (named < 0) this.#string(bytes, name);
      this.#string(bytes, value);
      this.#table.unshift({ name, value });
      this.#usedBytes += name.length + value.length + 32;
      for (let last = this.#table.at(-1); this.#usedBytes > 4096 && last !== undefined; last = this.#table.at(-1)) {
        this.#usedBytes -= last.name.length + last.value.length + 32;
        this.#table.pop();
      }
    }
    return Buffer.from(bytes);
  }

  #integer(bytes: number[], pattern: number, mask: number, value: number): void {
    if (value < mask) bytes.push(pattern | value);
    else {
      bytes.push(pattern | mask);
      let rest = value - mask;
      for (; rest > 127; rest >>>= 7) bytes.push((rest & 127) | 128);
      bytes.push(rest);
    }
  }

  #string(bytes: number[], value: string): void {
    const length = huffmanEncodedBytes(value);
    const encoded = new Uint8Array(length);
    huffmanEncode(value, encoded, 0);
    this.#integer(bytes, 0x80, 0x7f, length);
    bytes.push(...encoded);
  }
}

function frameOf(type: number, flags: number, id: number, payload: Uint8Array): Buffer {
  const bytes = Buffer.alloc(FRAME_HEADER_BYTES + payload.length);
  writeFrameHeader(bytes, 0, payload.length, type, flags, id);
  bytes.set(payload, FRAME_HEADER_BYTES);
  return bytes;
}

function runGrpcGo(name: string): void {
  const handler = new Handler();
  const server = new Connection('server', SERVER_DEFAULTS, handler);
  handler.connection = server;
  server.receive(
    Buffer.concat([Buffer.from(PREFACE), frameOf(4, 0, 0, Buffer.alloc(0)), frameOf(4, 1, 0, Buffer.alloc(0))]),
    0,
  );
  server.receive(frameOf(8, 0, 0, Buffer.from([0x7f, 0, 0, 0])), 0);
  const encoder = new RollingEncoder();
  const message = Buffer.alloc(REQUEST_BYTES + 5, 2);
  const chunks: Buffer[] = [];
  for (let id = 1; id < 400_000; ) {
    const frames: Buffer[] = [];
    for (let i = 0; i < BATCH; i++, id += 2) {
      const timeout = { name: 'grpc-timeout', value: `${4_999_000 + ((id * 7) % 1000)}u` };
      frames.push(frameOf(1, 4, id, encoder.encode([...REQUEST.fields, timeout])), frameOf(0, 1, id, message));
    }
    chunks.push(Buffer.concat(frames));
  }
  let started = performance.now();
  let before = 0;
  chunks.forEach((chunk, i) => {
    if (i === chunks.length >> 1) {
      started = performance.now();
      before = handler.finished;
    }
    server.receive(chunk, i);
    server.takeOutput();
  });
  const each = ((performance.now() - started) * 1000) / (handler.finished - before);
  console.log(`${name}: server ${each.toFixed(3)} µs`);
}

run('prepared headers      ', false);
run('and a grpc-timeout    ', true);
runGrpcGo('as grpc-go writes it  ');
