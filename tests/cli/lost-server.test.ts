// Commands whose server is not there, or goes away: they say so in a line, or wait for it, but never end in between.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { describe, it } from 'node:test';
import { collect, message, run, serve, start, temporaryFolder } from './binary-fixture.ts';

const RUN_MS_MAX = 30_000;

/** An endpoint where nobody listens. */
async function nobody(): Promise<string> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  assert.ok(typeof address === 'object' && address !== null);
  server.close();
  await once(server, 'close');
  return `http://127.0.0.1:${address.port}`;
}

describe('without a server', { concurrency: 3 }, () => {
  for (const [command, says] of [
    ['bench get', /^k1m: cannot reach the server: 127\.0\.0\.1:\d+: connect ECONNREFUSED 127\.0\.0\.1:\d+$/],
    ['lab nodes 1', /^k1m: cannot reach the store: 127\.0\.0\.1:\d+: connect ECONNREFUSED 127\.0\.0\.1:\d+$/],
    ['snapshot save none.db', /^k1m: connection error: connect ECONNREFUSED 127\.0\.0\.1:\d+$/],
  ] as const) {
    it(`k1m ${command} says in one line that nobody is there`, async () => {
      const outcome = await run([...command.split(' '), '--endpoint', await nobody()]);
      assert.match(message(outcome), says);
      assert.deepEqual([outcome.code, outcome.stdout], [1, '']);
    });
  }

  it('k1m bench whose server ends prints what it has measured, and that its keys are left', async (test) => {
    const server = await serve(test, temporaryFolder(test));
    const args = ['bench', 'put', '--keys', '600', '--warmup', '0', '--duration', '2', '--endpoint', server.endpoint];
    const child = start(args, {}, RUN_MS_MAX);
    const texts = collect(child);
    const closed = once(child, 'close');
    // The keys are made in a few transactions: what comes behind is the load.
    const revision = async (): Promise<number> =>
      (await server.client.range({ key: Buffer.from('a') })).header?.revision ?? 0;
    while ((await revision()) < 100) assert.equal(child.exitCode, null, texts.stderr);
    await server.end('SIGKILL');
    assert.deepEqual(await closed, [1, null]);
    assert.match(texts.stdout, /^put on 127\.0\.0\.1:\d+, \d+\.\d s\n(?:.*\n)*connections lost: \d+\n/);
    assert.match(message({ code: 1, ...texts }), /^k1m: the keys are still at 127\.0\.0\.1:\d+: connection error: /);
  });

  it('k1m lab nodes waits for a store that has ended, until it is interrupted', async (test) => {
    const server = await serve(test, temporaryFolder(test));
    const child = start(['lab', 'nodes', '3', '--endpoint', server.endpoint], {}, RUN_MS_MAX);
    const texts = collect(child);
    const closed = once(child, 'close');
    const told = (stream: NodeJS.ReadableStream | null, pattern: RegExp): Promise<void> =>
      new Promise((resolve, reject) => {
        stream?.on('data', () => {
          if (pattern.test(texts.stdout + texts.stderr)) resolve();
        });
        child.on('exit', (code) => reject(new Error(`ended with ${code}: ${texts.stderr}`)));
      });
    await told(child.stdout, /until interrupted/);
    await server.end('SIGKILL');
    // By a timer, when no connection has been there for a while.
    await told(child.stderr, /connect ECONNREFUSED|leases renewed: (?:.*\n)*leases renewed: /);
    assert.equal(child.exitCode, null);
    child.kill('SIGINT');
    assert.deepEqual(await closed, [130, null]);
  });
});
