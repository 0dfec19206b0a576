import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { MessageDecoder } from '../kube/message-decoder.ts';
import { readEnvelope } from '../kube/stored-object.ts';
import { type Answering, fakeApi } from '../kube-api/http-fixture.ts';
import { SimulatedClock } from '../testing/clock.ts';
import { ApiCreation } from './api-creation.ts';
import { labTemplate } from './lab-pod.ts';
import { PodMaker } from './pod-maker.ts';
import { mixOf } from './pod-template.ts';

const OPTIONS = { what: 'pods', start: 3, end: 7, ratePerSecond: 0, inFlight: 2 };

function play(answering: Answering, ratePerSecond = 0) {
  const clock = new SimulatedClock();
  const { api, http } = fakeApi(clock, answering);
  const maker = new PodMaker(
    { registry: '/registry', prefix: 'lab-pod-', namespaces: ['a', 'b'], createdMs: 0 },
    mixOf([{ template: labTemplate('plain'), weight: 1 }]),
  );
  const abort = new AbortController();
  const world = { objects: api.objects, clock, signal: abort.signal };
  const creation = new ApiCreation(world, maker, { ...OPTIONS, ratePerSecond });
  return { clock, http, creation, abort };
}

describe('objects that are created through an API server', () => {
  it('are sent in protobuf, each to its namespace, without what the API server fills in', async () => {
    const { clock, http, creation } = play(() => ({ status: 201 }));
    await clock.runUntil(creation.run());
    assert.deepEqual([creation.created, creation.existing], [4, 0]);
    assert.deepEqual(
      http.paths,
      ['b', 'a', 'b', 'a'].map((name) => `/api/v1/namespaces/${name}/pods`),
    );
    const sent = http.requests.map(({ body }) => {
      const bytes = Buffer.from(body ?? '');
      const { kind, rawStart, rawEnd } = readEnvelope(bytes);
      return new MessageDecoder().decode(kind, bytes, rawStart, rawEnd) ?? {};
    });
    assert.deepEqual(
      sent.map(({ metadata }) => Object(metadata).name),
      [3, 4, 5, 6].map((index) => `lab-pod-000000${index}`),
    );
    assert.deepEqual(
      sent.map(({ metadata, spec }) => [Object(metadata).uid, Object(spec).tolerations, Object(spec).volumes]),
      Array(4).fill([undefined, undefined, undefined]),
    );
  });

  it('are sent again after 429, a lost connection and an error of the server; those that are there are counted', async () => {
    let calls = 0;
    const { clock, creation } = play(() => {
      const fates = [429, 503, 409, 201];
      const status = fates[calls++] ?? 201;
      const message = status === 409 ? 'pods "lab-pod-0000004" already exists' : 'later';
      return { status, body: status === 201 ? {} : { kind: 'Status', message } };
    });
    await clock.runUntil(creation.run());
    assert.deepEqual([creation.created, creation.existing, calls], [4, 1, 6]);
  });

  it('end with what the API server says when it refuses one', async () => {
    const message =
      'pods "lab-pod-0000003" is forbidden: exceeded quota: few, requested: pods=1, used: pods=9, limited: pods=9';
    const { clock, http, creation } = play(() => ({ status: 403, body: { kind: 'Status', message } }));
    const outcome = assert.rejects(clock.runUntil(creation.run()), { name: 'RefusedError', message });
    await outcome;
    assert(http.requests.length <= OPTIONS.inFlight);
  });

  it('end when none is taken for a minute, or when they are interrupted', async () => {
    const stuck = play(() => ({ status: 503, body: { kind: 'Status', message: 'down' } }));
    await assert.rejects(
      stuck.clock.runUntil(stuck.creation.run()),
      /the API server has taken none of the pods for 60 s/,
    );
    const interrupted = play(() => ({ status: 503 }));
    const run = interrupted.creation.run();
    await interrupted.clock.pass(2000);
    interrupted.abort.abort();
    await interrupted.clock.runUntil(run);
    assert.equal(interrupted.creation.created, 0);
  });

  it('end at once at a low rate, too: those that wait for their turn are not waited for', async () => {
    const everyMinute = 1 / 60;
    const interrupted = play(() => ({ status: 201 }), everyMinute);
    const run = interrupted.creation.run();
    await interrupted.clock.pass(1000);
    interrupted.abort.abort();
    await interrupted.clock.pass(500);
    const endedMs = interrupted.clock.nowMs();
    await interrupted.clock.runUntil(run);
    assert.equal(interrupted.clock.nowMs(), endedMs);
    assert.deepEqual([interrupted.creation.created, interrupted.http.requests.length], [1, 1]);
    const refused = play(() => ({ status: 403, body: { kind: 'Status', message: 'no' } }), everyMinute);
    const refusedMs = refused.clock.nowMs();
    await assert.rejects(refused.clock.runUntil(refused.creation.run()), { message: 'no' });
    assert(refused.clock.nowMs() - refusedMs < 1000);
  });
});
