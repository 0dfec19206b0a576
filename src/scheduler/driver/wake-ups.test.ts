// Whatever lets a waiting pod in wakes it: what a command says that it has changed has an event that a plugin which refused the pod waits for.
// The other way round: what cannot let anybody in wakes nobody.

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { Kernel } from '../kernel/kernel.ts';
import { type ClusterChange, NO_CHANGE, POD_REMOVED } from '../model/cluster-change.ts';
import type { ClusterKind } from '../model/cluster-objects.ts';
import { boundTo, type ClusterCommand } from '../model/command.ts';
import { clusterHistory } from '../model/history-fixture.ts';
import { readNode } from '../model/node-object.ts';
import { mustRead, podSet } from '../model/plan-fixture.ts';
import type { PodObject } from '../model/pod-object.ts';
import { PROFILES } from '../model/profile-fixture.ts';
import { type ClusterEvent, eventsOf, mayHelp } from '../queue/cluster-event.ts';
import { isStorage } from './pod-volumes.ts';

const RUNS = Number(process.env.K1M_RUNS ?? 150);
/** Which of them an object of a volume brings about is StorageEvents' to say. */
const STORAGE_EVENTS: readonly ClusterEvent[] = [
  'claim-changed',
  'volume-changed',
  'storage-class-changed',
  'csi-node-changed',
  'csi-driver-changed',
  'capacity-grown',
  'attachment-removed',
];

interface Waiting {
  readonly pod: PodObject;
  readonly plugins: ReadonlySet<string>;
  /** Since it was refused. */
  readonly events: Set<ClusterEvent>;
}

class Watch {
  readonly kernel = new Kernel(PROFILES);
  readonly waiting = new Map<string, Waiting>();
  wokenCount = 0;

  apply(command: ClusterCommand): void {
    // A nomination that goes gives back room; its pod is not on a node yet.
    const change = this.kernel.apply(command) | (isOfNominated(command) ? POD_REMOVED : NO_CHANGE);
    this.#tell(change, kindOf(command));
    for (const [uid, { pod, plugins, events }] of [...this.waiting]) {
      const isBound = this.decide(pod);
      if (!isBound) continue;
      this.wokenCount++;
      const isWoken =
        plugins.size === 0 || [...plugins].some((plugin) => [...events].some((one) => mayHelp(one, plugin)));
      assert.ok(isWoken, `${uid}, refused by ${[...plugins]}, is let in by ${[...events]}`);
    }
  }

  /** True: it is on a node now. */
  decide(pod: PodObject): boolean {
    const { uid } = pod;
    this.waiting.delete(uid);
    this.kernel.apply({ kind: 'pod-set', pod });
    const decision = this.kernel.decide(uid);
    if (decision.kind === 'unschedulable') {
      this.waiting.set(uid, { pod, plugins: decision.plugins, events: new Set() });
      return false;
    }
    if (decision.kind !== 'bound') {
      this.kernel.apply({ kind: 'pod-deleted', uid });
      return false;
    }
    this.#tell(this.kernel.apply({ kind: 'pod-set', pod: boundTo(pod, decision.node) }));
    return true;
  }

  #tell(change: ClusterChange, kind?: ClusterKind): void {
    const told = kind !== undefined && isStorage(kind) ? STORAGE_EVENTS : eventsOf(change);
    for (const { events } of this.waiting.values()) for (const event of told) events.add(event);
  }
}

function kindOf(command: ClusterCommand): ClusterKind | undefined {
  if (command.kind === 'object-set') return command.object.kind;
  return command.kind === 'object-deleted' ? command.objectKind : undefined;
}

function isOfNominated(command: ClusterCommand): boolean {
  return command.kind === 'pod-deleted' || (command.kind === 'pod-set' && command.pod.nodeName === '');
}

const HOST = 'kubernetes.io/hostname';
const ZONE = 'topology.kubernetes.io/zone';

function node(name: string, more: { zone?: string; status?: object; spec?: object } = {}): ClusterCommand {
  const metadata = { name, labels: { [HOST]: name, ...(more.zone === undefined ? {} : { [ZONE]: more.zone }) } };
  const status = { allocatable: { cpu: '4', memory: '8Gi', pods: '10' }, ...more.status };
  return { kind: 'node-set', node: mustRead(readNode({ metadata, spec: more.spec ?? {}, status })) };
}

function pod(name: string, spec: object, metadata: object = {}): ClusterCommand & { kind: 'pod-set' } {
  const containers = [{ name: 'c', image: 'i' }];
  const whole = { namespace: 'default', name, uid: name, ...metadata };
  const schedulerName = PROFILES[0].schedulerName;
  return podSet({ metadata: whole, spec: { schedulerName, containers, ...spec }, status: {} });
}

const port = { containers: [{ name: 'c', image: 'i', ports: [{ containerPort: 1, hostPort: 80 }] }] };
const app = { labels: { app: 'a' } };

function spread(more: object = {}): object {
  const constraint = { topologyKey: ZONE, maxSkew: 1, whenUnsatisfiable: 'DoNotSchedule', ...more };
  return { topologySpreadConstraints: [{ ...constraint, labelSelector: { matchLabels: app.labels } }] };
}

const on = (nodeName: string, spec: object = {}): object => ({ nodeName, ...spec });
const leaving = { ...app, deletionTimestamp: '2026-01-01T00:00:00Z', deletionGracePeriodSeconds: 30 };

/** What is there; the pod that finds no place; what lets it in. */
const SITUATIONS: readonly (readonly [
  string,
  readonly ClusterCommand[],
  ClusterCommand & { kind: 'pod-set' },
  ClusterCommand,
])[] = [
  ['a cordon is lifted', [node('n1', { spec: { unschedulable: true } })], pod('p', {}), node('n1')],
  [
    'a host port is free again',
    [node('n1'), pod('a', on('n1', port))],
    pod('p', port),
    { kind: 'pod-deleted', uid: 'a' },
  ],
  [
    'the node goes that kept the least count of a domain down',
    [node('n1', { zone: 'z1' }), node('n2', { zone: 'z2', spec: { unschedulable: true } }), pod('a', on('n1'), app)],
    pod('p', spread(), app),
    { kind: 'node-deleted', name: 'n2' },
  ],
  [
    'a node gets the label of a domain',
    [node('n1', { zone: 'z1' }), node('n2'), pod('a', on('n1'), app)],
    pod('p', spread({ minDomains: 2 }), app),
    node('n2', { zone: 'z2' }),
  ],
  [
    'a taint leaves out the domain with the least count',
    [
      node('n1', { zone: 'z1' }),
      node('n2', { zone: 'z2', status: { allocatable: { cpu: '4', memory: '8Gi', pods: '0' } } }),
      pod('a', on('n1'), app),
    ],
    pod('p', spread({ nodeTaintsPolicy: 'Honor' }), app),
    node('n2', {
      zone: 'z2',
      spec: { taints: [{ key: 't', effect: 'NoSchedule' }] },
      status: { allocatable: { cpu: '4', memory: '8Gi', pods: '0' } },
    }),
  ],
  [
    'a pod that a spread counted goes',
    [node('n1', { zone: 'z1' }), node('n2', { zone: 'z2', spec: { unschedulable: true } }), pod('a', on('n1'), app)],
    pod('p', spread(), app),
    { kind: 'pod-deleted', uid: 'a' },
  ],
  [
    'a pod that a spread counted is another one by its labels',
    [node('n1', { zone: 'z1' }), node('n2', { zone: 'z2', spec: { unschedulable: true } }), pod('a', on('n1'), app)],
    pod('p', spread(), app),
    pod('a', on('n1'), { labels: { app: 'b' } }),
  ],
  [
    'a pod that a spread counted is on its way out',
    [node('n1', { zone: 'z1' }), node('n2', { zone: 'z2', spec: { unschedulable: true } }), pod('a', on('n1'), app)],
    pod('p', spread(), app),
    pod('a', on('n1'), leaving),
  ],
];

describe('what wakes a pod that waits', () => {
  for (const [name, before, waiting, command] of SITUATIONS) {
    it(`is an event of its plugin: ${name}`, () => {
      const watch = new Watch();
      for (const one of before) watch.apply(one);
      assert.equal(watch.decide(waiting.pod), false);
      watch.apply(command);
      assert.equal(watch.wokenCount, 1);
    });
  }

  const ended = { conditions: [{ type: 'Ready', status: 'False' }] };
  const images = { images: [{ names: ['i'], sizeBytes: 1 }] };
  const NOTHINGS: readonly (readonly [string, readonly ClusterCommand[], ClusterCommand])[] = [
    ['a node that is as it was', [node('n1')], node('n1', { status: ended })],
    ['a node with another image', [node('n1')], node('n1', { status: images })],
    ['a node that has become smaller', [node('n1')], node('n1', { status: { allocatable: { cpu: '1' } } })],
    ['a pod that has got an address', [node('n1'), pod('a', on('n1'), app)], pod('a', on('n1'), app)],
    ['a node that has gone before', [], { kind: 'node-deleted', name: 'n1' }],
    ['a pod that was on no node', [], { kind: 'pod-deleted', uid: 'a' }],
  ];
  for (const [name, before, command] of NOTHINGS) {
    it(`is not ${name}`, () => {
      const kernel = new Kernel(PROFILES);
      for (const one of before) kernel.apply(one);
      assert.deepEqual(eventsOf(kernel.apply(command)), []);
    });
  }

  it(`is whatever lets it in, in ${RUNS} random histories`, () => {
    let wokenCount = 0;
    fc.assert(
      fc.property(clusterHistory(40), (history) => {
        const watch = new Watch();
        for (const step of history) {
          if (step.kind === 'schedule') watch.decide(step.pod);
          else watch.apply(step);
        }
        wokenCount += watch.wokenCount;
      }),
      { numRuns: RUNS, seed: 1 },
    );
    assert.ok(wokenCount > RUNS / 10, `${wokenCount} pods were let in`);
  });
});
