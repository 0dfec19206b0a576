import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ByteStream } from '../io/network.ts';
import { SimulatedClock } from '../testing/clock.ts';
import { Connection } from './connection.ts';
import { RecordingHandler } from './connection-fixture.ts';
import { SERVER_DEFAULTS } from './connection-options.ts';
import { Driver } from './driver.ts';

/** A transport in the middle of a large write, whose end it tells and nothing before. */
class BusyTransport implements ByteStream {
  readonly remoteAddress = 'peer';
  bufferedBytes = 2_000_000;
  isEnded = false;

  end(): void {
    this.isEnded = true;
  }

  start(): void {}
  write(): void {}
  writeAll(): void {}
  pause(): void {}
  resume(): void {}
  destroy(): void {}
}

test('a connection whose peer takes a little of a large write lives on, one whose peer takes nothing does not', async () => {
  const clock = new SimulatedClock();
  const transport = new BusyTransport();
  const options = { ...SERVER_DEFAULTS, handshakeMsMax: 10_000_000, settingsAckMsMax: 10_000_000 };
  const driver = new Driver(new Connection('server', options, new RecordingHandler()), transport, clock, () => {});
  driver.start();
  const pass = async (seconds: number, bytesTaken: number): Promise<void> => {
    for (let second = 0; second < seconds; second++) {
      await clock.advance(1_000);
      transport.bufferedBytes -= bytesTaken;
      driver.tick();
    }
  };
  await pass(2_000, 1);
  assert.equal(driver.connection.isClosed, false);
  await pass(899, 0);
  assert.equal(driver.connection.isClosed, false);
  await pass(2, 0);
  assert.deepEqual([driver.connection.isClosed, transport.isEnded], [true, true]);
});
