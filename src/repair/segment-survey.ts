// One segment looked at whatever its state: which parts of it are good batches, which are not, and what those seem to be.
//
//   ├ header ┤├ run: batches 1…7 ┤├ broken: flipped, batch 8 ┤├ run: batches 9…12 ┤├ zeros ┤
//
// A run is good batches that follow each other in one chain. Behind bytes that are no batch the next good header is looked
// for, at every multiple of 8; a header's checksum starts from the cluster's, so that chance does not make one. Where a
// damaged batch has a good header, it says which batch and which revisions these are.

import { BatchReader, isZero } from '../journal/batch-reader.ts';
import { EffectReader, type LogState } from '../journal/effects.ts';
import { BATCH_ALIGNMENT_BYTES, SEGMENT_HEADER_BYTES } from '../journal/format.ts';
import type { JournalVisitor } from '../journal/journal.ts';
import type { DamageKind, NumberRange } from './damage.ts';

/** What a disk loses at once, at least. */
const SECTOR_BYTES = 512;

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

export interface SegmentParts {
  readonly runs: readonly BatchRun[];
  readonly broken: readonly BrokenPart[];
  /** Where zeros to the end begin: space set down ahead, or what is left of batches. */
  readonly zerosOffset: number | undefined;
  readonly counts: EffectCounts;
  /** The highest revision that its marks and ends name. */
  readonly namedRevision: number;
}

export function surveySegment(block: Uint8Array, crcSeed: number): SegmentParts {
  const survey = new Survey(block, crcSeed);
  survey.run();
  // Without the block, which would stay with it.
  const { runs, broken, zerosOffset, counts, namedRevision } = survey;
  return { runs, broken, zerosOffset, counts, namedRevision };
}

class Survey implements SegmentParts {
  readonly runs: BatchRun[] = [];
  readonly broken: BrokenPart[] = [];
  zerosOffset: number | undefined;
  readonly counts: EffectCounts = { puts: 0, deletes: 0, others: 0 };
  readonly #block: Uint8Array;
  readonly #crcSeed: number;
  readonly #reader = new BatchReader();
  readonly #state: LogState = { identity: undefined, revision: 0, isClean: false, effects: 0 };
  readonly #effects: EffectReader;
  #open: BatchRun | undefined;
  /** The highest batch in the runs before the open one. */
  #highest = 0;

  constructor(block: Uint8Array, crcSeed: number) {
    this.#block = block;
    this.#crcSeed = crcSeed;
    this.#effects = new EffectReader(counter(this.counts), this.#state);
  }

  get namedRevision(): number {
    return this.#state.revision;
  }

  run(): void {
    const { length } = this.#block;
    let at = SEGMENT_HEADER_BYTES;
    while (at < length) {
      if (isZero(this.#block, at, length)) {
        this.zerosOffset = at;
        break;
      }
      at = this.#part(at);
    }
    const { puts, deletes } = this.counts;
    this.counts.others = this.#state.effects - puts - deletes;
  }

  /** Takes what is at `at`; returns where it ends. */
  #part(at: number): number {
    const reader = this.#reader;
    const { length } = this.#block;
    const wrongHeader = reader.readHeader(this.#block, at, length, this.#crcSeed);
    const wrong = wrongHeader ?? this.#body(at);
    if (wrong === undefined) {
      this.#good(at);
      return reader.end;
    }
    const head = wrongHeader === undefined ? this.#head() : undefined;
    const statedEnd = reader.end;
    const end = head !== undefined && this.#goesOnAt(statedEnd) ? statedEnd : this.#nextHeader(at);
    this.#open = undefined;
    const kind = this.#kindOf(at, end, head !== undefined && statedEnd > length);
    this.broken.push({ kind, offset: at, bytes: end - at, reason: wrong, head });
    return end;
  }

  #body(at: number): string | undefined {
    const reader = this.#reader;
    const wrong = reader.checkBody(this.#block, at, this.#block.length, this.#crcSeed);
    return wrong ?? this.#effects.read(this.#block, reader.bodyStart, reader.bodyEnd);
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
    if (isZero(this.#block, at, length)) return true;
    return new BatchReader().readHeader(this.#block, at, length, this.#crcSeed) === undefined;
  }

  #nextHeader(at: number): number {
    const { length } = this.#block;
    const next = this.#reader.nextHeader(this.#block, at + BATCH_ALIGNMENT_BYTES, length, this.#crcSeed);
    return next < 0 ? length : next;
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
