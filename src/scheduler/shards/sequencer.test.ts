// Limits of a sequencer, with one shard whose messages wait until they are asked for.

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { readNode } from '../model/node-object.ts';
import { mustRead } from '../model/plan-fixture.ts';
import { readPod } from '../model/pod-reader.ts';
import { DEFAULT_PROFILE } from '../model/scheduler-profile.ts';
import { MERGE_LIMITS } from './merge-limits.ts';
import { Sequencer } from './sequencer.ts';
import { SEQUENCER_LIMITS, type SequencerLimits } from './sequencer-options.ts';
import { Shard } from './shard.ts';
import { MESSAGE_BYTES_MAX } from './shard-message.ts';
import { LOADING_LIMITS } from './shard-seat.ts';

class OneShard {
  readonly sequencer: Sequencer;
  readonly #shard = new Shard();
  /** Of the longest message to the shard. */
  longest = 0;

  constructor(limits?: SequencerLimits) {
    this.sequencer = new Sequencer([DEFAULT_PROFILE], {
      shardCount: 1,
      epoch: 1,
      limits,
      onOutput: () => {},
      onAnswered: () => {},
      onLost: (_, reason) => assert.fail(reason),
    });
  }

  addNode(name: string, labels: Readonly<Record<string, string>> = {}, cpu = '2'): void {
    const metadata = { name, uid: name, labels: { 'kubernetes.io/hostname': name, ...labels } };
    const status = { allocatable: { cpu, memory: '8Gi', pods: '10' } };
    this.sequencer.kernel.apply({ kind: 'node-set', node: mustRead(readNode({ metadata, status })) });
  }

  /** One that keeps away from others like it. */
  addPodApart(name: string, nodeName?: string): void {
    const term = { labelSelector: { matchLabels: { app: 'a' } }, topologyKey: 'kubernetes.io/hostname' };
    const affinity = { podAntiAffinity: { requiredDuringSchedulingIgnoredDuringExecution: [term] } };
    const metadata = { namespace: 'default', name, uid: name, labels: { app: 'a' } };
    const spec = { schedulerName: DEFAULT_PROFILE.schedulerName, affinity, containers: [{ name: 'c', image: 'i' }] };
    const pod = mustRead(readPod({ metadata, spec: nodeName === undefined ? spec : { ...spec, nodeName } }));
    this.sequencer.kernel.apply({ kind: 'pod-set', pod });
  }

  addPod(name: string): void {
    const containers = [{ name: 'c', image: 'i', resources: { requests: { cpu: '1' } } }];
    const metadata = { namespace: 'default', name, uid: name };
    const pod = mustRead(readPod({ metadata, spec: { schedulerName: DEFAULT_PROFILE.schedulerName, containers } }));
    this.sequencer.kernel.apply({ kind: 'pod-set', pod });
  }

  addNamespace(name: string, labels: Readonly<Record<string, string>>): void {
    const object = { kind: 'Namespace', name, labels: new Map(Object.entries(labels)) } as const;
    this.sequencer.kernel.apply({ kind: 'object-set', object });
  }

  join(): void {
    this.sequencer.joined(0);
    while (!this.sequencer.isWhole) this.exchange();
  }

  /** All that waits on both sides arrives. */
  exchange(): void {
    for (let message = this.sequencer.take(0); message !== undefined; message = this.sequencer.take(0)) {
      this.longest = Math.max(this.longest, message.length);
      this.#shard.receive(message);
    }
    const said = this.#shard.take();
    if (said !== undefined) this.sequencer.receive(0, said);
  }
}

describe('a sequencer', () => {
  it('waits for an answer however often it is asked meanwhile', () => {
    const one = new OneShard();
    one.addNode('n');
    one.addPod('p');
    one.join();
    for (let n = 0; n < 100; n++) assert.equal(one.sequencer.decide('p').kind, 'awaited');
    one.exchange();
    assert.equal(one.sequencer.decide('p').kind, 'bound');
    const { questions, standIns } = one.sequencer.figures;
    assert.deepEqual({ questions, standIns }, { questions: 1, standIns: 0 });
  });

  it('asks again when more nodes have come than it may look at itself', () => {
    const one = new OneShard();
    one.addNode('n');
    one.addPod('p');
    one.join();
    one.sequencer.decide('p');
    one.exchange();
    for (let n = 0; n < MERGE_LIMITS.exceptionsMax; n++) one.addNode(`new-${n}`);
    assert.equal(one.sequencer.decide('p').kind, 'bound');
    one.addNode('last');
    assert.equal(one.sequencer.decide('p').kind, 'awaited');
    one.exchange();
    assert.equal(one.sequencer.decide('p').kind, 'bound');
    assert.equal(one.sequencer.figures.questions, 2);
  });

  it('does not ask again for what it has been told already', () => {
    const one = new OneShard({ ...SEQUENCER_LIMITS, listFirst: 1, listMax: 1 });
    one.addNode('large', {}, '64');
    for (let n = 0; n < 5; n++) one.addNode(`n${n}`);
    one.addPodApart('there', 'large');
    one.join();
    one.addPodApart('p');
    // The best node, which is the only one that is listed, is not for this pod.
    assert.equal(one.sequencer.decide('p').kind, 'awaited');
    one.exchange();
    assert.equal(one.sequencer.decide('p').kind, 'bound');
    const { questions, standIns } = one.sequencer.figures;
    assert.deepEqual({ questions, standIns }, { questions: 1, standIns: 1 });
  });

  it('tells a new shard of nodes and namespaces that have nothing in common in messages of a length that it takes', () => {
    const one = new OneShard();
    const value = 'v'.repeat(63);
    const labels = Object.fromEntries(Array.from({ length: 128 }, (_, n) => [`example.com/${n}`, value]));
    for (let n = 0; n < LOADING_LIMITS.loadingSlots; n++) one.addNode(`n${n}`, { ...labels, 'example.com/of': `${n}` });
    for (let n = 0; n < 1_000; n++) one.addNamespace(`of-${n}`, labels);
    one.join();
    const bytesOfOne = 20_000;
    assert.ok(one.longest <= LOADING_LIMITS.loadingBytes + bytesOfOne, `${one.longest}`);
    assert.ok(one.longest < MESSAGE_BYTES_MAX);
  });
});
