// What each rule of RFC 9113 about frames and states does: what the peer sends, and what goes back.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Role } from './connection.ts';
import { Bench, frame, REQUEST_FIELDS, RESPONSE_FIELDS, section, setting, uint32 } from './connection-fixture.ts';
import { PREFACE } from './frame.ts';

interface Rule {
  readonly name: string;
  readonly role?: Role;
  /** Sent one after the other on a connection after its handshake; on a server stream 1 is open. */
  readonly frames: Uint8Array[];
  /** The last of what we send; "" for nothing. */
  readonly want: string | RegExp;
}

const REQUEST = section(REQUEST_FIELDS);
const RESPONSE = section(RESPONSE_FIELDS);
const TRAILERS = section([{ name: 'a', value: 'b' }]);

const RULES: readonly Rule[] = [
  { name: '§4.1 unknown frame types are ignored', frames: [frame(0x42, 0xff, 1, [1, 2, 3])], want: '' },
  {
    name: '§4.2 a frame above MAX_FRAME_SIZE',
    frames: [frame(0, 0, 1, new Uint8Array(16385))],
    want: /^GOAWAY 1 FRAME_SIZE_ERROR/,
  },
  {
    name: '§4.3 a field section that does not decode',
    frames: [frame(1, 5, 3, [0x80])],
    want: /^GOAWAY 1 COMPRESSION_ERROR/,
  },
  { name: '§5.1 idle: DATA', frames: [frame(0, 0, 3, [1])], want: /^GOAWAY 1 PROTOCOL_ERROR/ },
  { name: '§5.1 idle: RST_STREAM', frames: [frame(3, 0, 3, uint32(8))], want: /^GOAWAY 1 PROTOCOL_ERROR/ },
  { name: '§5.1 idle: WINDOW_UPDATE', frames: [frame(8, 0, 3, uint32(8))], want: /^GOAWAY 1 PROTOCOL_ERROR/ },
  { name: '§5.1 half-closed: DATA', frames: [frame(0, 1, 1), frame(0, 0, 1, [1])], want: 'RST_STREAM 1 STREAM_CLOSED' },
  {
    name: '§5.1 half-closed: HEADERS',
    frames: [frame(0, 1, 1), frame(1, 5, 1, TRAILERS)],
    want: 'RST_STREAM 1 STREAM_CLOSED',
  },
  { name: '§5.1 half-closed: WINDOW_UPDATE', frames: [frame(0, 1, 1), frame(8, 0, 1, uint32(5))], want: '' },
  {
    name: '§5.1 closed by the peer: DATA',
    frames: [frame(3, 0, 1, uint32(8)), frame(0, 0, 1, [1])],
    want: /^GOAWAY 1 STREAM_CLOSED/,
  },
  {
    name: '§5.1 closed by the peer: HEADERS',
    frames: [frame(3, 0, 1, uint32(8)), frame(1, 5, 1, REQUEST)],
    want: /^GOAWAY 1 STREAM_CLOSED/,
  },
  {
    name: '§5.1 closed: WINDOW_UPDATE and RST_STREAM',
    frames: [frame(3, 0, 1, uint32(8)), frame(8, 0, 1, uint32(1)), frame(3, 0, 1, uint32(8))],
    want: '',
  },
  {
    name: '§5.1 reset by us: what the peer had sent is ignored',
    frames: [frame(8, 0, 1, uint32(0)), frame(0, 0, 1, [1]), frame(1, 5, 1, TRAILERS)],
    want: 'RST_STREAM 1 PROTOCOL_ERROR',
  },
  { name: '§5.1.1 an even stream id', frames: [frame(1, 5, 2, REQUEST)], want: /^GOAWAY 1 PROTOCOL_ERROR/ },
  {
    name: '§5.1.1 a stream id below the last one',
    frames: [frame(1, 5, 5, REQUEST), frame(1, 5, 3, REQUEST)],
    want: /^GOAWAY 5 PROTOCOL_ERROR/,
  },
  { name: '§6.1 DATA on stream 0', frames: [frame(0, 0, 0, [1])], want: /^GOAWAY 1 PROTOCOL_ERROR/ },
  { name: '§6.1 DATA with padding is taken', frames: [frame(0, 8, 1, [2, 7, 0, 0])], want: '' },
  {
    name: '§6.1 DATA with more padding than frame',
    frames: [frame(0, 8, 1, [4, 7, 0, 0])],
    want: /^GOAWAY 1 PROTOCOL_ERROR/,
  },
  { name: '§6.1 padded DATA without a pad length', frames: [frame(0, 8, 1)], want: /^GOAWAY 1 FRAME_SIZE_ERROR/ },
  { name: '§6.2 HEADERS on stream 0', frames: [frame(1, 5, 0, REQUEST)], want: /^GOAWAY 1 PROTOCOL_ERROR/ },
  {
    name: '§6.2 HEADERS with more padding than frame',
    frames: [frame(1, 0xd, 3, [200, ...REQUEST])],
    want: /^GOAWAY 1 PROTOCOL_ERROR/,
  },
  {
    name: '§6.2 HEADERS too short for its priority',
    frames: [frame(1, 0x25, 3, [0, 0])],
    want: /^GOAWAY 1 FRAME_SIZE_ERROR/,
  },
  {
    name: '§6.2 HEADERS with padding and priority are taken',
    frames: [frame(1, 0x2d, 3, [1, ...uint32(1), 9, ...REQUEST, 0])],
    want: '',
  },
  {
    name: '§5.3 HEADERS that depend on themselves',
    frames: [frame(1, 0x25, 3, [...uint32(3), 9, ...REQUEST])],
    want: 'RST_STREAM 3 PROTOCOL_ERROR',
  },
  {
    name: '§6.3 PRIORITY is ignored, also for idle streams',
    frames: [frame(2, 0, 1, [0, 0, 0, 0, 1]), frame(2, 0, 9, [0, 0, 0, 0, 1])],
    want: '',
  },
  { name: '§6.3 PRIORITY on stream 0', frames: [frame(2, 0, 0, [0, 0, 0, 0, 1])], want: /^GOAWAY 1 PROTOCOL_ERROR/ },
  {
    name: '§6.3 PRIORITY of a wrong size',
    frames: [frame(2, 0, 1, [0, 0, 0, 0])],
    want: 'RST_STREAM 1 FRAME_SIZE_ERROR',
  },
  {
    name: '§5.3 PRIORITY that depends on itself',
    frames: [frame(2, 0, 1, [0, 0, 0, 1, 1])],
    want: 'RST_STREAM 1 PROTOCOL_ERROR',
  },
  { name: '§6.4 RST_STREAM on stream 0', frames: [frame(3, 0, 0, uint32(8))], want: /^GOAWAY 1 PROTOCOL_ERROR/ },
  { name: '§6.4 RST_STREAM of a wrong size', frames: [frame(3, 0, 1, [0])], want: /^GOAWAY 1 FRAME_SIZE_ERROR/ },
  { name: '§6.5 SETTINGS are acknowledged', frames: [frame(4, 0, 0, setting(0x99, 5))], want: 'SETTINGS ack' },
  { name: '§6.5 SETTINGS on a stream', frames: [frame(4, 0, 1)], want: /^GOAWAY 1 PROTOCOL_ERROR/ },
  { name: '§6.5 SETTINGS of a wrong size', frames: [frame(4, 0, 0, [0])], want: /^GOAWAY 1 FRAME_SIZE_ERROR/ },
  {
    name: '§6.5 a SETTINGS acknowledgement with a payload',
    frames: [frame(4, 1, 0, setting(1, 1))],
    want: /^GOAWAY 1 FRAME_SIZE_ERROR/,
  },
  { name: '§6.5.2 ENABLE_PUSH above 1', frames: [frame(4, 0, 0, setting(2, 2))], want: /^GOAWAY 1 PROTOCOL_ERROR/ },
  {
    name: '§6.5.2 ENABLE_PUSH by a server',
    role: 'client',
    frames: [frame(4, 0, 0, setting(2, 1))],
    want: /^GOAWAY 0 PROTOCOL_ERROR/,
  },
  {
    name: '§6.5.2 INITIAL_WINDOW_SIZE above 2^31 − 1',
    frames: [frame(4, 0, 0, setting(4, 0x8000_0000))],
    want: /^GOAWAY 1 FLOW_CONTROL_ERROR/,
  },
  {
    name: '§6.5.2 MAX_FRAME_SIZE below 16384',
    frames: [frame(4, 0, 0, setting(5, 16383))],
    want: /^GOAWAY 1 PROTOCOL_ERROR/,
  },
  {
    name: '§6.5.2 MAX_FRAME_SIZE above 2^24 − 1',
    frames: [frame(4, 0, 0, setting(5, 1 << 24))],
    want: /^GOAWAY 1 PROTOCOL_ERROR/,
  },
  {
    name: '§6.6 PUSH_PROMISE',
    role: 'client',
    frames: [frame(5, 4, 1, [0, 0, 0, 2, ...REQUEST])],
    want: /^GOAWAY 0 PROTOCOL_ERROR/,
  },
  { name: '§6.7 PING is answered', frames: [frame(6, 0, 0, uint32(1, 2))], want: 'PING ack' },
  { name: '§6.7 PING on a stream', frames: [frame(6, 0, 1, uint32(1, 2))], want: /^GOAWAY 1 PROTOCOL_ERROR/ },
  { name: '§6.7 PING of a wrong size', frames: [frame(6, 0, 0, uint32(1))], want: /^GOAWAY 1 FRAME_SIZE_ERROR/ },
  { name: '§6.8 GOAWAY on a stream', frames: [frame(7, 0, 1, uint32(0, 0))], want: /^GOAWAY 1 PROTOCOL_ERROR/ },
  { name: '§6.8 GOAWAY of a wrong size', frames: [frame(7, 0, 0, uint32(0))], want: /^GOAWAY 1 FRAME_SIZE_ERROR/ },
  {
    name: '§6.9 WINDOW_UPDATE of 0 on a stream',
    frames: [frame(8, 0, 1, uint32(0))],
    want: 'RST_STREAM 1 PROTOCOL_ERROR',
  },
  {
    name: '§6.9 WINDOW_UPDATE of 0 on the connection',
    frames: [frame(8, 0, 0, uint32(0))],
    want: /^GOAWAY 1 PROTOCOL_ERROR/,
  },
  { name: '§6.9 WINDOW_UPDATE of a wrong size', frames: [frame(8, 0, 1, [1])], want: /^GOAWAY 1 FRAME_SIZE_ERROR/ },
  {
    name: "§6.9.1 a stream's window above 2^31 − 1",
    frames: [frame(8, 0, 1, uint32(0x7fff_ffff))],
    want: 'RST_STREAM 1 FLOW_CONTROL_ERROR',
  },
  {
    name: "§6.9.1 the connection's window above 2^31 − 1",
    frames: [frame(8, 0, 0, uint32(0x7fff_ffff))],
    want: /^GOAWAY 1 FLOW_CONTROL_ERROR/,
  },
  {
    name: '§6.9.2 INITIAL_WINDOW_SIZE that overflows a stream',
    frames: [frame(8, 0, 1, uint32(0x7fff_0000)), frame(4, 0, 0, setting(4, 0x7fff_ffff))],
    want: /^GOAWAY 1 FLOW_CONTROL_ERROR/,
  },
  { name: '§6.10 CONTINUATION without HEADERS', frames: [frame(9, 4, 1, REQUEST)], want: /^GOAWAY 1 PROTOCOL_ERROR/ },
  {
    name: '§6.10 a field section over three frames',
    frames: [
      frame(1, 1, 3, REQUEST.subarray(0, 3)),
      frame(9, 0, 3, REQUEST.subarray(3, 9)),
      frame(9, 4, 3, REQUEST.subarray(9)),
    ],
    want: '',
  },
  {
    name: '§6.10 a field section interrupted by DATA',
    frames: [frame(1, 1, 3, REQUEST), frame(0, 0, 1, [1])],
    want: /^GOAWAY 1 PROTOCOL_ERROR/,
  },
  {
    name: '§6.10 a field section interrupted by another stream',
    frames: [frame(1, 1, 3, REQUEST), frame(9, 4, 1, [])],
    want: /^GOAWAY 1 PROTOCOL_ERROR/,
  },
  { name: '§8.1 trailers without END_STREAM', frames: [frame(1, 4, 1, TRAILERS)], want: 'RST_STREAM 1 PROTOCOL_ERROR' },
  { name: '§8.1 trailers with a pseudo field', frames: [frame(1, 5, 1, REQUEST)], want: 'RST_STREAM 1 PROTOCOL_ERROR' },
  { name: '§8.1.1 a malformed request', frames: [frame(1, 5, 3, TRAILERS)], want: 'RST_STREAM 3 PROTOCOL_ERROR' },
  {
    name: '§8.1.1 less DATA than content-length',
    frames: [frame(1, 4, 3, section([...REQUEST_FIELDS, { name: 'content-length', value: '2' }])), frame(0, 1, 3, [1])],
    want: 'RST_STREAM 3 PROTOCOL_ERROR',
  },
  {
    name: '§8.1.1 more DATA than content-length',
    frames: [
      frame(1, 4, 3, section([...REQUEST_FIELDS, { name: 'content-length', value: '2' }])),
      frame(0, 0, 3, [1, 2, 3]),
    ],
    want: 'RST_STREAM 3 PROTOCOL_ERROR',
  },
  {
    name: '§8.1.1 as much DATA as content-length',
    frames: [
      frame(1, 4, 3, section([...REQUEST_FIELDS, { name: 'content-length', value: '2' }])),
      frame(0, 1, 3, [1, 2]),
    ],
    want: '',
  },
  {
    name: '§8.1.1 no DATA for a content-length',
    frames: [frame(1, 5, 3, section([...REQUEST_FIELDS, { name: 'content-length', value: '2' }]))],
    want: 'RST_STREAM 3 PROTOCOL_ERROR',
  },
  {
    name: '§8.1 client: a response',
    role: 'client',
    frames: [frame(1, 4, 1, RESPONSE), frame(0, 0, 1, [1]), frame(1, 5, 1, TRAILERS)],
    want: '',
  },
  {
    name: '§8.1 client: DATA before HEADERS',
    role: 'client',
    frames: [frame(0, 0, 1, [1])],
    want: 'RST_STREAM 1 PROTOCOL_ERROR',
  },
  {
    name: '§8.1 client: an informational response comes first',
    role: 'client',
    frames: [frame(1, 4, 1, section([{ name: ':status', value: '103' }])), frame(1, 5, 1, RESPONSE)],
    want: '',
  },
  {
    name: '§8.1 client: an informational response that ends',
    role: 'client',
    frames: [frame(1, 5, 1, section([{ name: ':status', value: '103' }]))],
    want: 'RST_STREAM 1 PROTOCOL_ERROR',
  },
  {
    name: '§8.3.2 client: a response without a status',
    role: 'client',
    frames: [frame(1, 5, 1, TRAILERS)],
    want: 'RST_STREAM 1 PROTOCOL_ERROR',
  },
  {
    name: '§5.1.1 client: HEADERS for an idle stream',
    role: 'client',
    frames: [frame(1, 5, 3, RESPONSE)],
    want: /^GOAWAY 0 PROTOCOL_ERROR/,
  },
  {
    name: '§8.4 client: HEADERS on an even stream',
    role: 'client',
    frames: [frame(1, 5, 2, RESPONSE)],
    want: /^GOAWAY 0 PROTOCOL_ERROR/,
  },
];

for (const { name, role = 'server', frames, want } of RULES) {
  for (const isSplit of [false, true]) {
    test(`RFC 9113 ${name}${isSplit ? ' (byte by byte)' : ''}`, () => {
      const bench = new Bench(role).handshake();
      if (role === 'server') bench.request(1);
      else bench.connection.openStream(REQUEST_FIELDS, null, true);
      bench.output();
      if (isSplit) for (const byte of Buffer.concat(frames)) bench.send(Uint8Array.of(byte));
      else bench.send(...frames);
      const last = bench.output().at(-1) ?? '';
      if (typeof want === 'string') assert.equal(last, want);
      else assert.match(last, want);
      assert.equal(bench.connection.isClosed, last.startsWith('GOAWAY'));
    });
  }
}

test('RFC 9113 §3.4: a wrong preface ends the connection', () => {
  const bench = new Bench('server');
  bench.output();
  bench.send(Buffer.from('GET / HTTP/1.1\r\n'));
  assert.match(bench.output().at(-1) ?? '', /^GOAWAY 0 PROTOCOL_ERROR/);
});

test('RFC 9113 §3.4: the first frame has to be SETTINGS', () => {
  const bench = new Bench('server');
  bench.send(Buffer.from(PREFACE), frame(6, 0, 0, uint32(1, 2)));
  assert.match(bench.output().at(-1) ?? '', /^GOAWAY 0 PROTOCOL_ERROR/);
});

test('RFC 9113 §6.9.1: more DATA than the windows is a FLOW_CONTROL_ERROR of the stream or the connection', () => {
  const small = new Bench('server', { streamWindowBytes: 10 }).handshake().request(1);
  assert.deepEqual(small.send(frame(0, 0, 1, new Uint8Array(11))).output(), ['RST_STREAM 1 FLOW_CONTROL_ERROR']);
  const manual = new Bench('server', { connectionWindowBytes: 0, streamWindowBytes: 1 << 20 }).handshake().request(1);
  const full = frame(0, 0, 1, new Uint8Array(16384));
  assert.deepEqual(manual.send(full, full).output(), ['WINDOW_UPDATE 0 32768']);
});

test('RFC 9113 §6.9.2: a window made smaller by SETTINGS may be negative, and sending waits until it is positive', () => {
  const bench = new Bench('server').handshake(setting(4, 10)).request(1, true);
  const { connection } = bench;
  const stream = bench.stream(1);
  connection.sendHeaders(stream, RESPONSE_FIELDS, null, false);
  connection.sendData(stream, new Uint8Array(25), 0, 25, true);
  assert.deepEqual(bench.output(), ['HEADERS 1', 'DATA 1 10']);
  assert.deepEqual(bench.send(frame(4, 0, 0, setting(4, 2))).output(), ['SETTINGS ack']);
  assert.equal(stream.sendWindow, -8);
  assert.deepEqual(bench.send(frame(8, 0, 1, uint32(8))).output(), []);
  assert.deepEqual(bench.send(frame(8, 0, 1, uint32(5))).output(), ['DATA 1 5']);
  assert.deepEqual(bench.send(frame(4, 0, 0, setting(4, 100))).output(), ['SETTINGS ack', 'DATA 1 10 end']);
  assert.equal(connection.streamCount, 0);
});

test('RFC 9113 §8.1: a server that has answered declines the rest of the request', () => {
  const bench = new Bench('server').handshake().request(1);
  bench.connection.sendHeaders(bench.stream(1), RESPONSE_FIELDS, null, true);
  assert.deepEqual(bench.output(), ['HEADERS 1 end', 'RST_STREAM 1 NO_ERROR']);
  assert.deepEqual(bench.send(frame(0, 1, 1, [1])).output(), []);
});

test('RFC 9113 §6.8: streams above the last id of a GOAWAY were not processed; the others finish, then the end', () => {
  const bench = new Bench('client').handshake();
  const { connection, handler } = bench;
  for (let i = 0; i < 3; i++) connection.openStream(REQUEST_FIELDS, null, true);
  bench.send(frame(7, 0, 0, [...uint32(3, 0), 0x68, 0x69]));
  assert.deepEqual(handler.take(), ['reset 5 REFUSED_STREAM', 'goaway 3 NO_ERROR hi']);
  assert.equal(connection.openStream(REQUEST_FIELDS, null, true), null);
  bench.send(frame(1, 5, 1, RESPONSE));
  assert.equal(connection.isClosed, false);
  bench.send(frame(1, 5, 3, RESPONSE));
  assert.equal(connection.isClosed, true);
});

test('RFC 9113 §6.8: a graceful shutdown takes what the client sent before it knew, and nothing after', () => {
  const bench = new Bench('server').handshake().request(1, true);
  const { connection, handler } = bench;
  connection.shutdown();
  assert.deepEqual(bench.output(), ['GOAWAY 2147483647 NO_ERROR ', 'PING']);
  bench.request(3, true);
  bench.send(frame(6, 1, 0, uint32(0x6b_0002, 0)));
  assert.deepEqual(bench.output(), ['GOAWAY 3 NO_ERROR ']);
  bench.request(5, true);
  assert.deepEqual(handler.take(), ['headers 1 4 end', 'headers 3 4 end']);
  connection.sendHeaders(bench.stream(1), RESPONSE_FIELDS, null, true);
  assert.equal(connection.isClosed, false);
  connection.sendHeaders(bench.stream(3), RESPONSE_FIELDS, null, true);
  assert.equal(connection.isClosed, true);
  connection.transportClosed('gone');
  assert.deepEqual(handler.take(), ['close NO_ERROR gone']);
});

test('every open stream hears of the end of the connection once, and knows that it was the connection', () => {
  const bench = new Bench('server').handshake().request(1).request(3, true);
  const closed: boolean[] = [];
  bench.handler.whenReset = () => closed.push(bench.connection.isClosed);
  bench.connection.transportClosed('broken pipe');
  bench.connection.transportClosed('again');
  assert.deepEqual(bench.handler.take().slice(2), ['reset 1 CANCEL', 'reset 3 CANCEL', 'close CANCEL broken pipe']);
  assert.deepEqual(closed, [true, true]);
});

test('a reset by the peer reaches the layer above once; a reset by the layer above does not come back to it', () => {
  const bench = new Bench('server').handshake().request(1).request(3);
  bench.send(frame(3, 0, 1, uint32(8)), frame(3, 0, 1, uint32(8)));
  bench.connection.reset(bench.stream(3), 2);
  assert.deepEqual(bench.handler.take(), ['headers 1 4', 'headers 3 4', 'reset 1 CANCEL']);
  assert.deepEqual(bench.output(), ['RST_STREAM 3 INTERNAL_ERROR']);
});

test('a handler may end the connection in the middle of a chunk', () => {
  const bench = new Bench('server').handshake();
  bench.handler.whenHeaders = () => bench.connection.goaway(2, 'enough');
  bench.send(frame(1, 4, 1, REQUEST), frame(0, 1, 1, [1]), frame(1, 5, 3, REQUEST));
  assert.deepEqual(bench.handler.take(), ['headers 1 4', 'reset 1 INTERNAL_ERROR', 'close INTERNAL_ERROR enough']);
  assert.deepEqual(bench.output(), ['GOAWAY 1 INTERNAL_ERROR enough']);
});

test('without isAutoConsumed a stream is credited only when the layer above has used the bytes', () => {
  const bench = new Bench('server', { streamWindowBytes: 1000 }).handshake();
  bench.handler.whenHeaders = (stream) => {
    stream.isAutoConsumed = false;
  };
  bench.request(1).send(frame(0, 0, 1, new Uint8Array(900)));
  assert.deepEqual(bench.output(), []);
  bench.connection.consumed(bench.stream(1), 400);
  assert.deepEqual(bench.output(), []);
  bench.connection.consumed(bench.stream(1), 300);
  assert.deepEqual(bench.output(), ['WINDOW_UPDATE 1 700']);
});

test('what a message needs is credited ahead, a window of it at most, and taken off what is credited later', () => {
  const bench = new Bench('server', { streamWindowBytes: 1000 }).handshake();
  bench.handler.whenHeaders = (stream) => {
    stream.isAutoConsumed = false;
  };
  bench.request(1).send(frame(0, 0, 1, new Uint8Array(900)));
  const { connection } = bench;
  connection.needed(bench.stream(1), 100);
  assert.deepEqual(bench.output(), []);
  connection.needed(bench.stream(1), 1 << 20);
  assert.deepEqual(bench.output(), ['WINDOW_UPDATE 1 900']);
  bench.send(frame(0, 0, 1, new Uint8Array(1000)));
  connection.consumed(bench.stream(1), 1399);
  assert.deepEqual(bench.output(), []);
  connection.consumed(bench.stream(1), 1);
  assert.deepEqual(bench.output(), ['WINDOW_UPDATE 1 500']);
  connection.consumed(bench.stream(1), 500);
  assert.deepEqual(bench.output(), ['WINDOW_UPDATE 1 500']);
});

test('a ping comes back with its payload', () => {
  const bench = new Bench('client').handshake();
  bench.connection.ping(2 ** 48 - 1);
  const output = Buffer.concat(bench.connection.takeOutput());
  bench.send(frame(6, 1, 0, output.subarray(9)));
  assert.deepEqual(bench.handler.take(), [`pong ${2 ** 48 - 1}`]);
});
