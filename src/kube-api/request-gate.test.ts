import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { SimulatedClock } from '../testing/clock.ts';
import { IN_FLIGHT_MIN, RequestGate } from './request-gate.ts';

interface Crowd {
  readonly clock: SimulatedClock;
  readonly gate: RequestGate;
  /** Who has been let in (by number), in order; those turned away as -number. */
  readonly log: number[];
}

async function crowd(count: number, inFlightMax: number, waitingMax = 1000): Promise<Crowd> {
  const clock = new SimulatedClock();
  const gate = new RequestGate({ clock, inFlightMax, waitingMax });
  const log: number[] = [];
  for (let i = 1; i <= count; i++) void gate.enter().then((isLetIn) => log.push(isLetIn ? i : -i));
  await clock.pass(0);
  return { clock, gate, log };
}

describe('the request gate', () => {
  test('lets in so many at once, and the others in order as they leave', async () => {
    const { clock, gate, log } = await crowd(6, 2);
    assert.deepEqual(log, [1, 2]);
    gate.leave();
    await clock.pass(0);
    assert.deepEqual(log, [1, 2, 3]);
    for (let i = 0; i < 5; i++) gate.leave();
    await clock.pass(0);
    assert.deepEqual(log, [1, 2, 3, 4, 5, 6]);
    assert.deepEqual([gate.inFlight, gate.waiting], [0, 0]);
  });

  test('lets in at once whom nobody is before, as long as it is open', async () => {
    const { clock, gate, log } = await crowd(1, 2);
    assert.deepEqual([gate.tryEnter(), gate.tryEnter(), gate.inFlight], [true, false, 2]);
    void gate.enter().then(() => log.push(2));
    gate.leave();
    await clock.pass(0);
    gate.leave();
    gate.onRefusal(1000);
    assert.deepEqual([log, gate.inFlight, gate.tryEnter()], [[1, 2], 1, false]);
    await clock.pass(1000);
    assert.equal(gate.tryEnter(), true);
    gate.leave();
    gate.end();
    assert.equal(gate.tryEnter(), false);
  });

  test('turns away who comes when too many wait', async () => {
    const { log } = await crowd(5, 1, 2);
    assert.deepEqual(log.sort(), [-4, -5, 1].sort());
  });

  test('halves once for a burst of 429s, stays shut as long as asked, and grows back', async () => {
    const { clock, gate, log } = await crowd(200, 32);
    assert.equal(log.length, 32);
    for (let i = 0; i < 32; i++) {
      gate.onRefusal(1_000);
      gate.leave();
    }
    await clock.pass(999);
    assert.equal(log.length, 32);
    await clock.pass(1);
    assert.equal(log.length, 48);
    assert.equal(gate.limit, 16);
    for (let i = 0; i < 17; i++) gate.onAnswer();
    assert.equal(gate.limit, 17);
    for (let i = 0; i < 1_000; i++) gate.onAnswer();
    assert.equal(gate.limit, 32);
  });

  test('never halves below a few', async () => {
    const { clock, gate } = await crowd(0, 32);
    for (let i = 0; i < 20; i++) {
      gate.onRefusal(0);
      await clock.pass(1_000);
    }
    assert.equal(gate.limit, IN_FLIGHT_MIN);
  });

  test('sends everybody away when it ends', async () => {
    const { clock, gate, log } = await crowd(3, 1);
    gate.end();
    await clock.pass(0);
    assert.deepEqual(log, [1, -2, -3]);
    assert.equal(await gate.enter(), false);
  });
});
