/** Steps that take something away under the running control plane, and what must hold afterwards. */
import { sleep, until } from '../lab/wait.ts';
import { compactionIntervalSeconds, eventTtlSeconds } from './control-plane.ts';
import * as manifests from './manifests.ts';
import { assertRefused, assertThat, kubectl, type Lab, type Step, storeRevision } from './step.ts';
import { rolledOut, workloads } from './workload-steps.ts';

const settleMs = 60_000;
const awayMs = 1_500;

/** A new workload still comes up, the nodes' leases and the ledger go on, the informers agree with the API server. */
async function goesOn(lab: Lab, name: string): Promise<void> {
  const sinceMs = Date.now();
  const { client, kubelet, ledger, plane } = lab;
  await until('the API to take writes', { timeoutMs: settleMs }, async () => {
    await client.create(workloads, manifests.deployment({ name, replicaCount: 20, image: 'registry.invalid/app:1' }));
    return true;
  });
  await rolledOut(lab, `${workloads}/${name}`, 20);
  await client.delete(`${workloads}/${name}`);
  await until('all node leases to be renewed', { timeoutMs: settleMs }, () => {
    const late = kubelet.lateCount(sinceMs);
    return late === 0 || `${late} late`;
  });
  await until('the ledger to go on', { timeoutMs: settleMs }, () => ledger.lastMs > sinceMs || 'no write');
  await ledger.check();
  await until('its pods to go', { timeoutMs: settleMs }, async () => {
    const { items } = await client.list(`/api/v1/namespaces/work/pods?labelSelector=app%3D${name}`);
    return items.length === 0 || String(items.length);
  });
  plane.assertRunning();
  const { items } = await client.list('/api/v1/nodes');
  const unready = items.filter((node) =>
    node.status?.conditions?.some(({ type, status }) => type === 'Ready' && status !== 'True'),
  );
  assertThat(unready.length === 0, `${unready.length} nodes are no longer ready`);
  checkInformers(lab);
}

function checkInformers(lab: Lab): void {
  const violations = [...lab.informers.flatMap((informer) => informer.violations), ...lab.kubelet.violations];
  assertThat(violations.length === 0, `informers saw:\n${violations.join('\n')}`);
}

async function restartApiServer(lab: Lab): Promise<string> {
  await lab.plane.stopApiServer();
  await lab.plane.startApiServer();
  const { code, stderr } = await kubectl(lab, 'get', 'deployments,nodes', '--all-namespaces');
  assertThat(code === 0, `kubectl get: ${stderr}`);
  await goesOn(lab, 'after-api-server');
  return '';
}

async function restartStore(lab: Lab, signal: 'SIGTERM' | 'SIGKILL'): Promise<string> {
  const { server } = lab.subject;
  if (server === undefined) return 'left out: the store is not ours to stop';
  const before = await storeRevision(lab);
  const stopMs = Date.now();
  await server.stop(signal);
  const stoppedMs = Date.now() - stopMs;
  await sleep(awayMs);
  const startMs = Date.now();
  await server.start();
  const readyMs = Date.now() - startMs;
  const after = await storeRevision(lab);
  assertThat(after >= before, `the store's revision was ${before} and is ${after}`);
  await goesOn(lab, signal === 'SIGKILL' ? 'after-store-kill' : 'after-store-stop');
  server.assertRunning();
  return `ended in ${stoppedMs} ms, healthy ${readyMs} ms after its start, revision ${before} then ${after}`;
}

async function compaction(lab: Lab): Promise<string> {
  const path = '/api/v1/namespaces/work/configmaps';
  const { metadata } = await lab.client.list(path);
  const limitMs = compactionIntervalSeconds * 1000 * 4;
  await until('that revision to be compacted', { timeoutMs: limitMs, everyMs: 2_000 }, async () => {
    const query = `resourceVersion=${metadata.resourceVersion}&resourceVersionMatch=Exact`;
    await assertRefused(
      410,
      'a list at a compacted revision',
      lab.client.list(`/api/v1/namespaces/work/events?${query}`),
    );
    return true;
  });
  checkInformers(lab);
  return '';
}

async function eventExpiry(lab: Lab): Promise<string> {
  const path = '/api/v1/namespaces/work/events';
  const count = async (): Promise<number> => (await lab.client.list(path)).items.length;
  const before = await count();
  // One lease is shared by the events of up to a minute, and counts from the last.
  await until('the events to expire', { timeoutMs: (eventTtlSeconds + 120) * 1000, everyMs: 2_000 }, async () => {
    const now = await count();
    return now === 0 || `${now} left`;
  });
  return `${before} events`;
}

export async function finalAgreement(lab: Lab): Promise<string> {
  await lab.ledger.stop();
  await lab.ledger.check();
  await lab.ledger.clear();
  // Without renewals nothing changes any more; the nodes stay ready for longer than the rest of the run takes.
  await lab.kubelet.stop();
  for (const informer of lab.informers) {
    await until(`the informer of ${informer.path} to agree`, { timeoutMs: 30_000 }, async () => {
      const { items } = await lab.client.list(informer.path);
      const seen = informer.snapshot();
      const other = items.filter(({ metadata }) => {
        return seen.get(`${metadata.namespace ?? ''}/${metadata.name}`) !== metadata.resourceVersion;
      });
      return (
        (other.length === 0 && seen.size === items.length) || `${other.length} differ, ${seen.size} of ${items.length}`
      );
    });
  }
  checkInformers(lab);
  lab.plane.assertRunning();
  return `${lab.ledger.counts}; longest time between renewals of a node lease ${lab.kubelet.longestGapMs} ms`;
}

export const restartSteps: readonly Step[] = [
  { name: 'the API server is restarted', run: restartApiServer },
  { name: 'the store is stopped and started', run: (lab) => restartStore(lab, 'SIGTERM') },
  { name: 'the store is killed and started', run: (lab) => restartStore(lab, 'SIGKILL') },
  { name: 'old revisions are compacted', run: compaction },
  { name: 'Events expire', run: eventExpiry },
  { name: 'informers, ledger and API server agree', run: finalAgreement },
];
