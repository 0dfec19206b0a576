// Each limit of ConnectionOptions: what happens just below it and at it.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Bench, frame, REQUEST_FIELDS, RESPONSE_FIELDS, section, setting, uint32 } from './connection-fixture.ts';
import type { ConnectionOptions } from './connection-options.ts';
import { PREFACE } from './frame.ts';
import { PreparedHeaders } from './prepared-headers.ts';

const PING = frame(6, 0, 0, uint32(1, 2));
const REQUEST = section(REQUEST_FIELDS);

interface Flood {
  readonly limit: keyof ConnectionOptions;
  /** What the peer sends the nth time (n from 0); the limit is 5. */
  readonly send: (bench: Bench, n: number) => void;
}

const FLOODS: readonly Flood[] = [
  { limit: 'peerResetsMax', send: (bench, n) => bench.request(2 * n + 1).send(frame(3, 0, 2 * n + 1, uint32(8))) },
  { limit: 'provokedResetsMax', send: (bench, n) => bench.request(2 * n + 1).send(frame(8, 0, 2 * n + 1, uint32(0))) },
  { limit: 'controlFramesMax', send: (bench, n) => bench.send(n % 2 === 0 ? PING : frame(4, 0, 0)) },
  { limit: 'windowUpdatesMax', send: (bench) => bench.send(frame(8, 0, 0, uint32(1))) },
  { limit: 'ignoredFramesMax', send: (bench) => bench.send(frame(2, 0, 1, [0, 0, 0, 0, 1])) },
  {
    limit: 'emptyDataFramesMax',
    send: (bench, n) => {
      if (n === 0) bench.request(1);
      bench.send(frame(0, 0, 1));
    },
  },
];

for (const { limit, send } of FLOODS) {
  test(`${limit}: one more within a window ends the connection, a pause between does not`, () => {
    const options = { [limit]: 5, pingMinTimeMs: 0 };
    const slow = new Bench('server', options).handshake().pass(10_000);
    for (let n = 0; n < 20; n++) {
      if (n % 5 === 0) slow.pass(10_000);
      send(slow, n);
    }
    assert.equal(slow.connection.isClosed, false);
    const fast = new Bench('server', options).handshake().pass(10_000);
    for (let n = 0; n < 5; n++) send(fast, n);
    assert.equal(fast.connection.isClosed, false);
    send(fast, 5);
    assert.equal(fast.connection.isClosed, true);
    assert.match(fast.output().at(-1) ?? '', /^GOAWAY \d+ ENHANCE_YOUR_CALM too many/);
    assert.equal(fast.connection.stats.limitsExceeded, 1);
  });
}

test('windowUpdatesMax allows one more for each DATA frame of ours', () => {
  const bench = new Bench('server', { windowUpdatesMax: 2 }).handshake().pass(10_000).request(1);
  bench.connection.sendHeaders(bench.stream(1), RESPONSE_FIELDS, null, false);
  for (let n = 0; n < 20; n++) {
    bench.connection.sendData(bench.stream(1), new Uint8Array(1), 0, 1, false);
    bench.send(frame(8, 0, 1, uint32(1)));
  }
  assert.equal(bench.connection.isClosed, false);
});

test('controlFramesMax allows one more for each DATA frame of ours, as grpc-go pings while it receives', () => {
  const options = { controlFramesMax: 2, pingMinTimeMs: 0 };
  const bench = new Bench('server', options).handshake().pass(10_000).request(1);
  bench.connection.sendHeaders(bench.stream(1), RESPONSE_FIELDS, null, false);
  for (let n = 0; n < 20; n++) {
    bench.connection.sendData(bench.stream(1), new Uint8Array(1), 0, 1, false);
    bench.send(PING);
  }
  assert.equal(bench.connection.isClosed, false);
});

test('concurrentStreamsMax: a further stream is refused and can be tried again later', () => {
  const bench = new Bench('server', { concurrentStreamsMax: 2 }).handshake().request(1).request(3).request(5);
  assert.deepEqual(bench.output(), ['RST_STREAM 5 REFUSED_STREAM']);
  assert.equal(bench.connection.stats.streamsRefused, 1);
  bench.send(frame(3, 0, 1, uint32(8))).request(7);
  assert.equal(bench.connection.streamCount, 2);
});

test("a client keeps to the peer's limit of streams", () => {
  const bench = new Bench('client').handshake(setting(3, 1));
  const { connection } = bench;
  assert.equal(connection.peerStreamsMax, 1);
  assert.notEqual(connection.openStream(REQUEST_FIELDS, null, true), null);
  assert.equal(connection.openStream(REQUEST_FIELDS, null, true), null);
  bench.send(frame(1, 5, 1, section(RESPONSE_FIELDS)));
  assert.notEqual(connection.openStream(REQUEST_FIELDS, null, true), null);
});

test('frameBytesMax: a longer frame ends the connection', () => {
  const bench = new Bench('server', { frameBytesMax: 20_000 }).handshake().request(1);
  bench.send(frame(0, 0, 1, new Uint8Array(20_000)));
  assert.equal(bench.connection.isClosed, false);
  bench.send(frame(0, 0, 1, new Uint8Array(20_001)));
  assert.match(bench.output().at(-1) ?? '', /FRAME_SIZE_ERROR/);
  assert.equal(bench.connection.stats.protocolErrors, 1);
});

test('headerListBytesMax: a longer list resets its stream only', () => {
  const bench = new Bench('server', { headerListBytesMax: 300 }).handshake();
  const long = section([...REQUEST_FIELDS, { name: 'a', value: 'b'.repeat(200) }]);
  bench.send(frame(1, 5, 1, long)).request(3, true);
  assert.deepEqual(bench.output(), ['RST_STREAM 1 ENHANCE_YOUR_CALM']);
  assert.deepEqual(bench.handler.take(), ['headers 3 4 end']);
  assert.equal(bench.connection.stats.headerListsTooLong, 1);
});

test('decoderTableBytesMax: a peer that wants a larger table is told COMPRESSION_ERROR', () => {
  const bench = new Bench('server', { decoderTableBytesMax: 100 }).handshake();
  const sizeUpdate = (bytes: number): number[] => [0x3f, bytes - 31];
  bench.send(frame(1, 5, 1, Buffer.concat([Buffer.from(sizeUpdate(100)), REQUEST])));
  assert.equal(bench.connection.isClosed, false);
  bench.send(frame(1, 5, 3, Buffer.concat([Buffer.from(sizeUpdate(101)), REQUEST])));
  assert.match(bench.output().at(-1) ?? '', /^GOAWAY \d COMPRESSION_ERROR/);
  assert.equal(bench.connection.stats.protocolErrors, 1);
});

for (const [encoderTableBytesMax, isKept] of [
  [4096, true],
  [100, false],
] as const) {
  test(`encoderTableBytesMax: in a table of ${encoderTableBytesMax} bytes a long field is ${isKept ? '' : 'not '}kept`, () => {
    const bench = new Bench('server', { encoderTableBytesMax }).handshake().request(1).request(3);
    bench.output();
    const headers = new PreparedHeaders([...RESPONSE_FIELDS, { name: 'long', value: '~'.repeat(200) }]);
    const sizes = [1, 3].map((id) => {
      bench.connection.sendHeaders(bench.stream(id), headers, null, false);
      return Buffer.concat(bench.connection.takeOutput()).length;
    });
    assert.ok(sizes[0] > 200);
    assert.equal(sizes[1] < 50, isKept);
  });
}

test('headerBlockBytesMax: more encoded bytes in one section end the connection', () => {
  const bench = new Bench('server', { headerBlockBytesMax: 100 }).handshake();
  bench.send(frame(1, 1, 1, REQUEST), frame(9, 0, 1, new Uint8Array(100)));
  assert.match(bench.output().at(-1) ?? '', /^GOAWAY 0 ENHANCE_YOUR_CALM/);
  assert.equal(bench.connection.stats.limitsExceeded, 1);
});

test('continuationFramesMax: more frames of one section end the connection', () => {
  const bench = new Bench('server', { continuationFramesMax: 3 }).handshake();
  const empty = frame(9, 0, 1);
  bench.send(frame(1, 1, 1, REQUEST), empty, empty, empty);
  assert.equal(bench.connection.isClosed, false);
  bench.send(empty);
  assert.match(bench.output().at(-1) ?? '', /^GOAWAY 0 ENHANCE_YOUR_CALM/);
  assert.equal(bench.connection.stats.limitsExceeded, 1);
});

test('streamQueueBytesMax: a stream with more waiting is reset; onDrain comes when a queue has emptied', () => {
  const options = { streamQueueBytesMax: 100_000, streamQueueLowBytes: 10_000 };
  const bench = new Bench('server', options).handshake(setting(4, 0)).request(1).request(3);
  const { connection, handler } = bench;
  const bytes = new Uint8Array(60_000);
  for (const id of [1, 3]) connection.sendData(bench.stream(id), bytes, 0, bytes.length, false);
  connection.sendData(bench.stream(3), bytes, 0, bytes.length, false);
  assert.deepEqual(bench.output(), ['RST_STREAM 3 ENHANCE_YOUR_CALM']);
  assert.equal(connection.stats.queueOverflows, 1);
  bench.send(frame(8, 0, 1, uint32(49_999)));
  assert.equal(bench.stream(1).queuedBytes, 10_001);
  assert.deepEqual(handler.take(), ['headers 1 4', 'headers 3 4', 'reset 3 ENHANCE_YOUR_CALM']);
  bench.send(frame(8, 0, 1, uint32(1)));
  assert.deepEqual(handler.take(), ['drain 1']);
});

test('transportBacklogBytesMax: sources are not pulled while the socket holds more', () => {
  const bench = new Bench('server', { transportBacklogBytesMax: 40_000 })
    .handshake(setting(4, 1 << 30))
    .request(1, true);
  const { connection } = bench;
  bench.send(frame(8, 0, 0, uint32(1 << 30)));
  let left = 200_000;
  const source = {
    read(room: Uint8Array): Uint8Array {
      const bytes = new Uint8Array(Math.min(room.length, left));
      left -= bytes.length;
      return bytes;
    },
    get isDone(): boolean {
      return left === 0;
    },
  };
  connection.sendHeaders(bench.stream(1), RESPONSE_FIELDS, null, false);
  connection.sendSource(bench.stream(1), source, false);
  connection.sendHeaders(bench.stream(1), [{ name: 'grpc-status', value: '0' }], null, true);
  assert.ok(connection.outputBytes < 40_000 + 17_000);
  const pulled = 200_000 - left;
  bench.output();
  connection.setTransportBacklog(40_000);
  assert.equal(200_000 - left, pulled);
  const rest: string[] = [];
  for (let rounds = 0; left > 0; rounds++) {
    assert.ok(rounds < 10);
    connection.setTransportBacklog(0);
    assert.ok(connection.outputBytes < 40_000 + 17_000);
    rest.push(...bench.output());
  }
  connection.setTransportBacklog(0);
  rest.push(...bench.output());
  assert.equal(rest.at(-1), 'HEADERS 1 end');
  assert.equal(connection.streamCount, 0);
});

test('a source that has nothing now is asked again after wake', () => {
  const bench = new Bench('server').handshake().request(1, true);
  const { connection } = bench;
  let next: Uint8Array | null = null;
  let isDone = false;
  const source = {
    read: (): Uint8Array | null => next,
    get isDone(): boolean {
      return isDone;
    },
  };
  connection.sendSource(bench.stream(1), source, true);
  assert.deepEqual(bench.output(), []);
  next = new Uint8Array(7);
  isDone = true;
  connection.wake(bench.stream(1));
  assert.deepEqual(bench.output(), ['DATA 1 7 end']);
});

test('outputBacklogBytesMax: nothing is read from a peer that does not read', () => {
  const bench = new Bench('server', { outputBacklogBytesMax: 1000 }).handshake();
  assert.equal(bench.connection.isReceivePaused, false);
  bench.connection.setTransportBacklog(1001);
  assert.equal(bench.connection.isReceivePaused, true);
  bench.connection.setTransportBacklog(0);
  assert.equal(bench.connection.isReceivePaused, false);
});

test('outputStallMsMax: a peer that takes nothing for so long is dropped, one that takes a little is not', () => {
  const options = { transportBacklogBytesMax: 1000, outputStallMsMax: 5_000, pingMinTimeMs: 0 };
  const slow = new Bench('server', options).handshake();
  for (let i = 0; i < 20; i++) {
    slow.connection.setTransportBacklog(5_000 - i);
    slow.pass(1000);
  }
  assert.equal(slow.connection.isClosed, false);
  slow.pass(6_000);
  assert.match(slow.output().at(-1) ?? '', /^GOAWAY 0 ENHANCE_YOUR_CALM the peer does not read/);
  assert.equal(slow.connection.stats.limitsExceeded, 1);
});

test('streamStallMsMax: an answer that is not taken is reset, one that is taken slowly is not, nor a stream without the limit', () => {
  const bench = new Bench('server', { streamStallMsMax: 5_000, pingMinTimeMs: 0 }).handshake(setting(4, 0));
  bench.request(1).request(3).request(5);
  const { connection, handler } = bench;
  const bytes = new Uint8Array(100);
  for (const id of [1, 3, 5]) {
    bench.stream(id).isStallLimited = id !== 5;
    connection.sendData(bench.stream(id), bytes, 0, bytes.length, false);
  }
  bench.output();
  for (let second = 0; second < 20; second++) bench.send(frame(8, 0, 3, uint32(1))).pass(1_000);
  assert.deepEqual(
    bench.output().filter((line) => line.startsWith('RST')),
    ['RST_STREAM 1 ENHANCE_YOUR_CALM'],
  );
  assert.ok(handler.take().includes('reset 1 ENHANCE_YOUR_CALM'));
  // It had nothing to send for a while: the time counts anew.
  bench.send(frame(8, 0, 3, uint32(80))).pass(20_000);
  connection.sendData(bench.stream(3), bytes, 0, bytes.length, false);
  bench.pass(4_000);
  assert.equal(connection.stats.streamStalls, 1);
  bench.pass(2_000);
  assert.deepEqual([connection.stats.streamStalls, connection.streamCount, connection.isClosed], [2, 1, false]);
});

test('streamStallMsMax: what waits behind others for a socket that takes a little is not reset, behind one that takes nothing it is', () => {
  const options = {
    streamStallMsMax: 5_000,
    transportBacklogBytesMax: 1_000,
    outputStallMsMax: 900_000,
    pingMinTimeMs: 0,
  };
  const bench = new Bench('server', options).handshake();
  bench.connection.setTransportBacklog(90_000);
  bench.request(1).request(3);
  const { connection } = bench;
  for (const id of [1, 3]) {
    bench.stream(id).isStallLimited = id === 1;
    connection.sendData(bench.stream(id), new Uint8Array(100), 0, 100, false);
  }
  for (let second = 1; second <= 60; second++) {
    connection.setTransportBacklog(90_000 - second);
    bench.pass(1_000);
  }
  bench.pass(4_000);
  assert.equal(connection.stats.streamStalls, 0);
  bench.pass(2_000);
  assert.deepEqual([connection.stats.streamStalls, connection.streamCount, connection.isClosed], [1, 1, false]);
  bench.pass(880_000);
  assert.equal(connection.isClosed, false);
  bench.pass(20_000);
  assert.equal(connection.isClosed, true);
});

test('handshakeMsMax: a client that sends no preface and SETTINGS in time is dropped', () => {
  for (const start of [Buffer.alloc(0), Buffer.from(PREFACE)]) {
    const bench = new Bench('server');
    bench.send(start).pass(9_000);
    assert.equal(bench.connection.isClosed, false);
    bench.pass(1_000);
    assert.match(bench.output().at(-1) ?? '', /^GOAWAY 0 SETTINGS_TIMEOUT/);
    assert.equal(bench.connection.stats.handshakeTimeouts, 1);
  }
});

test('settingsAckMsMax: a peer that does not acknowledge SETTINGS in time is dropped', () => {
  const bench = new Bench('server').send(Buffer.from(PREFACE), frame(4, 0, 0)).pass(29_000);
  assert.equal(bench.connection.isClosed, false);
  assert.match(bench.pass(1_000).output().at(-1) ?? '', /^GOAWAY 0 SETTINGS_TIMEOUT/);
  assert.equal(bench.connection.stats.handshakeTimeouts, 1);
});

test('keepalive: a silent peer is pinged, and dropped when it does not answer in time', () => {
  const bench = new Bench('server').handshake().pass(7_199_000);
  assert.deepEqual(bench.output(), []);
  assert.deepEqual(bench.pass(1_000).output(), ['PING']);
  bench.send(frame(6, 1, 0, uint32(0x6b_0001, 0))).pass(7_199_000);
  assert.deepEqual(bench.output(), []);
  assert.deepEqual(bench.pass(1_000).output(), ['PING']);
  bench.pass(19_000);
  assert.equal(bench.connection.isClosed, false);
  bench.pass(1_000);
  assert.equal(bench.connection.isClosed, true);
  const { keepalivePingsSent, deadPeers } = bench.connection.stats;
  assert.deepEqual([keepalivePingsSent, deadPeers], [2, 1]);
});

test('keepalive: a client pings only while streams are open', () => {
  const bench = new Bench('client').handshake().pass(60_000);
  assert.deepEqual(bench.output(), []);
  bench.connection.openStream(REQUEST_FIELDS, null, true);
  bench.output();
  assert.deepEqual(bench.pass(1_000).output(), ['PING']);
});

test('pingStrikesMax: a client that pings too often is told too_many_pings', () => {
  const bench = new Bench('server').handshake().request(1);
  bench.send(PING).pass(4_000).send(PING).pass(4_000).send(PING);
  assert.equal(bench.connection.isClosed, false);
  bench.pass(4_000).send(PING);
  assert.deepEqual(bench.output().slice(-2), ['PING ack', 'GOAWAY 1 ENHANCE_YOUR_CALM too_many_pings']);
  const { pingStrikes, limitsExceeded } = bench.connection.stats;
  assert.deepEqual([pingStrikes, limitsExceeded], [3, 1]);
});

test('pingMinTimeMs: pings at that distance while a stream is open are fine, without streams they are strikes', () => {
  const busy = new Bench('server').handshake().request(1);
  for (let i = 0; i < 10; i++) busy.pass(5_000).send(PING);
  assert.equal(busy.connection.isClosed, false);
  const idle = new Bench('server').handshake();
  for (let i = 0; i < 4; i++) idle.pass(5_000).send(PING);
  assert.equal(idle.connection.isClosed, true);
  const permitted = new Bench('server', { isPingPermittedWithoutStreams: true }).handshake();
  for (let i = 0; i < 10; i++) permitted.pass(5_000).send(PING);
  assert.equal(permitted.connection.isClosed, false);
});

test('ping strikes are forgotten when headers or data were sent', () => {
  const bench = new Bench('server').handshake().request(1);
  bench.connection.sendHeaders(bench.stream(1), RESPONSE_FIELDS, null, false);
  for (let i = 0; i < 10; i++) {
    bench.connection.sendData(bench.stream(1), new Uint8Array(1), 0, 1, false);
    bench.send(PING, PING);
  }
  assert.equal(bench.connection.isClosed, false);
});

test('shutdownMsMax: streams that outlast a graceful shutdown are cut', () => {
  const bench = new Bench('server', { shutdownMsMax: 5_000 }).handshake().request(1);
  bench.connection.shutdown();
  bench.send(frame(6, 1, 0, uint32(0x6b_0002, 0))).pass(4_000);
  assert.equal(bench.connection.isClosed, false);
  bench.pass(1_000);
  assert.equal(bench.connection.isClosed, true);
});
