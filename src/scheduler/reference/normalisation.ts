// Upstream's default normalisation (framework/plugins/helper/normalize_score.go), and the ends of a list that may be too long
// to be spread into arguments.

import { hundredths } from '../model/division.ts';

/** The highest becomes 100; all 0 stays all 0. Raw scores are not negative. */
export function scaledToHighest(raw: readonly number[]): number[] {
  const highest = mostOf(raw, 0);
  return highest === 0 ? [...raw] : raw.map((score) => hundredths(score, highest));
}

/** The highest becomes 0; all 0 becomes all 100. */
export function scaledFromHighest(raw: readonly number[]): number[] {
  const highest = mostOf(raw, 0);
  return highest === 0 ? raw.map(() => 100) : raw.map((score) => 100 - hundredths(score, highest));
}

/** The largest, and at least `floor`. */
export function mostOf(values: Iterable<number>, floor: number = Number.NEGATIVE_INFINITY): number {
  let most = floor;
  for (const value of values) if (value > most) most = value;
  return most;
}

/** The smallest; infinity of nothing. */
export function leastOf(values: Iterable<number>): number {
  let least = Number.POSITIVE_INFINITY;
  for (const value of values) if (value < least) least = value;
  return least;
}
