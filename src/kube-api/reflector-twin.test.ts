import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { HttpError, type HttpRequest } from '../io/http-client.ts';
import { SimulatedClock } from '../testing/clock.ts';
import { type FakeAnswer, FakeBody, fakeApi, listOf } from './http-fixture.ts';
import type { JsonObject, ObjectIdentity, ReflectHandler } from './kube-api.ts';
import { headOf } from './object-head.ts';

const PAGE = 3;

interface ModelObject {
  readonly metadata: { readonly name: string; readonly uid: string; readonly resourceVersion: string };
}

/** One collection of an API server: objects, history since the last compaction, pages of old lists, open watches. */
class ModelServer {
  readonly objects = new Map<string, ModelObject>();
  #history: { readonly version: number; readonly line: string }[] = [];
  #version = 1;
  #compacted = 0;
  readonly #pages = new Map<string, readonly ModelObject[]>();
  #watches: FakeBody[] = [];
  failures: (FakeAnswer | HttpError)[] = [];

  answer({ path }: HttpRequest): FakeAnswer | HttpError {
    const failure = this.failures.shift();
    if (failure !== undefined) return failure;
    const query = new URL(path, 'https://api.test').searchParams;
    return query.has('watch') ? this.#watch(Number(query.get('resourceVersion'))) : this.#list(query);
  }

  #list(query: URLSearchParams): FakeAnswer {
    const token = query.get('continue');
    const asked = Number(query.get('resourceVersion') ?? 0);
    // With a limit it means exactly this version.
    if (asked > 0 && query.has('limit')) return { status: 410, body: { code: 410, message: 'compacted' } };
    if (asked > 0) return { body: listOf(this.#version, [...this.objects.values()]) };
    const rest = token === null ? [...this.objects.values()] : this.#pages.get(token);
    if (rest === undefined) return { status: 410, body: { code: 410, message: 'the continue token has expired' } };
    const version = token === null ? this.#version : Number(token.split(':')[0]);
    if (rest.length <= PAGE) return { body: listOf(version, rest) };
    const next = `${version}:${rest.length}`;
    this.#pages.set(next, rest.slice(PAGE));
    return { body: listOf(version, rest.slice(0, PAGE), next) };
  }

  #watch(from: number): FakeAnswer {
    const body = new FakeBody();
    if (from < this.#compacted) {
      return { body: body.event('ERROR', { code: 410, message: 'too old resource version' }).end() };
    }
    for (const { version, line } of this.#history) if (version > from) body.write(line);
    this.#watches.push(body);
    return { body };
  }

  #tell(type: string, object: ModelObject): void {
    const line = `${JSON.stringify({ type, object })}\n`;
    this.#history.push({ version: this.#version, line });
    for (const watch of this.#watches) watch.write(line);
  }

  set(name: string): void {
    const known = this.objects.get(name);
    const resourceVersion = String(++this.#version);
    const object = { metadata: { name, uid: known?.metadata.uid ?? `uid-${resourceVersion}`, resourceVersion } };
    this.objects.set(name, object);
    this.#tell(known === undefined ? 'ADDED' : 'MODIFIED', object);
  }

  delete(name: string): void {
    const known = this.objects.get(name);
    if (known === undefined) return;
    this.objects.delete(name);
    this.#tell('DELETED', { metadata: { ...known.metadata, resourceVersion: String(++this.#version) } });
  }

  compact(): void {
    this.#compacted = this.#version;
    this.#history = [];
    this.#pages.clear();
  }

  /** Everything of the last few events once more, as a confused proxy might. */
  repeat(): void {
    for (const { line } of this.#history.slice(-3)) for (const watch of this.#watches) watch.write(line);
  }

  write(text: string): void {
    for (const watch of this.#watches) watch.write(text);
  }

  bookmark(): void {
    this.write(
      `${JSON.stringify({ type: 'BOOKMARK', object: { metadata: { resourceVersion: String(this.#version) } } })}\n`,
    );
  }

  endWatches(isCut: boolean): void {
    for (const watch of this.#watches.splice(0)) {
      if (isCut) watch.write('{"type":"ADDED","obj').cut();
      else watch.end();
    }
  }
}

/** Believes nothing it is told without looking. */
class StrictView implements ReflectHandler {
  readonly objects = new Map<string, { readonly uid: string; readonly version: number }>();
  readonly #gone = new Set<string>();

  onSet(object: JsonObject): void {
    const head = headOf(object);
    assert.ok(head !== undefined);
    const { name, uid, resourceVersion } = head;
    const known = this.objects.get(name);
    assert.ok(!this.#gone.has(uid), `${uid} came back`);
    assert.ok(known === undefined || known.uid === uid, `${name} was replaced without a deletion`);
    assert.ok(
      known === undefined || known.version < Number(resourceVersion),
      `${name} at ${resourceVersion} once more`,
    );
    this.objects.set(name, { uid, version: Number(resourceVersion) });
  }

  onDeleted({ name, uid }: ObjectIdentity): void {
    assert.equal(this.objects.get(name)?.uid, uid);
    this.objects.delete(name);
    this.#gone.add(uid);
  }

  onSynced(): void {}
  onProblem(): void {}
}

type Step = (server: ModelServer, clock: SimulatedClock) => Promise<void> | void;

const name = fc.constantFrom('a', 'b', 'c', 'd', 'e', 'f', 'g', 'h');
const failure = fc.constantFrom<FakeAnswer | HttpError>(
  new HttpError('connect', 'ECONNREFUSED'),
  { status: 500, body: 'etcdserver: leader changed' },
  { status: 429, headers: { 'retry-after': '2' } },
  { status: 200, body: '{"metadata":{"resourceVersion":"1"},"items":[{"meta' },
  { status: 200, body: '<html>' },
);
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 8,
    arbitrary: name.map(
      (it): Step =>
        (server) =>
          server.set(it),
    ),
  },
  {
    weight: 4,
    arbitrary: name.map(
      (it): Step =>
        (server) =>
          server.delete(it),
    ),
  },
  {
    weight: 4,
    arbitrary: fc.integer({ min: 1, max: 4000 }).map(
      (ms): Step =>
        (_, clock) =>
          clock.pass(ms),
    ),
  },
  {
    weight: 2,
    arbitrary: failure.map(
      (it): Step =>
        (server) =>
          void server.failures.push(it),
    ),
  },
  {
    weight: 6,
    arbitrary: fc.constantFrom<Step>(
      (server) => server.compact(),
      (server) => server.repeat(),
      (server) => server.bookmark(),
      (server) => server.endWatches(true),
      (server) => server.endWatches(false),
      (server) => server.write('{"type":"ADDED","object":{"metadata":{"name":"a"}}}\nnonsense\n\n'),
    ),
  },
);

test('a reflector tells each change once and ends with what the server has, whatever happens on the way', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 60 }), async (steps) => {
      const clock = new SimulatedClock();
      const server = new ModelServer();
      const { api } = fakeApi(clock, (request) => server.answer(request));
      const view = new StrictView();
      const reflection = api.reflect('nodes', view);
      for (const run of steps) await run(server, clock);
      server.failures = [];
      await clock.pass(100_000);
      const expected = [...server.objects.values()].map(({ metadata: { name, uid, resourceVersion } }) => [
        name,
        { uid, version: Number(resourceVersion) },
      ]);
      assert.deepEqual([...view.objects].sort(), expected.sort());
      assert.equal(reflection.size, server.objects.size);
      assert.ok(reflection.isSynced);
      await api.close();
    }),
    { numRuns: 150 },
  );
});
