import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { podSet } from '../model/plan-fixture.ts';
import type { PodObject } from '../model/pod-object.ts';
import { ByParts } from './shared-parts.ts';

const POD: PodObject = podSet({
  metadata: { name: 'a', namespace: 'ns1', uid: 'a', labels: { app: 'a' } },
  spec: { containers: [{ name: 'c', image: 'i' }] },
}).pod;

/** What pods of one template have of their own, and neither a class nor a shape goes by. */
const OWN: ReadonlySet<string> = new Set([
  'name',
  'uid',
  'generation',
  'isToldUnplaced',
  'nodeName',
  'nominatedNodeName',
  'createdAtMs',
  'startedAtMs',
  'isFinished',
  'schedulingGates',
  'volumes',
  'resourceClaims',
]);

/** Another value of the type. */
function another(value: unknown): unknown {
  if (typeof value === 'string') return `${value}!`;
  if (typeof value === 'number') return value + 1;
  if (typeof value === 'boolean') return !value;
  if (value instanceof Map) return new Map(value);
  if (value instanceof Set) return new Set(value);
  return Array.isArray(value) ? [...value] : { ...Object(value) };
}

describe('what is remembered by the parts of a pod', () => {
  it('is there for a pod that shares them, and for no other', () => {
    for (const [field, value] of Object.entries(POD)) {
      const known = new ByParts<string>();
      known.remember(POD, 1, 'known');
      const expected = OWN.has(field) ? 'known' : undefined;
      assert.equal(known.of({ ...POD, [field]: another(value) }, 1), expected, field);
    }
  });

  it('is that of the last pod with these labels, and of one version', () => {
    const known = new ByParts<string>();
    const other = { ...POD, priority: POD.priority + 1 };
    known.remember(POD, 1, 'first');
    known.remember(other, 1, 'other');
    assert.deepEqual([known.of(POD, 1), known.of(other, 1), known.of(other, 2)], [undefined, 'other', undefined]);
  });
});
