// One segment looked at whatever its state: which parts of it are good batches, which are not, and what those seem to be.
//
//   ├ header ┤├ run: batches 1…7 ┤├ broken: flipped, batch 8 ┤├ run: batches 9…12 ┤├ rest: zeros, or an earlier segment ┤
//
// A run is good batches that follow each other in one chain. Behind bytes that are no batch the next good header is looked
// for, at every multiple of 8; a header's checksum starts from the cluster's, so that chance does not make one. Where a
// damaged batch has a good header, it says which batch and which revisions these are.
//
// A file may have been a segment before. What is left of that, batches with sequences below this segment's first, counts as no batch.

import { BatchReader, isZero } from '../journal/batch-reader.ts';
import { EffectReader, emptyLogState, type LogState } from '../journal/effects.ts';
import { ALIGNMENT_BYTES_MAX, BATCH_ALIGNMENT_BYTES, SEGMENT_HEADER_BYTES } from '../journal/format.ts';
import type { JournalVisitor } from '../journal/journal.ts';
import type { DamageKind, NumberRange } from './damage.ts';

/** What a disk loses at once, at least. */
const SECTOR_BYTES = 512;
const HEADER_SIZES: readonly number[] = [SEGMENT_HEADER_BYTES, SECTOR_BYTES, ALIGNMENT_BYTES_MAX];

/** Good batches, back to back, in one chain. */
export interface BatchRun {
  readonly offset: number;
  bytes: number;
  readonly firstSequence: number;
  lastSequence: number;
  /** 0: none of them holds a revision. */
  firstRevision: number;
  lastRevision: number;
  readonly firstEpoch: number;
  lastEpoch: number;
  /** The header CRC that the first one names, and that of the last one. */
  readonly previousCrc: number;
  lastCrc: number;
  /** The last batch that one of them says is durable. */
  durableSequence: number;
}

/** Bytes that are no good batch. */
export interface BrokenPart {
  readonly kind: Extract<DamageKind, 'zero-filled' | 'flipped' | 'cut-off'>;
  readonly offset: number;
  readonly bytes: number;
  readonly reason: string;
  /** Where the header of the batch is good. */
  readonly head: BrokenHead | undefined;
}

export interface BrokenHead {
  readonly sequence: number;
  readonly epoch: number;
  readonly durableSequence: number;
  readonly revisions: NumberRange | undefined;
}

export interface EffectCounts {
  puts: number;
  deletes: number;
  /** Leases, compactions, alarms, and what the log says of itself. */
  others: number;
}

/** What is there to the end of the file: space set down ahead, or of an earlier segment; or what is left of batches. */
export interface SegmentRemainder {
  readonly kind: 'zeros' | 'earlier-segment';
  readonly offset: number;
}

/** Where a segment's batches begin, and what tells that they are its own. */
export interface SegmentPlace {
  readonly crcSeed: number;
  readonly firstSequence: number;
  /** Undefined where the header is damaged. */
  readonly headerBytes: number | undefined;
}

export interface SegmentParts {
  readonly runs: readonly BatchRun[];
  readonly broken: readonly BrokenPart[];
  readonly rest: SegmentRemainder | undefined;
  readonly counts: EffectCounts;
  /** The highest revision that its marks and ends name. */
  readonly namedRevision: number;
  /** The first wall time that its good batches tell, ms since 1970, and the last one; a clock may have been set back. */
  readonly times: NumberRange | undefined;
}

export function surveySegment(block: Uint8Array, place: SegmentPlace): SegmentParts {
  const survey = new Survey(block, place);
  survey.run(place.headerBytes);
  // Without the block, which would stay with it.
  const { runs, broken, rest, counts, namedRevision, times } = survey;
  return { runs, broken, rest, counts, namedRevision, times };
}

class Survey implements SegmentParts {
  readonly runs: BatchRun[] = [];
  readonly broken: BrokenPart[] = [];
  rest: SegmentRemainder | undefined;
  readonly counts: EffectCounts = { puts: 0, deletes: 0, others: 0 };
  #firstMs: number | undefined;
  readonly #block: Uint8Array;
  readonly #crcSeed: number;
  readonly #firstSequence: number;
  readonly #reader = new BatchReader();
  readonly #state: LogState = emptyLogState(0);
  readonly #effects: EffectReader;
  #open: BatchRun | undefined;
  /** The highest batch in the runs before the open one. */
  #highest = 0;

  constructor(block: Uint8Array, { crcSeed, firstSequence }: SegmentPlace) {
    this.#block = block;
    this.#crcSeed = crcSeed;
    this.#firstSequence = firstSequence;
    this.#effects = new EffectReader(counter(this.counts), this.#state);
  }

  get namedRevision(): number {
    return this.#state.revision;
  }

  get times(): NumberRange | undefined {
    const { wallMs } = this.#state;
    return this.#firstMs === undefined || wallMs === undefined ? undefined : { first: this.#firstMs, last: wallMs };
  }

  run(headerBytes: number | undefined): void {
    const { length } = this.#block;
    let at = headerBytes ?? this.#likelyStart();
    while (at < length && this.rest === undefined) {
      if (isZero(this.#block, at, length)) this.rest = { kind: 'zeros', offset: at };
      else if (this.#isLeftOver(at)) this.rest = { kind: 'earlier-segment', offset: at };
      else at = this.#part(at);
    }
    const { puts, deletes } = this.counts;
    this.counts.others = this.#state.effects - puts - deletes;
  }

  /** Where a good batch stands behind a header of one of the usual sizes. */
  #likelyStart(): number {
    return HEADER_SIZES.find((at) => this.#readOwn(at) === undefined) ?? SEGMENT_HEADER_BYTES;
  }

  /** Reads the header at `at`. Returns why it is not that of a batch of this segment, or undefined. */
  #readOwn(at: number): string | undefined {
    const wrong = this.#reader.readHeader(this.#block, at, this.#block.length, this.#crcSeed);
    if (wrong !== undefined || this.#reader.sequence >= this.#firstSequence) return wrong;
    return 'a batch of an earlier segment stands here';
  }

  /** From `at` on there are batches, and only such of an earlier segment. */
  #isLeftOver(at: number): boolean {
    if (this.#readOwn(at) === undefined) return false;
    const { length } = this.#block;
    let next = this.#reader.nextHeader(this.#block, at, length, this.#crcSeed);
    if (next < 0) return false;
    while (next >= 0 && this.#reader.sequence < this.#firstSequence) {
      next = this.#reader.nextHeader(this.#block, next + BATCH_ALIGNMENT_BYTES, length, this.#crcSeed);
    }
    return next < 0;
  }

  /** Takes what is at `at`; returns where it ends. */
  #part(at: number): number {
    const reader = this.#reader;
    const { length } = this.#block;
    const wrongHeader = this.#readOwn(at);
    const wrong = wrongHeader ?? this.#body(at);
    if (wrong === undefined) {
      this.#good(at);
      return reader.end;
    }
    const head = wrongHeader === undefined ? this.#head() : undefined;
    const statedEnd = reader.end;
    const end = head !== undefined && this.#goesOnAt(statedEnd) ? statedEnd : this.#nextOwn(at);
    this.#open = undefined;
    const kind = this.#kindOf(at, end, head !== undefined && statedEnd > length);
    this.broken.push({ kind, offset: at, bytes: end - at, reason: wrong, head });
    return end;
  }

  #body(at: number): string | undefined {
    const reader = this.#reader;
    const wrong = reader.checkBody(this.#block, at, this.#block.length, this.#crcSeed);
    if (wrong !== undefined) return wrong;
    const malformed = this.#effects.read(this.#block, reader.bodyStart, reader.bodyEnd);
    this.#firstMs ??= this.#state.wallMs;
    return malformed;
  }

  #good(at: number): void {
    const { sequence, epoch, headerCrc, firstRevision, lastRevision, durableSequence, end } = this.#reader;
    const previousCrc = this.#reader.previousCrcAt(this.#block, at);
    let run = this.#open;
    const isNext = run !== undefined && run.lastSequence + 1 === sequence && run.lastCrc === previousCrc;
    // Repeated batches are a run of their own, although what follows them goes on from the last of them.
    const isRepeat = run !== undefined && run.lastSequence <= this.#highest;
    if (run === undefined || !isNext || epoch < run.lastEpoch || (isRepeat && sequence > this.#highest)) {
      this.#highest = Math.max(this.#highest, run?.lastSequence ?? 0, this.runs.at(-1)?.lastSequence ?? 0);
      run = {
        offset: at,
        bytes: 0,
        firstSequence: sequence,
        lastSequence: sequence,
        firstRevision: 0,
        lastRevision: 0,
        firstEpoch: epoch,
        lastEpoch: epoch,
        previousCrc,
        lastCrc: headerCrc,
        durableSequence: 0,
      };
      this.runs.push(run);
      this.#open = run;
    }
    run.bytes = end - run.offset;
    run.lastSequence = sequence;
    run.lastEpoch = epoch;
    run.lastCrc = headerCrc;
    if (run.firstRevision === 0) run.firstRevision = firstRevision;
    if (lastRevision !== 0) run.lastRevision = lastRevision;
    run.durableSequence = Math.max(run.durableSequence, durableSequence);
  }

  #head(): BrokenHead {
    const { sequence, epoch, firstRevision, lastRevision, durableSequence } = this.#reader;
    const revisions = firstRevision === 0 ? undefined : { first: firstRevision, last: lastRevision };
    return { sequence, epoch, durableSequence, revisions };
  }

  /** A damaged batch's own length is believed when something begins, or everything ends, where it says. */
  #goesOnAt(at: number): boolean {
    const { length } = this.#block;
    if (at >= length) return at === length;
    return isZero(this.#block, at, length) || this.#readOwn(at) === undefined || this.#isLeftOver(at);
  }

  /** Where the next header of this segment's is behind `at`, or the end. */
  #nextOwn(at: number): number {
    const { length } = this.#block;
    for (let next = at; ; ) {
      next = this.#reader.nextHeader(this.#block, next + BATCH_ALIGNMENT_BYTES, length, this.#crcSeed);
      if (next < 0) return length;
      if (this.#reader.sequence >= this.#firstSequence) return next;
    }
  }

  #kindOf(start: number, end: number, isCutOff: boolean): BrokenPart['kind'] {
    if (isCutOff && end === this.#block.length) return 'cut-off';
    if (isZero(this.#block, start, Math.min(end, start + BATCH_ALIGNMENT_BYTES))) return 'zero-filled';
    const firstSector = Math.ceil(start / SECTOR_BYTES) * SECTOR_BYTES;
    for (let at = firstSector; at + SECTOR_BYTES <= end; at += SECTOR_BYTES) {
      if (isZero(this.#block, at, at + SECTOR_BYTES)) return 'zero-filled';
    }
    return 'flipped';
  }
}

function counter(counts: EffectCounts): JournalVisitor {
  const ignore = (): void => {};
  return {
    onPut: () => {
      counts.puts++;
    },
    onDelete: () => {
      counts.deletes++;
    },
    onLeaseGrant: ignore,
    onLeaseRevoke: ignore,
    onCompact: ignore,
    onAlarm: ignore,
  };
}
