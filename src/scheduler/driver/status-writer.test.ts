import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { KubeApi, ObjectIdentity, SchedulerEvent, WriteOutcome } from '../../kube-api/kube-api.ts';
import { SimulatedClock } from '../../testing/clock.ts';
import { StatusWriter } from './status-writer.ts';

const POD = { namespace: 'default', name: 'p', uid: 'p', generation: 1, isToldUnplaced: false };

describe('what is written about pods', () => {
  it('says of which generation it is, and since when the pod has no place', async () => {
    const clock = new SimulatedClock();
    const times: unknown[] = [];
    const done: WriteOutcome = { kind: 'done', object: {} };
    const api: Partial<KubeApi> = {
      patchPodStatus: (_, { conditions = [] }) => {
        const [{ message, observedGeneration, lastTransitionTime }] = conditions;
        times.push([message, observedGeneration, lastTransitionTime !== undefined]);
        return Promise.resolve(done);
      },
      createEvent: () => Promise.resolve(done),
    };
    let leadsUntilMs = 0;
    const writer = new StatusWriter({ api: api as KubeApi, clock, leadsUntilMs: () => leadsUntilMs, instance: 'me' });
    const refuse = (pod: typeof POD, message: string): void =>
      writer.refused(pod, 'default-scheduler', 'Unschedulable', message);
    refuse(POD, 'not sent yet');
    refuse(POD, 'a');
    leadsUntilMs = 60_000;
    refuse(POD, 'b');
    await clock.pass(1);
    refuse({ ...POD, generation: 2 }, 'c');
    refuse({ ...POD, uid: 'q', generation: 0, isToldUnplaced: true }, 'd');
    await clock.pass(1);
    assert.deepEqual(times, [
      ['b', 1, true],
      ['c', 2, false],
      ['d', undefined, false],
    ]);
    writer.close();
  });

  it('is not sent by a scheduler that may lead no longer, and is once it leads on', async () => {
    const clock = new SimulatedClock();
    const sent: string[] = [];
    const answers: (() => void)[] = [];
    const api: Partial<KubeApi> = {
      patchPodStatus: ({ name }: ObjectIdentity) =>
        new Promise<WriteOutcome>((resolve) => {
          sent.push(name);
          answers.push(() => resolve({ kind: 'done', object: {} }));
        }),
    };
    let leadsUntilMs = 1000;
    // Nominations that are taken back need no other method.
    const writer = new StatusWriter({ api: api as KubeApi, clock, leadsUntilMs: () => leadsUntilMs, instance: 'me' });
    const lose = (name: string): void => writer.nominationLost({ namespace: 'default', name, uid: name });
    for (let i = 0; i < 20; i++) lose(`a${i}`);
    assert.equal(sent.length, 16);
    await clock.pass(1000);
    for (const answer of answers) answer();
    lose('b');
    await clock.pass(1000);
    assert.equal(sent.length, 16, 'it may lead no longer');
    leadsUntilMs = 5000;
    lose('c');
    await clock.pass(1);
    assert.deepEqual(sent.slice(16), ['a16', 'a17', 'a18', 'a19', 'b', 'c']);
    writer.close();
  });

  it('is a condition first: events are left out before', async () => {
    const clock = new SimulatedClock();
    const sent: string[] = [];
    const done: WriteOutcome = { kind: 'done', object: {} };
    const api: Partial<KubeApi> = {
      patchPodStatus: ({ name }: ObjectIdentity) => {
        sent.push(`condition ${name}`);
        return Promise.resolve(done);
      },
      createEvent: ({ regarding }: SchedulerEvent) => {
        sent.push(`event ${regarding.name}`);
        return Promise.resolve(done);
      },
    };
    let leadsUntilMs = 0;
    const writer = new StatusWriter({ api: api as KubeApi, clock, leadsUntilMs: () => leadsUntilMs, instance: 'me' });
    const refuse = (name: string): void =>
      writer.refused({ ...POD, name, uid: name }, 'default-scheduler', 'Unschedulable', 'no node fits');
    const pods = Array.from({ length: 12_000 }, (_, index) => `p${index}`);
    for (const name of pods) refuse(name);
    leadsUntilMs = 1000;
    refuse('last');
    await clock.pass(1);
    const conditions = [...pods, 'last'].map((name) => `condition ${name}`);
    const events = [...pods, 'last'].slice(-10_000).map((name) => `event ${name}`);
    assert.deepEqual(sent, [...conditions, ...events]);
    writer.close();
  });

  it('is written at the next attempt when it was left out because too much waited', async () => {
    const clock = new SimulatedClock();
    const sent: string[] = [];
    const done: WriteOutcome = { kind: 'done', object: {} };
    const api: Partial<KubeApi> = {
      patchPodStatus: ({ name }: ObjectIdentity) => {
        sent.push(name);
        return Promise.resolve(done);
      },
      createEvent: () => Promise.resolve(done),
    };
    let leadsUntilMs = 0;
    const writer = new StatusWriter({ api: api as KubeApi, clock, leadsUntilMs: () => leadsUntilMs, instance: 'me' });
    const refuse = (name: string): void =>
      writer.refused({ ...POD, name, uid: name }, 'default-scheduler', 'Unschedulable', 'no node fits');
    // A condition and an event each. The condition of the first is the oldest of those that wait, and makes room for the last; of the events 10,000 wait.
    for (let i = 0; i <= 100_000; i++) refuse(`p${i}`);
    assert.equal(writer.dropped, 1 + 90_001);
    leadsUntilMs = 1000;
    refuse('p2');
    await clock.pass(1);
    assert.equal(sent.includes('p0'), false);
    refuse('p0');
    refuse('p3');
    await clock.pass(1);
    assert.equal(sent.filter((name) => name === 'p0').length, 1);
    assert.equal(sent.filter((name) => name === 'p3').length, 1, 'it had been written');
    writer.close();
  });
});
