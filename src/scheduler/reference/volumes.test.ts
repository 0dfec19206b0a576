import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type PodWords, Situation } from './situation-fixture.ts';

const ZONE = 'topology.kubernetes.io/zone';

const using = (...names: string[]): PodWords => ({
  spec: { volumes: names.map((claimName) => ({ name: claimName, persistentVolumeClaim: { claimName } })) },
});

interface ClaimWords {
  readonly volume?: string;
  readonly storageClass?: string;
  readonly modes?: readonly string[];
  readonly request?: string;
  readonly annotations?: object;
  readonly deletionTimestamp?: string;
}

function claim(situation: Situation, name: string, words: ClaimWords = {}): Situation {
  const { volume, storageClass = 'delayed', modes = ['ReadWriteOnce'], request = '1Gi' } = words;
  const bound = volume === undefined ? {} : { 'pv.kubernetes.io/bind-completed': 'yes' };
  const { deletionTimestamp } = words;
  return situation.object('PersistentVolumeClaim', {
    metadata: { namespace: 'ns', name, deletionTimestamp, annotations: { ...bound, ...words.annotations } },
    spec: {
      accessModes: modes,
      storageClassName: storageClass,
      volumeName: volume,
      resources: { requests: { storage: request } },
    },
  });
}

function volume(situation: Situation, name: string, spec: object = {}, labels: object = {}): Situation {
  return situation.object('PersistentVolume', {
    metadata: { name, labels },
    spec: { capacity: { storage: '1Gi' }, accessModes: ['ReadWriteOnce'], storageClassName: 'delayed', ...spec },
    status: { phase: 'Available' },
  });
}

const onDisk = (disk: string): object => ({
  nodeAffinity: {
    required: { nodeSelectorTerms: [{ matchExpressions: [{ key: 'disk', operator: 'In', values: [disk] }] }] },
  },
});

function storageClass(situation: Situation, more: object = {}): Situation {
  return situation.object('StorageClass', {
    metadata: { name: 'delayed' },
    provisioner: 'kubernetes.io/no-provisioner',
    volumeBindingMode: 'WaitForFirstConsumer',
    ...more,
  });
}

const twoNodes = (): Situation =>
  new Situation()
    .node('a', { labels: { disk: 'ssd', [ZONE]: 'a' } })
    .node('b', { labels: { disk: 'hdd', [ZONE]: 'b' } });

test('claims that are missing, lost, on their way out or not bound yet hold the pod back', () => {
  const message = (situation: Situation): string =>
    situation.message(using('c')).replace(/^0\/2 nodes are available: (.*)\. not found$/, '$1');
  assert.equal(message(twoNodes()), 'persistentvolumeclaim "c" not found');
  const immediate = storageClass(claim(twoNodes(), 'c'), { volumeBindingMode: 'Immediate' });
  assert.equal(message(immediate), 'pod has unbound immediate PersistentVolumeClaims');
  const leaving = claim(twoNodes(), 'c', { volume: 'v', deletionTimestamp: '2026-01-01T00:00:00Z' });
  assert.equal(message(leaving), 'persistentvolumeclaim "c" is being deleted');
  const ephemeral = { spec: { volumes: [{ name: 'v', ephemeral: {} }] } };
  assert.equal(
    twoNodes().message(ephemeral),
    '0/2 nodes are available: waiting for ephemeral volume controller to create the persistentvolumeclaim ' +
      '"incoming-v". not found',
  );
});

test('a bound volume decides by its node affinity and its zone', () => {
  const placed = claim(volume(twoNodes(), 'v', onDisk('ssd')), 'c', { volume: 'v' });
  assert.deepEqual(placed.refusals(using('c')), {
    b: "unresolvable: node(s) didn't match PersistentVolume's node affinity",
  });
  const zoned = (label: string, value: string): Situation =>
    claim(volume(twoNodes().node('nowhere'), 'v', {}, { [label]: value }), 'c', { volume: 'v' });
  const reason = 'unresolvable: node(s) had no available volume zone';
  assert.deepEqual(zoned(ZONE, 'a').refusals(using('c')), { b: reason });
  assert.deepEqual(zoned(ZONE, 'a__b').refusals(using('c')), {});
  assert.deepEqual(zoned('failure-domain.beta.kubernetes.io/zone', 'b').refusals(using('c')), { a: reason });
  assert.deepEqual(zoned(ZONE, 'a__').refusals(using('c')), {}, 'a label that cannot be read does not count');
});

test('a claim that waits takes a volume that suits the node, the smallest first', () => {
  const situation = storageClass(claim(claim(twoNodes(), 'c'), 'd', { request: '2Gi' }));
  volume(situation, 'small', onDisk('ssd'));
  const none = "unresolvable: node(s) didn't find available persistent volumes to bind";
  assert.deepEqual(situation.refusals(using('c')), { b: none });
  assert.deepEqual(situation.refusals(using('d')), { a: none, b: none }, 'too small');
  volume(situation, 'large', { ...onDisk('ssd'), capacity: { storage: '5Gi' } });
  assert.deepEqual(situation.refusals(using('d', 'c')), { b: none });
  assert.deepEqual(claim(situation, 'c', { request: '2Gi' }).refusals(using('c', 'd')), { a: none, b: none });
});

test('a volume that is set aside for a claim is its own, and nobody else’s', () => {
  const situation = storageClass(claim(claim(twoNodes(), 'c'), 'd'));
  volume(situation, 'v', { ...onDisk('hdd'), claimRef: { namespace: 'ns', name: 'c' } });
  const none = "unresolvable: node(s) didn't find available persistent volumes to bind";
  assert.deepEqual(situation.refusals(using('c')), { a: none });
  assert.deepEqual(situation.refusals(using('d')), { a: none, b: none });
});

test('a claim that waits can be made where the class allows it and there is room', () => {
  const topology = [{ matchLabelExpressions: [{ key: ZONE, values: ['a'] }] }];
  const none = "unresolvable: node(s) didn't find available persistent volumes to bind";
  const made = storageClass(claim(twoNodes(), 'c'), { provisioner: 'csi', allowedTopologies: topology });
  assert.deepEqual(made.refusals(using('c')), { b: none });
  const selected = claim(made, 'c', { annotations: { 'volume.kubernetes.io/selected-node': 'b' } });
  assert.deepEqual(selected.refusals(using('c')), { a: none, b: none }, 'the node is chosen already');
  const limited = storageClass(claim(twoNodes(), 'c'), { provisioner: 'csi' })
    .object('CSIDriver', { metadata: { name: 'csi' }, spec: { storageCapacity: true } })
    .object('CSIStorageCapacity', {
      metadata: { namespace: 'x', name: 'one' },
      storageClassName: 'delayed',
      nodeTopology: { matchLabels: { disk: 'ssd' } },
      capacity: '10Gi',
      maximumVolumeSize: '1Gi',
    });
  const room = 'unresolvable: node(s) did not have enough free storage';
  assert.deepEqual(limited.refusals(using('c')), { b: room });
  assert.deepEqual(claim(limited, 'c', { request: '1025Mi' }).refusals(using('c')), { a: room, b: room });
});

test('a claim that one pod at a time may use refuses every node while another pod uses it', () => {
  const situation = claim(volume(twoNodes(), 'v'), 'c', { volume: 'v', modes: ['ReadWriteOncePod'] });
  assert.deepEqual(situation.refusals(using('c')), {});
  const reason =
    'unschedulable: node(s) unavailable due to PersistentVolumeClaim with ReadWriteOncePod access mode already in-use by another pod';
  assert.deepEqual(situation.pod('x', 'a', using('c')).refusals(using('c')), { a: reason, b: reason });
});

test('inline disks clash unless both only read', () => {
  const gce = (readOnly: boolean): PodWords => ({
    spec: { volumes: [{ name: 'v', gcePersistentDisk: { pdName: 'd', readOnly } }] },
  });
  const reason = 'unschedulable: node(s) had no available disk';
  assert.deepEqual(twoNodes().pod('x', 'a', gce(true)).refusals(gce(false)), { a: reason });
  assert.deepEqual(twoNodes().pod('x', 'a', gce(true)).refusals(gce(true)), {});
  const rbd = (...monitors: string[]): PodWords => ({
    spec: { volumes: [{ name: 'v', rbd: { monitors, image: 'i' } }] },
  });
  assert.deepEqual(twoNodes().pod('x', 'a', rbd('m', 'n')).refusals(rbd('n')), { a: reason });
  assert.deepEqual(twoNodes().pod('x', 'a', rbd('m')).refusals(rbd('n')), {});
});

test('a node attaches as many volumes of a driver as its CSINode says, each counted once', () => {
  const situation = twoNodes();
  for (const index of [0, 1, 2]) {
    const csi = { driver: 'csi', volumeHandle: `h${index}` };
    claim(volume(situation, `v${index}`, { csi }), `c${index}`, { volume: `v${index}` });
  }
  const limit = (count: number): Situation =>
    situation.object('CSINode', {
      metadata: { name: 'a' },
      spec: { drivers: [{ name: 'csi', allocatable: { count } }] },
    });
  const reason = 'unschedulable: node(s) exceed max volume count';
  situation.pod('x', 'a', using('c0'));
  assert.deepEqual(limit(2).refusals(using('c1')), {});
  assert.deepEqual(limit(2).refusals(using('c1', 'c2')), { a: reason });
  assert.deepEqual(limit(1).refusals(using('c0')), {}, 'it is there already');
  situation.object('VolumeAttachment', {
    metadata: { name: 'x' },
    spec: { attacher: 'csi', nodeName: 'a', source: { persistentVolumeName: 'v2' } },
  });
  assert.deepEqual(limit(2).refusals(using('c1')), { a: reason });
});

test('an in-tree disk counts as the CSI volume that stands for it, where there is a CSINode and it can be translated', () => {
  const disks = (zones: string): Situation => {
    const situation = twoNodes().object('CSINode', {
      metadata: { name: 'a' },
      spec: { drivers: [{ name: 'pd.csi.storage.gke.io', allocatable: { count: 1 } }] },
    });
    volume(situation, 'v', { gcePersistentDisk: { pdName: 'd' } }, { [ZONE]: zones });
    return claim(situation, 'c', { volume: 'v' }).pod('x', 'a', using('c'));
  };
  const inline = (pdName: string): PodWords => ({ spec: { volumes: [{ name: 'v', gcePersistentDisk: { pdName } }] } });
  const reason = 'unschedulable: node(s) exceed max volume count';
  assert.deepEqual(disks('a').refusals(inline('e')), { a: reason });
  assert.deepEqual(disks('us-central1-a__us-central1-b').refusals(inline('e')), { a: reason });
  assert.deepEqual(disks('a__b').refusals(inline('e')), {}, 'zones of no region: the disk there is not counted');
});
