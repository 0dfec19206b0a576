import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { mustRead } from '../model/plan-fixture.ts';
import type { PodObject } from '../model/pod-object.ts';
import { readPod } from '../model/pod-reader.ts';
import { withDefaults } from './pod-defaults.ts';

function podWith(spec: object): PodObject {
  return mustRead(readPod(withDefaults({ metadata: { name: 'p' }, spec })));
}

describe('a pod of a manifest', () => {
  it('asks for its limits where it names no requests', () => {
    const resources = { limits: { cpu: '2', memory: '1Gi' }, requests: { cpu: '1' } };
    const { requests } = podWith({
      containers: [{ resources }],
      initContainers: [{ resources: { limits: { cpu: '3' } } }],
    });
    assert.deepEqual([requests.toFit.milliCpu, requests.toFit.memory], [3000, 2 ** 30]);
  });

  it('takes the ports of its containers on the network of the host', () => {
    const containers = [{ ports: [{ containerPort: 80 }, { containerPort: 81, hostPort: 90 }] }];
    assert.deepEqual(
      podWith({ containers }).hostPorts.map(({ port }) => port),
      [90],
    );
    assert.deepEqual(
      podWith({ containers, hostNetwork: true }).hostPorts.map(({ port }) => port),
      [80, 90],
    );
  });

  it('tolerates nodes that have just gone away, unless it says itself what it does', () => {
    const keys = (tolerations: readonly object[]): string[] =>
      podWith({ containers: [], tolerations }).tolerations.map(({ key, effect }) => `${key}:${effect}`);
    const [notReady, unreachable] = ['node.kubernetes.io/not-ready', 'node.kubernetes.io/unreachable'];
    assert.deepEqual(keys([]), [`${notReady}:NoExecute`, `${unreachable}:NoExecute`]);
    assert.deepEqual(keys([{ operator: 'Exists' }]), [':']);
    assert.deepEqual(keys([{ key: notReady, operator: 'Exists' }]), [`${notReady}:`, `${unreachable}:NoExecute`]);
    assert.deepEqual(keys([{ key: notReady, effect: 'NoSchedule' }]).length, 3);
  });

  it('selects by its own values of matchLabelKeys and mismatchLabelKeys, as far as it has them', () => {
    const term = {
      topologyKey: 'zone',
      labelSelector: { matchLabels: { app: 'a' }, matchExpressions: [{ key: 'x', operator: 'Exists' }] },
      matchLabelKeys: ['version', 'missing'],
      mismatchLabelKeys: ['tenant'],
    };
    const nothing = { topologyKey: 'zone', matchLabelKeys: ['version'] };
    const required = { requiredDuringSchedulingIgnoredDuringExecution: [term, nothing] };
    const preferred = { preferredDuringSchedulingIgnoredDuringExecution: [{ weight: 1, podAffinityTerm: term }] };
    const constraint = { topologyKey: 'zone', maxSkew: 1, labelSelector: {}, matchLabelKeys: ['version'] };
    const spec = {
      affinity: { podAffinity: required, podAntiAffinity: preferred },
      topologySpreadConstraints: [constraint],
    };
    const labels = { version: '7', tenant: 't' };
    const filled = Object(withDefaults({ metadata: { name: 'p', labels }, spec }).spec);
    const ofVersion = { key: 'version', operator: 'In', values: ['7'] };
    const ofOthers = { key: 'tenant', operator: 'NotIn', values: ['t'] };
    const selector = {
      matchLabels: { app: 'a' },
      matchExpressions: [{ key: 'x', operator: 'Exists' }, ofVersion, ofOthers],
    };
    const { podAffinity, podAntiAffinity } = filled.affinity;
    assert.deepEqual(podAffinity.requiredDuringSchedulingIgnoredDuringExecution, [
      { ...term, labelSelector: selector },
      nothing,
    ]);
    assert.deepEqual(podAntiAffinity.preferredDuringSchedulingIgnoredDuringExecution, [
      { weight: 1, podAffinityTerm: { ...term, labelSelector: selector } },
    ]);
    assert.deepEqual(filled.topologySpreadConstraints, [
      { ...constraint, labelSelector: { matchExpressions: [ofVersion] } },
    ]);
  });

  it('is left as it is where it makes no sense', () => {
    for (const spec of [
      undefined,
      null,
      7,
      {},
      { containers: 'x' },
      { containers: [null], tolerations: 3 },
      { affinity: { podAffinity: 1 } },
    ]) {
      assert.doesNotThrow(() => withDefaults({ metadata: { name: 'p' }, spec }));
    }
  });
});
