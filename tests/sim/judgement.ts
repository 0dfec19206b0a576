// Whether a history that ended well is one that the server may leave: linearizable, with all that was acknowledged or
// shown still there, or lost within what the classes allow.

import type { History, Jump, Violation } from '../../src/testing/history.ts';
import { checkKeys } from '../../src/testing/history-keys.ts';
import { checkRevisions } from '../../src/testing/history-revisions.ts';
import { SeenRevisions } from '../../src/testing/history-times.ts';
import { checkWatches } from '../../src/testing/history-watches.ts';
import type { RevisionLog } from '../../src/testing/revision-log.ts';
import type { ServerEnd } from './simulation.ts';
import { checkSurvival } from './survival.ts';

function isLogged(key: string): boolean {
  return !key.startsWith('n/');
}

/** The oldest revision that a power cut may leave: what is not in the log goes on being shown while the disk does not keep up. */
function lossFloor(seen: SeenRevisions, log: RevisionLog, cutMs: number): number {
  let newest = log.revision;
  while (newest > log.oldestRevision && log.changesAt(newest)?.some(({ key }) => isLogged(key)) !== true) newest--;
  return seen.by(Math.min(cutMs, seen.first(newest)?.ms ?? cutMs) - LOSS_MS);
}

/** --buffered-loss-ms of the simulated server, and as much again for what was on its way when it was reached. */
const LOSS_MS = 100 + 100;
const SEARCH_STEPS_MAX = 100_000;

export interface Judgement {
  readonly violations: readonly Violation[];
  /** Keys whose search for an order was given up. */
  readonly undecided: number;
  /** Writes that happened though nobody was told. */
  readonly unknownDone: number;
}

export function judge(history: History, ends: readonly ServerEnd[], isMixed: boolean): Judgement {
  const seen = new SeenRevisions(history);
  const violations: Violation[] = [];
  const onJump = (log: RevisionLog, jump: Jump): void => {
    const before = history.jumps.filter(({ at }) => at.order < jump.at.order).at(-1);
    // The server may have ended while the answer was on its way: the time of the question counts.
    const read = history.calls.find(({ outcome }) => {
      return outcome.kind === 'answered' && outcome.at.order === before?.at.order;
    });
    const since = read?.invoked.ms ?? 0;
    const passed = ends.filter(({ ms }) => ms >= since && ms <= jump.at.ms);
    const cut = passed.find(({ kind }) => kind === 'power');
    const floor = cut === undefined ? log.revision : Math.min(log.revision, lossFloor(seen, log, cut.ms));
    violations.push(...checkSurvival(log, jump, { history, floor, isLogged }));
  };
  const revisions = checkRevisions(history, onJump);
  violations.push(...revisions.violations, ...checkWatches(history, revisions.log));
  const { unknownDone } = revisions;
  if (isMixed) return { violations, undecided: 0, unknownDone };
  const keys = checkKeys(history, SEARCH_STEPS_MAX);
  violations.push(...keys.violations);
  return { violations, undecided: keys.undecided.length, unknownDone };
}
