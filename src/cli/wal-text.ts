// What `k1m wal` prints: tables for people, plain objects for JSON. Files are named from the data folder on.

import { relative } from 'node:path';
import { idText } from '../repair/byte-text.ts';
import type { Finding, NumberRange } from '../repair/damage.ts';
import { rangeJson } from '../repair/repair-report.ts';
import type { SurveyedSnapshot } from '../repair/snapshot-survey.ts';
import { isWhole, type Survey, type SurveyedSegment } from '../repair/survey.ts';

export function surveyText(survey: Survey): string {
  const { folder, findings } = survey;
  const wrongWith = (file: string): string => {
    const kinds = findings.filter((finding) => finding.file === file).map(({ kind }) => kind);
    return kinds.length === 0 ? 'good' : [...new Set(kinds)].join(', ');
  };
  const rows = [
    ['FILE', 'BYTES', 'BATCHES', 'REVISIONS', 'HOLDS', 'STATE'],
    ...survey.snapshots.map((snapshot) => [...snapshotCells(folder, snapshot), wrongWith(snapshot.path)]),
    ...survey.segments.map((segment) => [...segmentCells(folder, segment), wrongWith(segment.file)]),
  ];
  const lines = findings.map((finding) => findingText(folder, finding));
  const heading = lines.length === 0 ? '' : `\n${lines.join('\n')}\n`;
  return `${columns(rows)}${heading}\n${verdict(survey)}\n`;
}

export function verdict(survey: Survey): string {
  const { refusal, findings, cutBatches } = survey;
  if (refusal !== undefined) {
    return `Damaged: k1m serve refuses to start: ${refusal}.`;
  }
  if (cutBatches !== undefined) {
    const batches = rangeText(cutBatches);
    return `Damaged: k1m serve starts, but cuts batches ${batches}, which are good and may have been acknowledged. Keep a copy.`;
  }
  if (!isWhole(survey)) return 'Damaged, but nothing that a start needs: k1m serve starts and loses nothing.';
  const torn = findings.some(({ kind }) => kind === 'torn');
  return `Whole${torn ? '; k1m serve cuts the unfinished end off, which loses nothing that was durable' : ''}.`;
}

function snapshotCells(folder: string, { path, bytes, header, trailer, sequence }: SurveyedSnapshot): string[] {
  const holds =
    header === undefined || trailer === undefined
      ? ''
      : `${trailer.rows} keys, ${trailer.changes} changes, ${trailer.leases} leases, ${timeText(header.wallMs)}`;
  return [relative(folder, path), `${bytes}`, `…${sequence}`, header === undefined ? '' : `…${header.revision}`, holds];
}

function segmentCells(folder: string, { file, bytes, parts }: SurveyedSegment): string[] {
  const { puts, deletes, others } = parts.counts;
  const times = parts.times && `, ${timeText(parts.times.first)} to ${timeText(parts.times.last)}`;
  const { batches, revisions } = rangesOf(parts.runs);
  return [
    relative(folder, file),
    `${bytes}`,
    rangeText(batches),
    rangeText(revisions),
    `${puts} puts, ${deletes} deletes, ${others} others${times ?? ''}`,
  ];
}

function timeText(wallMs: number): string {
  return new Date(wallMs).toISOString();
}

function rangesOf(runs: SurveyedSegment['parts']['runs']): {
  batches: NumberRange | undefined;
  revisions: NumberRange | undefined;
} {
  const revised = runs.filter(({ firstRevision }) => firstRevision !== 0);
  return {
    batches: rangeOver(runs.flatMap(({ firstSequence, lastSequence }) => [firstSequence, lastSequence])),
    revisions: rangeOver(revised.flatMap(({ firstRevision, lastRevision }) => [firstRevision, lastRevision])),
  };
}

function rangeOver(numbers: readonly number[]): NumberRange | undefined {
  let [first, last] = [Number.POSITIVE_INFINITY, 0];
  for (const number of numbers) {
    first = Math.min(first, number);
    last = Math.max(last, number);
  }
  return numbers.length === 0 ? undefined : { first, last };
}

export function rangeText(range: NumberRange | undefined): string {
  if (range === undefined) return '';
  if (range.last === Number.POSITIVE_INFINITY) return `${range.first}…`;
  return range.first === range.last ? `${range.first}` : `${range.first}…${range.last}`;
}

export function findingText(folder: string, finding: Finding): string {
  const { kind, file, offset, bytes, sequences, revisions, reason } = finding;
  const size = bytes === 0 ? '' : `, ${bytes} bytes`;
  const batches = sequences === undefined ? '' : `; batches ${rangeText(sequences)}`;
  const held = revisions === undefined ? '' : `, revisions ${rangeText(revisions)}`;
  return `${kind}: ${relative(folder, file)} at byte ${offset}${size}${batches}${held}: ${reason}`;
}

export function columns(rows: readonly (readonly string[])[]): string {
  const widths = rows[0].map((_, column) => Math.max(...rows.map((row) => row[column].length)));
  return rows
    .map(
      (row) =>
        `${row
          .map((cell, i) => cell.padEnd(widths[i]))
          .join('  ')
          .trimEnd()}\n`,
    )
    .join('');
}

export function findingJson(finding: Finding): object {
  return { ...finding, sequences: rangeJson(finding.sequences), revisions: rangeJson(finding.revisions) };
}

export function surveyJson(survey: Survey): object {
  const { folder, identity, segments, snapshots, findings, refusal, cut, cutBatches } = survey;
  return {
    folder,
    isWhole: isWhole(survey),
    refusal: refusal ?? null,
    cut: cut ?? null,
    cutBatches: rangeJson(cutBatches),
    cluster: identity === undefined ? null : idText(identity.clusterId),
    member: identity === undefined ? null : idText(identity.memberId),
    revision: survey.revision,
    durableSequence: survey.durableSequence,
    snapshots: snapshots.map(({ path, sequence, bytes, header, trailer, error }) => ({
      file: path,
      bytes,
      sequence,
      revision: header?.revision ?? null,
      time: header === undefined ? null : timeText(header.wallMs),
      keys: trailer?.rows ?? null,
      changes: trailer?.changes ?? null,
      leases: trailer?.leases ?? null,
      error: error?.message ?? null,
    })),
    segments: segments.map(({ file, bytes, parts }) => {
      const { batches, revisions } = rangesOf(parts.runs);
      const times =
        parts.times === undefined ? null : { first: timeText(parts.times.first), last: timeText(parts.times.last) };
      return { file, bytes, sequences: rangeJson(batches), revisions: rangeJson(revisions), times, ...parts.counts };
    }),
    findings: findings.map(findingJson),
  };
}
