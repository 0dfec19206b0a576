// Everything in a log, in the order of the files: segments, batches, effects, and what is damaged at its place. One segment at a
// time is in memory; whoever takes the records decides how fast it goes.
//
//   survey ─► findings by file and offset ─┐
//   each segment once more ────────────────┴─► segment, batch, effect, effect, damage, batch, …, rest

import type { Disk } from '../io/disk.ts';
import { BatchReader } from '../journal/batch-reader.ts';
import { BATCH_HEADER_BYTES, FLAG_FSYNC } from '../journal/format.ts';
import type { Finding, NumberRange } from './damage.ts';
import { type Effect, parseBody } from './effect-parser.ts';
import type { BatchRun, BrokenPart, SegmentRemainder } from './segment-survey.ts';
import type { Survey, SurveyedSegment } from './survey.ts';
import { WholeFiles } from './whole-files.ts';

/** Which part of a log is wanted; both ends included. */
export interface DumpRange {
  readonly sequences: NumberRange;
  readonly revisions: NumberRange;
}

export interface DumpedBatch {
  readonly sequence: number;
  readonly epoch: number;
  readonly offset: number;
  readonly bytes: number;
  readonly durableSequence: number;
  /** Undefined: it holds none. */
  readonly revisions: NumberRange | undefined;
  readonly isFsync: boolean;
}

/** Buffers are valid during the call only. */
export interface DumpTaker {
  onSegment(segment: SurveyedSegment): Promise<void> | undefined;
  onBatch(file: string, batch: DumpedBatch): Promise<void> | undefined;
  /** `isUncertain`: read from a body whose checksum does not match, or without one. `sequence`: undefined when nothing tells it. */
  onEffect(
    place: { file: string; offset: number; sequence: number | undefined; isUncertain: boolean },
    effect: Effect,
    buffer: Uint8Array,
  ): Promise<void> | undefined;
  onDamage(finding: Finding): Promise<void> | undefined;
  /** What is behind the batches, to the end of a file. */
  onRest(file: string, rest: SegmentRemainder, bytes: number): Promise<void> | undefined;
}

/** Of a folder that nobody uses. Rejects with DiskError, and with what the taker rejects with. */
export async function dumpLog(disk: Disk, survey: Survey, range: DumpRange, taker: DumpTaker): Promise<void> {
  const { segments, findings } = survey;
  const files = new Set(segments.map(({ file }) => file));
  const whole = new WholeFiles(disk);
  for (const segment of segments) await new SegmentDump(whole, survey, range, taker, segment).run();
  for (const finding of findings) if (!files.has(finding.file)) await taker.onDamage(finding);
}

class SegmentDump {
  readonly #whole: WholeFiles;
  readonly #range: DumpRange;
  readonly #taker: DumpTaker;
  readonly #segment: SurveyedSegment;
  readonly #reader = new BatchReader();
  /** Not told yet, in the order of their offsets. */
  #findings: readonly Finding[];

  constructor(whole: WholeFiles, survey: Survey, range: DumpRange, taker: DumpTaker, segment: SurveyedSegment) {
    this.#whole = whole;
    this.#range = range;
    this.#taker = taker;
    this.#segment = segment;
    this.#findings = survey.findings.filter(({ file }) => file === segment.file);
  }

  async run(): Promise<void> {
    const { file, bytes, parts } = this.#segment;
    if (!this.#isWanted()) return;
    await this.#taker.onSegment(this.#segment);
    const block = await this.#whole.read(file);
    const pieces = [
      ...parts.runs.map((run) => ({ offset: run.offset, dump: () => this.#run(block, run) })),
      ...parts.broken.map((part) => ({ offset: part.offset, dump: () => this.#broken(block, part) })),
    ];
    pieces.sort((a, b) => a.offset - b.offset);
    for (const { dump } of pieces) await dump();
    await this.#damageUpTo(Number.POSITIVE_INFINITY);
    if (parts.rest !== undefined) await this.#taker.onRest(file, parts.rest, bytes - parts.rest.offset);
  }

  /** Something in it lies in the range, or nothing tells. */
  #isWanted(): boolean {
    const { runs, broken } = this.#segment.parts;
    if (broken.length > 0 || this.#findings.length > 0) return true;
    const isAll = this.#range.sequences.first <= 1 && this.#range.revisions.first <= 1;
    if (runs.length === 0) return isAll;
    return runs.some(({ firstSequence, lastSequence, firstRevision, lastRevision }) => {
      const revisions = firstRevision === 0 ? undefined : { first: firstRevision, last: lastRevision };
      return this.#overlaps({ first: firstSequence, last: lastSequence }, revisions);
    });
  }

  #overlaps(sequences: NumberRange, revisions: NumberRange | undefined): boolean {
    const { first, last } = this.#range.revisions;
    if (revisions === undefined) {
      // A batch without revisions is shown unless revisions are asked for.
      if (first > 1 || last < Number.MAX_SAFE_INTEGER) return false;
    } else if (revisions.first > last || revisions.last < first) return false;
    return sequences.first <= this.#range.sequences.last && sequences.last >= this.#range.sequences.first;
  }

  async #run(block: Uint8Array, run: BatchRun): Promise<void> {
    const { file } = this.#segment;
    const reader = this.#reader;
    const end = run.offset + run.bytes;
    for (let at = run.offset; at < end; at = reader.end) {
      await this.#damageUpTo(at);
      if (reader.readHeader(block, at, block.length, this.#segment.crcSeed) !== undefined) return;
      const { sequence, epoch, firstRevision, lastRevision, durableSequence, flags, bodyStart, bodyEnd } = reader;
      const revisions = firstRevision === 0 ? undefined : { first: firstRevision, last: lastRevision };
      if (!this.#overlaps({ first: sequence, last: sequence }, revisions)) continue;
      const bytes = reader.end - at;
      const isFsync = (flags & FLAG_FSYNC) !== 0;
      await this.#taker.onBatch(file, { sequence, epoch, offset: at, bytes, durableSequence, revisions, isFsync });
      await this.#body(block, bodyStart, bodyEnd, { sequence, revisions: undefined, isUncertain: false });
    }
  }

  async #broken(block: Uint8Array, { offset, bytes, head }: BrokenPart): Promise<void> {
    await this.#damageUpTo(offset);
    const start = Math.min(offset + BATCH_HEADER_BYTES, offset + bytes);
    const place = { sequence: head?.sequence, revisions: head?.revisions, isUncertain: true };
    await this.#body(block, start, offset + bytes, place);
  }

  async #body(
    block: Uint8Array,
    start: number,
    end: number,
    place: { sequence: number | undefined; revisions: NumberRange | undefined; isUncertain: boolean },
  ): Promise<void> {
    const { file } = this.#segment;
    const { sequence, isUncertain } = place;
    for (const { offset, effect } of parseBody(block, start, end, place.revisions).effects) {
      const isVersion = effect.kind === 'put' || effect.kind === 'delete';
      const { first, last } = this.#range.revisions;
      if (isVersion && (effect.main < first || effect.main > last)) continue;
      const waits = this.#taker.onEffect({ file, offset, sequence, isUncertain }, effect, block);
      if (waits !== undefined) await waits;
    }
  }

  async #damageUpTo(offset: number): Promise<void> {
    while (this.#findings.length > 0 && this.#findings[0].offset <= offset) {
      const [finding] = this.#findings;
      this.#findings = this.#findings.slice(1);
      await this.#taker.onDamage(finding);
    }
  }
}
