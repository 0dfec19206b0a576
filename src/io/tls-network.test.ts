import assert from 'node:assert/strict';
import { connect as connectPlain } from 'node:net';
import { describe, type TestContext, test } from 'node:test';
import { connect as connectTls } from 'node:tls';
import { RealClock } from './clock.ts';
import type { ByteStream } from './network.ts';
import { type KeyPair, selfSigned } from './self-signed-certificate.ts';
import { type MutualIdentity, TlsNetwork } from './tls-network.ts';

const HOST = '127.0.0.1';
const LARGE_BYTES = 3 << 20;
const DAY = { nowMs: new RealClock().wallMs(), validMs: 86_400_000 };

/** One that vouches for itself. */
function pair(): KeyPair {
  return selfSigned({ hostname: 'shard.test', addresses: [HOST], isClients: true, ...DAY });
}

const [OURS, OTHERS] = [pair(), pair()];
const US: MutualIdentity = { ...OURS, authority: OURS.certificate };

/** A server that sends back what comes. */
async function serve(context: TestContext, identity: () => MutualIdentity) {
  const problems: string[] = [];
  const streams: ByteStream[] = [];
  const network = new TlsNetwork({ identity, onProblem: (text) => problems.push(text) });
  const listener = await network.listen({ host: HOST, port: 0 }, (stream) => {
    streams.push(stream);
    stream.start({
      onData: (chunk) => stream.write(Buffer.from(chunk)),
      onDrain: () => {},
      onEnd: () => stream.end(),
      onClose: () => {},
    });
  });
  context.after(() => {
    for (const stream of streams) stream.destroy();
    return listener.close();
  });
  return { port: listener.port, problems, streams };
}

function exchange(port: number, identity: () => MutualIdentity, bytes = 5, host = HOST): Promise<number> {
  return talk(new TlsNetwork({ identity, onProblem: assert.fail }), port, bytes, host);
}

/** Says something, hears it, ends; resolves with how many bytes came back. */
function talk(network: TlsNetwork, port: number, bytes = 5, host = HOST): Promise<number> {
  const stream = network.connect({ host, port });
  return new Promise((resolve, reject) => {
    let heard = 0;
    stream.start({
      onData: (chunk) => {
        heard += chunk.length;
        if (heard === bytes) stream.end();
      },
      onDrain: () => {},
      onEnd: () => stream.end(),
      onClose: (error) =>
        error === undefined && heard === bytes ? resolve(heard) : reject(error ?? new Error('ended')),
    });
    stream.write(Buffer.alloc(bytes));
  });
}

describe('a network whose ends prove who they are', () => {
  test('carries what both say', async (context) => {
    const { port, problems } = await serve(context, () => US);
    assert.equal(await exchange(port, () => US), 5);
    assert.equal(await exchange(port, () => US, LARGE_BYTES), LARGE_BYTES);
    assert.deepEqual(problems, []);
  });

  test('lets nobody in whom the authority does not vouch for, or who shows nothing', async (context) => {
    const { port, problems, streams } = await serve(context, () => US);
    // Each trusts the server, so that it is the server who refuses.
    await assert.rejects(exchange(port, () => ({ ...OTHERS, authority: OURS.certificate })));
    const nobody = connectTls({ host: HOST, port, ca: OURS.certificate });
    nobody.resume();
    await new Promise<void>((resolve) => nobody.once('close', () => resolve()));
    const plain = connectPlain({ host: HOST, port });
    plain.end('GET / HTTP/1.1\r\n\r\n');
    await new Promise<void>((resolve) => plain.once('close', () => resolve()));
    assert.equal(streams.length, 0);
    assert.equal(problems.length, 3);
    for (const problem of problems) assert.match(problem, /^127\.0\.0\.1:\d+ is refused: /);
    assert.equal(await exchange(port, () => US), 5);
  });

  test('takes no proof of an earlier connection', async (context) => {
    const { port, problems, streams } = await serve(context, () => US);
    const trust = { host: HOST, port, ca: OURS.certificate };
    const proven = connectTls({ ...trust, cert: OURS.certificate, key: OURS.key });
    proven.resume();
    const session = await new Promise<Buffer>((resolve) => proven.once('session', resolve));
    const again = connectTls({ ...trust, session });
    again.on('error', () => {});
    again.write('of whom');
    // What an end that is let in hears.
    again.once('data', () => again.destroy());
    await new Promise<void>((resolve) => again.once('close', () => resolve()));
    assert.equal(streams.length, 1);
    assert.match(problems.join(), /is refused/);
    proven.destroy();
  });

  test('says nothing to a server whom the authority does not vouch for, or of another name', async (context) => {
    const { port, streams } = await serve(context, () => US);
    await assert.rejects(
      exchange(port, () => ({ ...OURS, authority: OTHERS.certificate })),
      /self.signed|unable to verify/i,
    );
    await assert.rejects(
      exchange(port, () => US, 5, 'localhost'),
      /localhost/,
    );
    assert.equal(streams.length, 0);
  });

  test('uses renewed certificates, and the ones before while those cannot be used', async (context) => {
    let identity = US;
    const { port, problems } = await serve(context, () => identity);
    identity = { ...OTHERS, authority: OTHERS.certificate };
    await assert.rejects(exchange(port, () => US));
    assert.equal(await exchange(port, () => identity), 5);
    const used = identity;
    identity = { ...used, certificate: 'nonsense' };
    assert.equal(await exchange(port, () => used), 5);
    assert.match(problems.at(-1) ?? '', /^the certificate stays: /);
  });

  test('shows what it showed before while its files cannot be used', async (context) => {
    const { port } = await serve(context, () => US);
    let next: () => MutualIdentity = () => US;
    const problems: string[] = [];
    const client = new TlsNetwork({ identity: () => next(), onProblem: (text) => problems.push(text) });
    assert.equal(await talk(client, port), 5);
    // The key of another certificate: one of the two files has been renewed.
    next = () => ({ ...US, key: OTHERS.key });
    assert.equal(await talk(client, port), 5);
    next = () => {
      throw new Error('no such file');
    };
    assert.equal(await talk(client, port), 5);
    assert.equal(problems.length, 2);
    for (const problem of problems) assert.match(problem, /^the certificate stays: /);
    next = () => ({ ...OTHERS, authority: OURS.certificate });
    await assert.rejects(talk(client, port));
  });

  test('lets in who proves it, however many others say nothing', async (context) => {
    const { port } = await serve(context, () => US);
    const silent = Array.from({ length: 300 }, () => connectPlain({ host: HOST, port }));
    context.after(() => {
      for (const socket of silent) socket.destroy();
    });
    for (const socket of silent) socket.on('error', () => {});
    await Promise.all(silent.map((socket) => new Promise<void>((resolve) => socket.once('connect', () => resolve()))));
    const began = performance.now();
    assert.equal(await exchange(port, () => US), 5);
    assert.ok(performance.now() - began < 4000, 'before the silent ones are given up');
  });

  test('fails as a connection does where there is nothing to show, and says so at the start of a server', async (context) => {
    const { port } = await serve(context, () => US);
    const gone = (): never => {
      throw new Error('no such file');
    };
    await assert.rejects(exchange(port, gone), /no such file/);
    await assert.rejects(exchange(port, () => ({ ...US, key: 'nonsense' })));
    await assert.rejects(
      new TlsNetwork({ identity: gone, onProblem: assert.fail }).listen({ host: HOST, port: 0 }, () => {}),
      /no such file/,
    );
  });
});
