import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as methods from '../api/methods.ts';
import { EtcdClient } from '../client/etcd-client.ts';
import { Registry } from '../grpc/registry.ts';
import type { ServerCall } from '../grpc/server-call.ts';
import { Connection } from '../h2/connection.ts';
import { RecordingHandler } from '../h2/connection-fixture.ts';
import { CLIENT_DEFAULTS, SERVER_DEFAULTS } from '../h2/connection-options.ts';
import { Driver } from '../h2/driver.ts';
import type { ByteStream } from '../io/network.ts';
import { SimulatedClock } from '../testing/clock.ts';
import { SimulatedNetwork } from '../testing/network.ts';
import { Random } from '../testing/random.ts';
import { Connections } from './connections.ts';

const PORT = 2379;

class World {
  readonly clock: SimulatedClock = new SimulatedClock();
  readonly network: SimulatedNetwork = new SimulatedNetwork({ clock: this.clock, random: new Random(1) });
  /** Ranges, to be answered when the test wants. */
  readonly calls: ServerCall[] = [];
  readonly connections: Connections;

  constructor() {
    const registry = new Registry();
    registry.unary(methods.range, (call) => {
      this.calls.push(call);
    });
    this.connections = new Connections({
      network: this.network,
      clock: this.clock,
      h2: SERVER_DEFAULTS,
      registry,
      http: { handle: ({ target }, reply) => reply({ status: 200, headers: [], body: `the page of ${target}` }) },
      messageBytesMax: 1000,
      onBug: (error) => {
        throw error;
      },
    });
  }

  static async open(): Promise<World> {
    const world = new World();
    await world.connections.listen([{ host: '', port: PORT }], false);
    return world;
  }

  client(): EtcdClient {
    return new EtcdClient({ network: this.network, clock: this.clock, endpoints: [`http://a:${PORT}`] });
  }

  /** A peer that sends these bytes and no more; what it got, and whether the server has closed it. */
  peer(bytes: string): { readonly isClosed: boolean; readonly received: string } {
    const peer = { isClosed: false, received: '' };
    const stream: ByteStream = this.network.connect({ host: 'a', port: PORT });
    stream.start({
      onData: (chunk) => {
        peer.received += Buffer.from(chunk).toString();
      },
      onDrain: () => undefined,
      onEnd: () => stream.end(),
      onClose: () => {
        peer.isClosed = true;
      },
    });
    if (bytes !== '') stream.write(Buffer.from(bytes));
    return peer;
  }
}

test('FIRST_BYTES_MS_MAX: who has not shown a protocol in ten seconds is dropped, and counted', async () => {
  const world = await World.open();
  const peers = ['', 'P', 'PR'].map((bytes) => world.peer(bytes));
  await world.clock.pass(9_990);
  assert.deepEqual([peers.some(({ isClosed }) => isClosed), world.connections.timeouts.silent], [false, 0]);
  await world.clock.pass(20);
  assert.deepEqual(
    [peers.every(({ isClosed }) => isClosed), world.connections.timeouts],
    [true, { silent: 3, http1: 0 }],
  );
});

test('a request of HTTP/1.1 that does not end, and a handshake of HTTP/2, are counted as what they are', async () => {
  const world = await World.open();
  const peers = ['GET /health', 'PRI * HTTP/2.0\r\n'].map((bytes) => world.peer(bytes));
  await world.clock.pass(12_000);
  assert.ok(peers.every(({ isClosed }) => isClosed));
  assert.deepEqual(world.connections.timeouts, { silent: 0, http1: 1 });
  assert.equal(world.connections.stats.handshakeTimeouts, 1);
});

test('a page is served over HTTP/1.1 and over HTTP/2 on the same port', async () => {
  const world = await World.open();
  const peer = world.peer('GET /health HTTP/1.1\r\nHost: a\r\n\r\n');
  const handler = new RecordingHandler();
  const h2 = new Connection('client', CLIENT_DEFAULTS, handler);
  const driver = new Driver(h2, world.network.connect({ host: 'a', port: PORT }), world.clock, () => undefined);
  driver.start();
  await world.clock.pass(100);
  const fields = { ':method': 'GET', ':scheme': 'http', ':path': '/health', ':authority': 'a' };
  h2.openStream(
    Object.entries(fields).map(([name, value]) => ({ name, value })),
    null,
    true,
  );
  driver.flush();
  await world.clock.pass(100);
  assert.match(peer.received, /^HTTP\/1\.1 200 OK\r\n(?:.*\r\n)*.*the page of \/health/);
  assert.deepEqual(handler.lines.slice(-2), ['headers 1 1', 'data 1 19 end']);
});

test('an answer leaves by itself at the end of its turn, also when a flush that was announced has been', async () => {
  const world = await World.open();
  const client = world.client();
  for (let round = 1; round <= 2; round++) {
    const answered = client.range({ key: Buffer.from('a') });
    await world.clock.pass(1_000);
    assert.equal(world.calls.length, round);
    if (round === 1) {
      world.connections.expectFlush();
      world.calls[0].reply(new Uint8Array(), 0, 0);
      world.connections.flush();
    } else world.calls[1].reply(new Uint8Array(), 0, 0);
    const sentMs = world.clock.nowMs();
    assert.equal((await world.clock.runUntil(answered)).count, 0);
    // The driver's tick, a second apart, would send it too.
    assert.ok(world.clock.nowMs() - sentMs < 10);
  }
  client.close();
});
