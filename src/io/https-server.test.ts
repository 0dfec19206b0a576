import assert from 'node:assert/strict';
import { type RequestOptions, request } from 'node:https';
import { describe, it, type TestContext } from 'node:test';
import { type HttpsOptions, type HttpsRequest, HttpsServer, type TlsIdentity } from './https-server.ts';
import { selfSigned } from './self-signed-certificate.ts';

function pair(): { certificate: string; key: string } {
  return selfSigned({ hostname: 'localhost', addresses: ['127.0.0.1'], nowMs: Date.now(), validMs: 3_600_000 });
}

function identityOf(clientAuthority?: string): TlsIdentity {
  return { ...pair(), clientAuthority };
}

interface Lab {
  readonly server: HttpsServer;
  readonly identity: TlsIdentity;
  readonly heard: HttpsRequest[];
}

async function serving(test: TestContext, identity: TlsIdentity, more: Partial<HttpsOptions> = {}): Promise<Lab> {
  const heard: HttpsRequest[] = [];
  const server = await HttpsServer.listen({
    host: '127.0.0.1',
    port: 0,
    identity,
    ...more,
    handler: async (request) => {
      heard.push(request);
      return { status: 200, headers: [['content-type', 'text/plain']], body: 'ok' };
    },
  });
  test.after(() => server.close());
  return { server, identity, heard };
}

function get({ server }: Lab, options: RequestOptions): Promise<number> {
  const { promise, resolve, reject } = Promise.withResolvers<number>();
  request({ host: '127.0.0.1', port: server.port, path: '/x?y', agent: false, ...options }, (response) => {
    response.resume();
    resolve(response.statusCode ?? 0);
  })
    .on('error', reject)
    .end();
  return promise;
}

describe('an HTTPS server', () => {
  it('serves with the certificate it was given, and with another one after renewal', async (test) => {
    const lab = await serving(test, identityOf());
    const first = lab.identity.certificate;
    assert.equal(await get(lab, { ca: first, headers: { authorization: 'Bearer x' } }), 200);
    assert.deepEqual(lab.heard, [{ method: 'GET', target: '/x?y', authorization: 'Bearer x', client: undefined }]);
    const second = identityOf();
    lab.server.renew(second);
    await assert.rejects(get(lab, { ca: first }));
    assert.equal(await get(lab, { ca: second.certificate }), 200);
    assert.throws(() => lab.server.renew({ ...second, key: 'no key' }));
    assert.equal(await get(lab, { ca: second.certificate }), 200);
  });

  it('tells who a client is whose certificate is vouched for, and of one whose is not', async (test) => {
    const [known, stranger] = [pair(), pair()];
    const lab = await serving(test, identityOf(known.certificate));
    const ca = lab.identity.certificate;
    await get(lab, { ca, cert: known.certificate, key: known.key });
    await get(lab, { ca, cert: stranger.certificate, key: stranger.key });
    await get(lab, { ca });
    // A server's certificate does not make a client, whoever signed it.
    assert.deepEqual(
      lab.heard.map(({ client }) => client),
      ['refused', 'refused', undefined],
    );
  });

  it('asks nothing of certificates where nobody vouches for any', async (test) => {
    const stranger = pair();
    const lab = await serving(test, identityOf());
    assert.equal(await get(lab, { ca: lab.identity.certificate, cert: stranger.certificate, key: stranger.key }), 200);
    assert.equal(lab.heard[0].client, undefined);
  });

  it('refuses older versions than the least one, and what is no certificate', async (test) => {
    const lab = await serving(test, identityOf(), { minVersion: 'TLSv1.3' });
    const ca = lab.identity.certificate;
    assert.equal(await get(lab, { ca }), 200);
    await assert.rejects(get(lab, { ca, maxVersion: 'TLSv1.2' }));
    const identity = { certificate: 'none', key: 'none', clientAuthority: undefined };
    await assert.rejects(
      HttpsServer.listen({ host: '127.0.0.1', port: 0, identity, handler: async () => assert.fail() }),
    );
  });
});
