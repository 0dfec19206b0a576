import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import { HttpError } from '../io/http-client.ts';
import { SimulatedClock } from '../testing/clock.ts';
import { type Answering, type FakeAnswer, FakeBody, fakeApi } from './http-fixture.ts';
import type { SchedulerEvent } from './kube-api.ts';

const POD = { namespace: 'shop', name: 'web-0', uid: 'uid-1' };
const LEASE = { namespace: 'kube-system', name: 'k1m-schedule' };
const SPEC = {
  holderIdentity: 'me',
  leaseDurationSeconds: 15,
  acquireTime: '2023-11-14T22:13:20.000000Z',
  renewTime: '2023-11-14T22:13:20.000000Z',
  leaseTransitions: 0,
};
const EVENT: SchedulerEvent = {
  regarding: { ...POD, apiVersion: 'v1', kind: 'Pod', resourceVersion: '7' },
  type: 'Normal',
  reason: 'Scheduled',
  action: 'Binding',
  note: 'Successfully assigned shop/web-0 to node-1',
  reportingController: 'default-scheduler',
  reportingInstance: 'default-scheduler-host',
};

function status(code: number, message: string): FakeAnswer {
  return { status: code, body: { kind: 'Status', status: 'Failure', code, message } };
}

function setUp(answer: Answering, options = {}) {
  const clock = new SimulatedClock();
  return { clock, ...fakeApi(clock, answer, options) };
}

describe('binding', () => {
  test('posts what DefaultBinder posts, with the version where there is one', async () => {
    const { api, http } = setUp(() => ({ status: 201, body: { kind: 'Status', status: 'Success' } }));
    assert.deepEqual(await api.bind({ ...POD, resourceVersion: '9' }, 'node-1'), { kind: 'bound' });
    const [{ method, path, headers }] = http.requests;
    assert.deepEqual([method, path], ['POST', '/api/v1/namespaces/shop/pods/web-0/binding']);
    assert.equal(headers['content-type'], 'application/vnd.kubernetes.protobuf');
    assert.deepEqual(http.lastBody, {
      apiVersion: 'v1',
      kind: 'Binding',
      metadata: { ...POD, resourceVersion: '9' },
      target: { kind: 'Node', name: 'node-1' },
    });
  });

  test('is not sent after its deadline, and given up then', async () => {
    const { api, http, clock } = setUp(() => ({ status: 201, body: new FakeBody() }));
    clock.rest(100);
    assert.deepEqual(await api.bind(POD, 'node-1', { deadlineMs: 100 }), {
      kind: 'unreachable',
      text: 'its time was over before it was sent',
    });
    assert.equal(http.requests.length, 0);
    const outcome = api.bind(POD, 'node-1', { deadlineMs: 1600 });
    await clock.pass(1499);
    assert.match(http.requests[0].path, /\/binding\?timeout=1500ms$/);
    await clock.pass(1);
    assert.deepEqual(await outcome, { kind: 'unknown', text: 'no answer within 1500 ms' });
  });

  const bound = 'Operation cannot be fulfilled on pods/binding "web-0": pod web-0 is already assigned to node "node-2"';
  const uid =
    'Operation cannot be fulfilled on pods "web-0": Precondition failed: UID in precondition: a, UID in object meta: b';
  const forbidden = 'pods "web-0" is forbidden: User "x" cannot create resource "pods/binding"';
  for (const [name, answer, outcome] of [
    ['a pod bound by another', status(409, bound), { kind: 'conflict', text: bound }],
    ['a pod of another uid', status(409, uid), { kind: 'gone', text: uid }],
    ['a pod that is no more', status(404, 'not found'), { kind: 'gone', text: 'not found' }],
    ['a failing store', status(500, 'etcdserver: timeout'), { kind: 'unknown', text: '500: etcdserver: timeout' }],
    ['a proxy without a server', { status: 502, body: '<h1>Bad</h1>' }, { kind: 'unknown', text: '502: <h1>Bad</h1>' }],
    ['a cut connection', new HttpError('exchange', 'closed'), { kind: 'unknown', text: 'closed' }],
    [
      'an answer cut off',
      { status: 201, body: new FakeBody().write('{').cut() },
      { kind: 'unknown', text: 'other side closed' },
    ],
    ['no connection', new HttpError('connect', 'ECONNREFUSED'), { kind: 'unreachable', text: 'ECONNREFUSED' }],
    ['429', { status: 429, headers: { 'retry-after': '3' } }, { kind: 'too-many-requests', retryAfterMs: 3_000 }],
    [
      '429 without a time',
      { status: 429, headers: { 'retry-after': 'soon' } },
      { kind: 'too-many-requests', retryAfterMs: 1_000 },
    ],
    [
      'a missing right',
      status(403, forbidden),
      {
        kind: 'refused',
        status: 403,
        text: `not allowed to create pods/binding (403; a ClusterRole has to grant it): ${forbidden}`,
      },
    ],
    ['a gated pod', status(422, 'gated'), { kind: 'refused', status: 422, text: 'create pods/binding: 422 gated' }],
  ] as const) {
    test(`answers ${name} with ${outcome.kind}`, async () => {
      const { api, http } = setUp(() => answer);
      assert.deepEqual(await api.bind(POD, 'node-1'), outcome);
      assert.equal(http.requests.length, 1);
    });
  }

  test('is unknown when no answer comes in time', async () => {
    const { api, clock } = setUp(() => 'silence');
    const outcome = await clock.runUntil(api.bind(POD, 'node-1'));
    assert.deepEqual(outcome, { kind: 'unknown', text: 'no answer within 30000 ms' });
  });

  test('goes in order, so many at once, and is told when too many wait', async () => {
    const bodies: FakeBody[] = [];
    const answer = (): FakeAnswer => {
      const body = new FakeBody();
      bodies.push(body);
      return { status: 201, body };
    };
    const { api, clock, http } = setUp(answer, { inFlightMax: 2, waitingMax: 2 });
    const outcomes = ['a', 'b', 'c', 'd', 'e'].map((name) => api.bind({ ...POD, name }, 'node-1'));
    await clock.pass(0);
    assert.equal(http.requests.length, 2);
    assert.deepEqual(await outcomes[4], { kind: 'too-many-requests', retryAfterMs: 1_000 });
    for (let done = 0; done < 4; done++) {
      bodies[done].end();
      await clock.pass(0);
    }
    assert.deepEqual(await Promise.all(outcomes.slice(0, 4)), Array(4).fill({ kind: 'bound' }));
    assert.deepEqual(
      http.paths.map((path) => path.split('/')[6]),
      ['a', 'b', 'c', 'd'],
    );
  });

  test('keeps names out of the path', async () => {
    const { api, http } = setUp(() => ({ status: 404 }));
    await api.bind({ ...POD, namespace: '../../x', name: 'a/b?c#d' }, 'node-1');
    assert.deepEqual(http.paths, ['/api/v1/namespaces/..%2F..%2Fx/pods/a%2Fb%3Fc%23d/binding']);
  });
});

describe('writes', () => {
  test('wait and are repeated after 429, all of them', async () => {
    const answers: FakeAnswer[] = [{ status: 429, headers: { 'retry-after': '2' } }];
    const { api, clock, http } = setUp(() => answers.shift() ?? { body: {} });
    const first = api.deletePod(POD);
    await clock.pass(0);
    const second = api.deletePod(POD);
    await clock.pass(1_900);
    assert.equal(http.requests.length, 1);
    await clock.pass(100);
    assert.deepEqual(await Promise.all([first, second]), Array(2).fill({ kind: 'done' }));
    assert.deepEqual(http.lastBody, { apiVersion: 'v1', kind: 'DeleteOptions', preconditions: { uid: 'uid-1' } });
  });

  test('carry what is left of their time, and are not sent when it is over', async () => {
    const { api, http, clock } = setUp(() => ({ body: {} }));
    const deadlineMs = clock.nowMs() + 1500;
    await Promise.all([api.deletePod(POD, { deadlineMs }), api.patchPodStatus(POD, {}, { deadlineMs })]);
    assert.deepEqual(
      http.paths.map((path) => path.split('?')[1]),
      ['timeout=1500ms', 'timeout=1500ms'],
    );
    await clock.pass(1500);
    assert.equal((await api.deletePod(POD, { deadlineMs })).kind, 'unreachable');
    assert.equal(http.requests.length, 2);
  });

  test('give up after ten repeats', async () => {
    const { api, clock, http } = setUp(() => ({ status: 429, headers: { 'retry-after': '1' } }));
    const outcome = await clock.runUntil(api.deletePod(POD));
    assert.deepEqual(outcome, { kind: 'too-many-requests', retryAfterMs: 1_000 });
    assert.equal(http.requests.length, 11);
  });

  test('patch a pod status by strategic merge, with the uid as precondition', async () => {
    const { api, http } = setUp(() => ({ body: {} }));
    const conditions = [{ type: 'PodScheduled', status: 'False', reason: 'Unschedulable' }] as const;
    await api.patchPodStatus(POD, { conditions, nominatedNodeName: '' });
    const [{ method, path, headers }] = http.requests;
    assert.deepEqual([method, path], ['PATCH', '/api/v1/namespaces/shop/pods/web-0/status']);
    assert.equal(headers['content-type'], 'application/strategic-merge-patch+json');
    assert.deepEqual(http.lastBody, { metadata: { uid: 'uid-1' }, status: { conditions, nominatedNodeName: null } });
    await api.patchPodStatus(POD, { conditions });
    assert.deepEqual(http.lastBody, { metadata: { uid: 'uid-1' }, status: { conditions } });
  });

  test('create events as upstream does, with names of their own and texts that are not too long', async () => {
    const { api, http } = setUp(() => ({ status: 201, body: {} }));
    await api.createEvent(EVENT);
    assert.equal(http.paths[0], '/apis/events.k8s.io/v1/namespaces/shop/events');
    assert.deepEqual(http.lastBody, {
      apiVersion: 'events.k8s.io/v1',
      kind: 'Event',
      metadata: { name: 'web-0.17979cfe362a0001', namespace: 'shop' },
      eventTime: { seconds: 1_700_000_000, nanos: 0 },
      reportingController: 'default-scheduler',
      reportingInstance: 'default-scheduler-host',
      action: 'Binding',
      reason: 'Scheduled',
      regarding: { apiVersion: 'v1', kind: 'Pod', ...POD, resourceVersion: '7' },
      note: EVENT.note,
      type: 'Normal',
    });
    await api.createEvent({ ...EVENT, note: 'ü'.repeat(600), regarding: { ...EVENT.regarding, namespace: '' } });
    assert.equal(http.paths[1], '/apis/events.k8s.io/v1/namespaces/default/events');
    const { metadata, note } = Object(http.lastBody);
    assert.equal(metadata.name, 'web-0.17979cfe362a0002');
    assert.equal(note, `${'ü'.repeat(510)} ...`);
  });

  test('count an event again', async () => {
    const { api, http } = setUp(() => ({ body: {} }));
    await api.updateEventSeries({ namespace: 'shop', name: 'web-0.1' }, 3);
    assert.equal(http.paths[0], '/apis/events.k8s.io/v1/namespaces/shop/events/web-0.1');
    assert.deepEqual(http.lastBody, { series: { count: 3, lastObservedTime: '2023-11-14T22:13:20.000000Z' } });
  });

  test('merge a patch into any object', async () => {
    const { api, http } = setUp(() => ({ body: {} }));
    await api.mergePatch('persistentvolumes', { namespace: '', name: 'disk' }, { spec: { claimRef: null } });
    assert.equal(http.paths[0], '/api/v1/persistentvolumes/disk');
    assert.equal(http.requests[0].headers['content-type'], 'application/merge-patch+json');
  });

  test('of leases pass by a full queue, and a conflict says so', async () => {
    const answer: Answering = ({ path }) => (path.includes('leases') ? status(409, 'has been modified') : 'silence');
    const { api, clock, http } = setUp(answer, { inFlightMax: 1, waitingMax: 1 });
    for (let i = 0; i < 3; i++) void api.bind(POD, 'node-1');
    await clock.pass(0);
    assert.deepEqual(await api.updateLease(LEASE, SPEC, '5'), { kind: 'conflict', text: 'has been modified' });
    assert.equal(http.requests.at(-1)?.path, '/apis/coordination.k8s.io/v1/namespaces/kube-system/leases/k1m-schedule');
    assert.deepEqual(http.lastBody, {
      apiVersion: 'coordination.k8s.io/v1',
      kind: 'Lease',
      metadata: { ...LEASE, resourceVersion: '5' },
      spec: SPEC,
    });
  });
});

describe('credentials', () => {
  test('are renewed once for all that were refused, and the requests sent again', async () => {
    const answer: Answering = ({ headers }) =>
      headers.authorization === 'Bearer token-0' ? status(401, 'Unauthorized') : { status: 201, body: {} };
    const { api, credentials, http } = setUp(answer);
    const outcomes = await Promise.all([1, 2, 3].map(() => api.bind(POD, 'node-1')));
    assert.deepEqual(outcomes, Array(3).fill({ kind: 'bound' }));
    assert.equal(credentials.renewals, 1);
    assert.equal(http.requests.length, 6);
  });

  test('that were renewed while a request was on its way are what it is sent again with', async () => {
    const late = new FakeBody();
    const answer: Answering = ({ headers, method }) => {
      if (headers.authorization !== 'Bearer token-0') return { status: 201, body: {} };
      return method === 'GET' ? { status: 401, body: late } : status(401, 'Unauthorized');
    };
    const { api, credentials, clock } = setUp(answer);
    clock.rest(5000);
    const read = api.read('pods', POD);
    await setImmediate();
    clock.rest(1);
    assert.deepEqual(await api.bind(POD, 'node-1'), { kind: 'bound' });
    clock.rest(1);
    late.end();
    assert.equal((await read).kind, 'found');
    assert.equal(credentials.renewals, 1);
  });

  test('that stay refused say so', async () => {
    const { api, http } = setUp(() => status(401, 'Unauthorized'));
    assert.deepEqual(await api.read('pods', POD), {
      kind: 'refused',
      status: 401,
      text: 'the API server does not accept the credentials (401): Unauthorized',
    });
    assert.equal(http.requests.length, 2);
  });
});

describe('the client', () => {
  test('names the rights that are missing', async () => {
    const { api } = setUp((request) => ({
      status: 201,
      body: { status: { allowed: !/"watch".*"csinodes"|"binding"/.test(String(request.body)), reason: 'no rule' } },
    }));
    assert.deepEqual(await api.accessProblems(), [
      {
        verb: 'watch',
        resource: 'csinodes.storage.k8s.io',
        text: 'not allowed to watch csinodes.storage.k8s.io: no rule',
      },
      { verb: 'create', resource: 'pods/binding', text: 'not allowed to create pods/binding: no rule' },
    ]);
  });

  test('takes an answer that is not JSON for no answer', async () => {
    const { api } = setUp(() => ({ body: 'ok' }));
    assert.deepEqual(await api.readVersion(), { kind: 'unknown', text: 'get /version: the answer is not JSON' });
  });

  test('counts requests by verb and code', async () => {
    const answers = [{ status: 201 }, { status: 409 }, new HttpError('exchange', 'cut'), { status: 201 }];
    const { api } = setUp(() => answers.shift() ?? 'silence');
    for (let i = 0; i < 4; i++) await api.bind(POD, 'node-1');
    assert.deepEqual(api.requestCounts(), [
      { verb: 'POST', code: '201', count: 2 },
      { verb: 'POST', code: '409', count: 1 },
      { verb: 'POST', code: '<error>', count: 1 },
    ]);
  });

  test('once closed, leaves what is under way unknown and sends nothing more', async () => {
    const { api, clock, http } = setUp(() => 'silence', { inFlightMax: 1 });
    const outcomes = [api.bind(POD, 'node-1'), api.bind(POD, 'node-1')];
    await clock.pass(0);
    await api.close();
    const [sent, waiting] = await Promise.all(outcomes);
    assert.deepEqual(sent, { kind: 'unknown', text: 'the client is closed' });
    assert.deepEqual(waiting, { kind: 'unreachable', text: 'the client is closed' });
    assert.equal((await api.readLease(LEASE)).kind, 'unreachable');
    assert.equal(http.requests.length, 1);
  });
});
