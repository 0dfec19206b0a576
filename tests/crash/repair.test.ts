import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { LossBook } from '../../src/repair/loss-book.ts';
import { repairFolder, UnrepairableError } from '../../src/repair/repair.ts';
import type { Store } from '../../src/store/store.ts';
import { type FileStates, TracingDisk } from '../../src/testing/crash-states.ts';
import { Random } from '../../src/testing/random.ts';
import { Bench, type KnownFolder, knownFolder, liveKeys, stateWithout } from './repair-fixture.ts';
import { DAMAGES, type Structure, structuresOf } from './rot.ts';

/** Of all cases of damage, every how many-th is tried. */
const STRIDE = Number(process.env.K1M_STRIDE ?? 37);
/** Of several damages at once, for each folder. */
const RUNS = Number(process.env.K1M_RUNS ?? 12);
const SEED = Number(process.env.K1M_SEED ?? 1);
/** After a power cut at each point. */
const STATES = Number(process.env.K1M_STATES ?? 2);
/** Of these states, how many are repaired again. */
const RERUN_RATE = process.env.K1M_STATES === undefined ? 0.4 : 1;

interface Damaged {
  readonly name: string;
  readonly path: string;
  readonly files: FileStates;
  /** The part of the file that is not as it was. */
  readonly structure: Structure;
}

/** Each way of damage at each structure of each file. */
function* damagedFolders({ files }: KnownFolder): Generator<Damaged> {
  for (const [path, bytes] of files) {
    const structures = path.endsWith('.wal') ? structuresOf(bytes) : slicesOf(bytes);
    for (const structure of structures) {
      for (const [damage, apply] of Object.entries(DAMAGES)) {
        const damaged = apply(bytes, structure);
        if (damaged === undefined) continue;
        const name = `${path}, ${structure.name} at ${structure.start} ${damage}`;
        yield { name, path, files: new Map([...files, [path, damaged]]), structure };
      }
    }
  }
}

/** Of a snapshot: its ends finely, all of it in equal parts. */
function slicesOf(bytes: Uint8Array): Structure[] {
  const slices: Structure[] = [];
  const add = (start: number, end: number): void => {
    if (start < end && start >= 0) slices.push({ name: 'bytes', start, end: Math.min(end, bytes.length) });
  };
  for (let at = 0; at < 128; at += 8) add(at, at + 8);
  for (let i = 0; i < 40; i++) add(Math.floor((bytes.length * i) / 40), Math.floor((bytes.length * (i + 1)) / 40));
  for (let at = bytes.length - 128; at < bytes.length; at += 8) add(at, at + 8);
  return slices;
}

function stateText(store: Store): string {
  return [...liveKeys(store)].map((pair) => pair.join(': ')).join('\n');
}

/** Of the keys that a start finds after the repair. */
async function repairedText(bench: Bench): Promise<string> {
  await bench.repair();
  const found = await bench.start();
  return found.slice(found.indexOf('\n') + 1);
}

/** A start on the damaged folder shows all that was written, less unacknowledged batches at the end, or is refused. */
function isPrefix(shown: string, known: KnownFolder, mostLost: number): boolean {
  const text = shown.slice(shown.indexOf('\n') + 1);
  const sequences = [...known.past.keys()].sort((a, b) => b - a);
  return sequences.slice(0, mostLost).some((end) => {
    const state = stateWithout(known.past, (sequence) => sequence > end);
    return [...state].map((pair) => pair.join(': ')).join('\n') === text;
  });
}

interface Judged {
  readonly verdict: 'rebuilt' | 'whole' | 'cut' | 'unrepairable';
  readonly isLost: (sequence: number) => boolean;
  /** Uncertain keys that were named, and whether they are said to be all. */
  readonly named: number;
  readonly isComplete: boolean;
}

const NOTHING_LOST: Omit<Judged, 'verdict'> = { isLost: () => false, named: 0, isComplete: false };

/** Holds what a start and a repair make of the damaged files against what was written. Throws what is wrong. */
async function judge(known: KnownFolder, files: FileStates, whole: string, mostLost: number): Promise<Judged> {
  const bench = new Bench(files);
  const started = await bench.start();
  const plan = await bench.plan().catch((error: unknown) => {
    if (error instanceof UnrepairableError) return undefined;
    throw error;
  });
  if (plan === undefined) {
    assert.match(started, /^refused/);
    return { verdict: 'unrepairable', ...NOTHING_LOST };
  }
  if (plan.kind !== 'rebuild') {
    assert.equal(plan.kind, 'none');
    if (started === whole) return { verdict: 'whole', ...NOTHING_LOST };
    assert.ok(isPrefix(started, known, mostLost), 'a start shows what was not written');
    return { verdict: 'cut', ...NOTHING_LOST };
  }
  const { store, losses } = plan.state;
  const ranges = losses.losses.map(({ sequences }) => sequences);
  const isLost = (sequence: number): boolean => ranges.some((r) => sequence >= r.first && sequence <= r.last);
  // Batches that are gone from the end of the last file leave no trace; not more of them than the damage explains.
  const { lastSequence } = plan.survey.order;
  const untold = [...known.past.keys()].filter((sequence) => sequence > lastSequence && !isLost(sequence));
  assert.ok(untold.length <= mostLost, `${untold} are missing at the end`);
  const isGone = (sequence: number): boolean => isLost(sequence) || untold.includes(sequence);
  assert.deepEqual(liveKeys(store), stateWithout(known.past, isGone), 'another state');
  assert.equal(store.compactedRevision, plan.revision);
  if (untold.length === 0) checkLists(known, losses, isLost);
  assert.equal(await repairedText(bench), stateText(store), 'a start finds another state');
  const isComplete = losses.hasLosses && losses.losses.every(({ isListComplete }) => isListComplete);
  return { verdict: 'rebuilt', isLost, named: losses.keys.length, isComplete };
}

/** What it says of keys: those that a lost batch changed and no later one did. */
function checkLists({ past }: KnownFolder, losses: LossBook, isLost: (sequence: number) => boolean): void {
  const whereLast = new Map<string, number>();
  for (const [sequence, changes] of past) {
    for (const { key } of changes) whereLast.set(key, Math.max(sequence, whereLast.get(key) ?? 0));
  }
  const wrong = new Set([...whereLast].filter(([, sequence]) => isLost(sequence)).map(([key]) => key));
  const named = losses.keys.map(({ key }) => Buffer.from(key).toString('latin1'));
  const isComplete = losses.losses.every(({ isListComplete }) => isListComplete);
  if (isComplete) assert.deepEqual(named.sort(), [...wrong].sort(), 'uncertain keys');
  for (const key of named) if (whereLast.has(key)) assert.ok(wrong.has(key), `${key} is not uncertain`);
}

const FOLDERS = [
  { seed: 1, snapshots: 0, isEnded: true },
  { seed: 2, snapshots: 1, isEnded: false, directBlock: 512 },
  { seed: 3, snapshots: 2, isEnded: true },
  // Its last segment is in a file that was one before.
  { seed: 4, snapshots: 8, isEnded: false },
];

describe('a repair', () => {
  for (const subject of FOLDERS) {
    it(`loses exactly what is damaged, and says so, whatever is done to a log of ${subject.snapshots} snapshots`, async (context) => {
      const known = await knownFolder(subject);
      const bench = new Bench(known.files);
      const { segments } = await bench.survey();
      assert.equal(segments.at(-1)?.parts.rest?.kind === 'earlier-segment', subject.snapshots === 8);
      const whole = await bench.start();
      const counts = { rebuilt: 0, whole: 0, cut: 0, unrepairable: 0, named: 0, complete: 0 };
      let number = subject.seed;
      for (const { name, files, path, structure } of damagedFolders(known)) {
        if (number++ % STRIDE !== 0) continue;
        // What is no more at a multiple of 8 bytes is not found.
        const isShifted = /repeated|left out/.test(name) && (structure.end - structure.start) % 8 !== 0;
        const mostLost = isShifted || name.includes('cut off') ? known.past.size : name.includes('sector') ? 10 : 3;
        const judged = await judge(known, files, whole, mostLost).catch((error: unknown) => {
          throw new Error(name, { cause: error });
        });
        counts[judged.verdict]++;
        if (judged.named > 0) counts.named++;
        if (judged.isComplete) counts.complete++;
        // No more is lost than the batches that the damage touches.
        if (!path.endsWith('.wal') || isShifted || name.includes('cut off') || name.includes('segment')) continue;
        const touched = batchesAt(known, path, structure);
        const lost = [...known.past.keys()].filter(judged.isLost);
        assert.ok(
          lost.every((sequence) => touched.includes(sequence)),
          `${name}: lost ${lost}, touched ${touched}`,
        );
      }
      context.diagnostic(JSON.stringify(counts));
      assert.ok(counts.rebuilt > 10 && counts.whole + counts.cut > 3, JSON.stringify(counts));
      assert.ok(counts.named > 1 && counts.complete > 2, JSON.stringify(counts));
    });
  }

  it('does so too where several things are damaged at once, also the snapshots', async (context) => {
    const counts = { rebuilt: 0, whole: 0, cut: 0, unrepairable: 0 };
    for (const subject of FOLDERS) {
      const known = await knownFolder(subject);
      const whole = await new Bench(known.files).start();
      const paths = [...known.files.keys()];
      for (let seed = SEED; seed < SEED + RUNS; seed++) {
        const random = new Random(seed);
        const files = new Map(known.files);
        for (let n = random.between(2, 5); n > 0; n--) {
          const path = random.pick(paths);
          const bytes = files.get(path);
          if (bytes === undefined || bytes.length === 0) continue;
          if (random.chance(0.1)) files.delete(path);
          else files.set(path, damagedAnyhow(bytes, random));
        }
        // Nothing at all is a new folder.
        if (files.size === 0) continue;
        const { verdict } = await judge(known, files, whole, known.past.size).catch((error: unknown) => {
          throw new Error(`${subject.snapshots} snapshots, seed ${seed}`, { cause: error });
        });
        counts[verdict]++;
      }
    }
    context.diagnostic(JSON.stringify(counts));
    assert.ok(counts.rebuilt > RUNS, JSON.stringify(counts));
  });
});

/** Something that disks do to a file, at multiples of 8 bytes. */
function damagedAnyhow(bytes: Uint8Array, random: Random): Uint8Array {
  const names = Object.keys(DAMAGES).filter((name) => !name.includes('sector'));
  const start = Math.floor(random.between(0, bytes.length - 1) / 8) * 8;
  const end = Math.min(bytes.length, start + random.pick([8, 64, 512]));
  return DAMAGES[random.pick(names)](bytes, { name: 'bytes', start, end }) ?? bytes;
}

/** The batches whose bytes the structure takes part of, and those behind them in the same sector. */
function batchesAt({ files }: KnownFolder, path: string, { start, end }: Structure): number[] {
  const bytes = files.get(path) ?? new Uint8Array(0);
  const reach = Math.max(end, Math.ceil((start + 1) / 512) * 512);
  const from = Math.floor(start / 512) * 512;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return structuresOf(bytes)
    .filter((one) => one.name === 'batch' && one.start < reach && one.end > from)
    .map((one) => Number(view.getBigUint64(one.start + 16, true)));
}

interface Subject {
  readonly name: string;
  readonly seed: number;
  readonly snapshots: number;
  readonly isEnded: boolean;
  /** Undefined: the file stays as it is. */
  readonly damage: (bytes: Uint8Array, batches: readonly Structure[]) => Uint8Array | undefined;
  readonly isRefused: boolean;
}

/** The first batch that a later one calls durable. */
const FLIP: Subject['damage'] = (bytes, batches) => {
  if (batches.length < 2) return undefined;
  const damaged = bytes.slice();
  damaged[batches[0].start + 70] ^= 1;
  return damaged;
};
/** A start takes the batch behind the repeated one for missing, and cuts the last one off. */
const REPEAT: Subject['damage'] = (bytes, batches) => {
  const [first, second] = batches.slice(-2);
  if (second === undefined) return undefined;
  return Buffer.concat([
    bytes.subarray(0, first.end),
    bytes.subarray(first.start, first.end),
    bytes.subarray(first.end),
  ]);
};

const SUBJECTS: readonly Subject[] = [
  { name: 'a log alone', seed: 4, snapshots: 0, isEnded: true, damage: FLIP, isRefused: true },
  { name: 'two snapshots and a log', seed: 5, snapshots: 2, isEnded: false, damage: FLIP, isRefused: true },
  {
    name: 'good batches that a start would cut',
    seed: 6,
    snapshots: 1,
    isEnded: false,
    damage: REPEAT,
    isRefused: false,
  },
];

/** The newest file in which the damage makes a repair necessary. */
async function damagedFolder(known: KnownFolder, subject: Subject): Promise<{ files: FileStates; before: string }> {
  const paths = [...known.files.keys()].filter((path) => path.endsWith('.wal')).reverse();
  for (const path of paths) {
    const bytes = known.files.get(path) ?? new Uint8Array(0);
    const batches = structuresOf(bytes).filter(({ name }) => name === 'batch');
    const damaged = subject.damage(bytes, batches);
    if (damaged === undefined) continue;
    const files = new Map([...known.files, [path, damaged]]);
    const bench = new Bench(files);
    const before = await bench.start();
    if (before.startsWith('refused') === subject.isRefused && (await bench.plan()).kind === 'rebuild') {
      return { files, before };
    }
  }
  throw new Error('no damage makes a repair necessary');
}

describe('a repair that is interrupted', () => {
  for (const subject of SUBJECTS) {
    it(`by a power cut leaves ${subject.name} as it was or repaired, and another run repairs it`, async (context) => {
      const { files, before } = await damagedFolder(await knownFolder(subject), subject);
      const bench = new Bench(files);
      const plan = await bench.plan();
      assert.ok(plan.kind === 'rebuild');
      const trace = new TracingDisk(bench.disk, files);
      await bench.clock.runUntil(repairFolder(trace, bench.clock, plan));
      const repaired = await bench.start();
      assert.notEqual(repaired, before);
      assert.doesNotMatch(repaired, /^refused/);
      const random = new Random(subject.seed);
      const counts = { points: 0, states: 0, before: 0, repaired: 0 };
      for (let point = 0; point <= trace.point; point++) {
        counts.points++;
        for (const state of trace.states(point, STATES, random)) {
          counts.states++;
          const where = `point ${point} of ${trace.point}, state ${counts.states}`;
          const again = new Bench(state);
          const found = await again.start();
          if (found === before) counts.before++;
          else counts.repaired++;
          assert.ok(found === before || found === repaired, `${where}: ${found}`);
          if (!random.chance(RERUN_RATE)) continue;
          await again.repair();
          assert.equal(await again.start(), repaired, `${where}: after another run`);
          assert.equal((await again.plan()).kind, 'none', where);
          assert.ok(keeps(again, files), `${where}: the originals are gone`);
        }
      }
      context.diagnostic(JSON.stringify(counts));
      assert.ok(counts.before > 50 && counts.repaired > 5, JSON.stringify(counts));
    });
  }

  it('by an error of the disk leaves the folder as it was or repaired, and another run repairs it', async () => {
    const subject = SUBJECTS[1];
    const { files, before } = await damagedFolder(await knownFolder(subject), subject);
    const whole = new Bench(files);
    await whole.repair();
    const repaired = await whole.start();
    let failures = 0;
    const operations = [
      'open',
      'write',
      'writeDurable',
      'datasync',
      'rename',
      'link',
      'unlink',
      'syncDirectory',
    ] as const;
    for (const operation of operations) {
      for (let skipped = 0; skipped < 12; skipped += 2) {
        const bench = new Bench(files);
        const plan = await bench.plan();
        assert.ok(plan.kind === 'rebuild');
        for (let i = 0; i < skipped; i++) bench.disk.faults.push({ operation, pathPart: '/', times: 1 });
        bench.disk.faults.push({ operation, pathPart: '/', times: 1, code: 'ENOSPC' });
        const failed = await bench.clock.runUntil(
          repairFolder(bench.disk, bench.clock, plan).then(
            () => undefined,
            (error: unknown) => error,
          ),
        );
        bench.disk.faults.length = 0;
        if (failed === undefined) continue;
        failures++;
        const found = await bench.start();
        assert.ok(found === before || found === repaired, `${operation} after ${skipped}: ${found}`);
        await bench.repair();
        assert.equal(await bench.start(), repaired, `${operation} after ${skipped}`);
      }
    }
    assert.ok(failures > 15, `${failures}`);
  });

  it('goes above a snapshot that is damaged and newer than all that is good', async () => {
    const known = await knownFolder({ seed: 9, snapshots: 2, isEnded: true });
    const newest = [...known.files.keys()].filter((path) => path.endsWith('.snap')).sort()[1];
    const sequence = Number.parseInt(newest.slice(-21, -5), 16);
    const files = new Map(known.files);
    for (const [path, bytes] of known.files) {
      if (path === newest) files.set(path, bytes.subarray(0, bytes.length - 1));
      // Nothing of the log is left behind the older snapshot.
      if (path.endsWith('.wal')) files.delete(path);
    }
    const bench = new Bench(files);
    assert.match(await bench.start(), /^refused/);
    const plan = await bench.repair();
    assert.ok(plan.kind === 'rebuild' && plan.sequence > sequence, `${plan.kind}`);
    assert.doesNotMatch(await bench.start(), /^refused/);
  });

  it('skips what the disk cannot read', async () => {
    const known = await knownFolder({ seed: 1, snapshots: 0, isEnded: true });
    const paths = [...known.files.keys()].filter((path) => path.endsWith('.wal')).sort();
    for (const [index, path] of paths.entries()) {
      const bench = new Bench(known.files);
      bench.disk.faults.push({ operation: 'read', pathPart: path, times: 1_000_000, code: 'EIO' });
      await assert.rejects(bench.start(), { code: 'EIO' });
      const plan = await bench.repair();
      assert.ok(plan.kind === 'rebuild');
      const found = plan.survey.findings.filter(({ kind }) => kind === 'unreadable').map(({ file }) => file);
      assert.deepEqual(found, [path]);
      const ranges = plan.state.losses.losses.map(({ sequences }) => sequences);
      assert.equal(ranges.length, 1);
      const first = Number.parseInt(path.slice(-20, -4), 16);
      const next = paths.at(index + 1);
      const last = next === undefined ? Number.POSITIVE_INFINITY : Number.parseInt(next.slice(-20, -4), 16) - 1;
      assert.deepEqual(ranges[0], { first, last }, path);
      const expected = stateWithout(known.past, (sequence) => sequence >= first && sequence <= last);
      const started = await bench.start();
      const text = [...expected].map((pair) => pair.join(': ')).join('\n');
      assert.equal(started.slice(started.indexOf('\n') + 1), text, path);
    }
  });

  it('copies the originals where the file system has no second names', async () => {
    const subject = SUBJECTS[0];
    const { files } = await damagedFolder(await knownFolder(subject), subject);
    const bench = new Bench(files);
    bench.disk.faults.push({ operation: 'link', pathPart: '/', times: 1_000, code: 'EPERM' });
    await bench.repair();
    assert.ok(keeps(bench, files));
    assert.doesNotMatch(await bench.start(), /^refused/);
  });
});

/** Every file that was there is there, in its place or set aside. */
function keeps({ disk }: Bench, files: FileStates): boolean {
  const now = new Set([...disk.snapshot()].map(([path, text]) => `${path.slice(path.lastIndexOf('/'))} ${text}`));
  return [...files].every(([path, bytes]) => {
    return now.has(`${path.slice(path.lastIndexOf('/'))} ${Buffer.from(bytes).toString('latin1')}`);
  });
}
