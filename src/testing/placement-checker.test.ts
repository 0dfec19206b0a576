import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { checkPlacements, type PlacementRule } from './placement-checker.ts';
import type { DecidedUpon, PlacementChange } from './placement-history.ts';

const ZONE = 'topology.kubernetes.io/zone';
const HOST = 'kubernetes.io/hostname';
const options = { nodeLagMs: 0, podLagMs: 0, knownFrom: 0 };

interface Wishes {
  readonly cpu?: string;
  readonly port?: number;
  readonly app?: string;
  readonly spec?: object;
}

function podOf(name: string, nodeName: string, { cpu = '1', port, app = name, spec = {} }: Wishes): object {
  const ports = port === undefined ? [] : [{ containerPort: port, hostPort: port }];
  const containers = [{ name: 'c', image: 'i', resources: { requests: { cpu } }, ports }];
  return {
    metadata: { namespace: 'default', name, uid: `uid-${name}`, labels: { app } },
    spec: { containers, ...(nodeName === '' ? {} : { nodeName }), ...spec },
  };
}

function nodeOf(name: string, zone: string, spec: object = {}): object {
  return {
    metadata: { name, uid: name, labels: { [HOST]: name, [ZONE]: zone } },
    spec,
    status: { allocatable: { cpu: '4', memory: '8Gi', pods: '3' } },
  };
}

function term(app: string, topologyKey: string): object {
  return { requiredDuringSchedulingIgnoredDuringExecution: [{ labelSelector: { matchLabels: { app } }, topologyKey }] };
}
const apart = (app: string): object => ({ affinity: { podAntiAffinity: term(app, HOST) } });
const together = (app: string): object => ({ affinity: { podAffinity: term(app, ZONE) } });
function spread(app: string): object {
  const selector = { labelSelector: { matchLabels: { app } } };
  const constraint = { maxSkew: 1, topologyKey: ZONE, whenUnsatisfiable: 'DoNotSchedule', ...selector };
  return { topologySpreadConstraints: [constraint] };
}

/** A history being written, a second for each revision. */
class Tale {
  readonly changes: PlacementChange[] = [];
  readonly #wishes = new Map<string, Wishes>();

  constructor() {
    for (const [name, zone] of [
      ['n1', 'a'],
      ['n2', 'a'],
      ['n3', 'b'],
    ]) {
      this.node(name, zone);
    }
  }

  node(name: string, zone: string, spec?: object): this {
    return this.#add('node', name, nodeOf(name, zone, spec));
  }

  nodeGone(name: string): this {
    return this.#add('node', name, undefined);
  }

  pod(name: string, wishes: Wishes = {}): this {
    this.#wishes.set(name, wishes);
    return this.#add('pod', name, podOf(name, '', wishes));
  }

  bound(name: string, nodeName: string, decidedUpon?: DecidedUpon): this {
    return this.#add('pod', name, podOf(name, nodeName, this.#wishes.get(name) ?? {}), decidedUpon);
  }

  gone(name: string): this {
    return this.#add('pod', name, undefined);
  }

  #add(kind: 'pod' | 'node', key: string, object: object | undefined, decidedUpon?: DecidedUpon): this {
    const revision = this.changes.length + 1;
    this.changes.push({ revision, timeMs: 1000 * revision, kind, key, object, decidedUpon });
    return this;
  }
}

function rulesOf(tale: Tale, more: object = {}): PlacementRule[] {
  return checkPlacements(tale.changes, { ...options, ...more }).violations.map(({ rule }) => rule);
}

describe('the checker of placements accepts', () => {
  const good: readonly (readonly [string, Tale])[] = [
    ['a node that is full to the last', new Tale().pod('a', { cpu: '3' }).bound('a', 'n1').pod('b').bound('b', 'n1')],
    ['room made by a deletion', new Tale().pod('a', { cpu: '4' }).bound('a', 'n1').gone('a').pod('b').bound('b', 'n1')],
    [
      'the same port on two nodes',
      new Tale().pod('a', { port: 80 }).pod('b', { port: 80 }).bound('a', 'n1').bound('b', 'n2'),
    ],
    [
      'those that must be apart, apart',
      new Tale()
        .pod('a', { app: 'x', spec: apart('x') })
        .pod('b', { app: 'x' })
        .bound('a', 'n1')
        .bound('b', 'n2'),
    ],
    ['the first of those that want to be together', new Tale().pod('a', { spec: together('a') }).bound('a', 'n1')],
    [
      'one whose company left after the decision',
      new Tale()
        .pod('x')
        .bound('x', 'n2')
        .pod('a', { spec: together('x') })
        .gone('x')
        .bound('a', 'n1'),
    ],
    [
      'one whose company was on its way',
      new Tale()
        .pod('x')
        .pod('a', { spec: together('x') })
        .bound('a', 'n1')
        .bound('x', 'n2'),
    ],
    [
      'a skew that a deletion after the decision made',
      new Tale()
        .pod('a', { app: 's' })
        .bound('a', 'n1')
        .pod('b', { app: 's' })
        .bound('b', 'n3')
        .pod('c', { app: 's', spec: spread('s') })
        .gone('b')
        .bound('c', 'n1'),
    ],
    [
      'a node that was cordoned after the decision',
      new Tale().pod('a').node('n1', 'a', { unschedulable: true }).bound('a', 'n1'),
    ],
    ['a node that went after the decision', new Tale().pod('a').nodeGone('n1').bound('a', 'n1')],
  ];
  for (const [name, tale] of good) it(name, () => assert.deepEqual(rulesOf(tale), []));

  it('what nodes were a while ago, where they come late', () => {
    const tale = new Tale().node('n1', 'a', { unschedulable: true }).pod('a').pod('b').bound('a', 'n1');
    assert.deepEqual(rulesOf(tale), ['node']);
    assert.deepEqual(rulesOf(tale, { nodeLagMs: 3000 }), []);
    assert.deepEqual(rulesOf(tale, { nodeLagMs: 3000, knownFrom: 4 }), ['node']);
  });
});

describe('the checker of placements, where it is known what a decision was made upon,', () => {
  // A scheduler stands still while a node is cordoned; when it goes on, its watch of pods is sooner than that of nodes.
  const cordoned = (nodes: number): Tale =>
    new Tale().node('n1', 'a', { unschedulable: true }).pod('a').bound('a', 'n1', { pods: 5, nodes });
  const opened = (nodes: number): Tale =>
    new Tale().node('n1', 'a', { unschedulable: true }).pod('a').node('n1', 'a').bound('a', 'n1', { pods: 5, nodes });
  const alone = (pods: number): Tale =>
    new Tale()
      .pod('x')
      .bound('x', 'n1')
      .pod('a', { spec: together('x') })
      .gone('x')
      .bound('a', 'n1', { pods, nodes: 3 });
  const uneven = (pods: number): Tale =>
    new Tale()
      .pod('a', { app: 's' })
      .bound('a', 'n1')
      .pod('b', { app: 's', spec: spread('s') })
      .gone('a')
      .bound('b', 'n2', { pods, nodes: 3 });
  const zones = (nodes: number): Tale =>
    new Tale()
      .nodeGone('n3')
      .pod('a', { app: 's' })
      .bound('a', 'n1')
      .pod('b', { app: 's', spec: spread('s') })
      .node('n3', 'b')
      .bound('b', 'n2', { pods: 7, nodes });
  const cases: readonly (readonly [string, Tale, readonly PlacementRule[]])[] = [
    ['a node that was cordoned afterwards, however long before the binding, is let be', cordoned(3), []],
    ['a node that was cordoned by then is refused', cordoned(4), ['node']],
    ['a node that is open again is let be', opened(6), []],
    ['a node that opened after that and before the binding is refused', opened(5), ['node']],
    ['company that was there then is let be', alone(6), []],
    ['company that had left by then is refused, though it was there when the pod came', alone(7), ['affinity']],
    ['a zone without nodes then counts for nothing', zones(4), []],
    ['a zone that had nodes by then counts', zones(8), ['spread']],
    ['a skew by what was there then is refused, though there is none any more', uneven(6), ['spread']],
    ['no skew by what was there then is let be', uneven(7), []],
  ];
  for (const [name, tale, rules] of cases) it(name, () => assert.deepEqual(rulesOf(tale), rules));
});

describe('the checker of placements refuses', () => {
  const bad: readonly (readonly [PlacementRule, string, Tale])[] = [
    ['bound once', 'a pod that moves', new Tale().pod('a').bound('a', 'n1').bound('a', 'n2')],
    ['bound once', 'a pod that is taken off', new Tale().pod('a').bound('a', 'n1').bound('a', '')],
    [
      'capacity',
      'too many CPUs',
      new Tale().pod('a', { cpu: '3' }).pod('b', { cpu: '2' }).bound('a', 'n1').bound('b', 'n1'),
    ],
    [
      'capacity',
      'too many pods',
      ['a', 'b', 'c', 'd'].reduce((tale, name) => tale.pod(name, { cpu: '0' }).bound(name, 'n1'), new Tale()),
    ],
    [
      'capacity',
      'too much on a node that came back',
      new Tale()
        .pod('a', { cpu: '3' })
        .bound('a', 'n1')
        .nodeGone('n1')
        .node('n1', 'a')
        .pod('b', { cpu: '3' })
        .bound('b', 'n1'),
    ],
    [
      'capacity',
      'too much on a node that is away',
      new Tale().pod('a', { cpu: '3' }).pod('b', { cpu: '3' }).nodeGone('n1').bound('a', 'n1').bound('b', 'n1'),
    ],
    [
      'ports',
      'a port twice',
      new Tale().pod('a', { port: 80 }).pod('b', { port: 80 }).bound('a', 'n1').bound('b', 'n1'),
    ],
    [
      'anti-affinity',
      'one that must be alone beside another',
      new Tale()
        .pod('a', { app: 'x' })
        .pod('b', { spec: apart('x') })
        .bound('a', 'n1')
        .bound('b', 'n1'),
    ],
    [
      'anti-affinity',
      'another beside one that must be alone',
      new Tale()
        .pod('a', { app: 'x' })
        .pod('b', { spec: apart('x') })
        .bound('b', 'n1')
        .bound('a', 'n1'),
    ],
    [
      'affinity',
      'one without the company it wants',
      new Tale()
        .pod('x')
        .bound('x', 'n3')
        .pod('a', { spec: together('x') })
        .bound('a', 'n1'),
    ],
    [
      'affinity',
      'a second first one',
      new Tale()
        .pod('x', { app: 's' })
        .bound('x', 'n3')
        .pod('a', { app: 's', spec: together('s') })
        .bound('a', 'n1'),
    ],
    [
      'affinity',
      'one whose company had left before',
      new Tale()
        .pod('x')
        .bound('x', 'n1')
        .gone('x')
        .pod('a', { spec: together('x') })
        .bound('a', 'n1'),
    ],
    [
      'spread',
      'too many of a kind in a zone',
      new Tale()
        .pod('a', { app: 's' })
        .bound('a', 'n1')
        .pod('b', { app: 's', spec: spread('s') })
        .bound('b', 'n2'),
    ],
    ['node', 'a cordoned node', new Tale().node('n1', 'a', { unschedulable: true }).pod('a').bound('a', 'n1')],
    [
      'node',
      'a tainted node',
      new Tale()
        .node('n1', 'a', { taints: [{ key: 'k', value: '', effect: 'NoExecute' }] })
        .pod('a')
        .bound('a', 'n1'),
    ],
    [
      'node',
      'a node that is not asked for',
      new Tale().pod('a', { spec: { nodeSelector: { [ZONE]: 'b' } } }).bound('a', 'n1'),
    ],
    ['node', 'a node that had gone before', new Tale().nodeGone('n1').pod('a').bound('a', 'n1')],
    ['node', 'a node that never was', new Tale().pod('a').bound('a', 'n9')],
  ];
  for (const [rule, name, tale] of bad) it(`${name}: ${rule}`, () => assert.deepEqual(rulesOf(tale), [rule]));
});
