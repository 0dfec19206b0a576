import assert from 'node:assert/strict';
import { once } from 'node:events';
import { after, before, describe, test } from 'node:test';
import { createServer, type Server, type TLSSocket } from 'node:tls';
import { RealClock } from './clock.ts';
import type { Dialing, TlsOptions } from './dialer.ts';
import type { ByteStream } from './network.ts';
import { type KeyPair, selfSigned } from './self-signed-certificate.ts';
import { TlsDialer } from './tls-dialer.ts';

const LARGE_BYTES = 3 << 20;

describe('a connection over TLS', () => {
  const day = { nowMs: new RealClock().wallMs(), validMs: 86_400_000 };
  const here: KeyPair = selfSigned({ hostname: 'api.test', addresses: ['127.0.0.1'], ...day });
  const client: KeyPair = selfSigned({ hostname: 'somebody', addresses: [], ...day });
  const sockets: TLSSocket[] = [];
  let server: Server;
  let port = 0;

  before(async () => {
    const identity = { cert: here.certificate, key: here.key, requestCert: true, rejectUnauthorized: false };
    server = createServer({ ...identity, ALPNProtocols: ['h2'] }, (socket) => {
      sockets.push(socket);
      // Something is there before anybody asks.
      socket.write('hello');
      socket.on('error', () => {});
      socket.pipe(socket);
    });
    server.on('tlsClientError', () => {});
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const address = server.address();
    port = typeof address === 'object' && address !== null ? address.port : 0;
  });
  after(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });

  interface Dialed {
    readonly stream: ByteStream;
    readonly protocol: string;
    text: string;
    bytes: number;
    closed: Promise<Error | undefined>;
  }

  function dial(tls: Partial<TlsOptions>, options: { readonly host?: string; readonly port?: number } = {}) {
    const dialer = new TlsDialer({
      host: '127.0.0.1',
      port,
      protocols: ['h2', 'http/1.1'],
      tls: () => ({ isUnchecked: false, ...tls }),
      ...options,
    });
    let dialing: Dialing | undefined;
    const result = new Promise<Dialed>((resolve, reject) => {
      dialing = dialer.dial({
        onFailure: reject,
        onOpen: (stream, protocol) => {
          let close: (error: Error | undefined) => void = () => {};
          const closed = new Promise<Error | undefined>((done) => {
            close = done;
          });
          const dialed: Dialed = { stream, protocol, text: '', bytes: 0, closed };
          stream.start({
            onData: (chunk) => {
              dialed.bytes += chunk.length;
              if (dialed.bytes < 100) dialed.text += Buffer.from(chunk).toString();
            },
            onDrain: () => {},
            onEnd: () => stream.end(),
            onClose: close,
          });
          resolve(dialed);
        },
      });
    });
    return { result, dialing };
  }

  async function until(condition: () => boolean): Promise<void> {
    while (!condition()) await new Promise((resolve) => setImmediate(resolve));
  }

  test('is agreed on by ALPN, and nothing is lost of what came at once', async () => {
    const dialed = await dial({ ca: here.certificate }).result;
    assert.equal(dialed.protocol, 'h2');
    await until(() => dialed.text === 'hello');
    dialed.stream.writeAll([Buffer.from('a'), Buffer.from('bc')]);
    await until(() => dialed.text === 'helloabc');
    dialed.stream.write(Buffer.alloc(LARGE_BYTES));
    await until(() => dialed.bytes === LARGE_BYTES + 8);
    assert.equal(dialed.stream.bufferedBytes, 0);
    dialed.stream.end();
    assert.equal(await dialed.closed, undefined);
  });

  test('shows the certificate of the client', async () => {
    const { certificate, key } = client;
    const dialed = await dial({ ca: here.certificate, certificate, key }).result;
    await until(() => dialed.text === 'hello');
    assert.match(String(sockets.at(-1)?.getPeerCertificate().subject.CN), /^somebody/);
    dialed.stream.destroy();
    await dialed.closed;
  });

  for (const [name, tls, wanted] of [
    ['a server that nobody vouches for', {}, /self.signed/i],
    ['a server of another name', { ca: here.certificate, serverName: 'other.test' }, /other\.test/],
    ['a server of another address', { ca: here.certificate, serverName: '127.0.0.2' }, /127\.0\.0\.2/],
    ['a certificate that is none', { certificate: 'nonsense', key: 'nonsense' }, /PEM|no start line/i],
  ] as const) {
    test(`is not made with ${name}`, async () => {
      await assert.rejects(dial(tls).result, wanted);
    });
  }

  test('is made with a server by the name that it is known by, or unchecked', async () => {
    for (const tls of [{ ca: here.certificate, serverName: 'api.test' }, { isUnchecked: true }]) {
      const dialed = await dial(tls).result;
      dialed.stream.destroy();
      await dialed.closed;
    }
  });

  test('says why there is none, and nothing once it is given up', async () => {
    await assert.rejects(dial({}, { port: 1 }).result, /ECONNREFUSED/);
    const { result, dialing } = dial({ ca: here.certificate });
    dialing?.cancel();
    const settled = Promise.race([
      result.then(
        () => 'open',
        () => 'failed',
      ),
      once(server, 'tlsClientError').then(() => 'gone'),
    ]);
    assert.equal(await settled, 'gone');
  });
});
