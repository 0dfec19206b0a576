import assert from 'node:assert/strict';
import { it } from 'node:test';
import { fakeApi, listOf, objectNamed } from '../kube-api/http-fixture.ts';
import { SimulatedClock } from '../testing/clock.ts';
import { ApiTarget } from './api-target.ts';

const LEASES = '/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases/';
const NODES = '/api/v1/nodes/';

it('a removal behind an API server that was interrupted is taken up: no lease is left, and no node of others is touched', async () => {
  const clock = new SimulatedClock();
  const names = ['lab-node-0000000', 'lab-node-0000001', 'lab-node-x'];
  const there = new Set(names.flatMap((name) => [LEASES + name, NODES + name]));
  let answered = 0;
  let answeredMax = 3;
  const { api } = fakeApi(clock, ({ method, path }) => {
    const at = path.split('?')[0];
    if (method === 'DELETE') {
      if (answered++ >= answeredMax) return { status: 403, body: { kind: 'Status', message: 'not now' } };
      return there.delete(at) ? { status: 200 } : { status: 404, body: { kind: 'Status', reason: 'NotFound' } };
    }
    const nodes = names.filter((name) => there.has(NODES + name));
    return {
      body: listOf(
        1,
        nodes.map((name) => objectNamed(name, 1)),
      ),
    };
  });
  const world = { clock, signal: new AbortController().signal, onProblem: () => {} };
  const target = new ApiTarget(world, api);
  const remove = (): Promise<void> => clock.runUntil(target.removeNodes({ onRemoved: () => {}, signal: undefined }));
  await assert.rejects(remove(), { message: 'not now' });
  answeredMax = Number.POSITIVE_INFINITY;
  await remove();
  await target.close();
  assert.deepEqual([...there].sort(), [NODES, LEASES].map((folder) => `${folder}lab-node-x`).sort());
});
