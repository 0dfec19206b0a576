// What `k1m wal repair` says to people: what it would do, or has done, and everything that is lost or uncertain by it.

import { relative } from 'node:path';
import { idText, quoted } from '../repair/byte-text.ts';
import type { Loss } from '../repair/loss-book.ts';
import type { RebuildPlan, Repaired, RepairPlan } from '../repair/repair.ts';
import { rangeText, verdict } from './wal-text.ts';

/** Lines of keys before the rest is only counted; the report beside the originals has them all. */
const KEYS_SHOWN_MAX = 100;

/** `repaired`: undefined when nothing was changed. */
export function repairText(plan: RepairPlan, repaired: Repaired | undefined): string {
  const { survey } = plan;
  if (plan.kind === 'none') return `Nothing to repair. ${verdict(survey)}\n`;
  if (plan.kind === 'tidy') {
    const files = plan.files.map((file) => `  ${relative(survey.folder, file)}\n`).join('');
    return `Repaired already; an interrupted run has left old files, which are in its repair folder too:\n${files}`;
  }
  return rebuildText(plan, repaired);
}

function rebuildText(plan: RebuildPlan, repaired: Repaired | undefined): string {
  const { survey, state, revision, sequence } = plan;
  const { folder, base } = survey;
  const { store, lessor, losses, batches, lastRevision } = state;
  const isWholeLog = survey.order.spans.at(0)?.first === 1;
  const without = isWholeLog ? 'the log' : 'nothing: there is no good snapshot';
  const from = base === undefined ? without : relative(folder, base.file);
  const kept = repaired === undefined ? 'a folder repair-<date> beside them' : repaired.keptIn;
  const lines = [
    `${verdict(survey)}\n`,
    `The state rebuilt from what is good:`,
    `  begins with   ${from}`,
    `  replays       ${batches} batches, up to revision ${lastRevision}`,
    `  holds         ${store.liveKeyCount} keys, ${lessor.count} leases`,
    `  goes on at    revision ${revision}, batch ${sequence}; everything before counts as compacted`,
    `  originals in  ${kept}`,
    '',
    ...(losses.hasLosses ? losses.losses.map((loss) => lossText(folder, loss)) : ['Nothing is lost.']),
    ...leaseLines(plan),
    ...keyLines(plan),
  ];
  return `${lines.join('\n')}\n`;
}

function lossText(folder: string, { sequences, revisions, isUnproven, isListComplete, parts }: Loss): string {
  const held = revisions === undefined ? 'without revisions' : `revisions ${rangeText(revisions)}`;
  const proof = isUnproven ? '; nothing says that they had been acknowledged' : '';
  const list = isListComplete
    ? 'the list below has all keys that they changed'
    : 'they may have changed more keys than are listed below';
  const lines = [`lost: batches ${rangeText(sequences)}, ${held}${proof}; ${list}`];
  for (const { kind, file, offset, bytes, reason, changes, isReadToEnd } of parts) {
    const read = isReadToEnd ? 'read to its end' : 'cannot be read to its end';
    lines.push(
      `  ${kind}: ${relative(folder, file)} at byte ${offset}, ${bytes} bytes: ${reason}; ${read}, ${changes} ${changes === 1 ? 'change' : 'changes'} found`,
    );
  }
  return lines.join('\n');
}

function leaseLines({ state }: RebuildPlan): string[] {
  return state.losses.leases.map(({ lease, change }) => {
    const what = change === 'unknown' ? 'keys hang on it, nothing is known of it' : `may have been ${change}`;
    return `uncertain lease ${idText(lease)}: ${what}`;
  });
}

function keyLines({ state }: RebuildPlan): string[] {
  const { keys } = state.losses;
  const lines = keys.slice(0, KEYS_SHOWN_MAX).map(({ key, change, revision }) => {
    return `uncertain key ${quoted(key)}: a ${change} at revision ${revision} may be missing`;
  });
  const more = keys.length - lines.length;
  return more > 0 ? [...lines, `… and ${more} more uncertain keys: --json and report.json have all`] : lines;
}
