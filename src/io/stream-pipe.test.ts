import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { SimulatedClock } from '../testing/clock.ts';
import { SimulatedNetwork } from '../testing/network.ts';
import { Random } from '../testing/random.ts';
import { StreamPipe } from './stream-pipe.ts';

const AT = { host: '127.0.0.1', port: 7300 };

/** Both ends of a pipe, and what each was told. */
class Ends {
  readonly clock = new SimulatedClock();
  readonly random: Random;
  readonly network: SimulatedNetwork;
  readonly received: Uint8Array[] = [];
  readonly closings: string[] = [];
  near: StreamPipe | undefined;
  far: StreamPipe | undefined;

  constructor(seed: number) {
    this.random = new Random(seed);
    this.network = new SimulatedNetwork({ clock: this.clock, random: this.random, chunkBytesMax: 7 });
  }

  async open(): Promise<void> {
    await this.network.listen(AT, (stream) => {
      this.far = new StreamPipe(stream, 1000);
      this.far.start({
        onMessage: (message) => this.received.push(message),
        onClose: (reason) => this.closings.push(`far: ${reason}`),
      });
    });
    this.near = new StreamPipe(this.network.connect(AT), 1000);
    this.near.start({ onMessage: () => {}, onClose: (reason) => this.closings.push(`near: ${reason}`) });
  }
}

describe('a pipe over a stream', () => {
  it('delivers messages whole and in order, however they come in', async () => {
    for (let seed = 1; seed <= 20; seed++) {
      const ends = new Ends(seed);
      await ends.open();
      const sent = Array.from({ length: 30 }, () => ends.random.bytes(ends.random.between(1, 1000)));
      for (const message of sent) ends.near?.send(message.slice());
      await ends.clock.pass(1000);
      assert.deepEqual(ends.received, sent);
      assert.deepEqual(ends.closings, []);
    }
  });

  it('ends at a message that is too long, and tells both ends', async () => {
    const ends = new Ends(1);
    await ends.open();
    ends.near?.send(new Uint8Array([1]));
    ends.near?.send(new Uint8Array(1001));
    ends.near?.send(new Uint8Array([2]));
    await ends.clock.pass(1000);
    assert.deepEqual(ends.received, [new Uint8Array([1])]);
    assert.deepEqual(ends.closings.sort(), ['far: a message of 1001 bytes', 'near: read ECONNRESET']);
  });

  it('ends at a message of no bytes', async () => {
    const ends = new Ends(1);
    await ends.open();
    ends.near?.send(new Uint8Array(0));
    await ends.clock.pass(1000);
    assert.deepEqual(
      [ends.received, ends.closings.sort()],
      [[], ['far: a message of 0 bytes', 'near: read ECONNRESET']],
    );
  });

  it('says once why it has ended', async () => {
    const ends = new Ends(1);
    await ends.open();
    await ends.clock.pass(10);
    for (const stream of ends.network.streams) stream.cut();
    await ends.clock.pass(1000);
    assert.deepEqual(ends.closings.sort(), ['far: read ECONNRESET', 'near: read ECONNRESET']);
  });
});
