import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { HttpError, type HttpRequest } from '../../io/http-client.ts';
import { type Answering, fakeApi, listOf } from '../../kube-api/http-fixture.ts';
import { SimulatedClock } from '../../testing/clock.ts';
import { readCluster } from './cluster-reading.ts';
import type { ClusterSnapshot } from './cluster-snapshot.ts';
import { ClusterReadingError } from './errors.ts';
import { nodeJson, podJson } from './snapshot-fixture.ts';

function versioned(json: object, version: number): object {
  const { metadata } = json as { metadata: object };
  return { ...json, metadata: { ...metadata, resourceVersion: String(version) } };
}

const isList = ({ path }: HttpRequest, name: string): boolean => new RegExp(`/${name}\\?`).test(path);

/** Nodes and pods; `more` answers what it wants to, in place of that. */
function cluster(more: (request: HttpRequest) => ReturnType<Answering> | undefined = () => undefined): Answering {
  return (request) => {
    const answer = more(request);
    if (answer !== undefined) return answer;
    if (request.path.includes('watch=true')) return 'silence';
    if (isList(request, 'nodes')) return { body: listOf(9, [versioned(nodeJson('n1'), 1)]) };
    if (isList(request, 'pods')) {
      return { body: listOf(9, [versioned(podJson('p', { on: 'n1' }), 2), versioned(podJson('q'), 3)]) };
    }
    return { body: listOf(9, []) };
  };
}

async function read(answer: Answering): Promise<{ snapshot: ClusterSnapshot; requests: readonly HttpRequest[] }> {
  const clock = new SimulatedClock();
  const { api, http } = fakeApi(clock, answer);
  const reading = readCluster(api);
  reading.catch(() => {});
  await clock.pass(10_000);
  const snapshot = await reading;
  await api.close();
  return { snapshot, requests: http.requests };
}

describe('a live cluster', () => {
  it('is read once, without a write', async () => {
    const { snapshot, requests } = await read(cluster());
    assert.deepEqual([...snapshot.nodes.keys()], ['n1']);
    assert.deepEqual(
      [...snapshot.pods.values()].map(({ name, nodeName }) => `${name}@${nodeName}`),
      ['p@n1', 'q@'],
    );
    assert.deepEqual(snapshot.remarks, []);
    assert.ok(requests.every(({ method }) => method === 'GET'));
    const pods = requests.find((request) => isList(request, 'pods'))?.path ?? '';
    assert.ok(decodeURIComponent(pods).includes('fieldSelector=status.phase!=Succeeded,status.phase!=Failed'), pods);
    assert.equal(requests.filter(({ path }) => isList({ path } as HttpRequest, 'pods')).length, 1);
  });

  it('lacks what may not be read, and says so, but for nodes and pods', async () => {
    const forbid = (name: string): Answering =>
      cluster((request) =>
        isList(request, name) ? { status: 403, body: { message: `${name} is forbidden` } } : undefined,
      );
    const { snapshot } = await read(forbid('storageclasses'));
    assert.equal(snapshot.nodes.size, 1);
    assert.match(snapshot.remarks[0], /^storageclasses cannot be read and are taken to be none: .* is forbidden$/);
    await assert.rejects(read(forbid('pods')), ClusterReadingError);
    await assert.rejects(read(cluster(() => new HttpError('connect', 'connect ECONNREFUSED'))), ClusterReadingError);
  });

  it('leaves out objects that cannot be used, and names them', async () => {
    const bad = versioned(nodeJson('bad', { cpu: 'much' }), 1);
    const { snapshot } = await read(
      cluster((request) => (isList(request, 'nodes') ? { body: listOf(9, [bad, { metadata: {} }]) } : undefined)),
    );
    assert.equal(snapshot.nodes.size, 0);
    assert.match(snapshot.remarks.join('\n'), /Node bad is left out: status\.allocatable\.cpu: quantities must match/);
    assert.match(snapshot.remarks.join('\n'), /nodes: skipped an object without a name/);
  });
});
