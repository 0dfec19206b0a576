// A cluster that means no good, or that has a bad day: objects that are too large, contradict themselves or overflow, and watches that
// repeat, reorder, lose and expire. Pods that have done nothing wrong are placed all the same, each once.

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import type { HttpRequest } from '../../io/http-client.ts';
import { bodyOf, type FakeAnswer, FakeBody, fakeApi, listOf } from '../../kube-api/http-fixture.ts';
import type { JsonObject } from '../../kube-api/kube-api.ts';
import { SimulatedClock } from '../../testing/clock.ts';
import { DEFAULT_PROFILE } from '../model/scheduler-profile.ts';
import { FakeKubeApi } from './fake-kube-api-fixture.ts';
import { Scheduler } from './scheduler.ts';

const profiles = [{ ...DEFAULT_PROFILE, preempts: false }];

function schedulerOn(api: FakeKubeApi['api'], clock: SimulatedClock, problems: string[]): Scheduler {
  return new Scheduler({
    api,
    clock,
    profiles,
    instance: 'test',
    notices: {
      onProblem: (resource, text) => problems.push(`${resource}: ${text}`),
      onSynced: () => {},
      onBindingFailed: () => {},
      onPreemptionFailed: () => {},
    },
  });
}

function requests(amounts: JsonObject): JsonObject {
  return { containers: [{ name: 'c', image: 'i', resources: { requests: amounts } }] };
}

const HOST = 'kubernetes.io/hostname';

function terms(count: number): JsonObject {
  const required = Array.from({ length: count }, (_, index) => ({
    topologyKey: index % 2 === 0 ? HOST : `key-${index}`,
    labelSelector: { matchExpressions: [{ key: `label-${index}`, operator: 'In', values: [`${index}`] }] },
  }));
  return { podAntiAffinity: { requiredDuringSchedulingIgnoredDuringExecution: required } };
}

function nodeTerm(...expressions: readonly JsonObject[]): JsonObject {
  const matchExpressions = expressions;
  return {
    nodeAffinity: { requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms: [{ matchExpressions }] } },
  };
}

/** What becomes of the pod: the node, or what its condition says. */
const HOSTILE: readonly (readonly [string, JsonObject, RegExp])[] = [
  ['asks for less than nothing', requests({ cpu: '-5' }), /^n1$/],
  [
    'asks for more than a number can hold',
    requests({ cpu: '9'.repeat(30), memory: '9223372036854775807Ei' }),
    /Insufficient/,
  ],
  ['asks for what is no quantity', requests({ cpu: 'lots' }), /^pods: .*quantities must match/],
  [
    'asks for 5,000 extended resources',
    requests(many(5000, (i) => [`example.com/r${i}`, '1'])),
    /Insufficient example\.com/,
  ],
  ['has 3,000 anti-affinity terms', { affinity: terms(3000) }, /^n1$/],
  [
    'has 5,000 tolerations',
    { tolerations: Array.from({ length: 5000 }, (_, i) => ({ key: `k${i}`, operator: 'Exists' })) },
    /^n1$/,
  ],
  [
    'wants a node that is and is not something',
    {
      affinity: nodeTerm(
        { key: HOST, operator: 'In', values: ['n1'] },
        { key: HOST, operator: 'NotIn', values: ['n1'] },
      ),
    },
    /didn't match Pod's node affinity/,
  ],
  [
    'wants to be near itself and away from itself',
    {
      affinity: {
        podAffinity: { requiredDuringSchedulingIgnoredDuringExecution: [self()] },
        podAntiAffinity: { requiredDuringSchedulingIgnoredDuringExecution: [self()] },
      },
    },
    /didn't match pod anti-affinity rules/,
  ],
  [
    'wants an operator that is none',
    { affinity: nodeTerm({ key: 'a', operator: 'Near', values: ['b'] }) },
    /didn't match Pod's node/,
  ],
  ['has a spec of the wrong types', { containers: 'none', tolerations: {} }, /^pods: .*spec\./],
];

function self(): JsonObject {
  return { topologyKey: HOST, labelSelector: {} };
}

function many(count: number, make: (index: number) => [string, unknown]): JsonObject {
  return Object.fromEntries(Array.from({ length: count }, (_, index) => make(index)));
}

describe('a hostile pod', () => {
  for (const [name, spec, becomes] of HOSTILE) {
    it(`${name}: it alone bears the consequences`, async () => {
      const clock = new SimulatedClock();
      const cluster = new FakeKubeApi(clock);
      const problems: string[] = [];
      const scheduler = schedulerOn(cluster.api, clock, problems);
      scheduler.start();
      cluster.createNode('n1', '100');
      cluster.createPod('before', '1');
      cluster.createPod('hostile', '1', spec);
      cluster.createPod('after', '1');
      await clock.pass(15_000);
      for (const good of ['before', 'after']) assert.equal(cluster.pods.get(`uid-${good}`)?.nodeName, 'n1', good);
      const { nodeName } = cluster.pods.get('uid-hostile') ?? assert.fail();
      const said = cluster.patches.find(({ uid }) => uid === 'uid-hostile')?.patch.conditions?.[0].message;
      assert.match(nodeName || said || problems.join(), becomes);
      scheduler.close();
    });
  }
});

describe('a hostile node', () => {
  const NODES: readonly (readonly [string, JsonObject])[] = [
    [
      'has 20,000 taints',
      { taints: Array.from({ length: 20_000 }, (_, i) => ({ key: `t${i}`, effect: 'NoSchedule' })) },
    ],
    ['has taints of the wrong type', { taints: 7 }],
    ['has an effect that is none', { taints: [{ key: 'a', effect: 'Whatever' }], unschedulable: true }],
  ];
  for (const [name, spec] of NODES) {
    it(`${name}: pods go elsewhere`, async () => {
      const clock = new SimulatedClock();
      const cluster = new FakeKubeApi(clock);
      const scheduler = schedulerOn(cluster.api, clock, []);
      scheduler.start();
      cluster.createNode('hostile', '100', spec);
      cluster.createNode('n1', '100');
      cluster.createPod('p', '1');
      await clock.pass(5000);
      assert.equal(cluster.pods.get('uid-p')?.nodeName, 'n1');
      scheduler.close();
    });
  }
});

/** An API server over HTTP whose watches do what a step says. */
class BadServer {
  readonly clock = new SimulatedClock();
  readonly bound = new Map<string, string[]>();
  readonly #objects = new Map<string, Map<string, JsonObject>>([
    ['nodes', new Map()],
    ['pods', new Map()],
  ]);
  readonly #watches = new Map<string, FakeBody>();
  readonly #history: [string, string, JsonObject][] = [];
  #version = 1;
  #isExpired = false;
  readonly scheduler: Scheduler;

  constructor() {
    const { api } = fakeApi(this.clock, (request) => this.#answer(request));
    this.scheduler = schedulerOn(api, this.clock, []);
    this.scheduler.start();
  }

  #answer(request: HttpRequest): FakeAnswer | 'silence' {
    const binding = /\/pods\/([^/]+)\/binding$/.exec(request.path);
    if (binding !== null) return this.#bind(binding[1], Object(bodyOf(request)).target.name);
    if (request.method !== 'GET') return { body: {} };
    const resource = /\/([a-z]+)\?/.exec(request.path)?.[1] ?? '';
    if (!request.path.includes('watch=true')) {
      return { body: listOf(this.#version, [...(this.#objects.get(resource)?.values() ?? [])]) };
    }
    if (this.#isExpired) {
      this.#isExpired = false;
      return { status: 410, body: { message: 'too old resource version' } };
    }
    const body = new FakeBody();
    this.#watches.set(resource, body);
    const from = Number(/resourceVersion=(\d+)/.exec(request.path)?.[1] ?? 0);
    for (const [of, type, object] of this.#history) {
      if (of === resource && versionOf(object) > from) body.event(type, object);
    }
    return { body };
  }

  #bind(name: string, node: string): FakeAnswer {
    const pod = this.#objects.get('pods')?.get(name);
    const spec = pod?.spec as JsonObject | undefined;
    if (spec === undefined) return { status: 404, body: { message: 'not found' } };
    if (spec.nodeName !== undefined) return { status: 409, body: { message: 'already assigned' } };
    this.bound.set(name, [...(this.bound.get(name) ?? []), node]);
    this.set('pods', name, { ...spec, nodeName: node }, {});
    return { status: 201, body: {} };
  }

  set(resource: 'nodes' | 'pods', name: string, spec: JsonObject, status: JsonObject): void {
    this.#version++;
    const namespace = resource === 'pods' ? { namespace: 'default' } : {};
    const metadata = { name, ...namespace, uid: `uid-${name}`, resourceVersion: String(this.#version) };
    const object = { metadata, spec, status };
    const isNew = this.#objects.get(resource)?.has(name) !== true;
    this.#objects.get(resource)?.set(name, object);
    this.#tell(resource, isNew ? 'ADDED' : 'MODIFIED', object);
  }

  #tell(resource: string, type: string, object: JsonObject): void {
    this.#history.push([resource, type, object]);
    this.#watches.get(resource)?.event(type, object);
  }

  /** Something that a watch should not do. */
  misbehave(what: Misbehaviour, which: number): void {
    const watch = this.#watches.get('pods');
    const past = this.#history.filter(([resource]) => resource === 'pods');
    const [, type, object] = past[which % Math.max(1, past.length)] ?? ['', '', undefined];
    if (what === 'repeat' && object !== undefined) watch?.event(type, object);
    else if (what === 'reorder' && object !== undefined && object !== past.at(-1)?.[2]) {
      // Older than what the stream has told since.
      watch?.event('DELETED', object);
    } else if (what === 'cut') watch?.cut();
    else if (what === 'garble') watch?.write('{"type":"ADDED","object":{"metadata":{"na\n');
    else if (what === 'expire') {
      this.#isExpired = true;
      watch?.event('ERROR', { kind: 'Status', code: 410, message: 'too old resource version' });
    }
  }
}

function versionOf({ metadata }: JsonObject): number {
  return Number((metadata as JsonObject).resourceVersion);
}

type Misbehaviour = 'repeat' | 'reorder' | 'cut' | 'garble' | 'expire';

describe('a watch that misbehaves', () => {
  it('has each pod bound once, whatever it repeats, reorders, loses or forgets', async () => {
    const step = fc.record({
      what: fc.constantFrom<'pod' | 'pass' | Misbehaviour>(
        'pod',
        'pod',
        'pass',
        'repeat',
        'reorder',
        'cut',
        'garble',
        'expire',
      ),
      which: fc.nat(40),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 40, size: 'max' }), async (steps) => {
        const server = new BadServer();
        server.set('nodes', 'n1', {}, { allocatable: { cpu: '100', memory: '64Gi', pods: '110' } });
        await server.clock.pass(100);
        let pods = 0;
        for (const { what, which } of steps) {
          if (what === 'pod')
            server.set('pods', `p${pods++}`, { ...requests({ cpu: '1' }), schedulerName: 'default-scheduler' }, {});
          else if (what === 'pass') await server.clock.pass(which * 50);
          else server.misbehave(what, which);
        }
        await server.clock.pass(400_000);
        for (let i = 0; i < pods; i++) assert.deepEqual(server.bound.get(`p${i}`), ['n1'], `p${i} is bound once`);
        assert.equal(server.scheduler.figures.pods, pods);
        server.scheduler.close();
      }),
      { numRuns: 60 },
    );
  });
});
