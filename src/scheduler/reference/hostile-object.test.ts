import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { readClusterObject } from '../model/cluster-objects.ts';
import type { ClusterCommand } from '../model/command.ts';
import { readNode } from '../model/node-object.ts';
import { type ClusterPlan, clusterPlan, commandsOf } from '../model/plan-fixture.ts';
import { readPod } from '../model/pod-reader.ts';
import { PROFILES } from '../model/profile-fixture.ts';
import { ReferenceScheduler } from './reference-scheduler.ts';

/** Values that a field may have from somebody who means no good. */
const evil: fc.Arbitrary<unknown> = fc.oneof(
  fc.constantFrom<unknown>(null, '', '-1', '1e99', '9'.repeat(400), '1Ei', -1, 0, 1.5, 2 ** 53, 1e300, true, [], {}),
  fc.constantFrom<unknown>([null], [[]], [{}], { ['__proto__']: { x: 1 } }, JSON.parse('{"__proto__":"x","a":"b"}')),
  fc.string(),
);

/** The object with one of its fields, however deep, replaced. `way` says which. */
function damaged(json: unknown, way: readonly number[], value: unknown): unknown {
  const [turn, ...rest] = way;
  if (turn === undefined || typeof json !== 'object' || json === null) return value;
  const entries = Object.entries(json);
  if (entries.length === 0) return value;
  const [name, inner] = entries[turn % entries.length];
  const replaced = damaged(inner, rest, value);
  return Array.isArray(json) ? json.with(Number(name), replaced) : { ...json, [name]: replaced };
}

const damage = fc.record({ way: fc.array(fc.nat(30), { minLength: 1, maxLength: 9 }), value: evil });

function damagedCommands(plan: ClusterPlan, hurt: (json: unknown) => unknown): ClusterCommand[] {
  const commands: ClusterCommand[] = [];
  const take = <T>(
    read: { readonly object: T } | { readonly reason: string },
    make: (object: T) => ClusterCommand,
  ): void => {
    if ('object' in read) commands.push(make(read.object));
    else assert.match(read.reason, /^[\w.[\]"/@:-]+.*: ./s, 'names the field');
  };
  for (const { kind, object } of plan.objects) {
    take(readClusterObject(kind, hurt(object)), (read) => ({ kind: 'object-set', object: read }));
  }
  for (const node of plan.nodes) take(readNode(hurt(node)), (read) => ({ kind: 'node-set', node: read }));
  for (const { pod } of plan.bound) take(readPod(hurt(pod)), (read) => ({ kind: 'pod-set', pod: read }));
  return commands;
}

test('a damaged object is refused with a reason or read, and whatever is read can be scheduled by', () => {
  fc.assert(
    fc.property(clusterPlan(), damage, damage, (plan, one, other) => {
      const scheduler = new ReferenceScheduler(PROFILES);
      for (const command of damagedCommands(plan, (json) => damaged(json, one.way, one.value)))
        scheduler.apply(command);
      for (const json of plan.pending) {
        const read = readPod(damaged(json, other.way, other.value));
        if ('reason' in read) continue;
        const pod = { ...read.object, uid: 'hostile' };
        scheduler.apply({ kind: 'pod-set', pod });
        const { decision, scores } = scheduler.explain('hostile', 0);
        assert.notEqual(decision.kind, undefined);
        for (const { total } of scores.values()) assert.ok(Number.isSafeInteger(total) && !Object.is(total, -0));
      }
    }),
    { numRuns: 400 },
  );
});

test('one bad object does no harm to the others', () => {
  fc.assert(
    fc.property(clusterPlan(), damage, (plan, { way, value }) => {
      const good = commandsOf(plan);
      const [first] = plan.nodes;
      const bad = readNode(damaged(first, way, value));
      if ('object' in bad) return;
      const scheduler = new ReferenceScheduler(PROFILES);
      for (const command of good) scheduler.apply(command);
      for (const json of plan.pending) {
        const read = readPod(json);
        assert.ok('object' in read);
        scheduler.apply({ kind: 'pod-set', pod: read.object });
        assert.notEqual(scheduler.decide(read.object.uid, 0).kind, 'error');
      }
    }),
    { numRuns: 60 },
  );
});
