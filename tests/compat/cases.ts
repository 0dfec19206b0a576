// All cases, those for a fresh store first: they must come before anything is written.

import { HISTORY_CASES } from './history-cases.ts';
import { KV_CASES } from './kv-cases.ts';
import { LEASE_CASES } from './lease-cases.ts';
import type { Subject } from './server-fixture.ts';
import { type Case, Session } from './session.ts';
import { TXN_CASES } from './txn-cases.ts';
import { WATCH_CASES } from './watch-cases.ts';

const ALL = [...HISTORY_CASES, ...KV_CASES, ...TXN_CASES, ...WATCH_CASES, ...LEASE_CASES];

export const CASES: readonly Case[] = [
  ...ALL.filter(({ isFresh }) => isFresh === true),
  ...ALL.filter(({ isFresh }) => isFresh !== true),
];

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
