import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';
import { ANSWER_BYTES_MAX } from './http-client.ts';
import { httpGetText } from './http-get.ts';

/** The outcome of a GET that is answered so. */
async function get(listener: RequestListener, timeoutMs = 5_000): Promise<string> {
  const server = createServer(listener).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  try {
    return await httpGetText(`http://127.0.0.1:${port}/metrics`, timeoutMs);
  } finally {
    server.closeAllConnections();
    server.close();
  }
}

test('a body that comes in pieces is put together, characters that are cut in two included', async () => {
  const body = Buffer.from('µs 1\nµs 2\n');
  const text = await get((_request, response) => {
    response.write(body.subarray(0, 1));
    setImmediate(() => response.end(body.subarray(1)));
  });
  assert.equal(text, 'µs 1\nµs 2\n');
});

test('any status but 200 is an error', async () => {
  await assert.rejects(
    get((_request, response) => response.writeHead(503).end('no')),
    /metrics: HTTP 503/,
  );
});

test('an answer that breaks off, or does not come in time, is an error', async () => {
  await assert.rejects(
    get((_request, response) => {
      response.writeHead(200, { 'content-length': '100' });
      response.write('x', () => response.destroy());
    }),
  );
  await assert.rejects(
    get(() => {}, 50),
    { name: 'AbortError' },
  );
});

test('an answer that does not end is cut off at its limit', async () => {
  let sent = 0;
  const chunk = Buffer.alloc(1 << 20, 'x');
  await assert.rejects(
    get((_request, response) => {
      const more = (): void => {
        while (!response.destroyed && response.write(chunk)) sent += chunk.length;
      };
      response.on('drain', more);
      more();
    }),
    /metrics: an answer of more than 16777216 bytes$/,
  );
  assert.ok(sent < 2 * ANSWER_BYTES_MAX, `${sent} bytes were sent`);
});
