import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ByteStream, ByteStreamHandler } from '../io/network.ts';
import { SimulatedClock } from './clock.ts';
import { SimulatedNetwork, type SimulatedNetworkOptions } from './network.ts';
import { Random } from './random.ts';

class Recorder implements ByteStreamHandler {
  readonly stream: ByteStream;
  readonly chunks: Buffer[] = [];
  readonly events: string[] = [];

  constructor(stream: ByteStream) {
    this.stream = stream;
    stream.start(this);
  }

  get text(): string {
    return Buffer.concat(this.chunks).toString('latin1');
  }

  onData(chunk: Uint8Array): void {
    this.chunks.push(Buffer.from(chunk));
  }

  onDrain(): void {
    this.events.push('drain');
  }

  onEnd(): void {
    this.events.push('end');
  }

  onClose(error: Error | undefined): void {
    this.events.push(`close ${error !== undefined && 'code' in error ? error.code : ''}`.trim());
  }
}

interface Pair {
  readonly clock: SimulatedClock;
  readonly network: SimulatedNetwork;
  readonly client: Recorder;
  readonly server: Recorder;
}

async function pair(seed: number, options: Partial<SimulatedNetworkOptions> = {}): Promise<Pair> {
  const clock = new SimulatedClock();
  const network = new SimulatedNetwork({ clock, random: new Random(seed), latencyMsMax: 5, ...options });
  const servers: Recorder[] = [];
  const { port } = await network.listen({ host: 'a', port: 0 }, (stream) => servers.push(new Recorder(stream)));
  const client = new Recorder(network.connect({ host: 'a', port }));
  clock.advance(10);
  return { clock, network, client, server: servers[0] };
}

test('bytes arrive whole and in order, in other pieces, then the ends', async () => {
  const { clock, client, server } = await pair(1, { chunkBytesMax: 10 });
  const sent = 'the quick brown fox jumps over the lazy dog';
  client.stream.writeAll(sent.split(' ').map((word) => Buffer.from(`${word} `)));
  client.stream.end();
  clock.advance(1000);
  assert.equal(server.text, `${sent} `);
  assert.deepEqual(server.events, ['end']);
  server.stream.write(Buffer.from('bye'));
  server.stream.end();
  clock.advance(1000);
  assert.equal(client.text, 'bye');
  assert.deepEqual(client.events, ['end', 'close']);
  assert.deepEqual(server.events, ['end', 'close']);
});

test('a reader that pauses fills the queue of the writer, which is told when it is empty again', async () => {
  const { clock, client, server } = await pair(2, { windowBytesMax: 100 });
  server.stream.pause();
  client.stream.write(Buffer.alloc(1000, 'x'));
  clock.advance(1000);
  assert.equal(client.stream.bufferedBytes, 900);
  assert.deepEqual(client.events, []);
  server.stream.resume();
  clock.advance(1000);
  assert.equal(server.text.length, 1000);
  assert.deepEqual(client.events, ['drain']);
});

test('a cut is told to both sides, a half-open stream to nobody', async () => {
  const one = await pair(3);
  one.network.streams[0].cut();
  one.clock.advance(100);
  assert.deepEqual(one.client.events, ['close ECONNRESET']);
  assert.deepEqual(one.server.events, ['close ECONNRESET']);

  const other = await pair(4);
  other.network.streams[0].halfOpen();
  other.client.stream.write(Buffer.from('lost'));
  other.clock.advance(100_000);
  assert.equal(other.server.text, '');
  assert.deepEqual([...other.client.events, ...other.server.events], []);
});

test('a destroyed side closes quietly, the other with an error', async () => {
  const { clock, client, server } = await pair(5);
  client.stream.destroy();
  clock.advance(100);
  assert.deepEqual(client.events, ['close']);
  assert.deepEqual(server.events, ['close ECONNRESET']);
});

test('nobody listening is an error of the stream, a port taken one of listen', async () => {
  const { clock, network } = await pair(6);
  const stream = new Recorder(network.connect({ host: 'a', port: 9 }));
  clock.advance(100);
  assert.deepEqual(stream.events, ['close ECONNREFUSED']);
  await network.listen({ host: 'a', port: 7 }, () => {});
  await assert.rejects(
    network.listen({ host: 'a', port: 7 }, () => {}),
    { code: 'EADDRINUSE' },
  );
});

test('the same seed gives the same pieces at the same times', async () => {
  const pieces: number[][] = [];
  for (let round = 0; round < 2; round++) {
    const { clock, client, server } = await pair(7, { chunkBytesMax: 50 });
    client.stream.write(Buffer.alloc(2000));
    clock.advance(2000);
    pieces.push(server.chunks.map((chunk) => chunk.length));
  }
  assert.deepEqual(pieces[0], pieces[1]);
  assert.ok(pieces[0].length > 20);
});

test('a Buffer that was written stays as it is, whatever the receiver sees of it', async () => {
  const { clock, client, server } = await pair(11, { chunkBytesMax: 100 });
  const bytes = Buffer.alloc(1_000, 'x');
  client.stream.write(bytes);
  clock.advance(100);
  assert.equal(server.text, 'x'.repeat(1_000));
  assert.equal(bytes.toString('latin1'), 'x'.repeat(1_000));
});
