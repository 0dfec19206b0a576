// The kernel against the reference where volumes are many: pods with claims of their own, disks on single nodes, limits, storage that runs out,
// all of which come, are taken, bound, given back and go. K1M_RUNS clusters of K1M_SEED; each failure is shrunk.

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { propertyRuns } from '../../testing/property-runs.ts';
import { type ClusterKind, objectKey } from '../model/cluster-objects.ts';
import type { ClusterCommand } from '../model/command.ts';
import type { Decision, VolumePlan } from '../model/decision.ts';
import { readNode } from '../model/node-object.ts';
import { type JsonFields, mustRead, objectSet, podSet } from '../model/plan-fixture.ts';
import type { PodObject } from '../model/pod-object.ts';
import { DEFAULT_PROFILE } from '../model/scheduler-profile.ts';
import { type Counts, NO_COUNTS, Pair } from './kernel-pair-fixture.ts';

const RUNS = propertyRuns(150, process.env);
const NODES = 6;
const DRIVER = 'csi.example.com';
const OTHER_DRIVER = 'other.example.com';
const HOSTNAME = 'kubernetes.io/hostname';
const ZONE = 'topology.kubernetes.io/zone';

interface Placed {
  readonly pod: PodObject;
  readonly plan: VolumePlan | undefined;
}

/** With what was placed, and what was set. */
class StoragePair extends Pair {
  readonly placed: Placed[] = [];
  /** What would take back all that was set, by what it is. */
  readonly #undo = new Map<string, ClusterCommand>();

  constructor(counts: Counts) {
    super(counts, [DEFAULT_PROFILE], 1 << 20);
  }

  override apply(command: ClusterCommand): void {
    super.apply(command);
    if (command.kind === 'object-set') {
      const { object } = command;
      const key = objectKey(object);
      this.#undo.set(`${object.kind} ${key}`, { kind: 'object-deleted', objectKind: object.kind, key });
    } else if (command.kind === 'node-set') {
      const { name } = command.node;
      this.#undo.set(`node ${name}`, { kind: 'node-deleted', name });
    } else if (command.kind === 'pod-set') {
      const { uid } = command.pod;
      this.#undo.set(`pod ${uid}`, { kind: 'pod-deleted', uid });
    }
  }

  applyAll(commands: Iterable<ClusterCommand>): void {
    for (const command of commands) this.apply(command);
  }

  set(kind: ClusterKind, object: JsonFields): void {
    this.apply(objectSet(kind, object));
  }

  override decide(pod: PodObject, chance = 0): Decision {
    const decision = super.decide(pod, chance);
    if (decision.kind === 'bound') this.placed.push({ pod, plan: decision.volumes });
    return decision;
  }

  /** The pod was not bound after all, or has gone; in the first case its volumes are free again. */
  takeBack(which: number): void {
    const [one] = this.placed.splice(which % Math.max(1, this.placed.length), 1);
    if (one === undefined) return;
    this.apply({ kind: 'pod-deleted', uid: one.pod.uid });
    if (which % 2 === 0 && one.plan !== undefined) this.applyAll(this.storage.released(one.plan));
  }

  clear(): void {
    this.applyAll(this.#undo.values());
    assert.equal(this.kernel.tableSizes.volumes, 0, 'nothing is left of volumes');
  }
}

const nodeOf = (index: number, zone: string, hostname = `n${index}`): ClusterCommand => {
  const name = `n${index}`;
  const labels = { [HOSTNAME]: hostname, [ZONE]: zone };
  const status = { allocatable: { cpu: '8', memory: '16Gi', pods: '6' } };
  return { kind: 'node-set', node: mustRead(readNode({ metadata: { name, uid: name, labels }, status })) };
};

const onNodes = (key: string, values: readonly string[]): JsonFields => ({
  required: { nodeSelectorTerms: [{ matchExpressions: [{ key, operator: 'In', values }] }] },
});

const storageClass = (name: string, provisioner: string, more: JsonFields = {}): JsonFields => ({
  metadata: { name },
  provisioner,
  volumeBindingMode: 'WaitForFirstConsumer',
  ...more,
});

/** A free volume: on one node, in a zone, or anywhere; no two of a size. */
const freeVolume = (index: number, where: number): JsonFields => ({
  metadata: { name: `free-${index}`, labels: { kind: index % 3 === 0 ? 'fast' : 'slow' } },
  spec: {
    accessModes: ['ReadWriteOnce'],
    capacity: { storage: `${1000 + index}Mi` },
    storageClassName: 'local',
    csi: { driver: DRIVER, volumeHandle: `free-${index}` },
    ...(where < NODES
      ? { nodeAffinity: onNodes(HOSTNAME, [`n${where}`]) }
      : where === NODES
        ? { nodeAffinity: onNodes(ZONE, ['za']) }
        : {}),
  },
  status: { phase: 'Available' },
});

/** A claim with the volume that it is bound to; several volumes may be one and the same disk. */
const boundDisk = (name: string, disk: JsonFields, volumeName: string): { kind: ClusterKind; object: JsonFields }[] => {
  const spec = { accessModes: ['ReadWriteOnce'], storageClassName: 'made' };
  const claimRef = { namespace: 'ns', name, uid: `uid-${name}` };
  const annotations = { 'pv.kubernetes.io/bind-completed': 'yes' };
  return [
    {
      kind: 'PersistentVolume',
      object: { metadata: { name: volumeName }, spec: { ...spec, capacity: { storage: '1Gi' }, claimRef, ...disk } },
    },
    {
      kind: 'PersistentVolumeClaim',
      object: {
        metadata: { namespace: 'ns', name, uid: `uid-${name}`, annotations },
        spec: { ...spec, volumeName, resources: { requests: { storage: '1Gi' } } },
      },
    },
  ];
};

const capacity = (index: number, where: number, storage: string): JsonFields => ({
  metadata: { namespace: 'ns', name: `capacity-${index}` },
  storageClassName: 'tracked',
  nodeTopology: { matchLabels: where < NODES ? { [HOSTNAME]: `n${where}` } : { [ZONE]: where % 2 ? 'za' : 'zb' } },
  capacity: storage,
});

const csiNode = (index: number, count: number): JsonFields => ({
  metadata: { name: `n${index}` },
  spec: {
    drivers: [DRIVER, OTHER_DRIVER, 'pd.csi.storage.gke.io'].map((name) => ({
      name,
      nodeID: 'x',
      allocatable: { count },
    })),
  },
});

const claim = (name: string, storageClassName: string, request: string, more: JsonFields = {}): JsonFields => ({
  metadata: { namespace: 'ns', name, uid: `uid-${name}`, ...more },
  spec: { accessModes: ['ReadWriteOnce'], storageClassName, resources: { requests: { storage: request } } },
});

/** Of a higher priority by its name, now and then: room is made for it. */
const podWith = (name: string, volumes: readonly JsonFields[]): PodObject =>
  podSet({
    metadata: { namespace: 'ns', name, uid: name, labels: { app: 'db' } },
    spec: {
      schedulerName: DEFAULT_PROFILE.schedulerName,
      priority: /[37]$/.test(name) ? 10 : 0,
      containers: [{ name: 'c', image: 'i', resources: { requests: { cpu: '1' } } }],
      volumes,
    },
  }).pod;

interface Turn {
  readonly what: string;
  readonly which: number;
  readonly size: number;
}

const turn: fc.Arbitrary<Turn> = fc.record({
  what: fc.constantFrom(
    ...['own', 'own', 'own', 'own', 'two', 'choosy', 'ephemeral', 'again', 'once', 'disk', 'same disk', 'other claim'],
    ...['retry', 'bind', 'bind', 'take back', 'take back', 'free volume', 'no free volume'],
    ...['capacity', 'limit', 'attachment', 'no attachment', 'node', 'no node', 'class', 'driver', 'no volume'],
  ),
  which: fc.nat(60),
  size: fc.nat(3),
});

const CLASSES = ['local', 'made', 'tracked'];

function play(pair: StoragePair, isLocal: boolean, turns: readonly Turn[]): void {
  for (let index = 0; index < NODES; index++) {
    pair.apply(nodeOf(index, index % 2 ? 'za' : 'zb'));
    pair.set('CSINode', csiNode(index, 4));
    pair.set('PersistentVolume', freeVolume(index, isLocal ? index : NODES + (index % 2)));
    pair.set('CSIStorageCapacity', capacity(index, isLocal ? index : NODES, '2Gi'));
  }
  pair.set('StorageClass', storageClass('local', 'kubernetes.io/no-provisioner'));
  pair.set('StorageClass', storageClass('made', DRIVER));
  pair.set('StorageClass', storageClass('tracked', 'tracks.example.com'));
  pair.set('CSIDriver', { metadata: { name: 'tracks.example.com' }, spec: { storageCapacity: true } });
  for (const [index, turn] of turns.entries()) takeTurn(pair, index, turn);
  pair.clear();
}

function takeTurn(pair: StoragePair, index: number, { what, which, size }: Turn): void {
  const storageClassName = CLASSES[which % CLASSES.length];
  const own = (name: string, request: string, more: JsonFields = {}): JsonFields => {
    pair.set('PersistentVolumeClaim', claim(name, storageClassName, request, more));
    return { persistentVolumeClaim: { claimName: name } };
  };
  const name = `p-${index}`;
  switch (what) {
    case 'own':
      // Pods of a StatefulSet: each has a claim of its own.
      for (let copy = 0; copy <= size; copy++) {
        pair.decide(podWith(`${name}-${copy}`, [{ name: 'data', ...own(`data-${name}-${copy}`, '500Mi') }]));
      }
      break;
    case 'two':
      pair.decide(
        podWith(name, [
          { name: 'log', ...own(`log-${name}`, `${1000 + (which % 12)}Mi`) },
          { name: 'data', ...own(`data-${name}`, `${3 - size}Gi`) },
        ]),
      );
      break;
    case 'ephemeral': {
      const owner = { apiVersion: 'v1', kind: 'Pod', name, uid: size === 0 ? 'other' : name, controller: true };
      if (which % 5 > 0) own(`${name}-scratch`, '500Mi', { ownerReferences: [owner] });
      pair.decide(podWith(name, [{ name: 'scratch', ephemeral: { volumeClaimTemplate: { spec: {} } } }]));
      break;
    }
    case 'again': {
      const { pod } = pair.placed[which % Math.max(1, pair.placed.length)] ?? { pod: undefined };
      if (pod !== undefined) pair.decide({ ...pod, uid: name, name });
      break;
    }
    case 'once': {
      const once = claim(`once-${which % 3}`, 'made', '500Mi');
      pair.set('PersistentVolumeClaim', {
        ...once,
        spec: { ...(once.spec as object), accessModes: ['ReadWriteOncePod'] },
      });
      pair.decide(podWith(name, [{ name: 'data', persistentVolumeClaim: { claimName: `once-${which % 3}` } }]));
      break;
    }
    case 'choosy': {
      const choosy = claim(`data-${name}`, 'local', '500Mi');
      const selector = { matchLabels: { kind: size % 2 ? 'fast' : 'slow' } };
      pair.set('PersistentVolumeClaim', { ...choosy, spec: { ...(choosy.spec as object), selector } });
      pair.decide(podWith(name, [{ name: 'data', persistentVolumeClaim: { claimName: `data-${name}` } }]));
      break;
    }
    case 'same disk': {
      const disk =
        which % 2 ? { gcePersistentDisk: { pdName: `d${size}` } } : { csi: { driver: DRIVER, volumeHandle: 'h' } };
      const claimName = `same-${which % 4}`;
      // One volume may be named by two claims.
      const volumeName = `of-same-${which % 5 === 0 ? 0 : which % 4}`;
      for (const { kind, object } of boundDisk(claimName, disk, volumeName)) pair.set(kind, object);
      pair.decide(podWith(name, [{ name: 'data', persistentVolumeClaim: { claimName } }]));
      break;
    }
    case 'other claim': {
      // Of the same name as one that a volume may be set aside for.
      const [first] = pair.placed[which % Math.max(1, pair.placed.length)]?.plan?.found ?? [];
      const claimName = first?.claimKey.replace('ns/', '');
      if (claimName === undefined) break;
      const other = claim(claimName, 'local', '500Mi');
      pair.set('PersistentVolumeClaim', { ...other, metadata: { ...(other.metadata as object), uid: `new-${name}` } });
      pair.decide(podWith(name, [{ name: 'data', persistentVolumeClaim: { claimName } }]));
      break;
    }
    case 'retry': {
      const waiting = [...pair.nominated.values()];
      if (waiting.length > 0) pair.decide(waiting[which % waiting.length], size);
      break;
    }
    case 'disk':
      pair.decide(
        podWith(name, [{ name: 'disk', gcePersistentDisk: { pdName: `d${size}`, readOnly: which % 3 === 0 } }]),
      );
      break;
    default:
      changeSomething(pair, { what, which, size });
  }
}

function changeSomething(pair: StoragePair, { what, which, size }: Turn): void {
  const node = which % NODES;
  switch (what) {
    case 'bind':
      for (let i = 0; i <= size; i++) pair.applyAll(pair.storage.bound(which + i));
      break;
    case 'take back':
      pair.takeBack(which);
      break;
    case 'free volume':
      pair.set('PersistentVolume', freeVolume(which % 12, (which + size) % (NODES + 2)));
      break;
    case 'no free volume':
      pair.apply({ kind: 'object-deleted', objectKind: 'PersistentVolume', key: `free-${which % 12}` });
      break;
    case 'no volume': {
      const { plan } = pair.placed[which % Math.max(1, pair.placed.length)] ?? {};
      const key = `made-${plan?.provisioned[0]?.replace('/', '-')}`;
      pair.apply({ kind: 'object-deleted', objectKind: 'PersistentVolume', key });
      break;
    }
    case 'capacity':
      pair.set('CSIStorageCapacity', capacity(which % 8, which % (NODES + 2), ['100Mi', '1Gi', '3Gi', '3Gi'][size]));
      break;
    case 'limit':
      if (size === 3) pair.apply({ kind: 'object-deleted', objectKind: 'CSINode', key: `n${node}` });
      else pair.set('CSINode', csiNode(node, size + 1));
      break;
    case 'attachment': {
      const source = { persistentVolumeName: which % 4 === 0 ? `of-same-${size}` : `free-${which % 12}` };
      pair.set('VolumeAttachment', {
        metadata: { name: `a${size}` },
        spec: { attacher: DRIVER, nodeName: `n${node}`, source },
      });
      break;
    }
    case 'no attachment':
      pair.apply({ kind: 'object-deleted', objectKind: 'VolumeAttachment', key: `a${size}` });
      break;
    case 'node':
      pair.apply(nodeOf(node, size % 2 ? 'za' : 'zb', size === 3 ? `n${which % 2}` : `n${node}`));
      break;
    case 'no node':
      if (size === 0) pair.apply({ kind: 'node-deleted', name: `n${node}` });
      break;
    case 'driver':
      pair.set('CSIDriver', { metadata: { name: DRIVER }, spec: { storageCapacity: size === 0 } });
      break;
    case 'class': {
      const expressions = [{ key: size < 2 ? ZONE : HOSTNAME, values: size < 2 ? ['za'] : ['n0', 'n1', 'n2', 'n3'] }];
      const allowed = { allowedTopologies: [{ matchLabelExpressions: expressions }] };
      const provisioner = which % 5 === 0 ? OTHER_DRIVER : DRIVER;
      pair.set('StorageClass', storageClass('made', provisioner, which % 2 ? allowed : {}));
      break;
    }
  }
}

describe('the kernel and volumes', () => {
  it('looks at a node again where a disk of its own has come', () => {
    const pair = new StoragePair({ ...NO_COUNTS });
    for (const index of [0, 1]) pair.apply(nodeOf(index, 'zb'));
    pair.set('StorageClass', storageClass('local', 'kubernetes.io/no-provisioner'));
    pair.set('PersistentVolume', freeVolume(0, NODES));
    pair.set('PersistentVolumeClaim', claim('c', 'local', '500Mi'));
    const volumes = [{ name: 'data', persistentVolumeClaim: { claimName: 'c' } }];
    assert.equal(pair.decide(podWith('a', volumes)).kind, 'unschedulable', 'the only free volume is in another zone');
    pair.set('PersistentVolume', freeVolume(1, 1));
    const decision = pair.decide(podWith('b', volumes));
    assert.ok(decision.kind === 'bound' && decision.node === 'n1');
  });

  it('decides as the reference does', (context) => {
    const counts: Counts = { ...NO_COUNTS };
    fc.assert(
      fc.property(fc.boolean(), fc.array(turn, { minLength: 10, maxLength: 60, size: 'max' }), (isLocal, turns) =>
        play(new StoragePair(counts), isLocal, turns),
      ),
      RUNS,
    );
    context.diagnostic(`${RUNS.numRuns} clusters: ${JSON.stringify(counts)}`);
  });
});
