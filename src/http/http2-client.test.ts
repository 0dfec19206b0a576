import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { CANCEL, INTERNAL_ERROR, NO_ERROR, REFUSED_STREAM } from '../h2/error-code.ts';
import { HttpError } from '../io/http-client.ts';
import { HTTP2_CLIENT_LIMITS } from './http2-client.ts';
import { RESENDS_MAX } from './http2-request.ts';
import {
  echo,
  get,
  HEADERS,
  never,
  outcomeOf,
  type Served,
  SimulatedServer,
  setUp,
  silence,
} from './simulated-server-fixture.ts';

describe('a short request', () => {
  test('is sent as it was given, and its answer is whole', async () => {
    const { server, clock, http } = await setUp((request) =>
      request.answer(404, 'y'.repeat(100_000), [{ name: 'retry-after', value: '3' }]),
    );
    const request = get('/a?b=c', { method: 'POST', body: 'z'.repeat(200_000) });
    const answer = await clock.runUntil(http.exchange(request));
    assert.equal(answer.status, 404);
    assert.equal(answer.header('retry-after'), '3');
    assert.equal(answer.header('date'), undefined);
    assert.equal(answer.body.toString(), 'y'.repeat(100_000));
    const [served] = server.requests;
    assert.equal(served.body, 'z'.repeat(200_000));
    assert.deepEqual(
      served.fields.map(({ name, value }) => [name, value]),
      [
        [':method', 'POST'],
        [':scheme', 'https'],
        [':authority', 'api.test'],
        [':path', '/a?b=c'],
        // In UTF-8, as Go's clients send them.
        ...Object.entries(HEADERS).map(([name, value]) => [name, Buffer.from(value).toString('latin1')]),
      ],
    );
  });

  test('has a field for each value of a header', async () => {
    const { server, clock, http } = await setUp(echo);
    await clock.runUntil(http.exchange(get('/', { headers: { 'impersonate-group': ['a', 'b'], accept: '*/*' } })));
    const [{ fields }] = server.requests;
    assert.deepEqual(
      fields.slice(4).map(({ name, value }) => [name, value]),
      [
        ['impersonate-group', 'a'],
        ['impersonate-group', 'b'],
        ['accept', '*/*'],
      ],
    );
  });

  test('finds another connection when one has no more ids for streams', async () => {
    const server = await new SimulatedServer(echo).listen();
    const http = server.client({ h2: { streamIdMax: 5 } });
    const answers = Array.from({ length: 10 }, (_, i) => outcomeOf(http.exchange(get(`/${i}`))));
    const texts = await server.clock.runUntil(Promise.all(answers));
    assert.deepEqual(
      texts,
      Array.from(texts, (_, i) => `GET /${i} `),
    );
    assert.equal(server.connections.length, 4);
    // All but the last have ended with their last answer.
    await server.clock.pass(1_000);
    assert.deepEqual(
      server.connections.map(({ h2 }) => h2.isClosed),
      [true, true, true, false],
    );
  });

  test('costs little more than its path and its body once another like it was sent', async () => {
    const { server, clock, http } = await setUp(echo);
    await clock.runUntil(http.exchange(get('/one')));
    const { stats } = server.connections[0].h2;
    const before = stats.bytesReceived;
    for (let i = 0; i < 10; i++) await clock.runUntil(http.exchange(get('/two')));
    // A frame's header, seven fields from the tables, the path.
    assert.ok(stats.bytesReceived - before < 10 * 40, `${stats.bytesReceived - before} bytes`);
    assert.equal(server.requests.at(-1)?.field('authorization'), HEADERS.authorization);
  });

  test('whose success alone counts has no body then, and has it else', async () => {
    const { clock, http } = await setUp((request) => request.answer(request.path === '/good' ? 201 : 409, 'why'));
    const options = { isSuccessUnread: true };
    assert.equal((await clock.runUntil(http.exchange(get('/good', options)))).body.length, 0);
    assert.equal((await clock.runUntil(http.exchange(get('/bad', options)))).body.toString(), 'why');
  });

  test('ends when its time is over, and says whether it had left', async () => {
    const { server, clock, http } = await setUp(silence);
    const sent = outcomeOf(http.exchange(get('/', { timeoutMs: 1_500 })));
    await clock.pass(1_499);
    assert.equal(server.requests.length, 1);
    assert.equal(await clock.runUntil(sent), 'exchange: no answer within 1500 ms');
    await clock.pass(10);
    assert.deepEqual(server.connections[0].resets, [CANCEL]);
    server.protocol = '';
    const waiting = server.client({ limits: { connectionsMax: 0 } });
    assert.equal(await clock.runUntil(outcomeOf(waiting.exchange(get('/')))), 'connect: no answer within 5000 ms');
  });

  test('ends at an answer that is too long, and others go on', async () => {
    const { server, clock } = await setUp((request) =>
      request.answer(200, request.path === '/long' ? 'x'.repeat(1_001) : 'x'.repeat(1_000)),
    );
    const http = server.client({ limits: { answerBytesMax: 1_000 } });
    const long = outcomeOf(http.exchange(get('/long')));
    const other = outcomeOf(http.exchange(get('/')));
    assert.equal(await clock.runUntil(long), 'exchange: an answer of more than 1000 bytes');
    assert.equal(await clock.runUntil(other), 'x'.repeat(1_000));
    assert.equal(http.connectionCount, 1);
    assert.equal(HTTP2_CLIENT_LIMITS.answerBytesMax, 16 << 20);
  });

  test('is answered before all of it was sent, and the rest is not', async () => {
    const { server, clock, http } = await setUp(silence);
    server.whenBegun = (request) => request.answer(413, 'too large');
    const answer = await clock.runUntil(http.exchange(get('/', { method: 'POST', body: 'z'.repeat(9 << 20) })));
    assert.equal(answer.status, 413);
    await clock.pass(100);
    assert.equal(server.requests.length, 0);
    assert.equal(server.connections[0].h2.streamCount, 0);
  });
});

describe('what the server has not looked at', () => {
  test('is sent again elsewhere when it leaves, and what it may have is unknown', async () => {
    const { server, clock, http } = await setUp((request) => {
      if (request.path === '/leave') request.connection.h2.goaway(NO_ERROR, '');
      else request.answer(200, request.path);
      request.connection.flush();
    });
    const seen = outcomeOf(http.exchange(get('/leave')));
    while (server.requests.length === 0) clock.step();
    // On its way while the server's GOAWAY is.
    const unseen = outcomeOf(http.exchange(get('/unseen')));
    assert.match(await clock.runUntil(seen), /^exchange: /);
    assert.equal(await clock.runUntil(unseen), '/unseen');
    assert.equal(server.connections.length, 2);
  });

  test('finishes on a connection that the server leaves in order', async () => {
    const held: Served[] = [];
    const { server, clock, http } = await setUp((request) => void held.push(request));
    const old = outcomeOf(http.exchange(get('/old')));
    await clock.pass(10);
    server.connections[0].h2.shutdown();
    server.connections[0].flush();
    await clock.pass(10);
    const young = outcomeOf(http.exchange(get('/young')));
    await clock.pass(10);
    for (const request of held) request.answer(200, request.path);
    assert.deepEqual(await clock.runUntil(Promise.all([old, young])), ['/old', '/young']);
    assert.equal(server.connections.length, 2);
  });

  test('is sent again when it is refused, so many times', async () => {
    let refusals = RESENDS_MAX;
    const { server, clock, http } = await setUp((request) => {
      if (refusals-- > 0) request.reset(REFUSED_STREAM);
      else request.answer(200, request.body);
    });
    const post = get('/', { method: 'POST', body: 'again' });
    assert.equal(await clock.runUntil(outcomeOf(http.exchange(post))), 'again');
    refusals = RESENDS_MAX + 1;
    const text = 'connect: the request was ended: REFUSED_STREAM';
    assert.equal(await clock.runUntil(outcomeOf(http.exchange(post))), text);
    assert.equal(server.requests.length, 2 * (RESENDS_MAX + 1));
  });

  test('waits its turn again, and is not sent once its time is over', async () => {
    const held: Served[] = [];
    const server = await new SimulatedServer((request) => held.push(request), { concurrentStreamsMax: 2 }).listen();
    const { clock } = server;
    const http = server.client({ limits: { connectionsMax: 1 } });
    const first = outcomeOf(http.exchange(get('/first')));
    const refused = outcomeOf(http.exchange(get('/refused', { timeoutMs: 1_000 })));
    void outcomeOf(http.exchange(get('/waits')));
    await clock.pass(50);
    held[1].reset(REFUSED_STREAM);
    await clock.pass(50);
    assert.equal(held.map(({ path }) => path).join(), '/first,/refused,/waits');
    assert.equal(await clock.runUntil(refused), 'connect: no answer within 1000 ms');
    held[0].answer(200, 'done');
    assert.equal(await clock.runUntil(first), 'done');
    await clock.pass(50);
    assert.equal(held.length, 3);
    await http.close();
  });

  test('is not what it ended for another reason, or had begun to answer', async () => {
    const { server, clock, http } = await setUp((request) => {
      if (request.path === '/begun') request.head(200);
      request.reset(request.path === '/begun' ? REFUSED_STREAM : INTERNAL_ERROR);
    });
    const failed = await clock.runUntil(outcomeOf(http.exchange(get('/failed'))));
    assert.equal(failed, 'exchange: the request was ended: INTERNAL_ERROR');
    assert.match(await clock.runUntil(outcomeOf(http.exchange(get('/begun')))), /^exchange: .*REFUSED_STREAM/);
    assert.equal(server.requests.length, 2);
  });
});

describe('a long answer', () => {
  test('is read as it comes, also what came before anybody read', async () => {
    const held: Served[] = [];
    const { clock, http } = await setUp((request) => {
      held.push(request);
      request.head(200, [{ name: 'content-type', value: 'text/plain' }]);
      request.data('early ');
    });
    const answer = await clock.runUntil(http.open(get('/'), never));
    assert.equal(answer.status, 200);
    assert.equal(answer.header('content-type'), 'text/plain');
    await clock.pass(10);
    const heard: string[] = [];
    const end = answer.read((chunk) => heard.push(Buffer.from(chunk).toString()));
    await clock.pass(10);
    held[0].data('later');
    await clock.pass(10);
    assert.equal(heard.join(''), 'early later');
    held[0].data('', true);
    await clock.runUntil(end);
  });

  test('that nobody reads stops at a window of its stream, and holds up no other', async () => {
    const bytes = Buffer.alloc(1 << 20, 'x');
    const { server, clock } = await setUp((request) => {
      if (request.path !== '/long') return echo(request);
      request.head(200);
      request.data(bytes, true);
    });
    const http = server.client({ h2: { streamWindowBytes: 100_000, connectionWindowBytes: 200_000 } });
    const answer = await clock.runUntil(http.open(get('/long'), never));
    await clock.pass(1_000);
    assert.equal(await clock.runUntil(outcomeOf(http.exchange(get('/other')))), 'GET /other ');
    assert.ok(server.connections[0].h2.stats.bytesSent < 110_000);
    let read = 0;
    await clock.runUntil(
      answer.read((chunk) => {
        read += chunk.length;
      }),
    );
    assert.equal(read, bytes.length);
  });

  test('that breaks off says so, after what had come', async () => {
    const { server, clock, http } = await setUp((request) => {
      request.head(200);
      request.data('half');
    });
    const answer = await clock.runUntil(http.open(get('/'), never));
    let heard = '';
    const end = answer.read((chunk) => {
      heard += Buffer.from(chunk).toString();
      server.network.streams[0].cut();
    });
    await assert.rejects(clock.runUntil(end), /^HttpError: the connection was lost/);
    assert.equal(heard, 'half');
  });

  test('ends by its signal, before and within it, and the server is told', async () => {
    const { server, clock, http } = await setUp((request) => {
      if (request.path === '/begun') request.head(200);
    });
    for (const path of ['/silence', '/begun']) {
      const controller = new AbortController();
      const isEnded = assert.rejects(async () => {
        const answer = await http.open(get(path), controller.signal);
        await answer.read(() => {});
      }, /^HttpError: the request was given up/);
      await clock.pass(20);
      controller.abort();
      await isEnded;
    }
    await clock.pass(10);
    assert.deepEqual(server.connections[0].resets, [CANCEL, CANCEL]);
    const aborted = http.open(get('/'), AbortSignal.abort());
    await assert.rejects(aborted, (error) => error instanceof HttpError && error.stage === 'connect');
    assert.equal(server.requests.length, 2);
  });

  test('is not heard any more once its signal has ended it, though more has come', async () => {
    const { clock, http } = await setUp((request) => {
      request.head(200);
      for (const text of ['one', 'two']) request.data(text);
    });
    const controller = new AbortController();
    const answer = await clock.runUntil(http.open(get('/'), controller.signal));
    await clock.pass(10);
    const heard: string[] = [];
    const end = answer.read((chunk) => {
      heard.push(Buffer.from(chunk).toString());
      controller.abort();
    });
    await assert.rejects(clock.runUntil(end), /^HttpError: the request was given up/);
    assert.deepEqual(heard, ['one']);
  });

  test('whose reader throws ends with what it threw', async () => {
    const { server, clock, http } = await setUp((request) => {
      request.head(200);
      request.data('more and more');
    });
    const answer = await clock.runUntil(http.open(get('/'), never));
    const thrown = new Error('enough');
    const end = answer.read(() => {
      throw thrown;
    });
    await assert.rejects(clock.runUntil(end), (error) => error === thrown);
    await clock.pass(10);
    assert.deepEqual(server.connections[0].resets, [CANCEL]);
    assert.equal(http.connectionCount, 1);
  });
});
