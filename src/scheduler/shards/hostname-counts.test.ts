// What is counted by hostname is counted in shards, of pods and terms that they were told of: few hostnames, which nodes share and change, and few kinds of pods that keep
// away from each other, in namespaces whose labels change. The kernel alone against sequencers; K1M_RUNS histories from K1M_SEED on.

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Random } from '../../testing/random.ts';
import { Kernel } from '../kernel/kernel.ts';
import { readClusterObject } from '../model/cluster-objects.ts';
import { boundTo, type ClusterCommand } from '../model/command.ts';
import { readNode } from '../model/node-object.ts';
import { mustRead } from '../model/plan-fixture.ts';
import type { PodObject } from '../model/pod-object.ts';
import { readPod } from '../model/pod-reader.ts';
import { DEFAULT_PROFILE } from '../model/scheduler-profile.ts';
import { SimulatedShards, type Weather } from './simulated-shards-fixture.ts';

const RUNS = Number(process.env.K1M_RUNS ?? 20);
const SEED = Number(process.env.K1M_SEED ?? 1);
const TURNS = 80;
const NODES = 9;
const HOSTNAME = 'kubernetes.io/hostname';
const WEATHER: Weather = { loss: 0.0003, stall: 0, delay: 0.1 };
const LIMITS = [undefined, { exceptionsMax: 2, listFirst: 1, listMax: 8, loadingSlots: 1, loadingBytes: 1 }];
const PROFILE = { ...DEFAULT_PROFILE, preempts: false };

const app = (name: string): object => ({ matchLabels: { app: name } });
const apart = (labelSelector: object, more: object = {}): object => ({
  affinity: {
    podAntiAffinity: {
      requiredDuringSchedulingIgnoredDuringExecution: [{ topologyKey: HOSTNAME, labelSelector, ...more }],
    },
  },
});
const spread = (whenUnsatisfiable: string): object => ({
  topologySpreadConstraints: [{ maxSkew: 1, topologyKey: HOSTNAME, whenUnsatisfiable, labelSelector: app('a') }],
});
const drawnTo = (weight: number): object => ({
  affinity: {
    podAffinity: {
      preferredDuringSchedulingIgnoredDuringExecution: [
        { weight, podAffinityTerm: { topologyKey: HOSTNAME, labelSelector: app('b') } },
      ],
    },
  },
});
/** Spec and label. */
const KINDS: readonly (readonly [object, string])[] = [
  [{}, 'a'],
  [{}, 'b'],
  [apart(app('a')), 'b'],
  [apart(app('b')), 'c'],
  [apart(app('a'), { namespaceSelector: { matchLabels: { team: 'red' } } }), 'b'],
  [apart(app('c')), 'c'],
  [spread('DoNotSchedule'), 'a'],
  [spread('ScheduleAnyway'), 'a'],
  [drawnTo(30), 'a'],
];

class History {
  readonly #random: Random;
  readonly #kernel = new Kernel([PROFILE]);
  readonly #twins: readonly SimulatedShards[];
  readonly #placed: string[] = [];
  bound = 0;
  questions = 0;

  constructor(seed: number) {
    const random = new Random(seed);
    this.#random = random;
    const limits = random.pick(LIMITS);
    this.#twins = [2, 3, 5].map(
      (shardCount) =>
        new SimulatedShards([PROFILE], { shardCount, indexBytesMax: undefined, limits, random, weather: WEATHER }),
    );
    for (let node = 0; node < NODES; node++) this.#setNode(node, `n${node}`);
  }

  play(): void {
    for (let turn = 0; turn < TURNS; turn++) this.#turn(turn);
    for (const { sequencer, reasons } of this.#twins) {
      // None was found to be wrong.
      assert.ok(
        reasons.every((reason) => reason === 'lost by chance'),
        `${reasons}`,
      );
      this.questions += sequencer.figures.questions;
    }
  }

  #turn(turn: number): void {
    const random = this.#random;
    const draw = random.fraction();
    if (draw < 0.7) this.#place(`p${turn}`, random.pick(KINDS));
    else if (draw < 0.82 && this.#placed.length > 0) {
      const at = random.between(0, this.#placed.length - 1);
      this.#apply({ kind: 'pod-deleted', uid: this.#placed.splice(at, 1)[0] });
    } else if (draw < 0.92) {
      const node = random.between(0, NODES - 1);
      const hostname = random.chance(0.4) ? `shared-${random.between(0, 2)}` : `n${node}`;
      this.#setNode(node, random.chance(0.2) ? undefined : hostname);
    } else if (draw < 0.95) this.#apply({ kind: 'node-deleted', name: `n${random.between(0, NODES - 1)}` });
    else {
      const metadata = { name: random.pick(['ns1', 'ns2']), labels: { team: random.pick(['red', 'blue']) } };
      this.#apply({ kind: 'object-set', object: mustRead(readClusterObject('Namespace', { metadata })) });
    }
  }

  #place(name: string, [spec, label]: (typeof KINDS)[number]): void {
    const pod: PodObject = mustRead(
      readPod({
        metadata: { namespace: this.#random.pick(['ns1', 'ns2']), name, uid: name, labels: { app: label } },
        spec: {
          schedulerName: PROFILE.schedulerName,
          containers: [{ name: 'c', image: 'i', resources: { requests: { cpu: '100m' } } }],
          ...spec,
        },
      }),
    );
    this.#apply({ kind: 'pod-set', pod });
    const decision = this.#kernel.decide(name);
    for (const twin of this.#twins) assert.deepEqual(twin.decide(name), decision);
    if (decision.kind !== 'bound') {
      this.#apply({ kind: 'pod-deleted', uid: name });
      return;
    }
    this.bound++;
    this.#placed.push(name);
    this.#apply({ kind: 'pod-set', pod: boundTo(pod, decision.node) });
  }

  #setNode(node: number, hostname: string | undefined): void {
    const labels = hostname === undefined ? {} : { [HOSTNAME]: hostname };
    const metadata = { name: `n${node}`, uid: `n${node}`, labels };
    const status = { allocatable: { cpu: '4', memory: '8Gi', pods: '20' } };
    this.#apply({ kind: 'node-set', node: mustRead(readNode({ metadata, status })) });
  }

  #apply(command: ClusterCommand): void {
    this.#kernel.apply(command);
    for (const twin of this.#twins) twin.apply(command);
  }
}

describe('counts by hostname in shards', () => {
  it('are those of the kernel alone', (context) => {
    let bound = 0;
    let questions = 0;
    for (let seed = SEED; seed < SEED + RUNS; seed++) {
      const history = new History(seed);
      try {
        history.play();
      } catch (error) {
        const repeat = `K1M_RUNS=1 K1M_SEED=${seed} node --test src/scheduler/shards/hostname-counts.test.ts`;
        throw new Error(`repeat it with: ${repeat}`, { cause: error });
      }
      bound += history.bound;
      questions += history.questions;
    }
    context.diagnostic(`${RUNS} histories: ${bound} pods placed, ${questions} questions`);
    assert.ok(questions > bound / 2);
  });
});
