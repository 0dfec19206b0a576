// Calls as gRPC has them: deadlines, sizes, messages cut by the transport, several clients.

import assert from 'node:assert/strict';
import { it } from 'node:test';
import * as methods from '../src/api/methods.ts';
import { encoded } from './compat/compat-client.ts';
import { put, range, watchKeys } from './compat/requests.ts';
import { SimulatedServer } from './compat/server-fixture.ts';

it('a call whose deadline passes while the disk is slow ends with DEADLINE_EXCEEDED, and its write stays', async () => {
  const server = await SimulatedServer.open(1);
  server.disk.faults.push({ operation: 'writeDurable', pathPart: '', times: 1, delayMs: 5_000 });
  const late = server.client.raw(methods.put, encoded(methods.put, put('a', '1')), 1_000);
  await assert.rejects(server.drive(late), { code: 4, message: 'context deadline exceeded' });
  await server.clock.pass(6_000);
  assert.equal((await server.drive(server.client.unary(methods.range, range({ key: 'a' })))).count, 1);
  await server.close();
});

it('nothing of a write is shown to readers and watchers while the disk has not got it', async () => {
  const server = await SimulatedServer.open(2);
  const stream = await server.drive(server.client.stream(methods.watch));
  stream.send({ create_request: watchKeys({ key: 'a' }) });
  await server.drive(stream.next());
  server.disk.faults.push({ operation: 'writeDurable', pathPart: '', times: 1, delayMs: 5_000 });
  const written = server.client.unary(methods.put, put('a', '1'));
  await server.clock.pass(1_000);
  const { count, header } = await server.drive(server.client.unary(methods.range, range({ key: 'a' })));
  assert.deepEqual([count, header?.revision, stream.waiting.length], [0, 1, 0]);
  stream.send({ progress_request: {} });
  const progress = await server.drive(stream.next());
  assert.ok('message' in progress && progress.message.header?.revision === 1);
  assert.equal((await server.drive(written)).header?.revision, 2);
  const event = await server.drive(stream.next());
  assert.ok('message' in event && event.message.events.length === 1);
  await server.close();
});

it('a message above the limit is refused in the words of grpc-go', async () => {
  const server = await SimulatedServer.open(3);
  const large = server.client.unary(methods.put, put('a', 'x'.repeat(2_097_152)));
  const message = 'grpc: received message larger than max (2097160 vs. 2097152)';
  await assert.rejects(server.drive(large), { code: 8, message });
  await server.close();
});
