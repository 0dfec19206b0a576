// What a restart that jumped ahead may have taken, by durability class. The log is one sequence, so that there must be one
// revision R such that what was found is the state at R, except for
//   keys of the class `none`         any older version, or nothing
//   keys written after what is known by somebody whose answer was lost, or came after the last watched revision
// R is the newest known revision after the death of a process, and no older than the loss budget allows after a power cut.

import {
  type Call,
  type History,
  isWithin,
  type Jump,
  type Pair,
  pairText,
  type Violation,
} from '../../src/testing/history.ts';
import type { RevisionLog } from '../../src/testing/revision-log.ts';

export interface SurvivalOptions {
  readonly history: History;
  /** Whether a key's class is logged at all. */
  readonly isLogged: (key: string) => boolean;
  /** The oldest revision that the state may be from. */
  readonly floor: number;
}

/** `log` ends with what is known from before the jump. */
export function checkSurvival(log: RevisionLog, jump: Jump, options: SurvivalOptions): Violation[] {
  const { history, isLogged } = options;
  const found = new Map(jump.pairs.map((pair) => [pair.key, pair]));
  const keys = new Set([...found.keys(), ...log.range({ key: '', end: '\0' }, log.revision).map(({ key }) => key)]);
  for (const { key } of log.range({ key: '', end: '\0' }, options.floor)) keys.add(key);
  const later = laterCalls(history, log.revision, jump);
  const settled = [...keys].filter((key) => isLogged(key) && !isChangedLater(key, found.get(key), log, later));
  let mismatch = '';
  for (let revision = log.revision; revision >= options.floor; revision--) {
    // What the last jump hid may be what this one shows.
    if (revision < log.oldestRevision) return [];
    const wrong = settled.find((key) => textOf(found.get(key)) !== textOf(log.at(key, revision)));
    if (wrong === undefined) return [];
    mismatch ||= `${wrong}: found ${textOf(found.get(wrong))}, was ${textOf(log.at(wrong, revision))}`;
  }
  const range =
    options.floor < log.revision ? `any revision from ${options.floor} to ${log.revision}` : `${log.revision}`;
  return [
    { promise: 'survives', text: `after a jump to ${jump.revision} the state is not that of ${range}: ${mismatch}` },
  ];
}

/** Calls that may have changed something after `revision` and before the jump was read. */
function laterCalls(history: History, revision: number, jump: Jump): Call[] {
  return history.calls.filter(({ outcome, invoked }) => {
    if (invoked.order > jump.at.order || outcome.kind === 'refused') return false;
    return outcome.kind === 'unknown' || outcome.revision > revision;
  });
}

function isChangedLater(key: string, pair: Pair | undefined, log: RevisionLog, later: readonly Call[]): boolean {
  if (pair !== undefined) return pair.mod > log.revision;
  return later.some(({ request }) => {
    const requests = request.kind === 'txn' ? [...request.success, ...request.failure] : [request];
    return requests.some((one) => one.kind === 'delete' && isWithin(key, one));
  });
}

function textOf(pair: Pair | undefined): string {
  return pair === undefined ? 'nothing' : pairText(pair);
}
