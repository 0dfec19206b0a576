// The state that a damaged folder still holds: the newest good snapshot, then every good batch behind it, in order; and what is
// not known for the batches between them. Nothing is written.
//
//   snapshot …40 │ 41…57 │ lost: 58 │ 59…80 │ end
//                                └─► LossBook: keys that it may have changed, until a later batch says what they are
//
// The result ends above every revision that may have been seen, with all before it compacted: who watched, or asks for an
// older revision, is told so and starts over.

import { assert } from '../base/assert.ts';
import { Restorer } from '../etcd/restorer.ts';
import type { Disk } from '../io/disk.ts';
import { BatchReader } from '../journal/batch-reader.ts';
import { EffectReader, emptyLogState } from '../journal/effects.ts';
import type { JournalVisitor } from '../journal/journal.ts';
import { Lessor } from '../lease/lessor.ts';
import { restoreSnapshot } from '../snapshot/restore.ts';
import { snapshotFolder } from '../snapshot/snapshot-folder.ts';
import { KeyValueView } from '../store/key-value.ts';
import { Store } from '../store/store.ts';
import type { Gap, PlacedRun, Span } from './batch-order.ts';
import type { NumberRange } from './damage.ts';
import { type PlacedPart, partsOf, revisionsOf } from './log-findings.ts';
import { LossBook, type LostPart } from './loss-book.ts';
import type { Survey } from './survey.ts';
import { WholeFiles } from './whole-files.ts';

const COMPACT_UNITS = 1_000_000;
/** An end that nothing tells. */
const UNKNOWN: number = Number.POSITIVE_INFINITY;

export interface Rebuilding {
  readonly disk: Disk;
  readonly survey: Survey;
  /** The revision that the state ends at; above all that the folder names. */
  readonly revision: number;
}

export interface RebuiltState {
  readonly store: Store;
  readonly lessor: Lessor;
  readonly alarms: ReadonlySet<number>;
  /** The last revision whose changes are in it. */
  readonly lastRevision: number;
  /** Batches that were replayed. */
  readonly batches: number;
  readonly losses: LossBook;
}

/** Rejects with DiskError. */
export async function rebuildState({ disk, survey, revision }: Rebuilding): Promise<RebuiltState> {
  const snapshot = await restoreSnapshot({
    disk,
    folder: snapshotFolder(survey.folder),
    minimumLeaseTtlSeconds: 1,
    nowMs: () => 0,
    onDamaged: () => {},
    onProgress: () => {},
  });
  assert(snapshot?.base.sequence === survey.base?.sequence, 'the survey knows which snapshot is good');
  const store = snapshot?.store ?? new Store();
  const lessor = snapshot?.lessor ?? new Lessor(store, 1);
  const replay = new Replay(disk, survey, store, lessor, snapshot?.alarms ?? new Set());
  await replay.run();
  const lastRevision = replay.revision;
  replay.finish(revision);
  while (!store.compactStep(COMPACT_UNITS));
  const { alarms, batches, losses } = replay;
  return { store, lessor, alarms, lastRevision, batches, losses };
}

class Replay {
  readonly losses: LossBook;
  batches = 0;
  /** The highest of a batch that was replayed. */
  revision: number;
  readonly #files: WholeFiles;
  readonly #survey: Survey;
  readonly #store: Store;
  readonly #restorer: Restorer;
  readonly #effects: EffectReader;
  readonly #reader = new BatchReader();
  /** The first batch that the snapshot does not hold. */
  readonly #start: number;
  readonly #parts: readonly PlacedPart[];
  #block: { readonly segment: number; readonly bytes: Uint8Array } | undefined;

  constructor(disk: Disk, survey: Survey, store: Store, lessor: Lessor, alarms: Set<number>) {
    this.#files = new WholeFiles(disk);
    this.#survey = survey;
    this.#store = store;
    this.#restorer = new Restorer(store, lessor, () => 0, alarms);
    this.losses = new LossBook();
    this.#effects = new EffectReader(knowing(this.#restorer, lessor, this.losses), emptyLogState(0));
    this.#start = (survey.base?.sequence ?? 0) + 1;
    this.revision = store.currentRevision;
    this.#parts = survey.segments.flatMap(partsOf);
  }

  get alarms(): ReadonlySet<number> {
    return this.#restorer.alarms;
  }

  async run(): Promise<void> {
    const { spans, gaps } = this.#survey.order;
    const steps = [
      ...spans.map((span) => ({ first: span.first, run: () => this.#span(span) })),
      ...gaps.map((gap) => ({ first: gap.first, run: () => this.#gap(gap) })),
    ];
    steps.sort((a, b) => a.first - b.first);
    for (const { run } of steps) await run();
    await this.#end();
  }

  finish(revision: number): void {
    this.#restorer.finish(revision, false);
  }

  async #span({ run, segment, first, last }: Span): Promise<void> {
    if (last < this.#start) return;
    const block = await this.#read(segment);
    const { crcSeed } = this.#survey.segments[segment];
    const reader = this.#reader;
    const end = run.offset + run.bytes;
    for (let at = run.offset; at < end; at = reader.end) {
      const wrong =
        reader.readHeader(block, at, block.length, crcSeed) ?? reader.checkBody(block, at, block.length, crcSeed);
      assert(wrong === undefined, 'what the survey found good stays good');
      if (reader.sequence < Math.max(first, this.#start) || reader.sequence > last) continue;
      if (reader.firstRevision !== 0 && reader.firstRevision <= this.revision) this.#refuse(segment, at, block);
      else this.#apply(block);
    }
    this.#forget();
  }

  /** Nobody will ask for what was before: memory is the state and one segment's changes. */
  #forget(): void {
    if (this.revision <= this.#store.compactedRevision) return;
    this.#restorer.onCompact(this.revision);
    while (!this.#store.compactStep(COMPACT_UNITS));
  }

  #apply(block: Uint8Array): void {
    const { bodyStart, bodyEnd, lastRevision } = this.#reader;
    this.#effects.read(block, bodyStart, bodyEnd);
    this.revision = Math.max(this.revision, lastRevision, this.#store.currentRevision);
    this.batches++;
  }

  /** Of a writer that did not know of the batches before it: its revisions are taken. */
  #refuse(segment: number, offset: number, block: Uint8Array): void {
    const { sequence, firstRevision, lastRevision, bodyStart, bodyEnd, end } = this.#reader;
    const isListed = this.losses.loseGood(block, bodyStart, bodyEnd);
    const part: LostPart = {
      file: this.#survey.segments[segment].file,
      offset,
      bytes: end - offset,
      kind: 'unchained',
      reason: 'its revisions are not above those of the batches before it',
      sequence,
      changes: 0,
      isReadToEnd: isListed,
      isCertain: isListed,
    };
    this.losses.add({
      sequences: { first: sequence, last: sequence },
      revisions: { first: firstRevision, last: lastRevision },
      isUnproven: false,
      parts: [part],
      isListComplete: isListed,
    });
  }

  async #gap(gap: Gap): Promise<void> {
    if (gap.last < this.#start) return;
    const first = Math.max(gap.first, this.#start);
    const revisions = revisionsOf(gap);
    const { spans, behindEnd } = this.#survey.order;
    // Behind the last batch that counts nothing says what the end was.
    const isEnd = !spans.some((span) => span.first > gap.last);
    const sequences = { first, last: isEnd ? UNKNOWN : gap.last };
    const parts = await this.#lose(sequences, revisions);
    if (isEnd) for (const placed of behindEnd) await this.#loseRun(placed);
    const count = gap.last - first + 1;
    const isListComplete = !isEnd && parts.length === count && parts.every(({ isCertain }) => isCertain);
    this.losses.add({ sequences, revisions, isUnproven: false, parts, isListComplete });
  }

  async #lose(sequences: NumberRange, revisions: NumberRange | undefined): Promise<LostPart[]> {
    const lost: LostPart[] = [];
    for (const { part, segment, sequence } of this.#parts) {
      if (sequence < sequences.first || sequence > sequences.last) continue;
      const { file, crcSeed } = this.#survey.segments[segment];
      lost.push(this.losses.lose({ file, crcSeed, block: await this.#read(segment) }, part, revisions));
    }
    return lost;
  }

  /** What is behind the last batch that counts: never called durable, but it may have been. */
  async #end(): Promise<void> {
    const { order, base, segments } = this.#survey;
    const last = order.lastSequence;
    if (base !== undefined && order.lastSequence <= base.sequence && !isContinued(segments, base.sequence)) {
      // The log does not even reach to the snapshot's end: what came behind it is gone without a trace.
      this.#loseUnknown(last, false);
      return;
    }
    if (this.losses.losses.at(-1)?.sequences.last === UNKNOWN) return;
    const parts = await this.#lose({ first: last + 1, last: UNKNOWN }, undefined);
    const runs = order.behindEnd.filter(({ run }) => run.lastSequence > last);
    for (const placed of runs) await this.#loseRun(placed);
    if (parts.length + runs.length > 0) {
      // What came behind them, if anything did, may be gone without a trace.
      const sequences = { first: last + 1, last: UNKNOWN };
      const revisions = { first: this.revision + 1, last: UNKNOWN };
      this.losses.add({ sequences, revisions, isUnproven: true, parts, isListComplete: false });
    } else if (segments.at(-1)?.headerError !== undefined && segments.at(-1)?.parts.runs.length === 0) {
      // A segment was begun, and nothing of it is left.
      this.#loseUnknown(last, true);
    }
  }

  #loseUnknown(last: number, isUnproven: boolean): void {
    this.losses.add({
      sequences: { first: last + 1, last: UNKNOWN },
      revisions: { first: Math.max(this.revision, this.#survey.base?.revision ?? 0) + 1, last: UNKNOWN },
      isUnproven,
      parts: [],
      isListComplete: false,
    });
  }

  async #loseRun({ run, segment }: PlacedRun): Promise<void> {
    const block = await this.#read(segment);
    const { crcSeed } = this.#survey.segments[segment];
    const reader = this.#reader;
    for (let at = run.offset; at < run.offset + run.bytes; at = reader.end) {
      if (reader.readHeader(block, at, block.length, crcSeed) !== undefined) return;
      this.losses.loseGood(block, reader.bodyStart, reader.bodyEnd);
    }
  }

  async #read(segment: number): Promise<Uint8Array> {
    if (this.#block?.segment !== segment) {
      this.#block = undefined;
      this.#block = { segment, bytes: await this.#files.read(this.#survey.segments[segment].file) };
    }
    return this.#block.bytes;
  }
}

/** A segment is there that goes on behind the batch. */
function isContinued(segments: Survey['segments'], sequence: number): boolean {
  return segments.some(({ firstSequence, parts }) => {
    return firstSequence === sequence + 1 || parts.runs.some(({ lastSequence }) => lastSequence >= sequence);
  });
}

/** Tells the book what good batches say. */
function knowing(restorer: Restorer, lessor: Lessor, losses: LossBook): JournalVisitor {
  const view = new KeyValueView();
  return {
    onPut: (sub, buffer, kvStart, kvEnd) => {
      restorer.onPut(sub, buffer, kvStart, kvEnd);
      if (!losses.hasLosses) return;
      const { keyStart, keyEnd, lease } = view.read(buffer, kvStart, kvEnd);
      losses.keyKnown(buffer, keyStart, keyEnd);
      if (lease !== 0n && lessor.find(lease) === undefined) losses.leaseMissing(lease);
    },
    onDelete: (main, sub, buffer, keyStart, keyEnd) => {
      restorer.onDelete(main, sub, buffer, keyStart, keyEnd);
      losses.keyKnown(buffer, keyStart, keyEnd);
    },
    onLeaseGrant: (id, ttlSeconds) => {
      restorer.onLeaseGrant(id, ttlSeconds);
      losses.leaseKnown(id);
    },
    onLeaseRevoke: (id) => {
      restorer.onLeaseRevoke(id);
      losses.leaseKnown(id);
    },
    onCompact: (revision) => restorer.onCompact(revision),
    onAlarm: (alarm, isRaised) => restorer.onAlarm(alarm, isRaised),
  };
}
