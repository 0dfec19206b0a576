import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { echo, get, outcomeOf, type Served, SimulatedServer, setUp, silence } from './simulated-server-fixture.ts';

describe('connections', () => {
  test('take as many requests as the server allows, and another is made for more', async () => {
    const held: Served[] = [];
    const { server, clock, http } = await setUp((request) => void held.push(request), { concurrentStreamsMax: 10 });
    const answers = Array.from({ length: 25 }, (_, i) => outcomeOf(http.exchange(get(`/${i}`))));
    await clock.pass(100);
    assert.equal(held.length, 25);
    assert.deepEqual(
      server.connections.map(({ h2 }) => h2.streamCount),
      [10, 10, 5],
    );
    for (const request of held) request.answer(200, request.path);
    assert.deepEqual(
      await clock.runUntil(Promise.all(answers)),
      answers.map((_, i) => `/${i}`),
    );
  });

  test('are so many at most: what is more waits its turn, and too much is told at once', async () => {
    const held: Served[] = [];
    const server = await new SimulatedServer((request) => held.push(request), { concurrentStreamsMax: 2 }).listen();
    const { clock } = server;
    const http = server.client({ limits: { connectionsMax: 2, waitingMax: 3 } });
    const outcomes = [outcomeOf(http.exchange(get('/0')))];
    await clock.pass(50);
    for (let i = 1; i < 8; i++) outcomes.push(outcomeOf(http.exchange(get(`/${i}`))));
    assert.equal(await outcomes[5], 'connect: 3 requests wait for a connection already');
    await clock.pass(50);
    assert.equal(server.connections.length, 2);
    assert.equal(held.map(({ path }) => path).join(), '/0,/1,/2,/3');
    held[0].answer(200, 'done');
    await clock.pass(50);
    assert.equal(held[4].path, '/4');
    http.close();
  });

  test('that cannot be made are told to all who wait, and the next request tries again', async () => {
    const server = new SimulatedServer(echo);
    const http = server.client();
    const outcomes = [1, 2].map(() => outcomeOf(http.exchange(get('/'))));
    for (const outcome of outcomes) assert.match(await server.clock.runUntil(outcome), /^connect: .*ECONNREFUSED/);
    await server.listen();
    assert.equal(await server.clock.runUntil(outcomeOf(http.exchange(get('/')))), 'GET / ');
  });

  test('of a server that says nothing are given up', async () => {
    const server = new SimulatedServer(echo);
    const { clock } = server;
    await server.network.listen({ host: '', port: 6443 }, (stream) => stream.pause());
    const http = server.client();
    const outcome = outcomeOf(http.exchange(get('/', { timeoutMs: 60_000 })));
    assert.equal(await clock.runUntil(outcome), 'connect: no connection within 10000 ms');
    assert.equal(clock.nowMs(), 10_000);
  });

  test('that are cut leave what was sent unknown, and another is made', async () => {
    const { server, clock, http } = await setUp((request) => {
      if (request.path === '/cut') server.network.streams.at(-1)?.cut();
      else request.answer(200, 'ok');
    });
    assert.match(await clock.runUntil(outcomeOf(http.exchange(get('/cut')))), /^exchange: the connection was lost: /);
    assert.equal(await clock.runUntil(outcomeOf(http.exchange(get('/')))), 'ok');
    assert.equal(server.connections.length, 2);
  });

  test('that are half open are noticed within 47 s', async () => {
    const { server, clock, http } = await setUp(echo);
    await clock.runUntil(http.exchange(get('/')));
    server.network.streams[0].halfOpen();
    const startMs = clock.nowMs();
    const outcome = outcomeOf(http.exchange(get('/', { timeoutMs: 600_000 })));
    assert.equal(await clock.runUntil(outcome), 'exchange: the connection was lost: the peer does not answer pings');
    assert.ok(clock.nowMs() - startMs <= 47_000);
    assert.equal(await clock.runUntil(outcomeOf(http.exchange(get('/')))), 'GET / ');
  });

  test('that idle are tried as well', async () => {
    const { server, clock, http } = await setUp(echo);
    await clock.runUntil(http.exchange(get('/')));
    server.network.streams[0].halfOpen();
    await clock.pass(47_000);
    assert.equal(http.connectionCount, 0);
  });

  test('over which the server says nonsense are given up', async () => {
    const { server, clock, http } = await setUp((request) => {
      if (request.path !== '/nonsense') request.answer(200, 'ok');
      else server.network.streams[1].write(Buffer.from('HTTP/1.1 400 Bad Request\r\n\r\n'));
    });
    const outcome = await clock.runUntil(outcomeOf(http.exchange(get('/nonsense'))));
    assert.match(outcome, /^exchange: the connection was lost: /);
    assert.equal(await clock.runUntil(outcomeOf(http.exchange(get('/')))), 'ok');
  });

  test('are made anew for new credentials, while the old ones end what is under way', async () => {
    const held: Served[] = [];
    const { server, clock, http } = await setUp((request) => void held.push(request));
    const old = outcomeOf(http.exchange(get('/old')));
    await clock.pass(10);
    http.renewConnections();
    const young = outcomeOf(http.exchange(get('/young')));
    await clock.pass(10);
    assert.deepEqual(
      held.map(({ path, connection }) => [path, server.connections.indexOf(connection)]),
      [
        ['/old', 0],
        ['/young', 1],
      ],
    );
    for (const request of held) request.answer(200, request.path);
    assert.equal(await clock.runUntil(old), '/old');
    assert.equal(await clock.runUntil(young), '/young');
    await clock.pass(10);
    assert.ok(server.network.streams[0].isClosed);
  });

  test('that are being made when there are new credentials are made anew', async () => {
    const { server, clock, http } = await setUp(echo);
    const outcome = outcomeOf(http.exchange(get('/')));
    while (server.connections.length === 0) clock.step();
    http.renewConnections();
    assert.equal(await clock.runUntil(outcome), 'GET / ');
    assert.equal(server.connections.indexOf(server.requests[0].connection), 1);
    assert.equal(http.connectionCount, 1);
  });

  test('once the client is closed, tell what was sent from what was not', async () => {
    const { server, clock, http } = await setUp(silence, { concurrentStreamsMax: 1 });
    const sent = outcomeOf(http.exchange(get('/')));
    await clock.pass(10);
    const waiting = outcomeOf(http.exchange(get('/')));
    await http.close();
    assert.equal(await sent, 'exchange: the connection was lost: the client is closed');
    assert.equal(await waiting, 'connect: the client is closed');
    assert.equal(await outcomeOf(http.exchange(get('/'))), 'connect: the client is closed');
    await clock.pass(10);
    assert.ok(server.network.streams.every(({ isClosed }) => isClosed));
  });
});
