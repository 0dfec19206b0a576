// All cases, in the order in which they are played: those for a fresh store come before anything is written.

import { HISTORY_CASES } from './history-cases.ts';
import { KV_CASES } from './kv-cases.ts';
import { LEASE_CASES } from './lease-cases.ts';
import type { Subject } from './server-fixture.ts';
import { type Case, Session } from './session.ts';
import { TXN_CASES } from './txn-cases.ts';
import { WATCH_CASES } from './watch-cases.ts';

const ALL = [...HISTORY_CASES, ...KV_CASES, ...TXN_CASES, ...WATCH_CASES, ...LEASE_CASES];

const rankOf = (one: Case): number => (one.isFresh === true ? 0 : one.isLarge === true ? 2 : 1);

export const CASES: readonly Case[] = ALL.toSorted((a, b) => rankOf(a) - rankOf(b));

/** Plays a case and returns its transcript. */
export async function play(one: Case, subject: Subject): Promise<string> {
  const session = new Session(subject.client);
  try {
    if (one.isFresh !== true) await subject.drive(session.begin());
    await subject.drive(one.run(session));
  } catch (error) {
    session.transcript.add(`! ${String(error)}`);
  }
  session.end();
  return session.transcript.text;
}
