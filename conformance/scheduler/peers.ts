/** A real kube-apiserver on `k1m serve`, and a real kube-scheduler that is asked one pod at a time. */
import { join } from 'node:path';
import { NAMESPACES } from '../../src/scheduler/model/plan-fixture.ts';
import { HEAVY_OVERHEAD, PRIORITY_CLASSES } from '../../src/scheduler/model/pod-fixture.ts';
import { PROFILES } from '../../src/scheduler/model/profile-fixture.ts';
import type { JsonObject, KubeClient } from '../kubernetes/kube-client.ts';
import { openPlane } from '../kubernetes/open-plane.ts';
import { Children } from '../lab/child.ts';
import { until } from '../lab/wait.ts';
import { configurationOf } from './configuration.ts';
import { PodWatch } from './pod-watch.ts';
import { SchedulerLog } from './scheduler-log.ts';

const readyTimeoutMs = 30_000;

/** Admission that other controllers would have to answer: taints of new nodes, service accounts, protected volumes. */
const disabledAdmission =
  '--disable-admission-plugins=TaintNodesByCondition,ServiceAccount,StorageObjectInUseProtection,DefaultStorageClass';

export interface Peers {
  readonly client: KubeClient;
  readonly log: SchedulerLog;
  readonly pods: PodWatch;
  /** Throws when one of them has ended. */
  readonly assertRunning: () => void;
  readonly stop: () => Promise<void>;
}

export async function startPeers(folder: string): Promise<Peers> {
  const children = new Children(folder);
  const { plane } = await openPlane({
    children,
    folder,
    users: [{ name: 'system:kube-scheduler' }],
    apiServerArgs: [disabledAdmission, '--max-requests-inflight=2000', '--max-mutating-requests-inflight=2000'],
  });
  await createGivens(plane.client);
  const child = plane.startScheduler(['-v=4', '--vmodule=schedule_one=10'], (kubeconfig) =>
    configurationOf(kubeconfig, PROFILES),
  );
  const log = new SchedulerLog(join(folder, 'kube-scheduler.log'));
  const pods = new PodWatch(plane.client);
  pods.start();
  await until('kube-scheduler to be ready', { timeoutMs: readyTimeoutMs, everyMs: 50 }, async () => {
    child.assertRunning();
    return isReady(plane.client);
  });
  return {
    client: plane.client,
    log,
    pods,
    assertRunning: () => plane.assertRunning(),
    stop: async () => {
      await pods.stop();
      log.close();
      plane.client.close();
      await children.endAll(['kube-scheduler', 'kube-apiserver']);
    },
  };
}

async function createGivens(client: KubeClient): Promise<void> {
  for (const name of NAMESPACES) await client.create('/api/v1/namespaces', { metadata: { name } });
  for (const [name, value, preemptionPolicy] of PRIORITY_CLASSES) {
    await client.create('/apis/scheduling.k8s.io/v1/priorityclasses', { metadata: { name }, value, preemptionPolicy });
  }
  await client.create('/apis/node.k8s.io/v1/runtimeclasses', {
    metadata: { name: 'heavy' },
    handler: 'heavy',
    overhead: { podFixed: HEAVY_OVERHEAD as JsonObject },
  });
}

/** Whether it schedules: a first pod, without a node to run on, is told so. */
async function isReady(client: KubeClient): Promise<boolean | string> {
  const path = '/api/v1/namespaces/default/pods';
  const probe = { metadata: { name: 'probe' }, spec: { containers: [{ name: 'c', image: 'app:v1' }] } };
  try {
    const pod = await client.get(`${path}/probe`);
    if (pod.status?.conditions?.some(({ type }) => type === 'PodScheduled') !== true) return 'not looked at yet';
    await client.delete(`${path}/probe?gracePeriodSeconds=0`);
    return true;
  } catch {
    await client.create(path, probe);
    return 'just created';
  }
}
