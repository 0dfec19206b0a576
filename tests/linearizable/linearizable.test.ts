import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SimulatedServer } from '../compat/server-fixture.ts';
import { judge } from '../sim/judgement.ts';
import { recordServer } from './server-history.ts';

const SEEDS = Number(process.env.K1M_RUNS ?? 3);

test('calls of many clients at once have one order, and watches keep their promises', async () => {
  for (let seed = 1; seed <= SEEDS; seed++) {
    const server = await SimulatedServer.open(seed);
    const { network, clock } = server;
    const endpoint = `http://127.0.0.1:${server.server.ports[0]}`;
    const load = { clients: 12, callsPerClient: 60, prefix: 'k/' };
    const history = await clock.runUntil(recordServer({ seed, network, clock, endpoint, ...load }));
    assert.ok(history.calls.length > 700);
    const { violations, undecided } = judge(history, [], false);
    assert.deepEqual([violations, undecided], [[], 0], `seed ${seed}`);
    await server.close();
  }
});
