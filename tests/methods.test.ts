// Every method of etcd's API is answered: those that are served are there, the others say UNIMPLEMENTED in grpc-go's words.

import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { UNIMPLEMENTED } from '../src/api/errors.ts';
import { HEALTH_SERVING } from '../src/api/messages.ts';
import * as methods from '../src/api/methods.ts';
import { put } from './compat/requests.ts';
import { SimulatedServer } from './compat/server-fixture.ts';

const NOTHING = new Uint8Array(0);
const SERVED_SERVICES: ReadonlySet<string> = new Set(methods.SERVED_METHODS.map(({ service }) => service));
const SERVICE_UNKNOWN = 3;

describe('a method', () => {
  let server: SimulatedServer;
  before(async () => {
    server = await SimulatedServer.open(1);
  });
  after(() => server.close());

  it('that is not served is answered with UNIMPLEMENTED, and the connection goes on', async () => {
    assert.ok(methods.UNSERVED_METHODS.length > 20);
    for (const method of methods.UNSERVED_METHODS) {
      const { service, name } = method;
      const text = SERVED_SERVICES.has(service)
        ? `unknown method ${name} for service ${service}`
        : `unknown service ${service}`;
      const expected = { code: UNIMPLEMENTED, message: text };
      await assert.rejects(server.drive(server.client.raw(method, NOTHING)), expected);
    }
    await server.drive(server.client.unary(methods.memberList, {}));
  });

  it('that is served is never answered with it', async () => {
    for (const method of methods.SERVED_METHODS) {
      if (method.shape !== 'unary') continue;
      const code = await server.drive(
        server.client.raw(method, NOTHING).then(
          () => 0,
          (error: { readonly code: number }) => error.code,
        ),
      );
      assert.notEqual(code, UNIMPLEMENTED, method.path);
    }
  });

  it('for the hash of the member is that of all keys at the newest revision', async () => {
    const hashes: number[] = [];
    for (const value of ['one', 'two']) {
      await server.drive(server.client.unary(methods.put, put('key', value)));
      const { hash } = await server.drive(server.client.unary(methods.hash, {}));
      assert.equal((await server.drive(server.client.unary(methods.hashKv, {}))).hash, hash);
      hashes.push(hash);
    }
    assert.notEqual(hashes[0], hashes[1]);
    const old = await server.drive(server.client.unary(methods.hashKv, { revision: 2 }));
    assert.equal(old.hash, hashes[0]);
  });

  it('of the health service that watches says how things are, and stays open', async () => {
    for (const [service, status] of [
      ['', HEALTH_SERVING],
      ['etcdserverpb.KV', SERVICE_UNKNOWN],
    ] as const) {
      const stream = await server.drive(server.client.stream(methods.healthWatch, { service }));
      assert.deepEqual(await server.drive(stream.next()), { message: { status } });
      let isOver = false;
      void stream.next().then(() => {
        isOver = true;
      });
      await server.clock.pass(10_000);
      assert.equal(isOver, false);
      stream.cancel();
    }
  });
});
