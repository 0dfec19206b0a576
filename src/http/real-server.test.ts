// Our client over TLS against Node's own servers, with undici's answers to the same requests beside ours.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createSecureServer, type Http2SecureServer } from 'node:http2';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { after, before, describe, test } from 'node:test';
import { RealClock } from '../io/clock.ts';
import { type HttpClient, HttpError, type ShortRequest } from '../io/http-client.ts';
import { selfSigned } from '../io/self-signed-certificate.ts';
import { TlsDialer } from '../io/tls-dialer.ts';
import { UndiciHttpClient } from '../io/undici-http-client.ts';
import { AdaptiveClient } from './adaptive-client.ts';
import { Http2Client } from './http2-client.ts';

const clock = new RealClock();
const { certificate, key } = selfSigned({
  hostname: 'api.test',
  addresses: ['127.0.0.1'],
  nowMs: clock.wallMs(),
  validMs: 86_400_000,
});

interface Asked {
  readonly method?: string | undefined;
  readonly url?: string | undefined;
  readonly headers: Readonly<Record<string, unknown>>;
  on(event: 'data', listener: (chunk: Buffer) => void): unknown;
  on(event: 'end', listener: () => void): unknown;
}

interface Answering {
  writeHead(status: number, headers: Readonly<Record<string, string>>): unknown;
  write(text: string): boolean;
  end(text: string | Buffer): unknown;
}

/** Says what it was asked, in the way that the path names. */
function answer(request: Asked, response: Answering): void {
  const chunks: Buffer[] = [];
  request.on('data', (chunk) => chunks.push(chunk));
  request.on('end', () => {
    const status = Number(/\d+/.exec(request.url ?? '')?.[0] ?? 200);
    response.writeHead(status, { 'x-seen': String(request.headers['x-mine']), 'retry-after': '7' });
    if (request.url?.startsWith('/large') === true) response.end(Buffer.alloc(3 << 20, 'y'));
    else response.end(`${request.method} ${request.url} ${Buffer.concat(chunks).toString('hex')}`);
  });
}

async function listening(server: Server | Http2SecureServer): Promise<number> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  // It listens on a port.
  return (server.address() as AddressInfo).port;
}

const tls = (): { isUnchecked: boolean; ca: string } => ({ isUnchecked: false, ca: certificate });

function ours(port: number, other: () => Promise<HttpClient>): HttpClient {
  const dialer = new TlsDialer({ host: '127.0.0.1', port, protocols: ['h2', 'http/1.1'], tls });
  const http2 = new Http2Client({ dialer, clock, authority: `127.0.0.1:${port}` });
  return new AdaptiveClient({ http2, openOther: other });
}

function theirs(port: number): HttpClient {
  return new UndiciHttpClient(`https://127.0.0.1:${port}`, tls, clock);
}

const HEADERS = { accept: 'text/plain', 'x-mine': 'this and more' };

function request(method: ShortRequest['method'], path: string, body?: string | Uint8Array): ShortRequest {
  return { method, path, headers: HEADERS, timeoutMs: 10_000, ...(body === undefined ? {} : { body }) };
}

const REQUESTS: readonly ShortRequest[] = [
  request('GET', '/'),
  request('GET', '/404?a=b%20c&d=%C3%BC'),
  request('POST', '/201', '{"name":"ü"}'),
  request('PUT', '/409', Buffer.from([0, 255, 128])),
  request('PATCH', '/422', ''),
  request('DELETE', '/500', 'x'),
  request('POST', '/200', 'z'.repeat(1 << 20)),
  request('GET', '/large'),
  request('GET', '/204'),
];

async function heard(client: HttpClient, asked: ShortRequest): Promise<unknown> {
  const { status, header, body } = await client.exchange(asked).then((whole) => ({
    status: whole.status,
    header: [whole.header('x-seen'), whole.header('retry-after'), whole.header('x-other')],
    body: whole.body.toString(),
  }));
  return [status, header, body.length > 100 ? body.length : body];
}

describe('over TLS', () => {
  const http2 = createSecureServer({ cert: certificate, key });
  const http1 = createServer({ cert: certificate, key });
  const sessions = new Set<{ destroy(): void }>();
  let http2Port = 0;
  let http1Port = 0;
  let connections = 0;

  before(async () => {
    http2.on('session', (session) => sessions.add(session));
    http2.on('request', answer);
    http1.on('request', answer);
    http1.on('secureConnection', () => connections++);
    http2Port = await listening(http2);
    http1Port = await listening(http1);
  });
  after(() => {
    for (const session of sessions) session.destroy();
    http2.close();
    http1.close();
    http1.closeAllConnections();
  });

  const nobody = (): Promise<HttpClient> => Promise.reject(new Error('HTTP/2 was not offered'));

  test('a server is asked and answers as by undici, one request after another and all at once', async () => {
    const [mine, other] = [ours(http2Port, nobody), theirs(http2Port)];
    for (const asked of REQUESTS) assert.deepEqual(await heard(mine, asked), await heard(other, asked), asked.path);
    // Node's server ends requests of much memory at a time.
    const small = REQUESTS.filter(({ path, body = '' }) => path !== '/large' && body.length < 1_000);
    const many = Array.from({ length: 40 }, () => small).flat();
    const [first, second] = await Promise.all(
      [mine, other].map((client) => Promise.all(many.map((asked) => heard(client, asked)))),
    );
    assert.deepEqual(first, second);
    await Promise.all([mine.close(), other.close()]);
  });

  test('a long answer comes as by undici', async () => {
    for (const client of [ours(http2Port, nobody), theirs(http2Port)]) {
      const stream = await client.open(request('GET', '/large'), new AbortController().signal);
      let bytes = 0;
      await stream.read((chunk) => {
        bytes += chunk.length;
      });
      assert.deepEqual([stream.status, stream.header('retry-after'), bytes], [200, '7', 3 << 20]);
      await client.close();
    }
  });

  test('a server without HTTP/2 is spoken to in HTTP/1.1', async () => {
    const client = ours(http1Port, () => Promise.resolve(theirs(http1Port)));
    const before = connections;
    const [first, second] = await Promise.all([heard(client, REQUESTS[0]), heard(client, REQUESTS[2])]);
    assert.deepEqual(first, [200, ['this and more', '7', undefined], 'GET / ']);
    assert.deepEqual(second, [201, ['this and more', '7', undefined], 'POST /201 7b226e616d65223a22c3bc227d']);
    const afterFirst = connections;
    assert.ok(afterFirst > before);
    await heard(client, REQUESTS[1]);
    client.renewConnections();
    await heard(client, REQUESTS[1]);
    assert.ok(connections > afterFirst, 'a new connection for new credentials');
    await client.close();
    await assert.rejects(client.exchange(REQUESTS[0]), /^HttpError: the client is closed/);
  });

  test('a server that is not there is told as such, without asking undici', async () => {
    const client = ours(1, nobody);
    await assert.rejects(
      client.exchange(REQUESTS[0]),
      (error) => error instanceof HttpError && error.stage === 'connect' && /ECONNREFUSED/.test(error.message),
    );
    await client.close();
  });
});
