// How many cases of a property are run, and from which seed: K1M_RUNS and K1M_SEED. A failure of fast-check tells its seed, which repeats it.

export interface PropertyRuns {
  readonly numRuns: number;
  readonly seed?: number;
}

type Environment = Readonly<Record<string, string | undefined>>;

/** `runs`: where K1M_RUNS is not set. Another seed each time where K1M_SEED is not. */
export function propertyRuns(runs: number, { K1M_RUNS, K1M_SEED }: Environment): PropertyRuns {
  return { numRuns: Number(K1M_RUNS ?? runs), ...(K1M_SEED === undefined ? {} : { seed: Number(K1M_SEED) }) };
}
