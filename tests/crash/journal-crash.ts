// The journal's writer against every state that a power cut may leave: a log is written with batches of both classes, of all
// sizes, over several segments, and trimmed meanwhile, so that files are segments more than once; at each point of its I/O all legal
// states are made and opened again, and so is what a cut during that opening leaves.
//
//   acknowledged       every batch reported durable by the point is there, whole and in order
//   nothing made up    what is there is the first batches that were written, no others
//   revision           is not below any that may have been shown
//   never refused      no state of an honest disk is called damage

import { openFileJournal } from '../../src/journal/file-journal-opening.ts';
import type { Journal, LogBase } from '../../src/journal/journal.ts';
import { RevisionReserve } from '../../src/journal/revision-reserve.ts';
import { SimulatedClock } from '../../src/testing/clock.ts';
import { type FileStates, TracingDisk } from '../../src/testing/crash-states.ts';
import { SimulatedDisk } from '../../src/testing/disk.ts';
import {
  appendPut,
  baseAt,
  IDENTITY,
  RecordingHandler,
  RecordingVisitor,
  SALT,
} from '../../src/testing/journal-fixture.ts';
import { Random } from '../../src/testing/random.ts';

export interface CrashCounts {
  /** Points of I/O at which the power was cut. */
  points: number;
  /** Different states that were opened. */
  states: number;
  /** Of these, what a cut during the opening after a cut left. */
  secondStates: number;
  /** Segments that were begun in the file of an earlier one. */
  reused: number;
}

export interface CrashOptions {
  readonly seed: number;
  readonly steps: number;
  /** States at each point. */
  readonly statesMax: number;
  /** Of the states, how many are opened under observation, to be cut again. */
  readonly secondRate: number;
}

const FOLDER = '/data';
const LIMITS = { batchBytesMax: 2000, segmentBytesMax: 9000, bufferedLossMsMax: 20 };

/** What had been promised when the trace was at a point. */
interface Promised {
  readonly point: number;
  readonly batches: number;
  readonly revision: number;
  /** Batches that the log need not have any more, and what may have been shown when they were trimmed. */
  readonly trimmed: number;
  readonly mark: number;
}

interface Written {
  readonly trace: TracingDisk;
  /** Lines of each batch, in order. */
  readonly batches: readonly (readonly string[])[];
  readonly promises: readonly Promised[];
  /** The sequence of the first batch, less 1. */
  readonly before: number;
  readonly directBlock: number;
  readonly reused: number;
}

/** Throws an Error that tells what is wrong with which state. */
export async function crashJournal(options: CrashOptions): Promise<CrashCounts> {
  const random = new Random(options.seed);
  const counts: CrashCounts = { points: 0, states: 0, secondStates: 0, reused: 0 };
  const written = await writeLog(random, options.steps);
  counts.reused = written.reused;
  for (let point = 0; point <= written.trace.point; point++) {
    counts.points++;
    const promised = promisedAt(written.promises, point);
    for (const state of written.trace.states(point, options.statesMax, random)) {
      counts.states++;
      const where = `seed ${options.seed}, point ${point} of ${written.trace.point}, state ${counts.states}`;
      const base = baseOf(written, promised);
      if (!random.chance(options.secondRate)) {
        check(await open(state, written, base), written, promised, where);
        continue;
      }
      const first = await open(state, written, base, true);
      check(first, written, promised, where);
      for (let second = 0; second <= first.trace.point; second++) {
        for (const again of first.trace.states(second, options.statesMax, random)) {
          counts.secondStates++;
          check(await open(again, written, base), written, promised, `${where}, cut again at point ${second}`);
        }
      }
    }
  }
  return counts;
}

async function writeLog(random: Random, steps: number): Promise<Written> {
  const directBlock = random.pick([0, 512, 4096]);
  const clock = new SimulatedClock();
  const disk = new SimulatedDisk({ clock, random, latencyMsMax: 4, directBlock });
  const trace = new TracingDisk(disk);
  let reused = 0;
  disk.onOperation = (operation, path) => {
    if (operation === 'rename' && path.endsWith('.spare')) reused++;
  };
  const handler = new RecordingHandler();
  const reserveBytes = random.pick([0, 3000]);
  const visitor = new RecordingVisitor();
  const opening = { disk: trace, clock, folder: FOLDER, identity: IDENTITY, salt: SALT, visitor, handler };
  const { journal } = await clock.runUntil(openFileJournal({ ...opening, limits: { ...LIMITS, reserveBytes } }));
  const first = journal.lastSequence;
  const promises: Promised[] = [];
  const batches: string[][] = [];
  const lastRevisions: number[] = [];
  const reserve = new RevisionReserve(0, 6);
  let shown = 0;
  let marked = 0;
  handler.onReport = () => {
    reserve.durable(handler.durable);
    const written = lastRevisions[handler.written - first - 1] ?? 0;
    if (reserve.mayShow(written)) shown = Math.max(shown, written);
    const durable = handler.durable - first;
    const revision = Math.max(shown, lastRevisions[durable - 1] ?? 0);
    promises.push({ point: trace.point, batches: Math.max(0, durable), revision, trimmed, mark });
  };
  let trimmed = 0;
  let mark = 0;
  let isTrimming = false;
  /** What is durable is in a snapshot, say. */
  const trim = (): void => {
    if (isTrimming || handler.durable <= first) return;
    trimmed = handler.durable - first;
    mark = Math.max(lastRevisions[trimmed - 1], marked);
    handler.onReport();
    isTrimming = true;
    void journal.trim(handler.durable + 1).then(() => {
      isTrimming = false;
    });
  };
  let revision = 0;
  let lines: string[] = [];
  for (let step = 0; step < steps; step++) {
    if (random.chance(0.8)) {
      const value = `${++revision}:${'v'.repeat(random.pick([10, 300, 700, 1800, random.between(1, 6000)]))}`;
      appendPut(journal, revision, value, random.chance(0.6) ? 'fsync' : 'buffered');
      lines.push(`put 0 ${value}`);
      marked = Math.max(marked, appendMark(reserve, journal, revision));
    }
    if (!journal.batch.isEmpty && journal.hasRoom && random.chance(0.8)) {
      journal.commit();
      batches.push(lines);
      lastRevisions.push(revision);
      lines = [];
    }
    if (random.chance(0.15)) trim();
    await clock.pass(random.between(0, 4));
  }
  while (isTrimming) await clock.pass(1);
  if (random.chance(0.5)) {
    batches.push(lines);
    await clock.runUntil(journal.close(revision));
  }
  return { trace, batches, promises, before: first, directBlock, reused };
}

/** The state that the log was trimmed behind. */
function baseOf({ before }: Written, { trimmed, mark }: Promised): LogBase | undefined {
  return trimmed === 0 ? undefined : baseAt(before + trimmed, mark);
}

/** The mark; 0: none was due. */
function appendMark(reserve: RevisionReserve, journal: Journal, revision: number): number {
  const next = reserve.markFor(revision);
  if (next === 0) return 0;
  journal.batch.appendMark(next);
  reserve.appended(next, journal.lastSequence + 1);
  return next;
}

function promisedAt(promises: readonly Promised[], point: number): Promised {
  return promises.findLast((one) => one.point <= point) ?? { point: 0, batches: 0, revision: 0, trimmed: 0, mark: 0 };
}

interface Opened {
  readonly lines: readonly string[];
  readonly revision: number;
  readonly trace: TracingDisk;
}

/** Opens a log on a disk that holds exactly this, and cuts the power once more when it is open. */
async function open(
  state: FileStates,
  { directBlock }: Written,
  base: LogBase | undefined,
  isTraced = false,
): Promise<Opened> {
  const clock = new SimulatedClock();
  const disk = new SimulatedDisk({ clock, random: new Random(1), directBlock });
  await disk.ensureDirectory(`${FOLDER}/wal`);
  for (const [path, bytes] of state) disk.place(path, bytes);
  const trace = new TracingDisk(disk, state);
  const visitor = new RecordingVisitor();
  const common = {
    clock,
    folder: FOLDER,
    identity: IDENTITY,
    salt: SALT,
    base,
    visitor,
    handler: new RecordingHandler(),
    limits: LIMITS,
  };
  const { recovery } = await clock.runUntil(openFileJournal({ ...common, disk: isTraced ? trace : disk }));
  return { lines: visitor.lines, revision: recovery.revision, trace };
}

function check({ lines, revision }: Opened, { batches }: Written, promised: Promised, where: string): void {
  const { trimmed } = promised;
  let count = trimmed;
  let place = 0;
  while (count < batches.length && place < lines.length) place += batches[count++].length;
  // Batches without lines may be there or not.
  while (count < batches.length && batches[count].length === 0) count++;
  const expected = batches.slice(trimmed, count).flat();
  const isPrefix = lines.length === expected.length && lines.every((line, index) => line === expected[index]);
  if (!isPrefix) throw new Error(`${where}: the log shows something else than its first batches`);
  if (count < promised.batches) throw new Error(`${where}: ${count} batches, ${promised.batches} were acknowledged`);
  if (revision < promised.revision) throw new Error(`${where}: revision ${revision} after ${promised.revision}`);
}
