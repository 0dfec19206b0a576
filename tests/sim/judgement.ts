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

/** --buffered-loss-ms of the simulated server, and as much again for what was on its way when it was reached. */
const LOSS_MS = 100 + 100;
const SEARCH_STEPS_MAX = 100_000;

export interface Judgement {
  readonly violations: readonly Violation[];
  readonly undecided: number;
}

export function judge(history: History, ends: readonly ServerEnd[], isMixed: boolean): Judgement {
  const seen = new SeenRevisions(history);
  const violations: Violation[] = [];
  const onJump = (log: RevisionLog, jump: Jump): void => {
    const since = Math.max(0, ...history.jumps.filter(({ at }) => at.order < jump.at.order).map(({ at }) => at.ms));
    const passed = ends.filter(({ ms }) => ms >= since && ms <= jump.at.ms);
    const cut = passed.find(({ kind }) => kind === 'power');
    const floor = cut === undefined ? log.revision : Math.min(log.revision, seen.lossFloor(cut.ms, LOSS_MS));
    violations.push(...checkSurvival(log, jump, { history, floor, isLogged: (key) => !key.startsWith('n/') }));
  };
  const revisions = checkRevisions(history, onJump);
  violations.push(...revisions.violations, ...checkWatches(history, revisions.log));
  if (isMixed) return { violations, undecided: 0 };
  const keys = checkKeys(history, SEARCH_STEPS_MAX);
  violations.push(...keys.violations);
  return { violations, undecided: keys.undecided.length };
}
