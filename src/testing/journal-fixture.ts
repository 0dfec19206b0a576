// A journal on a simulated disk, with what its handler and its visitor heard written down.

import assert from 'node:assert/strict';
import type { DiskError } from '../io/disk.ts';
import type { CorruptionError, ForeignLogError } from '../journal/errors.ts';
import { openFileJournal } from '../journal/file-journal-opening.ts';
import type { FileJournalLimits } from '../journal/file-journal-options.ts';
import type {
  Journal,
  JournalHandler,
  JournalIdentity,
  JournalObserver,
  JournalVisitor,
  LogBase,
  LoggedDurability,
  OpenedJournal,
} from '../journal/journal.ts';
import { SimulatedClock } from './clock.ts';
import { SimulatedDisk, type SimulatedDiskOptions } from './disk.ts';
import { Random } from './random.ts';

export const IDENTITY: JournalIdentity = { clusterId: -0x1234_5678_9abc_def1n, memberId: 0x7eef_0001_0002_0003n };

export const SALT = 0x5a17_c0de;

/** A base that holds the batches up to `sequence`. */
export function baseAt(sequence: number, revision: number = sequence): LogBase {
  return { sequence, revision, clusterId: IDENTITY.clusterId, file: 'base' };
}

/** Effects as text, one a line. */
export class RecordingVisitor implements JournalVisitor {
  readonly lines: string[] = [];

  onPut(sub: number, buffer: Uint8Array, kvStart: number, kvEnd: number): void {
    this.lines.push(`put ${sub} ${text(buffer, kvStart, kvEnd)}`);
  }

  onDelete(main: number, sub: number, buffer: Uint8Array, keyStart: number, keyEnd: number): void {
    this.lines.push(`delete ${main} ${sub} ${text(buffer, keyStart, keyEnd)}`);
  }

  onLeaseGrant(id: bigint, ttlSeconds: number): void {
    this.lines.push(`grant ${id} ${ttlSeconds}`);
  }

  onLeaseRevoke(id: bigint): void {
    this.lines.push(`revoke ${id}`);
  }

  onCompact(revision: number): void {
    this.lines.push(`compact ${revision}`);
  }

  onAlarm(alarm: number, isRaised: boolean): void {
    this.lines.push(`alarm ${alarm} ${isRaised}`);
  }
}

export class RecordingHandler implements JournalHandler {
  written = 0;
  durable = 0;
  fatal: Error | undefined;
  /** Every report, in order: "written 3", "durable 3", "fatal EIO". */
  readonly reports: string[] = [];
  /** Called after each report. */
  onReport: () => void = () => {};

  onWritten(sequence: number): void {
    this.written = sequence;
    this.#report(`written ${sequence}`);
  }

  onDurable(sequence: number): void {
    this.durable = sequence;
    this.#report(`durable ${sequence}`);
  }

  onFatal(error: Error): void {
    this.fatal = error;
    this.#report(`fatal ${codeOf(error)}`);
  }

  #report(line: string): void {
    this.reports.push(line);
    this.onReport();
  }
}

export interface FixtureOptions {
  readonly seed?: number;
  readonly disk?: Partial<SimulatedDiskOptions>;
  readonly limits?: Partial<FileJournalLimits>;
}

export interface FixtureOpening {
  readonly clusterId?: bigint;
  readonly salt?: number;
  readonly base?: LogBase;
  readonly observer?: JournalObserver;
}

const FOLDER = '/data';

export class JournalFixture {
  readonly clock: SimulatedClock = new SimulatedClock();
  readonly random: Random;
  readonly disk: SimulatedDisk;
  readonly #limits: Partial<FileJournalLimits>;
  /** Of the last opening. */
  visitor: RecordingVisitor = new RecordingVisitor();
  handler: RecordingHandler = new RecordingHandler();

  constructor(options: FixtureOptions = {}) {
    this.random = new Random(options.seed ?? 1);
    this.disk = new SimulatedDisk({ clock: this.clock, random: this.random, ...options.disk });
    this.#limits = { batchBytesMax: 4096, reserveBytes: 0, ...options.limits };
  }

  open(opening: FixtureOpening = {}): Promise<OpenedJournal> {
    this.visitor = new RecordingVisitor();
    this.handler = new RecordingHandler();
    const { clock, disk, visitor, handler } = this;
    const limits = this.#limits;
    const common = { disk, clock, folder: FOLDER, identity: IDENTITY, salt: SALT, visitor, handler, limits };
    return this.clock.runUntil(openFileJournal({ ...common, ...opening }));
  }

  async close(journal: Journal, cleanRevision: number | undefined): Promise<void> {
    await this.clock.runUntil(journal.close(cleanRevision));
    assert.deepEqual(this.disk.openPaths, [], 'an orderly end closes its files');
  }

  /** One batch that puts one pair, all the way to the disk. */
  async put(journal: Journal, revision: number, value: string, durability: LoggedDurability = 'fsync'): Promise<void> {
    appendPut(journal, revision, value, durability);
    journal.commit();
    await this.clock.runAll();
  }

  segmentPath(firstSequence = 1): string {
    return `${FOLDER}/wal/${firstSequence.toString(16).padStart(16, '0')}.wal`;
  }

  get segmentFolder(): string {
    return `${FOLDER}/wal`;
  }
}

/** The log must be refused, and nothing on the disk be different afterwards. */
export async function assertRefused(
  fixture: JournalFixture,
  errorClass: typeof CorruptionError | typeof ForeignLogError,
  pattern: RegExp,
  opening: FixtureOpening = {},
): Promise<Error> {
  const before = fixture.disk.snapshot();
  let refused: Error | undefined;
  await fixture.open(opening).catch((error) => {
    refused = error;
  });
  assert.ok(refused instanceof errorClass, `expected ${errorClass.name}, got ${refused}`);
  assert.match(refused.message, pattern);
  assert.deepEqual(fixture.disk.snapshot(), before);
  // What was read ahead ends by itself.
  await fixture.clock.runAll();
  assert.deepEqual(fixture.disk.openPaths, []);
  return refused;
}

export function appendPut(journal: Journal, revision: number, value: string, durability: LoggedDurability): void {
  const bytes = Buffer.from(value);
  journal.batch.beginRevision(revision, durability);
  journal.batch.appendPut(0, bytes, 0, bytes.length);
}

export function commitPut(journal: Journal, revision: number, durability: LoggedDurability = 'fsync'): number {
  appendPut(journal, revision, `value ${revision}`, durability);
  return journal.commit();
}

function text(buffer: Uint8Array, start: number, end: number): string {
  return Buffer.from(buffer.subarray(start, end)).toString('latin1');
}

function codeOf(error: Error | DiskError): string {
  return 'code' in error ? error.code : error.message;
}
