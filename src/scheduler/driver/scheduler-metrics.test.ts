import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { SimulatedClock } from '../../testing/clock.ts';
import { DEFAULT_PROFILE } from '../model/scheduler-profile.ts';
import { type BindFault, FakeKubeApi } from './fake-kube-api-fixture.ts';
import { Scheduler } from './scheduler.ts';
import { metricsOf } from './scheduler-metrics.ts';

const PROFILE = { ...DEFAULT_PROFILE, preempts: false };

/** The lines of metrics of a name, sums and bounded buckets left out. */
function linesOf(text: string, ...names: readonly string[]): string[] {
  return text
    .split('\n')
    .filter((line) => names.some((name) => new RegExp(`^scheduler_${name}(_count|_total)?[ {]`).test(line)))
    .sort();
}

describe('the metrics of a scheduler', () => {
  async function after(
    play: (cluster: FakeKubeApi, pass: (ms: number) => Promise<void>) => Promise<void>,
  ): Promise<string> {
    const clock = new SimulatedClock();
    const cluster = new FakeKubeApi(clock);
    const scheduler = new Scheduler({
      api: cluster.api,
      clock,
      profiles: [PROFILE, { ...PROFILE, schedulerName: 'other' }],
      instance: 'test',
      notices: { onProblem: () => {}, onSynced: () => {}, onBindingFailed: () => {}, onPreemptionFailed: () => {} },
    });
    scheduler.start();
    await play(cluster, (ms) => clock.pass(ms));
    const process = { cpuSeconds: () => 1, residentBytes: () => 2, nowMs: () => clock.nowMs() };
    const text = metricsOf(
      { api: { ...cluster.api, requestCounts: () => [] }, leaseName: undefined, ...process },
      scheduler,
    );
    scheduler.close();
    return text;
  }

  it("are kube-scheduler's by name and label: attempts, queues, what refuses the pods that wait", async () => {
    const text = await after(async (cluster, pass) => {
      cluster.createNode('n1', '4');
      cluster.createPod('a', '1');
      cluster.createPod('large', '8');
      cluster.createPod('larger', '9', { schedulerName: 'other' });
      cluster.createPod('gated', '1', { schedulingGates: [{ name: 'g' }] });
      await pass(1000);
    });
    assert.deepEqual(linesOf(text, 'schedule_attempts', 'scheduling_attempt_duration_seconds'), [
      'scheduler_schedule_attempts_total{profile="default-scheduler",result="error"} 0',
      'scheduler_schedule_attempts_total{profile="default-scheduler",result="scheduled"} 1',
      'scheduler_schedule_attempts_total{profile="default-scheduler",result="unschedulable"} 1',
      'scheduler_schedule_attempts_total{profile="other",result="error"} 0',
      'scheduler_schedule_attempts_total{profile="other",result="scheduled"} 0',
      'scheduler_schedule_attempts_total{profile="other",result="unschedulable"} 1',
      'scheduler_scheduling_attempt_duration_seconds_count{profile="default-scheduler",result="scheduled"} 1',
      'scheduler_scheduling_attempt_duration_seconds_count{profile="default-scheduler",result="unschedulable"} 1',
      'scheduler_scheduling_attempt_duration_seconds_count{profile="other",result="unschedulable"} 1',
    ]);
    assert.deepEqual(linesOf(text, 'queue_incoming_pods', 'pending_pods', 'unschedulable_pods'), [
      'scheduler_pending_pods{queue="active"} 0',
      'scheduler_pending_pods{queue="backoff"} 0',
      'scheduler_pending_pods{queue="gated"} 1',
      'scheduler_pending_pods{queue="unschedulable"} 2',
      'scheduler_queue_incoming_pods_total{event="ScheduleAttemptFailure",queue="unschedulable"} 2',
      'scheduler_queue_incoming_pods_total{event="UnschedulablePodAdd",queue="active"} 3',
      'scheduler_queue_incoming_pods_total{event="UnschedulablePodAdd",queue="unschedulable"} 1',
      'scheduler_unschedulable_pods{plugin="NodeResourcesFit",profile="default-scheduler"} 1',
      'scheduler_unschedulable_pods{plugin="NodeResourcesFit",profile="other"} 1',
    ]);
    assert.deepEqual(
      linesOf(
        text,
        'scheduling_algorithm_duration_seconds',
        'pod_scheduling_attempts',
        'pod_scheduling_sli_duration_seconds',
      ),
      [
        'scheduler_pod_scheduling_attempts_count 1',
        'scheduler_pod_scheduling_sli_duration_seconds_count{attempts="1"} 1',
        'scheduler_scheduling_algorithm_duration_seconds_count 3',
      ],
    );
  });

  it('tell how long volumes and pods take to be bound', async () => {
    const text = await after(async (cluster, pass) => {
      // A volume is made, and then its claim is bound.
      cluster.storage.controllerDelayMs = 3000;
      cluster.storage.storageClass('made', 'example.com/provisioner');
      cluster.storage.claim('c');
      cluster.createNode('n1', '4');
      const faults: BindFault[] = ['unreachable'];
      cluster.nextFault = () => faults.shift() ?? 'none';
      cluster.createPod('a', '1', { volumes: [{ name: 'data', persistentVolumeClaim: { claimName: 'c' } }] });
      await pass(20_000);
    });
    for (const [point, seconds] of [
      ['PreBind', 6],
      ['Bind', 1],
    ] as const) {
      const labels = `extension_point="${point}",profile="default-scheduler",status="Success"`;
      const sum = new RegExp(`^scheduler_framework_extension_point_duration_seconds_sum{${labels}} (.*)$`, 'm');
      assert.equal(Math.floor(Number(sum.exec(text)?.[1])), seconds, point);
    }
  });

  it('count every attempt of a pod, also those whose binding failed', async () => {
    const text = await after(async (cluster, pass) => {
      const fates: BindFault[] = ['refused'];
      cluster.createPod('a', '1');
      await pass(1000);
      cluster.nextFault = () => fates.shift() ?? 'none';
      cluster.createNode('n1', '4');
      await pass(20_000);
    });
    assert.deepEqual(linesOf(text, 'schedule_attempts').slice(0, 3), [
      'scheduler_schedule_attempts_total{profile="default-scheduler",result="error"} 1',
      'scheduler_schedule_attempts_total{profile="default-scheduler",result="scheduled"} 1',
      'scheduler_schedule_attempts_total{profile="default-scheduler",result="unschedulable"} 1',
    ]);
    assert.deepEqual(linesOf(text, 'pod_scheduling_sli_duration_seconds'), [
      'scheduler_pod_scheduling_sli_duration_seconds_count{attempts="3"} 1',
    ]);
    assert.match(text, /^scheduler_pod_scheduling_attempts_sum 3$/m);
    const bind = 'extension_point="Bind",profile="default-scheduler"';
    assert.deepEqual(linesOf(text, 'framework_extension_point_duration_seconds'), [
      `scheduler_framework_extension_point_duration_seconds_count{${bind},status="Error"} 1`,
      `scheduler_framework_extension_point_duration_seconds_count{${bind},status="Success"} 1`,
    ]);
    assert.deepEqual(linesOf(text, 'queue_incoming_pods'), [
      'scheduler_queue_incoming_pods_total{event="BackoffComplete",queue="active"} 2',
      'scheduler_queue_incoming_pods_total{event="NodeAdd",queue="backoff"} 1',
      'scheduler_queue_incoming_pods_total{event="ScheduleAttemptFailure",queue="backoff"} 1',
      'scheduler_queue_incoming_pods_total{event="ScheduleAttemptFailure",queue="unschedulable"} 1',
      'scheduler_queue_incoming_pods_total{event="UnschedulablePodAdd",queue="active"} 1',
    ]);
  });
});
