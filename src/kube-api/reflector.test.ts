import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { HttpError, type HttpRequest } from '../io/http-client.ts';
import { SimulatedClock } from '../testing/clock.ts';
import { type Answering, FakeBody, type FakeHttp, fakeApi, listOf, objectNamed } from './http-fixture.ts';
import type { JsonObject, ObjectIdentity, ReflectHandler, Reflection, ReflectOptions } from './kube-api.ts';
import { headOf } from './object-head.ts';

/** What a handler hears, as words: "+a@5", "-a", "synced"; problems apart. */
class Hearing implements ReflectHandler {
  heard: string[] = [];
  readonly problems: string[] = [];

  onSet(object: JsonObject): void {
    const head = headOf(object);
    this.heard.push(`+${head?.name}@${head?.resourceVersion}`);
  }

  onDeleted({ name }: ObjectIdentity): void {
    this.heard.push(`-${name}`);
  }

  onSynced(): void {
    this.heard.push('synced');
  }

  onProblem(text: string): void {
    this.problems.push(text);
  }

  take(): string[] {
    return this.heard.splice(0);
  }
}

interface Play {
  readonly clock: SimulatedClock;
  readonly hearing: Hearing;
  readonly reflection: Reflection;
  readonly http: FakeHttp;
  readonly close: () => Promise<void>;
}

function play(answer: Answering, options: ReflectOptions = {}): Play {
  const clock = new SimulatedClock();
  const { api, http } = fakeApi(clock, answer);
  const hearing = new Hearing();
  return { clock, hearing, http, reflection: api.reflect('pods', hearing, options), close: () => api.close() };
}

const isWatch = ({ path }: HttpRequest): boolean => path.includes('watch=true');
const watchedFrom = (http: FakeHttp): string[] =>
  http.requests.filter(isWatch).map(({ path }) => /resourceVersion=([^&]*)/.exec(path)?.[1] ?? '');
const listQueries = (http: FakeHttp): string[] =>
  http.requests.filter((request) => !isWatch(request)).map(({ path }) => path.replace(/^.*\?/, ''));

/** Lists and watches are answered in turn, the last one again and again. */
function inTurn(lists: ReturnType<Answering>[], watches: ReturnType<Answering>[]): Answering {
  return (request) => {
    const answers = isWatch(request) ? watches : lists;
    return (answers.length > 1 ? answers.shift() : answers[0]) ?? 'silence';
  };
}

describe('a reflector', () => {
  test('lists by pages from any version, then watches from the version of the list', async () => {
    const lists = [
      { body: listOf(10, [objectNamed('a', 3), objectNamed('b', 4)], 'to/ken') },
      { body: listOf(10, [objectNamed('c', 7)]) },
    ];
    const { clock, hearing, http, reflection } = play(inTurn(lists, ['silence']));
    await clock.pass(1);
    assert.deepEqual(hearing.take(), ['+a@3', '+b@4', '+c@7', 'synced']);
    assert.deepEqual(listQueries(http), ['limit=500&resourceVersion=0', 'limit=500&continue=to%2Fken']);
    assert.deepEqual(watchedFrom(http), ['10']);
    assert.match(http.paths[2], /^\/api\/v1\/pods\?watch=true&allowWatchBookmarks=true&timeoutSeconds=300&/);
    assert.ok(reflection.isSynced);
    assert.equal(reflection.size, 3);
  });

  test('lists the newest, where that is asked for', async () => {
    const { clock, http } = play(inTurn([{ body: listOf(10, []) }], ['silence']), { isNewest: true });
    await clock.pass(1);
    assert.deepEqual(listQueries(http), ['limit=500']);
  });

  test('takes up a watch that ended at the version of the last bookmark, at once', async () => {
    const first = new FakeBody();
    const { clock, hearing, http } = play(inTurn([{ body: listOf(10, []) }], [{ body: first }, 'silence']));
    await clock.pass(5_000);
    first
      .event('ADDED', objectNamed('a', 12))
      .event('BOOKMARK', { metadata: { resourceVersion: '40' } })
      .end();
    await clock.pass(1);
    assert.deepEqual(hearing.take(), ['synced', '+a@12']);
    assert.deepEqual(watchedFrom(http), ['10', '40']);
    assert.deepEqual(hearing.problems, []);
  });

  test('drops a line cut off, waits, and hears duplicates and older events once', async () => {
    const [first, second] = [new FakeBody(), new FakeBody()];
    const { clock, hearing, http, reflection } = play(
      inTurn([{ body: listOf(10, [objectNamed('a', 9)]) }], [{ body: first }, { body: second }, 'silence']),
    );
    await clock.pass(1);
    first.event('MODIFIED', objectNamed('a', 11)).write('{"type":"MODIFIED","object":{"metadata":{"na').cut();
    await clock.pass(799);
    assert.equal(watchedFrom(http).length, 1);
    await clock.pass(1);
    assert.deepEqual(watchedFrom(http), ['10', '11']);
    second.event('MODIFIED', objectNamed('a', 11)).event('MODIFIED', objectNamed('a', 12));
    second.event('DELETED', objectNamed('a', 13)).event('DELETED', objectNamed('a', 13));
    second.event('ADDED', objectNamed('a', 12));
    await clock.pass(1);
    assert.deepEqual(hearing.take(), ['+a@9', 'synced', '+a@11', '+a@12', '-a']);
    assert.equal(reflection.counts.stale, 3);
    assert.deepEqual(hearing.problems, ['watch pods: other side closed']);
  });

  test('lists again after 410 in the middle of a watch and tells the difference', async () => {
    const first = new FakeBody();
    const lists = [
      { body: listOf(10, [objectNamed('a', 1), objectNamed('b', 2), objectNamed('c', 3)]) },
      { body: listOf(50, [objectNamed('a', 1), objectNamed('c', 30, 'another'), objectNamed('d', 40)]) },
    ];
    const { clock, hearing, http } = play(inTurn(lists, [{ body: first }, 'silence']));
    await clock.pass(1);
    hearing.take();
    first.event('MODIFIED', objectNamed('a', 12));
    first.event('ERROR', {
      kind: 'Status',
      code: 410,
      reason: 'Expired',
      message: 'too old resource version: 10 (20)',
    });
    first.event('MODIFIED', objectNamed('b', 13));
    await clock.pass(1_000);
    assert.deepEqual(hearing.take(), ['+a@12', '+a@1', '-c', '+c@30', '+d@40', '-b']);
    assert.deepEqual(listQueries(http), ['limit=500&resourceVersion=0', 'resourceVersion=12']);
    assert.deepEqual(watchedFrom(http), ['10', '50']);
  });

  test('begins a list anew, at the newest version, when its token or version has expired, and tells nothing twice', async () => {
    const gone = { status: 410, body: { kind: 'Status', code: 410, message: 'the continue parameter is too old' } };
    const lists = [
      { body: listOf(10, [objectNamed('a', 1), objectNamed('b', 2)], 'token') },
      gone,
      { body: listOf(20, [objectNamed('a', 1)]) },
    ];
    const { clock, hearing, http } = play(inTurn(lists, ['silence']));
    await clock.pass(1_000);
    assert.deepEqual(hearing.take(), ['+a@1', '+b@2', '-b', 'synced']);
    assert.deepEqual(listQueries(http), ['limit=500&resourceVersion=0', 'limit=500&continue=token', 'limit=500']);
  });

  test('skips and counts what cannot be read, with its name, and goes on', async () => {
    const first = new FakeBody();
    const items = `{"metadata":{"resourceVersion":"10"},"items":[{"metadata":{"name":"odd"}},${JSON.stringify(objectNamed('a', 1))}]}`;
    const { clock, hearing, http, reflection } = play(inTurn([{ body: items }], [{ body: first }, 'silence']));
    await clock.pass(1);
    first.write('{"type":"ADDED","object":{"metadata":{"name":"web-0","namespace":"shop",}}}\n');
    first.write('\u0000\u0001\n[]\n{"type":"ADDED","object":7}\n');
    first.event('SURPRISE', objectNamed('b', 11)).event('ADDED', objectNamed('c', 12));
    await clock.pass(1);
    assert.deepEqual(hearing.take(), ['+a@1', 'synced', '+c@12']);
    assert.equal(reflection.counts.malformed, 6);
    assert.deepEqual(hearing.problems.slice(0, 3), [
      'pods: skipped odd: it is not an object of the API',
      'pods: skipped shop/web-0: it is not an object of the API',
      'pods: skipped an object without a name: it is not an object of the API',
    ]);
    assert.equal(watchedFrom(http).length, 1);
  });

  test('keeps an object whose new state cannot be read in a later list', async () => {
    const first = new FakeBody().event('ERROR', { code: 410, message: 'too old' });
    const broken = '{"metadata":{"resourceVersion":"20"},"items":[{"metadata":{"name":"a","namespace":"default"}}]}';
    const lists = [{ body: listOf(10, [objectNamed('a', 1)]) }, { body: broken }];
    const { clock, hearing, reflection } = play(inTurn(lists, [{ body: first }, 'silence']));
    await clock.pass(1_000);
    assert.deepEqual(hearing.take(), ['+a@1', 'synced']);
    assert.equal(reflection.size, 1);
  });

  test('waits longer from failure to failure, up to half a minute, and tells a problem at first and once a minute', async () => {
    const { clock, hearing, http, reflection } = play(
      () => new HttpError('connect', 'connect ECONNREFUSED 127.0.0.1:6443'),
    );
    await clock.pass(0);
    const times = [clock.nowMs()];
    while (clock.nowMs() < 100_000) {
      const before = http.requests.length;
      await clock.pass(100);
      if (http.requests.length > before) times.push(clock.nowMs());
    }
    const gaps = times.slice(1).map((time, i) => time - times[i]);
    assert.deepEqual(gaps, [800, 1600, 3200, 6400, 12800, 25600, 30000]);
    const refused = 'list pods: connect ECONNREFUSED 127.0.0.1:6443';
    assert.deepEqual(hearing.problems, [refused, `${refused} (for 80 s now)`]);
    assert.deepEqual(reflection.trouble, { text: refused, sinceMs: 0 });
    assert.equal(reflection.counts.failures, 8);
  });

  test('is in trouble until it is followed again, and tells of the end of what lasted', async () => {
    const refusals = Array.from({ length: 6 }, () => new HttpError('connect', 'connect ECONNREFUSED'));
    const { clock, hearing, reflection } = play(inTurn([...refusals, { body: listOf(1, []) }], ['silence']));
    await clock.pass(30_000);
    assert.equal(reflection.trouble?.text, 'list pods: connect ECONNREFUSED');
    await clock.pass(30_000);
    assert.equal(reflection.trouble, undefined);
    assert.deepEqual(hearing.problems, ['list pods: connect ECONNREFUSED', 'pods: followed again after 50 s']);
  });

  test('is out of trouble when a watch without events lasts', async () => {
    const [cut, quiet] = [new FakeBody(), new FakeBody()];
    const { clock, reflection } = play(inTurn([{ body: listOf(1, []) }], [{ body: cut }, { body: quiet }, 'silence']));
    await clock.pass(5_000);
    cut.cut();
    await clock.pass(500);
    assert.match(reflection.trouble?.text ?? '', /^watch pods: /);
    await clock.pass(5_000);
    assert.equal(reflection.trouble, undefined);
  });

  test('waits as long as a 429 asks for', async () => {
    const refusal = { status: 429, headers: { 'retry-after': '7' }, body: { message: 'slow down' } };
    const { clock, hearing, http } = play(inTurn([refusal, { body: listOf(1, []) }], ['silence']));
    await clock.pass(6_900);
    assert.equal(http.requests.length, 1);
    await clock.pass(100);
    assert.deepEqual(hearing.take(), ['synced']);
  });

  test('names the right that is missing', async () => {
    const body = { kind: 'Status', message: 'pods is forbidden: User "u" cannot list resource "pods"' };
    const { clock, hearing } = play(() => ({ status: 403, body }));
    await clock.pass(1);
    assert.deepEqual(hearing.problems, [
      'not allowed to list pods (403; a ClusterRole has to grant it): pods is forbidden: User "u" cannot list resource "pods"',
    ]);
  });

  test('believes a list of an older version: the store was put back', async () => {
    const first = new FakeBody().event('ERROR', { code: 410, message: 'too old' });
    const ahead = { status: 504, body: { message: 'Timeout: Too large resource version: 10, current: 5' } };
    const lists = [{ body: listOf(10, [objectNamed('a', 9)]) }, ahead, { body: listOf(5, [objectNamed('a', 4)]) }];
    const second = new FakeBody().event('MODIFIED', objectNamed('a', 6));
    const { clock, hearing, http } = play(inTurn(lists, [{ body: first }, { body: second }, 'silence']));
    await clock.pass(5_000);
    assert.deepEqual(hearing.take(), ['+a@9', 'synced', '+a@4', '+a@6']);
    assert.deepEqual(listQueries(http), ['limit=500&resourceVersion=0', 'resourceVersion=10', 'limit=500']);
    assert.deepEqual(watchedFrom(http), ['10', '5']);
  });

  test('ends a list that has gone mute, and a watch that outlives its time', async () => {
    const [list, watch] = [new FakeBody().write('{"items":['), new FakeBody()];
    const { clock, hearing } = play(inTurn([{ body: list }, { body: listOf(1, []) }], [{ body: watch }, 'silence']));
    await clock.pass(60_000);
    assert.ok(list.isAborted);
    await clock.pass(1_000);
    assert.deepEqual(hearing.take(), ['synced']);
    await clock.pass(329_000);
    assert.ok(!watch.isAborted);
    await clock.pass(2_000);
    assert.ok(watch.isAborted);
    assert.deepEqual(hearing.problems, ['list pods: silent for 60000 ms', 'watch pods: silent for 330000 ms']);
  });

  test('does not spin on watches that end at once', async () => {
    const { clock, http } = play((request) => (isWatch(request) ? { body: '' } : { body: listOf(1, []) }));
    await clock.pass(60_000);
    assert.ok(watchedFrom(http).length < 8);
  });

  test('calls nobody after close, and ends what is under way', async () => {
    const watch = new FakeBody();
    const { clock, hearing, http, close } = play(inTurn([{ body: listOf(1, []) }], [{ body: watch }]));
    await clock.pass(1);
    hearing.take();
    watch.event('ADDED', objectNamed('a', 2));
    await close();
    watch.event('ADDED', objectNamed('b', 3));
    await clock.pass(100_000);
    assert.deepEqual(hearing.heard, []);
    assert.ok(watch.isAborted);
    assert.equal(http.requests.length, 2);
    assert.deepEqual(hearing.problems, []);
  });
});
