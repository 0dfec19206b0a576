// Damage to a log at rest, at each structure of each of its files. Whatever is done, the log is refused, or it ends before what
// was damaged and says so; nothing that was not written is ever shown.
//
// Only the end may be cut: the batches behind the last one that a later batch or segment calls durable (docs/journal.md, "What
// cannot be told"). After an orderly end, or one more start, that is the last batch alone, which holds no writes.

import { CorruptionError, ForeignLogError } from '../../src/journal/errors.ts';
import { SEGMENT_HEADER_BYTES } from '../../src/journal/format.ts';
import type { LogBase } from '../../src/journal/journal.ts';
import { baseAt, JournalFixture } from '../../src/testing/journal-fixture.ts';

/** Where a structure lies in a file. */
export interface Structure {
  readonly name: string;
  readonly start: number;
  readonly end: number;
}

export interface RotLog {
  readonly fixture: JournalFixture;
  /** What it goes on from; undefined: it begins at the beginning. */
  readonly base: LogBase | undefined;
  /** What the whole log shows. */
  readonly lines: readonly string[];
  readonly files: readonly {
    readonly path: string;
    readonly bytes: Uint8Array;
    readonly structures: readonly Structure[];
  }[];
}

const BATCH_HEADER_BYTES = 64;
const AT_BODY_BYTES = 56;
const AT_SEQUENCE = 16;
const AT_ALIGNMENT = 62;
/** In the segment header. */
const AT_FIRST_SEQUENCE = 32;
const AT_FIRST_BATCH = 56;

export type RotStory = 'new files' | 'files used again' | 'direct writes';

/** Batches of the log; what is below TRIMMED is gone from it again, where files are used again. */
const LAST = { 'new files': 21, 'files used again': 60, 'direct writes': 60 } as const;
const TRIMMED = 40;

/**
 * Several segments of several batches each, so that every batch with writes has a witness: new files, ended in order; or files that were
 * segments before, with what those held behind the batches, and no orderly end; or that with batches padded to blocks of the disk.
 */
export async function writeRotLog(story: RotStory): Promise<RotLog> {
  const isDirect = story === 'direct writes';
  const limits = { segmentBytesMax: isDirect ? 4096 : 1500 };
  const fixture = new JournalFixture({ disk: { directBlock: isDirect ? 512 : 0 }, limits });
  const { journal } = await fixture.open();
  const isNew = story === 'new files';
  const lines: string[] = [];
  for (let revision = 2; revision <= LAST[story]; revision++) {
    const value = `value ${revision} ${'.'.repeat((revision % 7) * 25)}`;
    await fixture.put(journal, revision, value);
    if (isNew || revision > TRIMMED) lines.push(`put 0 ${value}`);
    if (!isNew && revision % 20 === 0 && revision <= TRIMMED) await fixture.clock.runUntil(journal.trim(revision));
  }
  if (isNew) await fixture.close(journal, LAST[story]);
  else {
    journal.batch.appendMark(LAST[story]);
    journal.commit();
    await fixture.clock.runAll();
  }
  fixture.disk.kill();
  const paths = [...fixture.disk.snapshot().keys()].filter((path) => path.endsWith('.wal')).sort();
  const files = paths.map((path) => {
    const bytes = fixture.disk.bytes(path);
    return { path, bytes, structures: structuresOf(bytes) };
  });
  return { fixture, base: isNew ? undefined : baseAt(TRIMMED), lines, files };
}

const SEGMENT_FIELDS: readonly [string, number, number][] = [
  ['segment magic', 0, 8],
  ['segment version', 8, 12],
  ['segment checksum', 12, 16],
  ['cluster id', 16, 24],
  ['member id', 24, 32],
  ['first sequence', 32, 40],
  ['segment epoch', 40, 48],
  ['checksum of the batch before', 48, 52],
  ['salt', 52, 56],
  ['place of the first batch', 56, 60],
  ['segment padding', 60, 64],
];
const BATCH_FIELDS: readonly [string, number, number][] = [
  ['batch magic', 0, 4],
  ['header checksum', 4, 8],
  ['body checksum', 8, 12],
  ['chain', 12, 16],
  ['sequence', 16, 24],
  ['epoch', 24, 32],
  ['first revision', 32, 40],
  ['last revision', 40, 48],
  ['durable sequence', 48, 56],
  ['body length', 56, 60],
  ['flags', 60, 62],
  ['alignment', 62, 63],
  ['batch padding', 63, 64],
];

export function structuresOf(bytes: Uint8Array): Structure[] {
  const structures: Structure[] = [{ name: 'segment header', start: 0, end: SEGMENT_HEADER_BYTES }];
  for (const [name, start, end] of SEGMENT_FIELDS) structures.push({ name, start, end });
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let sequence = view.getBigUint64(AT_FIRST_SEQUENCE, true);
  // Up to zeros, or to what an earlier segment left.
  const first = view.getUint32(AT_FIRST_BATCH, true);
  for (let at = first; at + BATCH_HEADER_BYTES <= bytes.length; sequence++) {
    if (view.getBigUint64(at + AT_SEQUENCE, true) !== sequence) break;
    const bodyBytes = view.getUint32(at + AT_BODY_BYTES, true);
    const bodyStart = at + BATCH_HEADER_BYTES;
    const alignment = 1 << (view.getUint8(at + AT_ALIGNMENT) || 3);
    const end = at + Math.ceil((BATCH_HEADER_BYTES + bodyBytes) / alignment) * alignment;
    structures.push({ name: 'batch', start: at, end }, { name: 'batch header', start: at, end: bodyStart });
    for (const [name, from, to] of BATCH_FIELDS) structures.push({ name, start: at + from, end: at + to });
    structures.push({ name: 'body', start: bodyStart, end: bodyStart + bodyBytes });
    if (end > bodyStart + bodyBytes) structures.push({ name: 'body padding', start: bodyStart + bodyBytes, end });
    at = end;
  }
  return structures;
}

/** Ways of damage to bytes[start, end); undefined where one changes nothing. */
export const DAMAGES: Readonly<Record<string, (bytes: Uint8Array, structure: Structure) => Uint8Array | undefined>> = {
  'first bit flipped': (bytes, { start }) => flipped(bytes, start, 1),
  'last bit flipped': (bytes, { end }) => flipped(bytes, end - 1, 0x80),
  'all bits flipped': (bytes, { start, end }) => {
    const damaged = bytes.slice();
    for (let at = start; at < end; at++) damaged[at] ^= 0xff;
    return damaged;
  },
  zeroed: (bytes, { start, end }) => different(bytes, bytes.slice().fill(0, start, end)),
  repeated: (bytes, { start, end }) => {
    return Buffer.concat([bytes.subarray(0, end), bytes.subarray(start, end), bytes.subarray(end)]);
  },
  'left out': (bytes, { start, end }) => Buffer.concat([bytes.subarray(0, start), bytes.subarray(end)]),
  'cut off before': (bytes, { start }) => bytes.slice(0, start),
  'cut off behind': (bytes, { end }) => different(bytes, bytes.slice(0, end)),
  'zeroed to the end of its sector': (bytes, { start }) => {
    return different(bytes, bytes.slice().fill(0, start, Math.ceil((start + 1) / 512) * 512));
  },
  'the sector before it once more': (bytes, { start }) => {
    const sector = Math.floor(start / 512) * 512;
    if (sector === 0) return undefined;
    const damaged = bytes.slice();
    damaged.set(bytes.subarray(sector - 512, Math.min(sector, bytes.length - 512)), sector);
    return different(bytes, damaged);
  },
};

function flipped(bytes: Uint8Array, at: number, mask: number): Uint8Array {
  const damaged = bytes.slice();
  damaged[at] ^= mask;
  return damaged;
}

function different(bytes: Uint8Array, damaged: Uint8Array): Uint8Array | undefined {
  return Buffer.compare(bytes, damaged) === 0 ? undefined : damaged;
}

export type Verdict = 'refused' | 'cut' | 'whole';

/**
 * Opens the folder as it is now. Throws when the log shows what was not written, or when it is refused and something on the
 * disk has changed.
 */
export async function judgeRot({ fixture, base, lines }: RotLog): Promise<Verdict> {
  const before = fixture.disk.snapshot();
  const opened = await fixture.open(base && { base }).catch((error: unknown) => error);
  fixture.disk.kill();
  if (opened instanceof CorruptionError || opened instanceof ForeignLogError) {
    const after = fixture.disk.snapshot();
    const isSame = after.size === before.size && [...before].every(([path, bytes]) => after.get(path) === bytes);
    if (!isSame) throw new Error(`refused, but the disk has changed: ${opened.message}`);
    return 'refused';
  }
  if (opened instanceof Error) throw opened;
  const shown = fixture.visitor.lines;
  if (shown.some((line, index) => line !== lines[index])) throw new Error(`shows ${shown.join(', ')}`);
  return shown.length === lines.length ? 'whole' : 'cut';
}
