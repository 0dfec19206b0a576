// Requests that were read together run together. Whether they were is not to be seen: the same bytes, whole and cut anywhere, have the
// same handlers run in the same order, and the same answers.

import assert from 'node:assert/strict';
import { it } from 'node:test';
import fc from 'fast-check';
import { CANCELLED, NOT_FOUND, OK, StatusError } from '../api/errors.ts';
import type { Method } from '../api/methods.ts';
import { Connection } from '../h2/connection.ts';
import { describe, RecordingHandler } from '../h2/connection-fixture.ts';
import { CLIENT_DEFAULTS, SERVER_DEFAULTS } from '../h2/connection-options.ts';
import { CANCEL } from '../h2/error-code.ts';
import type { Stream } from '../h2/stream.ts';
import { Deadlines } from './deadlines.ts';
import { MessageMemory } from './message-memory.ts';
import { Registry } from './registry.ts';
import { ServerConnection } from './server-connection.ts';

const UNARY: Method = { path: '/test.Service/Unary', service: 'test.Service', name: 'Unary', shape: 'unary' };
const STREAM: Method = { path: '/test.Service/Stream', service: 'test.Service', name: 'Stream', shape: 'bidi_stream' };
const PATHS: Readonly<Record<string, string>> = { stream: STREAM.path, unknown: '/test.Service/Other' };
const STREAMS_MAX = 20;
/** HEADERS on stream 0, and DATA on a stream that the client has ended: the end of the connection, unless that one waits for its answer. */
const DAMAGES: readonly Buffer[] = [Buffer.of(0, 0, 0, 1, 4, 0, 0, 0, 0), Buffer.of(0, 0, 0, 0, 0, 0, 0, 0, 1)];

type Action = 'reply' | 'later' | 'refuse' | 'cut' | 'unknown' | 'stream' | 'more' | 'reset' | 'ping';
const ACTIONS: readonly Action[] = ['later', 'refuse', 'cut', 'unknown', 'stream', 'more', 'reset', 'ping'];

/** A client's bytes for a row of actions. */
function bytesOf(actions: readonly Action[]): Buffer {
  const client = new Connection('client', CLIENT_DEFAULTS, new RecordingHandler());
  client.tick(0);
  let last: Stream | null = null;
  let flow: Stream | null = null;
  let flowId = 0;
  for (const [index, action] of actions.entries()) {
    const text = Buffer.from(`${action} ${index}`);
    const bytes = Buffer.concat([Buffer.of(0, 0, 0, 0, text.length), text]);
    if (action === 'ping') client.ping(index);
    else if (action === 'reset') {
      if (last !== null && last.id !== 0) client.reset(last, CANCEL);
    } else if (action === 'more') {
      if (flow !== null && flow.id === flowId) client.sendData(flow, bytes, 0, bytes.length, false);
    } else {
      last = client.openStream(fieldsOf(PATHS[action] ?? UNARY.path), null, false);
      assert.ok(last !== null);
      if (action === 'stream') {
        flow = last;
        flowId = last.id;
      }
      const cut = action === 'cut' ? 7 : 0;
      if (cut > 0) client.sendData(last, bytes, 0, cut, false);
      client.sendData(last, bytes, cut, bytes.length, action !== 'stream');
    }
  }
  return Buffer.concat(client.takeOutput());
}

function fieldsOf(path: string): { name: string; value: string }[] {
  return [
    { name: ':method', value: 'POST' },
    { name: ':scheme', value: 'http' },
    { name: ':path', value: path },
    { name: ':authority', value: 'localhost' },
    { name: 'content-type', value: 'application/grpc' },
    { name: 'te', value: 'trailers' },
  ];
}

function serverOf(registry: Registry): ServerConnection {
  return new ServerConnection({
    h2: { ...SERVER_DEFAULTS, concurrentStreamsMax: STREAMS_MAX },
    registry,
    deadlines: new Deadlines(),
    memory: new MessageMemory(),
    http: () => assert.fail('no plain request was sent'),
    messageBytesMax: 1_000,
    nowMs: () => 0,
    onBug: (error) => {
      throw error;
    },
    onDirty: () => {},
  });
}

/** What a server does with bytes that come in such chunks: what its handlers saw, and its frames by stream. */
function outcome(chunks: readonly Uint8Array[]): unknown {
  const heard: string[] = [];
  const late: (() => void)[] = [];
  const registry = new Registry();
  registry.unary(UNARY, (call, buffer, start, end) => {
    const text = Buffer.from(buffer.subarray(start, end)).toString();
    heard.push(text);
    if (text.startsWith('refuse')) throw new StatusError(NOT_FOUND, text);
    const reply = Buffer.from(text);
    if (text.startsWith('later')) late.push(() => call.reply(reply, 0, reply.length));
    else call.reply(reply, 0, reply.length);
  });
  registry.stream(STREAM, (call) => ({
    onMessage: (buffer, start, end): void => {
      heard.push(Buffer.from(buffer.subarray(start, end)).toString());
    },
    onHalfClose: (): void => call.end(),
    onDrain: (): void => {},
    onCancel: (): void => {
      heard.push('cancelled');
    },
  }));
  const server = serverOf(registry);
  server.h2.tick(0);
  for (const chunk of chunks) server.h2.receive(chunk, 0);
  for (const reply of late) reply();
  const byStream = Map.groupBy(describe(Buffer.concat(server.h2.takeOutput())), (line) => line.split(' ')[1]);
  const counts = [...registry.entries].map(({ started, messagesReceived, messagesSent, handled }) => [
    started,
    messagesReceived,
    messagesSent,
    [...handled],
  ]);
  return { heard, frames: Object.fromEntries(byStream), counts, isClosed: server.h2.isClosed };
}

it('whole or cut anywhere, requests run in the same order and get the same answers', () => {
  const actions = fc.array(
    fc.oneof(
      { weight: 24, arbitrary: fc.constant<Action>('reply') },
      { weight: 8, arbitrary: fc.constantFrom(...ACTIONS) },
    ),
    { maxLength: 200, size: 'max' },
  );
  fc.assert(
    fc.property(
      actions,
      fc.array(fc.nat(), { maxLength: 30 }),
      fc.constantFrom(Buffer.of(), ...DAMAGES),
      (row, seeds, damage) => {
        const bytes = Buffer.concat([bytesOf(row), damage]);
        const cuts = [0, ...seeds.map((seed) => seed % (bytes.length + 1)).sort((a, b) => a - b), bytes.length];
        const chunks = cuts.slice(1).map((end, index) => bytes.subarray(cuts[index], end));
        assert.deepEqual(outcome(chunks), outcome([...bytes].map((byte) => Buffer.of(byte))));
        assert.deepEqual(outcome([bytes]), outcome(chunks));
      },
    ),
    { numRuns: 100 },
  );
});

it('what was read with a request that ends the connection does not run', () => {
  const heard: string[] = [];
  const registry = new Registry();
  const server = serverOf(registry);
  registry.unary(UNARY, (call, buffer, start, end) => {
    heard.push(Buffer.from(buffer.subarray(start, end)).toString());
    if (heard.length === 2) server.h2.transportClosed('gone');
    call.reply(Buffer.of(), 0, 0);
  });
  server.h2.tick(0);
  server.h2.receive(bytesOf(['reply', 'reply', 'reply']), 0);
  assert.deepEqual(heard, ['reply 0', 'reply 1']);
  const [entry] = registry.entries;
  assert.deepEqual([entry.started, entry.messagesReceived, entry.handled[OK], entry.handled[CANCELLED]], [3, 2, 1, 2]);
});
