import assert from 'node:assert/strict';
import { createServer, type Server } from 'node:http';
import { after, before, describe, test } from 'node:test';
import { RealClock } from './clock.ts';
import { type HttpAnswer, HttpError, type ShortRequest } from './http-client.ts';
import { UndiciHttpClient } from './undici-http-client.ts';

describe('the HTTP client', () => {
  let server: Server;
  let port = 0;
  let cutOff: () => void = () => {};

  before(async () => {
    server = createServer((request, response) => {
      const chunks: Buffer[] = [];
      request.on('data', (chunk) => chunks.push(chunk));
      request.on('end', () => {
        if (request.url === '/silence') return;
        if (request.url === '/huge') {
          response.end(Buffer.alloc(20 << 20));
          return;
        }
        if (request.url === '/cut') {
          response.writeHead(200, { 'content-length': '100' });
          response.write('half of it');
          setImmediate(() => request.socket.destroy());
          return;
        }
        response.writeHead(request.url === '/missing' ? 404 : 200, { 'X-Seen': request.headers['x-mine'] });
        response.write(`${request.method} ${Buffer.concat(chunks)}\n`);
        if (request.url === '/stream') cutOff = () => request.socket.destroy();
        else response.end();
      });
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const address = server.address();
    port = typeof address === 'object' && address !== null ? address.port : 0;
  });
  after(() => {
    server.closeAllConnections();
    server.close();
  });

  const client = (): UndiciHttpClient =>
    new UndiciHttpClient(`http://127.0.0.1:${port}`, () => ({ isUnchecked: false }), new RealClock());
  const never = new AbortController().signal;
  const get = (path: string, timeoutMs = 30_000): ShortRequest => ({
    method: 'GET',
    path,
    headers: { 'x-mine': 'yes' },
    timeoutMs,
  });
  const textOf = ({ body }: HttpAnswer): string => body.toString();

  test('sends a body and reads status, headers and the answer', async () => {
    const http = client();
    const answer = await http.exchange({ ...get('/missing'), method: 'POST', body: 'hello' });
    assert.equal(answer.status, 404);
    assert.equal(answer.header('x-seen'), 'yes');
    assert.equal(answer.header('x-other'), undefined);
    assert.equal(textOf(answer), 'POST hello\n');
    http.renewConnections();
    assert.equal(textOf(await http.exchange(get('/'))), 'GET \n');
    await http.close();
  });

  test('tells a stream that was cut off from one that ended', async () => {
    const http = client();
    const answer = await http.open(get('/stream'), never);
    const isCutOff = assert.rejects(
      answer.read((chunk) => {
        assert.equal(Buffer.from(chunk).toString(), 'GET \n');
        cutOff();
      }),
      HttpError,
    );
    await isCutOff;
    await http.close();
  });

  test('a short answer that is cut off, too long or late is none', async () => {
    const http = client();
    const isBroken = (error: unknown): boolean => error instanceof HttpError && error.stage === 'exchange';
    await assert.rejects(http.exchange(get('/cut')), isBroken);
    await assert.rejects(http.exchange(get('/huge')), /an answer of more than 16777216 bytes/);
    await assert.rejects(http.exchange(get('/silence', 1)), /no answer within 1 ms/);
    assert.equal(textOf(await http.exchange(get('/'))), 'GET \n');
    await http.close();
  });

  test('ends a request by its signal, before and within the answer', async () => {
    const http = client();
    for (const path of ['/silence', '/stream']) {
      const controller = new AbortController();
      const isEnded = assert.rejects(
        async () => {
          const answer = await http.open(get(path), controller.signal);
          controller.abort();
          await answer.read(() => {});
        },
        (error) => error instanceof HttpError && error.stage === 'exchange',
      );
      if (path === '/silence') setImmediate(() => controller.abort());
      await isEnded;
    }
    await http.close();
  });

  test('ends a request whose reader throws, with what it threw', async () => {
    const http = client();
    const answer = await http.open(get('/stream'), never);
    const thrown = new Error('enough');
    const isThrown = (error: unknown): boolean => error === thrown;
    await assert.rejects(
      answer.read(() => {
        throw thrown;
      }),
      isThrown,
    );
    await http.close();
  });

  test('says when nothing of the request has left', async () => {
    const closed = createServer();
    await new Promise<void>((resolve) => closed.listen(0, '127.0.0.1', resolve));
    const address = closed.address();
    await new Promise((resolve) => closed.close(resolve));
    const origin = `http://127.0.0.1:${typeof address === 'object' && address !== null ? address.port : 0}`;
    const http = new UndiciHttpClient(origin, () => ({ isUnchecked: false }), new RealClock());
    const isRefused = (error: unknown): boolean => error instanceof HttpError && error.stage === 'connect';
    await assert.rejects(http.exchange(get('/')), isRefused);
    await http.close();
    await assert.rejects(http.exchange(get('/')), isRefused);
  });
});
