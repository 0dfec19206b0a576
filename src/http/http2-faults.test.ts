// Random faults against the client: whatever a server, its connections and the time do, each request ends once, and what is said of it is true.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { INTERNAL_ERROR, NO_ERROR, REFUSED_STREAM } from '../h2/error-code.ts';
import { HttpError } from '../io/http-client.ts';
import { propertyRuns } from '../testing/property-runs.ts';
import { Random } from '../testing/random.ts';
import { type Served, SimulatedServer } from './simulated-server-fixture.ts';

const REQUESTS = 60;
const HEADERS = { accept: '*/*' };

/** A server that does of each request what it likes, and notes the paths that it has carried out. */
function moodyScript(random: Random, carriedOut: string[]): (request: Served) => void {
  return (request) => {
    const { connection } = request;
    const { clock, network } = connection.server;
    if (random.chance(0.1)) {
      request.reset(REFUSED_STREAM);
      return;
    }
    carriedOut.push(request.path);
    clock.setTimer(random.between(0, 30), () => {
      if (request.isOver) return;
      const mood = random.between(1, 100);
      if (mood <= 80) request.answer(200, request.path);
      else if (mood <= 84) request.reset(INTERNAL_ERROR);
      else if (mood <= 88) connection.h2.goaway(NO_ERROR, 'enough');
      else if (mood <= 92) connection.h2.shutdown();
      else if (mood <= 95) random.pick(network.streams).cut();
      else if (mood <= 97) random.pick(network.streams).halfOpen();
      else random.pick(network.streams).write(random.bytes(40));
      connection.flush();
    });
  };
}

test('each request ends once, and none that was answered, or is said to have been left alone, was carried out otherwise', async () => {
  await fc.assert(
    fc.asyncProperty(fc.integer({ min: 0, max: 0xffff_ffff }), async (seed) => {
      const random = new Random(seed);
      const carriedOut: string[] = [];
      const server = new SimulatedServer(moodyScript(random, carriedOut), { concurrentStreamsMax: 5 }, seed);
      await server.listen();
      const http = server.client({ limits: { connectionsMax: 4 } });
      const outcomes: Promise<string>[] = [];
      for (let i = 0; i < REQUESTS; i++) {
        const timeoutMs = random.pick([20, 500, 60_000]);
        const request = { method: 'POST', path: `/${i}`, headers: HEADERS, body: 'x'.repeat(random.between(0, 5_000)) };
        const outcome = http.exchange({ ...request, method: 'POST', timeoutMs }).then(
          ({ body }) => body.toString(),
          (error: unknown) => {
            assert.ok(error instanceof HttpError);
            return error.stage;
          },
        );
        outcomes.push(outcome);
        if (random.chance(0.3)) server.clock.advance(random.between(0, 40));
        if (random.chance(0.02)) http.renewConnections();
      }
      const ends = await server.clock.runUntil(Promise.all(outcomes));
      ends.forEach((end, i) => {
        const times = carriedOut.filter((path) => path === `/${i}`).length;
        if (end === 'connect') assert.equal(times, 0, `/${i} was carried out`);
        else if (end !== 'exchange') assert.deepEqual([end, times], [`/${i}`, 1]);
        assert.ok(times <= 1, `/${i} was carried out ${times} times`);
      });
      assert.ok(http.connectionCount <= 4);
      await http.close();
    }),
    propertyRuns(60, process.env),
  );
});
