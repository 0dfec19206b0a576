// What the scheduler tells while the API server refuses it, is away, or does not let it follow.

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { SimulatedClock } from '../../testing/clock.ts';
import { DEFAULT_PROFILE } from '../model/scheduler-profile.ts';
import { type BindFault, FakeKubeApi } from './fake-kube-api-fixture.ts';
import { Scheduler } from './scheduler.ts';
import { answerStatus } from './status-pages.ts';

class Lab {
  readonly clock = new SimulatedClock();
  readonly cluster = new FakeKubeApi(this.clock);
  readonly told: string[] = [];
  readonly scheduler = new Scheduler({
    api: this.cluster.api,
    clock: this.clock,
    profiles: [{ ...DEFAULT_PROFILE, preempts: false }],
    instance: 'test',
    notices: {
      onProblem: (resource, text) => this.told.push(`${resource}: ${text}`),
      onSynced: () => {},
      onBindingFailed: () => {},
      onPreemptionFailed: () => {},
    },
  });

  constructor(fault: BindFault, pods: number) {
    this.cluster.nextFault = () => fault;
    this.scheduler.start();
    this.cluster.createNode('n1', '100');
    for (let i = 0; i < pods; i++) this.cluster.createPod(`p${i}`, '1');
  }

  page(target: string): string {
    const sources = {
      scheduler: () => this.scheduler,
      api: { ...this.cluster.api, requestCounts: () => [] },
      configuration: {},
      leaseName: 'mine',
      cpuSeconds: () => 0,
      residentBytes: () => 0,
      nowMs: () => this.clock.nowMs(),
    };
    const { status, body } = answerStatus(sources, { method: 'GET', target });
    return `${status} ${body}`;
  }
}

describe('a scheduler in trouble', () => {
  for (const fault of ['refused', 'unreachable'] as const) {
    it(`tells of bindings that are ${fault} in few lines, is unready, and says so in metrics, until they are accepted`, async () => {
      const lab = new Lab(fault, 40);
      await lab.clock.pass(25_000);
      assert.match(lab.page('/readyz'), /^200 ok$/);
      await lab.clock.pass(100_000);
      assert.match(lab.told[0], /^pods: bindings: (?:pod p\d+ is forbidden|connection refused)$/);
      assert.ok(lab.told.length >= 2 && lab.told.length <= 14, `${lab.told.length} lines`);
      assert.match(lab.page('/readyz'), /^500 .*^\[-\]bindings failed: not accepted for 12\d s$/ms);
      const metrics = lab.page('/metrics');
      assert.match(metrics, new RegExp(`^k1m_scheduler_binding_failures_total\\{reason="${fault}"\\} [1-9]`, 'm'));
      assert.match(metrics, /^k1m_scheduler_binding_failing_seconds 12\d$/m);
      assert.match(metrics, /^leader_election_master_status\{name="mine"\} 1$/m);
      lab.cluster.nextFault = () => 'none';
      await lab.clock.pass(60_000);
      assert.equal(lab.cluster.bindings.length, 40);
      assert.match(lab.told.at(-1) ?? '', /^pods: bindings: accepted again after 1\d\d s$/);
      assert.match(lab.page('/readyz'), /^200 ok$/);
      assert.match(lab.page('/metrics'), /^k1m_scheduler_binding_failing_seconds 0$/m);
      lab.scheduler.close();
    });
  }

  it('is unready while a collection cannot be followed, and names it without saying why', async () => {
    const lab = new Lab('none', 1);
    await lab.clock.pass(1000);
    lab.cluster.trouble = { text: 'pods is forbidden: a secret', sinceMs: 1000 };
    await lab.clock.pass(29_000);
    assert.match(lab.page('/readyz'), /^200 ok$/);
    await lab.clock.pass(10_000);
    assert.match(lab.page('/readyz'), /^500 .*^\[-\]watches failed: not followed for up to 39 s: nodes, /ms);
    assert.ok(!lab.page('/readyz').includes('secret'));
    assert.match(lab.page('/metrics'), /^k1m_scheduler_watch_failing_seconds\{resource="pods"\} 39$/m);
    lab.scheduler.close();
  });
});
