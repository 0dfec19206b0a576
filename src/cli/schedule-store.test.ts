import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { DEFAULT_PROFILE } from '../scheduler/model/scheduler-profile.ts';
import { openCluster, profilesAt } from './schedule-store.ts';

describe('a scheduler at the store', () => {
  it('preempts nothing without an API server to delete victims through, and says so', async () => {
    const flags = {
      bind: 'store',
      endpoints: ['http://127.0.0.1:1'],
      etcdPrefix: '/registry',
      leaderElect: false,
      schedulerName: [],
    } as const satisfies Parameters<typeof openCluster>[0];
    const cluster = await openCluster(flags, undefined);
    await cluster.api.close();
    assert.deepEqual(profilesAt(cluster, [DEFAULT_PROFILE]), [{ ...DEFAULT_PROFILE, preempts: false }]);
    assert.match(cluster.remarks.join('\n'), /nothing is preempted/);
  });
});
