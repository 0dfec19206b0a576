// Somebody sets the wall clock, a year back or forward: whatever a server does by time it does by monotonic time. Two servers live alike
// but for the steps, and everything that clients see of them is the same.

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import * as m from '../src/api/messages.ts';
import * as methods from '../src/api/methods.ts';
import { put, range, watchKeys } from './compat/requests.ts';
import { NO_NOTICES, SimulatedServer } from './compat/server-fixture.ts';

const YEAR_MS = 365 * 86_400_000;
const STEPS: readonly number[] = [-YEAR_MS, YEAR_MS, -1, -10 * YEAR_MS, 5 * YEAR_MS, 1_000, -1_000, -YEAR_MS];

async function pass(server: SimulatedServer, ms: number): Promise<void> {
  await server.drive(new Promise<void>((resolve) => server.clock.setTimer(ms, resolve)));
}

/** What clients and the operator see, with monotonic times. */
async function live(steps: readonly number[]): Promise<string[]> {
  const seen: string[] = [];
  const note = (text: string): void => void seen.push(`${Math.round(server.clock.nowMs())} ${text}`);
  const server = await SimulatedServer.open(9, {
    autoCompaction: { mode: 'periodic', retention: 10_000 },
    progressIntervalMs: 2_000,
    segmentBytesMax: 4096,
    snapshots: { logBytesMin: 8_000, logShare: 0.5 },
    notices: { ...NO_NOTICES, onSnapshotTaken: ({ revision }) => note(`snapshot at ${revision}`) },
  });
  const { client } = server;
  const watch = await server.drive(client.stream(methods.watch));
  const create = watchKeys({ key: '\0', end: '\0', start_revision: 1, progress_notify: true });
  watch.send(m.WatchRequest.create({ create_request: create }));
  await server.drive(client.unary(methods.leaseGrant, { ID: 5n, TTL: 12 }));
  await server.drive(client.unary(methods.leaseGrant, { ID: 6n, TTL: 5 }));
  await server.drive(client.unary(methods.put, put('leased', '', { lease: 5n })));
  await server.drive(client.unary(methods.put, put('kept', '', { lease: 6n })));
  for (const step of steps) {
    server.clock.stepWall(step);
    await server.drive(client.unary(methods.put, put('k', 'x'.repeat(1500))));
    const kept = await server.drive(client.unary(methods.leaseKeepAlive, { ID: 6n }));
    const left = await server.drive(client.unary(methods.leaseTimeToLive, { ID: 5n, keys: true }));
    note(`kept ${kept.TTL}, left ${left.TTL} with ${left.keys.length} keys`);
    await pass(server, 2_500);
    const { kvs, header } = await server.drive(client.unary(methods.range, range({ key: '\0', end: '\0' })));
    const compacted = server.server.engine.store.compactedRevision;
    note(`revision ${header?.revision}, ${kvs.length} keys, compacted at ${compacted}`);
  }
  for (const item of watch.waiting) {
    if ('message' in item) note(`watch ${item.message.header?.revision}: ${item.message.events.length} events`);
  }
  await server.close();
  await server.start();
  const { kvs } = await server.drive(server.client.unary(methods.range, range({ key: '\0', end: '\0' })));
  note(`${kvs.length} keys after a restart`);
  await pass(server, 5_500);
  const { leases } = await server.drive(server.client.unary(methods.leaseLeases, {}));
  note(`${leases.length} leases a whole TTL later`);
  await server.close();
  return seen;
}

describe('a wall clock that is set', () => {
  it('changes nothing that a server does', async () => {
    const seen = await live(STEPS);
    assert.deepEqual(seen, await live(STEPS.map(() => 0)));
    const text = seen.join('\n');
    for (const part of ['snapshot at', 'kept 5, left 11 with 1 keys', 'left -1', '0 events', '0 leases']) {
      assert.ok(text.includes(part), `${part} in\n${text}`);
    }
    assert.match(text, /compacted at [2-9]/);
  });

  it('does not keep a folder from opening that was written in the future', async () => {
    const server = await SimulatedServer.open(10, { snapshots: { logBytesMin: 1_000, logShare: 0.1 } });
    for (let i = 0; i < 20; i++) await server.drive(server.client.unary(methods.put, put(`k${i}`, 'x'.repeat(500))));
    server.kill();
    server.clock.stepWall(-20 * YEAR_MS);
    await server.start();
    const { count } = await server.drive(server.client.unary(methods.range, range({ key: 'k', end: 'l' })));
    assert.equal(count, 20);
    await server.drive(server.client.unary(methods.put, put('last')));
    await pass(server, 1_000);
    await server.close();
  });
});
