// What has been and gone leaves nothing behind: the tables of a kernel in which everything has changed many times are those of a new one.

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { readClusterObject } from '../model/cluster-objects.ts';
import { boundTo, type ClusterCommand } from '../model/command.ts';
import { readNode } from '../model/node-object.ts';
import { mustRead, podSet } from '../model/plan-fixture.ts';
import type { PodObject } from '../model/pod-object.ts';
import { DEFAULT_PROFILE } from '../model/scheduler-profile.ts';
import { Kernel } from './kernel.ts';

const HOSTNAME = 'kubernetes.io/hostname';
const ZONE = 'topology.kubernetes.io/zone';
const DEPLOYMENTS = Number(process.env.K1M_DEPLOYMENTS ?? 1_500);
const NODES = 12;

function node(index: number, generation: number): ClusterCommand {
  const name = `n${index}`;
  const labels = { [HOSTNAME]: name, [ZONE]: `z${index % 3}`, [`pool-${generation}`]: `p${generation}` };
  const allocatable = { cpu: '8', memory: '8Gi', pods: '110', [`example.com/device-${generation}`]: '4' };
  const images = [{ names: [`app:v${generation}`], sizeBytes: 50_000_000 }];
  return {
    kind: 'node-set',
    node: mustRead(readNode({ metadata: { name, uid: name, labels }, status: { allocatable, images } })),
  };
}

/** Each asks for everything that the kernel remembers something for. */
function pod(deployment: number, copy: number): PodObject {
  const labelSelector = { matchLabels: { app: `app-${deployment}` } };
  const term = { topologyKey: HOSTNAME, labelSelector };
  const name = `pod-${deployment}-${copy}`;
  const requests = { cpu: `${1 + deployment}m`, [`example.com/device-${deployment}`]: copy === 1 ? '1' : '0' };
  return podSet({
    metadata: {
      name,
      uid: name,
      namespace: 'ns',
      labels: { app: `app-${deployment}`, [`only-${deployment}`]: 'yes', index: name },
    },
    spec: {
      schedulerName: DEFAULT_PROFILE.schedulerName,
      containers: [{ name: 'main', image: 'app:v1', resources: { requests, limits: requests } }],
      nodeSelector: deployment % 3 === 0 ? { [HOSTNAME]: `n${deployment % NODES}` } : {},
      affinity: {
        podAntiAffinity: { preferredDuringSchedulingIgnoredDuringExecution: [{ weight: 10, podAffinityTerm: term }] },
        podAffinity: {
          preferredDuringSchedulingIgnoredDuringExecution: [
            { weight: 5, podAffinityTerm: { ...term, topologyKey: `pool-${deployment % 50}` } },
          ],
        },
      },
      ...(deployment % 2 === 0
        ? {
            topologySpreadConstraints: [
              { maxSkew: 5, topologyKey: ZONE, whenUnsatisfiable: 'DoNotSchedule', labelSelector },
            ],
          }
        : {}),
    },
  }).pod;
}

function service(deployment: number): ClusterCommand {
  const metadata = { namespace: 'ns', name: `s${deployment}` };
  const object = mustRead(readClusterObject('Service', { metadata, spec: { selector: { app: `app-${deployment}` } } }));
  return { kind: 'object-set', object };
}

function deploy(kernel: Kernel, deployment: number): void {
  kernel.apply(service(deployment));
  for (const copy of [0, 1, 2]) {
    const wanted = pod(deployment, copy);
    kernel.apply({ kind: 'pod-set', pod: wanted });
    const decision = kernel.decide(wanted.uid);
    if (decision.kind === 'bound') kernel.apply({ kind: 'pod-set', pod: boundTo(wanted, decision.node) });
  }
}

function remove(kernel: Kernel, deployment: number): void {
  for (const copy of [0, 1, 2]) kernel.apply({ kind: 'pod-deleted', uid: `pod-${deployment}-${copy}` });
  kernel.apply({ kind: 'object-deleted', objectKind: 'Service', key: `ns/s${deployment}` });
}

/** Ticks until nothing is left to forget. */
function rest(kernel: Kernel, fromMs: number): void {
  for (let second = 1; second <= 1_200; second++) kernel.tick(fromMs + second * 1000);
}

describe('the kernel forgets', () => {
  it('all that has gone, and nothing that is there', () => {
    const old = new Kernel([DEFAULT_PROFILE]);
    let nowMs = 0;
    let largest = 0;
    for (let i = 0; i < DEPLOYMENTS; i++) {
      if (i % 100 === 0) for (let n = 0; n < NODES; n++) old.apply(node(n, i / 100));
      deploy(old, i);
      if (i >= 10) remove(old, i - 10);
      nowMs += 5_000;
      old.tick(nowMs);
      const { classes: _, ...tables } = old.tableSizes;
      largest = Math.max(largest, ...Object.values(tables));
    }
    for (let i = DEPLOYMENTS - 10; i < DEPLOYMENTS; i++) remove(old, i);
    assert.ok(largest < 2_500, `tables stay small meanwhile: ${largest} entries at most`);

    const last = [7, 8, 9];
    const fresh = new Kernel([DEFAULT_PROFILE]);
    for (const kernel of [old, fresh]) {
      for (let n = 0; n < NODES; n++) kernel.apply(node(n, 99));
      for (const deployment of last) deploy(kernel, deployment);
    }
    rest(old, nowMs);
    rest(fresh, 0);
    assert.deepEqual(old.tableSizes, fresh.tableSizes);

    for (const kernel of [old, fresh]) for (const deployment of last) remove(kernel, deployment);
    for (let n = 0; n < NODES; n++) old.apply({ kind: 'node-deleted', name: `n${n}` });
    rest(old, nowMs + 10_000_000);
    assert.deepEqual(new Set(Object.values(old.tableSizes)), new Set([0]), JSON.stringify(old.tableSizes));
  });
});
