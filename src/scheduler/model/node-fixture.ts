// Random nodes and the objects around them, as the API has them in JSON: few values, so that constraints collide.

import fc from 'fast-check';
import type { JsonFields } from './plan-fixture.ts';

export const ZONES: readonly string[] = ['za', 'zb', 'zc'];
export const IMAGES: readonly string[] = ['registry:5000/app', 'app:v1', 'app@sha256:0a', 'tool'];

/** Present with about one chance in `outOf`. */
export function rarely<T>(arbitrary: fc.Arbitrary<T>, outOf = 4): fc.Arbitrary<T | undefined> {
  return fc.oneof(
    { withCrossShrink: true },
    { weight: outOf - 1, arbitrary: fc.constant(undefined) },
    { weight: 1, arbitrary },
  );
}

/** The fields that are there. */
export function present(fields: Readonly<Record<string, unknown>>): JsonFields {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined));
}

const taint: fc.Arbitrary<JsonFields> = fc
  .record({
    key: fc.constantFrom('dedicated', 'noisy'),
    value: fc.constantFrom('', 'x'),
    effect: fc.constantFrom('NoSchedule', 'PreferNoSchedule', 'PreferNoSchedule', 'PreferNoSchedule', 'NoExecute'),
  })
  .map(present);

const image: fc.Arbitrary<JsonFields> = fc.record({
  names: fc.constantFrom(
    ['registry:5000/app:latest', 'registry:5000/app@sha256:0b'],
    ['app:v1'],
    ['tool:latest'],
    ['app@sha256:0a', 'app:v1'],
  ),
  sizeBytes: fc.constantFrom(10_000_000, 50_000_000, 700_000_000, 3_000_000_000),
});

const labels = (name: string): fc.Arbitrary<JsonFields> =>
  fc
    .record({
      'kubernetes.io/hostname': fc.constantFrom(name, name, name, name, name, undefined),
      'topology.kubernetes.io/zone': fc.constantFrom(...ZONES, ...ZONES, undefined),
      'topology.kubernetes.io/region': rarely(fc.constantFrom('r1', 'r2'), 3),
      disk: fc.constantFrom('ssd', 'hdd', undefined),
      size: rarely(fc.constantFrom('1', '5', 'x'), 2),
      rack: rarely(fc.constantFrom('1', '2', ''), 2),
    })
    .map(present);

/** Taints more than one of a kind are refused by the API: the first of each key and effect stays. */
function distinctTaints(taints: readonly JsonFields[]): JsonFields[] {
  const seen = new Set<string>();
  return taints.filter(({ key, effect }) => {
    const kind = JSON.stringify([key, effect]);
    const isNew = !seen.has(kind);
    seen.add(kind);
    return isNew;
  });
}

export function node(index: number): fc.Arbitrary<JsonFields> {
  const name = `n${index}`;
  return fc
    .record({
      labels: labels(name),
      taints: fc.oneof(
        { weight: 5, arbitrary: fc.constant([]) },
        { weight: 2, arbitrary: fc.array(taint, { minLength: 1, maxLength: 3 }) },
      ),
      unschedulable: rarely(fc.constant(true), 12),
      cpu: fc.constantFrom('2', '4', '3900m', '8', '16'),
      memory: fc.constantFrom('2Gi', '4Gi', '7000Mi', '16Gi', '12345678k'),
      'ephemeral-storage': fc.constantFrom('10Gi', '10Gi', '2Gi', undefined),
      pods: fc.constantFrom('3', '10', '10', '110'),
      'example.com/gpu': rarely(fc.constantFrom('1', '4', '4', '0'), 2),
      'hugepages-2Mi': rarely(fc.constantFrom('64Mi', '1Gi'), 5),
      images: fc.oneof(
        { weight: 1, arbitrary: fc.constant([]) },
        { weight: 1, arbitrary: fc.array(image, { minLength: 1, maxLength: 3 }) },
      ),
    })
    .map(({ labels, taints, unschedulable, images, ...allocatable }) => ({
      apiVersion: 'v1',
      kind: 'Node',
      metadata: { name, labels },
      spec: present({ taints: distinctTaints(taints), unschedulable }),
      status: { allocatable: present(allocatable), capacity: present(allocatable), images },
    }));
}

export const namespaceLabels: fc.Arbitrary<JsonFields> = fc
  .record({
    team: fc.constantFrom('red', 'blue', undefined),
    env: fc.constantFrom('prod', undefined),
  })
  .map(present);
