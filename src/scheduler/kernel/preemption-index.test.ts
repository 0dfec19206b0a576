import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { boundTo, type ClusterCommand } from '../model/command.ts';
import { readNode } from '../model/node-object.ts';
import { mustRead, objectSet, podSet } from '../model/plan-fixture.ts';
import type { PodObject } from '../model/pod-object.ts';
import { DEFAULT_PROFILE } from '../model/scheduler-profile.ts';
import { Kernel } from './kernel.ts';

const ZONE = 'topology.kubernetes.io/zone';

/** Full nodes n0 and n1, in a zone each, with a pod of app a and of app b. */
function fullCluster(): Kernel {
  const kernel = new Kernel([DEFAULT_PROFILE]);
  for (const [index, app] of ['a', 'b'].entries()) {
    const name = `n${index}`;
    const labels = { 'kubernetes.io/hostname': name, [ZONE]: `zone-${index}` };
    const json = { metadata: { name, uid: name, labels }, status: { allocatable: { cpu: '1', pods: '10' } } };
    const node: ClusterCommand = { kind: 'node-set', node: mustRead(readNode(json)) };
    kernel.apply(node);
    kernel.apply({ kind: 'pod-set', pod: boundTo(pod(`low-${app}`, { app }, 0), name) });
  }
  return kernel;
}

function pod(name: string, labels: Record<string, string>, priority: number, spec: object = {}): PodObject {
  const containers = [{ name: 'c', image: 'i', resources: { requests: { cpu: '1' } } }];
  const metadata = { name, namespace: 'default', uid: name, labels };
  return podSet({ metadata, spec: { schedulerName: 'default-scheduler', priority, containers, ...spec } }).pod;
}

function budget(app: string, disruptionsAllowed: number): ClusterCommand {
  return objectSet('PodDisruptionBudget', {
    metadata: { namespace: 'default', name: app },
    spec: { selector: { matchLabels: { app } } },
    status: { disruptionsAllowed },
  });
}

function nominatedBy(kernel: Kernel, uid: string): string | undefined {
  const decision = kernel.decide(uid);
  return decision.kind === 'unschedulable' ? decision.preemption?.nominatedNode : decision.kind;
}

describe('the index of candidates', () => {
  it('goes by the budgets as they are', () => {
    const kernel = fullCluster();
    kernel.apply({ kind: 'pod-set', pod: pod('high', {}, 100) });
    const chosen = [];
    for (const [a, b] of [
      [0, 1],
      [1, 0],
      [0, 1],
    ]) {
      kernel.apply(budget('a', a));
      kernel.apply(budget('b', b));
      chosen.push(nominatedBy(kernel, 'high'));
    }
    assert.deepEqual(chosen, ['n1', 'n0', 'n1']);
  });

  it('goes by the counts of topology domains as they are', () => {
    const kernel = fullCluster();
    const labelSelector = { matchLabels: { app: 'high' } };
    const constraint = { maxSkew: 1, topologyKey: ZONE, whenUnsatisfiable: 'DoNotSchedule', labelSelector };
    const spread = { topologySpreadConstraints: [constraint] };
    kernel.apply({ kind: 'pod-set', pod: pod('high', { app: 'high' }, 100, spread) });
    const chosen = [];
    // Two small pods of the same app move to and fro on a third node of each zone.
    for (const zone of [0, 1, 0]) {
      const labels = { 'kubernetes.io/hostname': 'n2', [ZONE]: `zone-${zone}` };
      const json = { metadata: { name: 'n2', uid: 'n2', labels }, status: { allocatable: { cpu: '0', pods: '10' } } };
      kernel.apply({ kind: 'node-set', node: mustRead(readNode(json)) });
      for (const name of ['s1', 's2']) {
        const small = { ...pod(name, { app: 'high' }, 0), requests: pod(name, {}, 0, { containers: [] }).requests };
        kernel.apply({ kind: 'pod-set', pod: boundTo(small, 'n2') });
      }
      chosen.push(nominatedBy(kernel, 'high'));
    }
    assert.deepEqual(chosen, ['n1', 'n0', 'n1']);
  });
});
