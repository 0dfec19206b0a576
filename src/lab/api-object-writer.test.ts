import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { fakeApi } from '../kube-api/http-fixture.ts';
import type { JsonObject } from '../kube-api/kube-api.ts';
import { fieldsOf } from '../kube-api/object-head.ts';
import { SimulatedClock } from '../testing/clock.ts';
import { ApiObjectWriter } from './api-object-writer.ts';
import type { WriteResult } from './object-writer.ts';

const NAME = { namespace: 'default', name: 'a' };

function pod(resourceVersion: string, phase: string): JsonObject {
  return { metadata: { ...NAME, uid: 'u', resourceVersion }, status: { phase } };
}

/** Pending becomes Running, of `told` at hand and `stored` in the API server; the result, and what was sent. */
async function write(told: JsonObject | undefined, stored: JsonObject): Promise<[WriteResult['kind'], string[]]> {
  const clock = new SimulatedClock();
  const sent: string[] = [];
  const { api } = fakeApi(clock, ({ method, body }) => {
    if (method === 'GET') {
      sent.push('GET');
      return { body: stored };
    }
    const { resourceVersion = 'any' } = fieldsOf(JSON.parse(String(body)).metadata);
    sent.push(`${method} ${resourceVersion}`);
    const isOther = resourceVersion !== 'any' && resourceVersion !== fieldsOf(stored.metadata).resourceVersion;
    return isOther ? { status: 409, body: { kind: 'Status', reason: 'Conflict', message: 'modified' } } : { body: {} };
  });
  const atHand = new Map(told === undefined ? [] : [['default/a', told]]);
  const writer = new ApiObjectWriter({ api, objects: api.objects, atHand });
  const result = await clock.runUntil(
    writer.patchStatus('pods', NAME, ({ status }) =>
      fieldsOf(status).phase === 'Pending' ? { phase: 'Running' } : undefined,
    ),
  );
  await api.close();
  return [result.kind, sent];
}

describe('a status written through the API server', () => {
  it('is written upon what was told, at that version', async () => {
    assert.deepEqual(await write(pod('1', 'Pending'), pod('1', 'Pending')), ['done', ['PATCH 1']]);
  });
  it('is not written again when what was told is from before', async () => {
    assert.deepEqual(await write(pod('1', 'Pending'), pod('2', 'Running')), ['moot', ['PATCH 1', 'GET']]);
  });
  it('is written upon what is there when somebody has changed something else', async () => {
    assert.deepEqual(await write(pod('1', 'Pending'), pod('2', 'Pending')), ['done', ['PATCH 1', 'GET', 'PATCH any']]);
  });
  it('is read first when nothing is at hand, as a kubelet does', async () => {
    assert.deepEqual(await write(undefined, pod('2', 'Pending')), ['done', ['GET', 'PATCH any']]);
  });
});
