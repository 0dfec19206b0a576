// What a pod that waits takes of the scheduler's heap, and what it costs to take it in: pods of one template, as the store's watch tells of them, and no decision.
//   node --expose-gc bench/waiting-pods.ts [--pods 500000]
// What the store's client keeps of each outside of the heap is not in it (kube-store/pod-bytes.ts, kube-api/known-objects.ts).

import { parseArgs } from 'node:util';
import { RealClock } from '../src/io/clock.ts';
import type { KubeApi, Lookalike, ReflectHandler } from '../src/kube-api/kube-api.ts';
import { Scheduler } from '../src/scheduler/driver/scheduler.ts';
import { DEFAULT_PROFILE } from '../src/scheduler/model/scheduler-profile.ts';

const { values } = parseArgs({ options: { pods: { type: 'string', default: '500000' } } });
const pods = Number(values.pods);
const { gc } = globalThis;
if (gc === undefined) throw new Error('to be run with --expose-gc');

const like = {
  metadata: { name: 'pod', namespace: 'default', uid: 'uid', resourceVersion: '1', labels: { app: 'web' } },
  spec: {
    schedulerName: DEFAULT_PROFILE.schedulerName,
    containers: [{ name: 'main', image: 'app:v1', resources: { requests: { cpu: '100m', memory: '64Mi' } } }],
  },
};
const scratch = Buffer.alloc(64);

/** One string, not a rope of several. */
function flat(text: string): string {
  return scratch.toString('latin1', 0, scratch.write(text, 'latin1'));
}

function podAt(index: number): Lookalike {
  const number = String(index).padStart(12, '0');
  return {
    like,
    namespace: 'default',
    name: flat(`lab-pod-${number.slice(-7)}`),
    uid: flat(`01234567-89ab-4cde-8f01-${number}`),
    resourceVersion: flat(String(3_000_000 + index)),
    nodeName: '',
    createdSeconds: 1_764_000_000,
    startedSeconds: -1,
    hostname: undefined,
  };
}

/** Nodes are there at once; pods never are in full, so that nothing is decided. */
let podHandler: ReflectHandler | undefined;
const api: Pick<KubeApi, 'reflect'> = {
  reflect(resource, handler) {
    if (resource === 'pods') podHandler = handler;
    else handler.onSynced();
    const counts = { lists: 0, watches: 0, events: 0, stale: 0, malformed: 0, failures: 0 };
    return { resource, isSynced: true, trouble: undefined, size: 0, counts, close: () => {} };
  },
};
const silent = { onProblem: () => {}, onSynced: () => {}, onBindingFailed: () => {}, onPreemptionFailed: () => {} };
const scheduler = new Scheduler({
  api: api as KubeApi,
  clock: new RealClock(),
  profiles: [DEFAULT_PROFILE],
  instance: 'bench',
  notices: silent,
});
scheduler.start();
gc();
const heapBefore = process.memoryUsage().heapUsed;
const cpuBefore = process.cpuUsage();
for (let i = 0; i < pods; i++) podHandler?.onAlike?.(podAt(i));
const { user, system } = process.cpuUsage(cpuBefore);
gc();
const bytes = (process.memoryUsage().heapUsed - heapBefore) / pods;
const waiting = scheduler.queue.counts.active;
process.stdout.write(
  `${waiting} pods wait: ${bytes.toFixed(0)} bytes of heap each, ${((user + system) / pods).toFixed(1)} µs of CPU to take one in\n`,
);
scheduler.close();
process.exitCode = waiting === pods ? 0 : 1;
