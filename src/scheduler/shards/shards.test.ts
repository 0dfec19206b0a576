// The same decisions, to the node, by the kernel alone and by sequencers with any number of shards, on random clusters of every feature mixed; in any weather.
// K1M_RUNS clusters of K1M_SEED.

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { propertyRuns } from '../../testing/property-runs.ts';
import { Random } from '../../testing/random.ts';
import { type Counts, NO_COUNTS, Pair } from '../kernel/kernel-pair-fixture.ts';
import { FILTERS, play, profilesWith, SHUFFLED, turn } from '../kernel/kernel-play-fixture.ts';
import { clusterPlan } from '../model/plan-fixture.ts';
import { PROFILES } from '../model/profile-fixture.ts';
import type { SequencerLimits } from './sequencer-options.ts';
import { CALM, SimulatedShards, type Weather } from './simulated-shards-fixture.ts';

const RUNS = propertyRuns(30, process.env);
const STORM: Weather = { loss: 0.02, stall: 0.01, delay: 0.5 };
/** So that lists are used up, and indexes have seen too many changes, all the time; or never. */
const LIMITS: readonly (SequencerLimits | undefined)[] = [
  { exceptionsMax: 2, listFirst: 1, listMax: 4, loadingSlots: 1, loadingBytes: 1 },
  { exceptionsMax: 16, listFirst: 1, listMax: 1, loadingSlots: 2, loadingBytes: 1_000 },
  undefined,
];
const names = [...PROFILES, ...SHUFFLED].map(({ schedulerName }) => schedulerName);

interface Sums {
  questions: number;
  standIns: number;
  losses: number;
}

/** Plays random clusters to the kernel and to sequencers with so many shards. */
function compare(
  shardCounts: readonly number[],
  weather: Weather,
): { counts: Counts; sums: Sums; reasons: Set<string> } {
  const counts: Counts = { ...NO_COUNTS };
  const sums: Sums = { questions: 0, standIns: 0, losses: 0 };
  const reasons = new Set<string>();
  fc.assert(
    fc.property(
      fc.tuple(clusterPlan(), clusterPlan()),
      fc.subarray(names, { minLength: 1 }),
      fc.array(turn, { minLength: 10, maxLength: 40 }),
      fc.constantFrom(1, 1 << 20),
      fc.constantFrom(0, 20_000, 90_000),
      fc.shuffledSubarray([...FILTERS], { minLength: FILTERS.length - 2 }),
      fc.constantFrom(...LIMITS),
      fc.nat(1 << 30),
      (plans, schedulerNames, turns, indexBytesMax, tickMs, filters, limits, seed) => {
        const profiles = profilesWith(filters);
        const random = new Random(seed);
        const twins = shardCounts.map(
          (shardCount) => new SimulatedShards(profiles, { shardCount, indexBytesMax, limits, random, weather }),
        );
        play(new Pair(counts, profiles, indexBytesMax, twins), plans, schedulerNames, turns, tickMs);
        for (const { sequencer, reasons: told } of twins) {
          if (weather === CALM) assert.deepEqual(told, []);
          const { questions, standIns, losses } = sequencer.figures;
          sums.questions += questions;
          sums.standIns += standIns;
          sums.losses += losses;
          for (const reason of told) reasons.add(reason);
        }
      },
    ),
    RUNS,
  );
  return { counts, sums, reasons };
}

describe('shards', () => {
  it('decide as the kernel alone does, however many they are', (context) => {
    const { counts, sums } = compare([1, 2, 3, 7], CALM);
    context.diagnostic(`${RUNS.numRuns} clusters: ${JSON.stringify({ ...counts, ...sums })}`);
    assert.ok(sums.questions > counts.bound + counts.unschedulable, 'shards were asked');
  });

  it('decide so when shards are lost, stand still and come again', (context) => {
    const { counts, sums, reasons } = compare([1, 2, 3], STORM);
    context.diagnostic(`${RUNS.numRuns} clusters: ${JSON.stringify({ ...counts, ...sums })} ${[...reasons]}`);
    // None was found to be wrong.
    assert.ok(
      [...reasons].every((reason) => /^lost by chance|^it has said nothing/.test(reason)),
      `${[...reasons]}`,
    );
    assert.ok(sums.losses > 0 && sums.standIns > 0 && sums.questions > sums.standIns);
  });
});
