// A whole `k1m bench`: one server measured once, or two measured in turn, and the keys removed whatever happens.

import { type BenchOptions, checkOptions } from './bench-options.ts';
import { BenchSubject, type BenchWorld } from './bench-subject.ts';
import type { RunResult } from './run-result.ts';

/** What is going on, for those who watch. */
export interface BenchProgress {
  /** `text` says what is done from now on, for about `seconds` (0: unknown). */
  onStage(text: string, seconds: number, subject: BenchSubject): void;
  onResult(result: RunResult): void;
}

/** The results of the rounds, for each endpoint. Rejects with OptionError, the first error of setup, or that of removing the keys. */
export async function runBench(
  world: BenchWorld,
  options: BenchOptions,
  progress: BenchProgress,
): Promise<RunResult[][]> {
  const subjects = checkOptions(options).map((endpoint) => new BenchSubject(world, options, endpoint));
  let results: RunResult[][];
  try {
    results = await measureInTurn(subjects, world, options, progress);
  } catch (error) {
    // What went wrong first is what is told.
    await closeAll(subjects).catch(() => undefined);
    throw error;
  }
  await closeAll(subjects);
  return results;
}

async function measureInTurn(
  subjects: readonly BenchSubject[],
  world: BenchWorld,
  options: BenchOptions,
  progress: BenchProgress,
): Promise<RunResult[][]> {
  const results: RunResult[][] = subjects.map(() => []);
  const rounds = subjects.length > 1 ? options.rounds : 1;
  for (const subject of subjects) {
    progress.onStage(`${subject.name}: preparing`, 0, subject);
    await subject.setup();
  }
  for (let round = 1; round <= rounds; round++) {
    for (let i = 0; i < subjects.length && !world.signal.aborted; i++) {
      const text = rounds > 1 ? `${subjects[i].name}: round ${round} of ${rounds}` : subjects[i].name;
      progress.onStage(text, options.warmupSeconds + options.durationSeconds, subjects[i]);
      const result = await subjects[i].measure();
      results[i].push(result);
      progress.onResult(result);
    }
  }
  return results;
}

/** Also where the keys of one cannot be removed, those of the others are. */
async function closeAll(subjects: readonly BenchSubject[]): Promise<void> {
  const outcomes = await Promise.allSettled(subjects.map((subject) => subject.close()));
  for (const outcome of outcomes) if (outcome.status === 'rejected') throw outcome.reason;
}
