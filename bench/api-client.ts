/**
 * What a request to an API server costs its client, in CPU of the whole process: bindings of pods, 200 on their way, over TLS to a server that answers each with
 * 201 and the headers that kube-apiserver sends, in a process of its own. By our HTTP/2 client, and by undici, in turn.
 *
 *   node bench/api-client.ts [--requests 20000] [--rounds 3]
 */
import { fork } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { createSecureServer } from 'node:http2';
import { parseArgs } from 'node:util';
import { Http2Client } from '../src/http/http2-client.ts';
import { RealClock } from '../src/io/clock.ts';
import type { HttpClient } from '../src/io/http-client.ts';
import { selfSigned } from '../src/io/self-signed-certificate.ts';
import { TlsDialer } from '../src/io/tls-dialer.ts';
import { UndiciHttpClient } from '../src/io/undici-http-client.ts';
import { HttpKubeApi } from '../src/kube-api/http-kube-api.ts';

const inFlightMax = 200;
const host = '127.0.0.1';
const headers = { authorization: `Bearer ${'token'.repeat(180)}` };

function serve(): void {
  const day = { nowMs: Date.now(), validMs: 86_400_000 };
  const { certificate, key } = selfSigned({ hostname: 'localhost', addresses: [host], ...day });
  const server = createSecureServer({ cert: certificate, key });
  server.on('stream', (stream) => {
    stream.on('data', () => {});
    stream.on('end', () => {
      const length = { 'content-type': 'application/json', 'content-length': '65' };
      const flow = { 'x-kubernetes-pf-flowschema-uid': 'a', 'x-kubernetes-pf-prioritylevel-uid': 'b' };
      stream.respond({
        ':status': 201,
        'audit-id': randomUUID(),
        'cache-control': 'no-cache, private',
        ...length,
        ...flow,
      });
      stream.end('{"kind":"Status","apiVersion":"v1","status":"Success","code":201}');
    });
  });
  server.listen(0, host, () => process.send?.(Object(server.address()).port));
  process.on('disconnect', () => process.exit());
}

function clientOf(name: string, port: number): HttpClient {
  const clock = new RealClock();
  const tls = (): { isUnchecked: boolean } => ({ isUnchecked: true });
  if (name === 'undici') return new UndiciHttpClient(`https://${host}:${port}`, tls, clock);
  const dialer = new TlsDialer({ host, port, protocols: ['h2'], tls });
  return new Http2Client({ dialer, clock, authority: `${host}:${port}` });
}

/** Microseconds of CPU a binding, after a tenth of them for the engine to warm up, and how many a second. */
async function measure(name: string, port: number, count: number): Promise<[micros: number, rate: number]> {
  const api = new HttpKubeApi({
    http: clientOf(name, port),
    credentials: {
      origin: '',
      pathPrefix: '',
      tls: () => ({ isUnchecked: true }),
      headers: async () => headers,
      renew: async () => false,
    },
    clock: new RealClock(),
    chance: Math.random,
    userAgent: 'k1m/bench',
    inFlightMax,
    waitingMax: count,
  });
  const bindAll = async (from: number, to: number): Promise<void> => {
    const outcomes = Array.from({ length: to - from }, (_, i) =>
      api.bind({ namespace: 'default', name: `load-${from + i}`, uid: randomUUID() }, `node-${i}`),
    );
    const failed = (await Promise.all(outcomes)).find(({ kind }) => kind !== 'bound');
    if (failed !== undefined) throw new Error(JSON.stringify(failed));
  };
  await bindAll(0, count / 10);
  const before = process.cpuUsage();
  const startMs = performance.now();
  await bindAll(count / 10, count + count / 10);
  const { user, system } = process.cpuUsage(before);
  const seconds = (performance.now() - startMs) / 1000;
  await api.close();
  return [(user + system) / count, count / seconds];
}

if (process.argv[2] === 'serve') serve();
else {
  const options = { requests: { type: 'string', default: '20000' }, rounds: { type: 'string', default: '3' } } as const;
  const { values } = parseArgs({ options });
  const server = fork(import.meta.filename, ['serve']);
  const [port] = await once(server, 'message');
  for (let round = 0; round < Number(values.rounds); round++) {
    for (const name of ['src/http', 'undici']) {
      const [micros, rate] = await measure(name, port, Number(values.requests));
      process.stdout.write(`${name.padEnd(9)} ${micros.toFixed(1).padStart(6)} µs a binding, ${rate.toFixed(0)}/s\n`);
    }
  }
  server.disconnect();
}
