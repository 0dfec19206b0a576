// What is wrong with a log, by file, offset, batches and revisions, from its segments and the order of their batches.

import type { LogBase } from '../journal/journal.ts';
import type { BatchOrder, Gap, PlacedRun } from './batch-order.ts';
import { type Finding, findingOf, type NumberRange } from './damage.ts';
import type { BrokenPart } from './segment-survey.ts';
import type { SurveyedSegment } from './survey.ts';

interface Subject {
  readonly walFolder: string;
  readonly segments: readonly SurveyedSegment[];
  readonly order: BatchOrder;
  readonly base: LogBase | undefined;
}

/** A damaged part and where it stands. */
export interface PlacedPart {
  readonly part: BrokenPart;
  readonly segment: number;
  /** The batch that would be first in it, from what is before it. */
  readonly sequence: number;
}

/** In the order of the files. */
export function logFindings(subject: Subject): Finding[] {
  const { segments, order } = subject;
  const findings: Finding[] = [];
  for (const { file, headerError } of segments) {
    if (headerError === undefined) continue;
    findings.push(findingOf({ kind: 'header', file, offset: 0, bytes: 64, reason: headerError }));
  }
  const left = new Set(segments.flatMap(partsOf));
  for (const gap of order.gaps) {
    const inGap = [...left].filter(({ sequence }) => sequence >= gap.first && sequence <= gap.last);
    for (const part of inGap) left.delete(part);
    if (inGap.length === 0) findings.push(missing(subject, gap));
    for (const { part, segment } of inGap) findings.push(broken(segments[segment].file, part, gap));
  }
  findings.push(...tail(subject, left));
  for (const { part, segment } of left) {
    if (isLeftOver(segments[segment], part)) continue;
    const { kind, offset, bytes } = part;
    const reason = `${part.reason}; no batch is missing here`;
    findings.push(findingOf({ kind, file: segments[segment].file, offset, bytes, reason }));
  }
  const place = ({ run, segment }: PlacedRun): Parameters<typeof findingOf>[0] => ({
    kind: 'duplicated',
    file: segments[segment].file,
    offset: run.offset,
    bytes: run.bytes,
    sequences: { first: run.firstSequence, last: run.lastSequence },
    revisions: run.firstRevision === 0 ? undefined : { first: run.firstRevision, last: run.lastRevision },
    reason: 'the same batches are there in another place',
  });
  for (const placed of order.unused) findings.push(findingOf(place(placed)));
  for (const placed of order.misplaced) {
    const reason = 'the batches stand behind later ones';
    findings.push(findingOf({ ...place(placed), kind: 'reordered', reason }));
  }
  for (const span of order.unchained) {
    const reason = `batch ${span.first} does not name the header of the one before it`;
    findings.push(findingOf({ ...place(span), kind: 'unchained', reason }));
  }
  const at = (file: string): number => segments.findIndex((segment) => segment.file === file);
  return findings.sort((a, b) => at(a.file) - at(b.file) || a.offset - b.offset);
}

/**
 * No batch is missing there, and the file may have been a segment before: its last batch may have reached further than this one's does,
 * and its beginning has been written over.
 */
function isLeftOver(
  { header, bytes, parts }: SurveyedSegment,
  { offset, bytes: partBytes, head }: BrokenPart,
): boolean {
  const isLast = offset + partBytes === bytes && !parts.runs.some((run) => run.offset > offset);
  return isLast && head === undefined && header !== undefined && header.salt !== 0;
}

/** Of one segment, by its place among the segments. */
export function partsOf({ parts, firstSequence }: SurveyedSegment, segment: number): PlacedPart[] {
  return parts.broken.map((part) => {
    const before = parts.runs.findLast(({ offset }) => offset < part.offset);
    const sequence = part.head?.sequence ?? (before?.lastSequence ?? firstSequence - 1) + 1;
    return { part, segment, sequence };
  });
}

function broken(file: string, part: BrokenPart, gap: Gap): Finding {
  const { kind, offset, bytes, reason, head } = part;
  const sequences = head === undefined ? rangeOf(gap) : { first: head.sequence, last: head.sequence };
  const revisions = head === undefined ? revisionsOf(gap) : head.revisions;
  return findingOf({ kind, file, offset, bytes, sequences, revisions, reason });
}

function missing({ walFolder, segments, base }: Subject, gap: Gap): Finding {
  const sequences = rangeOf(gap);
  const revisions = revisionsOf(gap);
  const index = segments.findLastIndex(({ firstSequence }) => firstSequence <= gap.first);
  if (index < 0) {
    const needed = base === undefined ? 'no good snapshot holds what was before' : `that is what follows ${base.file}`;
    const reason = `the log begins behind batch ${gap.first}; ${needed}`;
    return findingOf({
      kind: 'missing',
      file: segments.at(0)?.file ?? walFolder,
      offset: 0,
      sequences,
      revisions,
      reason,
    });
  }
  const { file, bytes, parts } = segments[index];
  const common = { file, sequences, revisions };
  if (parts.rest !== undefined) {
    const { kind, offset } = parts.rest;
    const isZeros = kind === 'zeros';
    return findingOf({
      ...common,
      kind: isZeros ? 'zero-filled' : 'not-written',
      offset,
      bytes: bytes - offset,
      reason: `${isZeros ? 'zeros' : 'bytes of an earlier segment'} where batches were durable`,
    });
  }
  const end = parts.runs.at(-1);
  const isInside = end !== undefined && end.offset + end.bytes === bytes && end.firstSequence > gap.last;
  if (isInside) {
    const behind = parts.runs.find(({ firstSequence }) => firstSequence > gap.last);
    const reason = 'the batches are nowhere; what follows them stands here';
    return findingOf({ ...common, kind: 'missing', offset: behind?.offset ?? bytes, reason });
  }
  // At the end of a batch nothing tells the one from the other.
  const reason = 'the file ends before batches that were durable, or segments are gone';
  return findingOf({ ...common, kind: 'cut-off', offset: bytes, reason });
}

/** What is behind the last batch, in the last segment: what a crash may leave. Takes it out of `left`. */
function tail({ segments, order }: Subject, left: Set<PlacedPart>): Finding[] {
  const last = segments.length - 1;
  const torn = [...left].filter(({ segment, sequence }) => segment === last && sequence > order.lastSequence);
  for (const part of torn) left.delete(part);
  const runs = order.behindEnd.map(({ run }) => run);
  const offsets = [...torn.map(({ part }) => part.offset), ...runs.map(({ offset }) => offset)];
  if (offsets.length === 0) return [];
  const { file, bytes, parts } = segments[last];
  const offset = Math.min(...offsets);
  const heads = torn.flatMap(({ part }) => (part.head === undefined ? [] : [part.head]));
  const sequence = Math.max(
    order.lastSequence + 1,
    ...heads.map((head) => head.sequence),
    ...runs.map(({ lastSequence }) => lastSequence),
  );
  const revision = Math.max(
    0,
    ...heads.map((head) => head.revisions?.last ?? 0),
    ...runs.map((run) => run.lastRevision),
  );
  const reason = `${torn.at(0)?.part.reason ?? `batch ${order.lastSequence + 1} is missing`}; nothing says that it was durable`;
  return [
    findingOf({
      kind: 'torn',
      file,
      offset,
      bytes: (parts.rest?.offset ?? bytes) - offset,
      sequences: { first: order.lastSequence + 1, last: sequence },
      revisions: revision === 0 ? undefined : { first: lastRevisionOf(order) + 1, last: revision },
      reason,
      isDamage: false,
    }),
  ];
}

function lastRevisionOf({ spans }: BatchOrder): number {
  return Math.max(0, ...spans.map(({ run }) => run.lastRevision));
}

function rangeOf({ first, last }: Gap): NumberRange {
  return { first, last };
}

/** Undefined when there is no room for a revision. */
export function revisionsOf({ revisionAbove, revisionBelow }: Gap): NumberRange | undefined {
  if (revisionBelow !== undefined && revisionBelow <= revisionAbove + 1) return undefined;
  return { first: revisionAbove + 1, last: revisionBelow === undefined ? Number.POSITIVE_INFINITY : revisionBelow - 1 };
}
