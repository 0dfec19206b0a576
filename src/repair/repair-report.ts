// What a repair does, as plain objects: printed as JSON, and kept beside the originals.

import { relative } from 'node:path';
import { base64, idText, quoted } from './byte-text.ts';
import type { NumberRange } from './damage.ts';
import type { Loss } from './loss-book.ts';
import type { RepairPlan } from './repair.ts';

/** An end that nothing tells is null. */
export function rangeJson(range: NumberRange | undefined): { first: number; last: number | null } | null {
  if (range === undefined) return null;
  return { first: range.first, last: range.last === Number.POSITIVE_INFINITY ? null : range.last };
}

export function repairReport(plan: RepairPlan): object {
  const { folder, refusal, base } = plan.survey;
  const common = { folder, action: plan.kind, refusal: refusal ?? null };
  if (plan.kind === 'none') return common;
  if (plan.kind === 'tidy') return { ...common, remove: plan.files.map((file) => relative(folder, file)) };
  const { state, sequence, revision } = plan;
  const { losses, batches, lastRevision, store, lessor } = state;
  return {
    ...common,
    cluster: idText(plan.identity.clusterId),
    snapshot: base === undefined ? null : relative(folder, base.file),
    batches,
    lastRevision,
    sequence,
    revision,
    keys: store.liveKeyCount,
    leases: lessor.count,
    lost: losses.losses.map((loss) => lossJson(folder, loss)),
    uncertainKeys: losses.keys.map(({ key, change, revision: at }) => {
      return { key: base64(key), text: quoted(key), change, revision: at };
    }),
    uncertainLeases: losses.leases.map(({ lease, change }) => ({ lease: idText(lease), change })),
  };
}

function lossJson(folder: string, { sequences, revisions, isUnproven, isListComplete, parts }: Loss): object {
  return {
    sequences: rangeJson(sequences),
    revisions: rangeJson(revisions),
    isUnproven,
    isListComplete,
    parts: parts.map(({ file, sequence, ...part }) => {
      return { file: relative(folder, file), sequence: sequence ?? null, ...part };
    }),
  };
}
