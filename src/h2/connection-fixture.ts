// For tests of connections: a handler that records, frames as bytes, and frames read back as text.

import { writeUint32 } from '../base/bytes.ts';
import { Connection, type Role } from './connection.ts';
import type { ConnectionHandler } from './connection-handler.ts';
import { CLIENT_DEFAULTS, type ConnectionOptions, SERVER_DEFAULTS } from './connection-options.ts';
import { errorCodeName } from './error-code.ts';
import { FRAME_HEADER_BYTES, PREFACE, readUint31, readUint32, writeFrameHeader } from './frame.ts';
import type { HeaderBlock, HeaderField } from './header-block.ts';
import { HpackEncoder } from './hpack-encoder.ts';
import type { Stream } from './stream.ts';

/** Records every call as a line, like "data 1 5 end". */
export class RecordingHandler implements ConnectionHandler {
  readonly lines: string[] = [];
  readonly streams: Map<number, Stream> = new Map();
  /** What to do in onHeaders, beside recording. */
  whenHeaders: (stream: Stream) => void = () => {};
  whenReset: (stream: Stream) => void = () => {};

  onHeaders(stream: Stream, block: HeaderBlock, endStream: boolean): void {
    this.streams.set(stream.id, stream);
    this.lines.push(`headers ${stream.id} ${block.fields.length}${endStream ? ' end' : ''}`);
    this.whenHeaders(stream);
  }
  onTrailers(stream: Stream, block: HeaderBlock): void {
    this.lines.push(`trailers ${stream.id} ${block.fields.length}`);
  }
  onData(stream: Stream, _buffer: Uint8Array, start: number, end: number, endStream: boolean): void {
    this.lines.push(`data ${stream.id} ${end - start}${endStream ? ' end' : ''}`);
  }
  onReset(stream: Stream, errorCode: number): void {
    this.lines.push(`reset ${stream.id} ${errorCodeName(errorCode)}`);
    this.whenReset(stream);
  }
  onDrain(stream: Stream): void {
    this.lines.push(`drain ${stream.id}`);
  }
  onSettings(): void {
    this.lines.push('settings');
  }
  onGoaway(lastStreamId: number, errorCode: number, debug: Uint8Array): void {
    this.lines.push(`goaway ${lastStreamId} ${errorCodeName(errorCode)} ${Buffer.from(debug).toString()}`);
  }
  onBatchEnd(): void {}
  onPingAck(payload: number): void {
    this.lines.push(`pong ${payload}`);
  }
  onClose(errorCode: number, reason: string): void {
    this.lines.push(`close ${errorCodeName(errorCode)} ${reason}`);
  }
  /** The lines since the last call. */
  take(): string[] {
    return this.lines.splice(0);
  }
}

export function frame(
  type: number,
  flags: number,
  id: number,
  payload: Uint8Array | readonly number[] = [],
): Uint8Array {
  const bytes = new Uint8Array(FRAME_HEADER_BYTES + payload.length);
  writeFrameHeader(bytes, 0, payload.length, type, flags, id);
  bytes.set(payload, FRAME_HEADER_BYTES);
  return bytes;
}

export function uint32(...values: number[]): Uint8Array {
  const bytes = new Uint8Array(values.length * 4);
  values.forEach((value, i) => {
    writeUint32(bytes, i * 4, value);
  });
  return bytes;
}

export function setting(id: number, value: number): Uint8Array {
  return Uint8Array.of(0, id, ...uint32(value));
}

export const REQUEST_FIELDS: readonly HeaderField[] = [
  { name: ':method', value: 'POST' },
  { name: ':scheme', value: 'http' },
  { name: ':path', value: '/etcdserverpb.KV/Range' },
  { name: ':authority', value: 'localhost' },
];
export const RESPONSE_FIELDS: readonly HeaderField[] = [{ name: ':status', value: '200' }];

/** A field section that leaves every table alone. */
export function section(fields: readonly HeaderField[]): Uint8Array {
  return Uint8Array.from(new HpackEncoder(4096).encodeWith(fields, []));
}

/** The frames in some output, one a line: "RST_STREAM 1 CANCEL", "DATA 1 5 end", … */
export function describe(output: Uint8Array): string[] {
  const lines: string[] = [];
  let at = output[0] === PREFACE.charCodeAt(0) && output[1] === PREFACE.charCodeAt(1) ? PREFACE.length : 0;
  while (at < output.length) {
    const length = (output[at] << 16) | (output[at + 1] << 8) | output[at + 2];
    const flags = output[at + 4];
    const id = readUint31(output, at + 5);
    const payload = output.subarray(at + FRAME_HEADER_BYTES, at + FRAME_HEADER_BYTES + length);
    lines.push(describeFrame(output[at + 3], flags, id, payload));
    at += FRAME_HEADER_BYTES + length;
  }
  return lines;
}

function describeFrame(type: number, flags: number, id: number, payload: Uint8Array): string {
  const end = (flags & 1) === 1 ? ' end' : '';
  switch (type) {
    case 0:
      return `DATA ${id} ${payload.length}${end}`;
    case 1:
      return `HEADERS ${id}${end}`;
    case 3:
      return `RST_STREAM ${id} ${errorCodeName(readUint32(payload, 0))}`;
    case 4:
      return (flags & 1) === 1 ? 'SETTINGS ack' : 'SETTINGS';
    case 6:
      return (flags & 1) === 1 ? 'PING ack' : 'PING';
    case 7:
      return `GOAWAY ${readUint31(payload, 0)} ${errorCodeName(readUint32(payload, 4))} ${Buffer.from(payload.subarray(8)).toString()}`;
    case 8:
      return `WINDOW_UPDATE ${id} ${readUint31(payload, 0)}`;
    default:
      return `frame ${type} ${id}`;
  }
}

/** One connection with a hand-written peer. */
export class Bench {
  readonly handler: RecordingHandler = new RecordingHandler();
  readonly connection: Connection;
  nowMs = 0;

  constructor(role: Role, options: Partial<ConnectionOptions> = {}) {
    const defaults = role === 'server' ? SERVER_DEFAULTS : CLIENT_DEFAULTS;
    this.connection = new Connection(role, { ...defaults, ...options }, this.handler);
    this.connection.tick(0);
  }

  /** Preface, SETTINGS and their acknowledgement; forgets what both sides said so far. */
  handshake(settings: Uint8Array = new Uint8Array(0)): this {
    if (this.connection.role === 'server') this.connection.receive(Buffer.from(PREFACE), this.nowMs);
    this.send(frame(4, 0, 0, settings), frame(4, 1, 0));
    this.output();
    this.handler.take();
    return this;
  }

  /** The peer sends. */
  send(...frames: Uint8Array[]): this {
    this.connection.receive(Buffer.concat(frames), this.nowMs);
    return this;
  }

  /** The peer (a client) opens a stream. */
  request(id: number, endStream = false): this {
    return this.send(frame(1, endStream ? 5 : 4, id, section(REQUEST_FIELDS)));
  }

  output(): string[] {
    return describe(Buffer.concat(this.connection.takeOutput()));
  }

  /** Lets time pass, ticking as a driver does. */
  pass(ms: number): this {
    const untilMs = this.nowMs + ms;
    while (this.nowMs < untilMs) {
      this.nowMs = Math.min(untilMs, this.nowMs + 1000);
      this.connection.tick(this.nowMs);
    }
    return this;
  }

  stream(id: number): Stream {
    const stream = this.handler.streams.get(id);
    if (stream === undefined) throw new Error(`stream ${id} was never opened`);
    return stream;
  }
}
