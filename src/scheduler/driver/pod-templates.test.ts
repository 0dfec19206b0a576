import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { JsonObject } from '../../kube-api/kube-api.ts';
import type { PodObject } from '../model/pod-object.ts';
import { readPod } from '../model/pod-reader.ts';
import { PodTemplates } from './pod-templates.ts';

function podJson(name: string, cpu: string, extra: JsonObject = {}): JsonObject {
  const resources = { requests: { cpu } };
  const volumes = [{ name: `kube-api-access-${name}x`, projected: {} }];
  return {
    metadata: { name, namespace: 'default', uid: name, labels: { app: 'a' } },
    spec: { containers: [{ name: 'c', image: 'i', resources }], volumes },
    ...extra,
  };
}

function read(json: JsonObject): PodObject {
  const result = readPod(json);
  assert.ok('object' in result);
  return result.object;
}

describe('templates of pods', () => {
  it('shares the parts of pods that want the same, and nothing that is their own', () => {
    const templates = new PodTemplates();
    const [a, b, c] = [podJson('aaaa', '1'), podJson('bbbb', '1'), podJson('cccc', '2')];
    const first = templates.share(read(a), a);
    const second = templates.share(read(b), b);
    const third = templates.share(read(c), c);
    assert.equal(second.template, first.template);
    assert.equal(second.pod.requests, first.pod.requests);
    assert.equal(second.pod.tolerations, first.pod.tolerations);
    assert.deepEqual([second.pod.name, second.pod.uid], ['bbbb', 'bbbb']);
    assert.notEqual(third.template, first.template);
    for (const [shared, json] of [
      [second, b],
      [third, c],
    ] as const) {
      assert.deepEqual(shared.pod, read(json));
    }
  });

  it('shares what the pods of a DaemonSet have in common, and leaves each its node', () => {
    const templates = new PodTemplates();
    const onNode = (node: string): JsonObject => {
      const matchFields = [{ key: 'metadata.name', operator: 'In', values: [node] }];
      const required = { nodeSelectorTerms: [{ matchFields }] };
      const affinity = { nodeAffinity: { requiredDuringSchedulingIgnoredDuringExecution: required } };
      const json = podJson(`pod${node}`, '1');
      const { spec } = json;
      assert.ok(typeof spec === 'object');
      return { ...json, spec: { ...spec, affinity } };
    };
    const [a, b] = [onNode('a'), onNode('b')];
    const first = templates.share(read(a), a);
    const second = templates.share(read(b), b);
    assert.equal(second.template, first.template);
    assert.equal(second.pod.requests, first.pod.requests);
    assert.deepEqual(second.pod, read(b));
  });

  it('leaves requests to a pod whose status has resources', () => {
    const templates = new PodTemplates();
    const a = podJson('aaaa', '1');
    templates.share(read(a), a);
    const containerStatuses = [{ name: 'c', resources: { requests: { cpu: '3' } }, allocatedResources: { cpu: '3' } }];
    const b = podJson('bbbb', '1', { status: { containerStatuses } });
    assert.deepEqual(templates.share(read(b), b).pod, read(b));
  });
});
