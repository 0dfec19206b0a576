import assert from 'node:assert/strict';
import { createServer, type Server } from 'node:http';
import { after, before, describe, test } from 'node:test';
import { HttpError, type HttpRequest } from './http-client.ts';
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
    new UndiciHttpClient(`http://127.0.0.1:${port}`, () => ({ isUnchecked: false }));
  const get = (path: string, signal = new AbortController().signal): HttpRequest => ({
    method: 'GET',
    path,
    headers: { 'x-mine': 'yes' },
    signal,
    isLong: path === '/stream',
  });
  const read = async (body: AsyncIterable<Uint8Array>): Promise<string> => {
    const chunks: Uint8Array[] = [];
    for await (const chunk of body) chunks.push(chunk);
    return Buffer.concat(chunks).toString();
  };

  test('sends a body and reads status, headers and the answer', async () => {
    const http = client();
    const answer = await http.send({ ...get('/missing'), method: 'POST', body: 'hello' });
    assert.equal(answer.status, 404);
    assert.equal(answer.header('x-seen'), 'yes');
    assert.equal(answer.header('x-other'), undefined);
    assert.equal(await read(answer.body), 'POST hello\n');
    http.renewConnections();
    assert.equal(await read((await http.send(get('/'))).body), 'GET \n');
    await http.close();
  });

  test('tells a stream that was cut off from one that ended', async () => {
    const http = client();
    const { body } = await http.send(get('/stream'));
    const isCutOff = assert.rejects(async () => {
      for await (const chunk of body) {
        assert.equal(Buffer.from(chunk).toString(), 'GET \n');
        cutOff();
      }
    }, HttpError);
    await isCutOff;
    await http.close();
  });

  test('a short answer that is cut off is none, and one whose request is over before it is sent is not waited for', async () => {
    const http = client();
    const isBroken = (error: unknown): boolean => error instanceof HttpError && error.stage === 'exchange';
    await assert.rejects(http.send(get('/cut')), isBroken);
    await assert.rejects(http.send(get('/huge')), /an answer of more than 16777216 bytes/);
    await assert.rejects(http.send(get('/', AbortSignal.abort(new Error('too late')))), /too late/);
    assert.equal(await read((await http.send(get('/'))).body), 'GET \n');
    await http.close();
  });

  test('ends a request by its signal, before and within the answer', async () => {
    const http = client();
    for (const path of ['/silence', '/stream']) {
      const controller = new AbortController();
      const isEnded = assert.rejects(
        async () => {
          const { body } = await http.send(get(path, controller.signal));
          controller.abort();
          await read(body);
        },
        (error) => error instanceof HttpError && error.stage === 'exchange',
      );
      if (path === '/silence') setImmediate(() => controller.abort());
      await isEnded;
    }
    await http.close();
  });

  test('says when nothing of the request has left', async () => {
    const closed = createServer();
    await new Promise<void>((resolve) => closed.listen(0, '127.0.0.1', resolve));
    const address = closed.address();
    await new Promise((resolve) => closed.close(resolve));
    const origin = `http://127.0.0.1:${typeof address === 'object' && address !== null ? address.port : 0}`;
    const http = new UndiciHttpClient(origin, () => ({ isUnchecked: false }));
    const isRefused = (error: unknown): boolean => error instanceof HttpError && error.stage === 'connect';
    await assert.rejects(http.send(get('/')), isRefused);
    await http.close();
    await assert.rejects(http.send(get('/')), isRefused);
  });
});
