// Every state that a power cut may leave, at each point of what a program asked of its disk (as ALICE does for file systems).
//
//   program ──► TracingDisk ──► any disk          the trace: when each operation began and ended
//                   └──► states(point): for every operation that was begun by then and is not durable, each of its variants
//
//   a write            all of it; nothing; its size without its bytes; and torn at 512 B and 4 KiB: without its first or its
//                      last block, only these, every other block
//   a size             happened or not
//   a name             created, linked, renamed, removed or not, each by itself
//
// Operations of one file keep their order where they overlap; otherwise all combinations are legal, so that later ones are there
// and earlier ones not. Where there are more combinations than `statesMax` some are drawn: always those in which one
// operation differs from all kept and all lost.

import { dirname } from 'node:path';
import type { Disk, DiskCallback, DiskFile, DiskLock, OpenMode } from '../io/disk.ts';
import type { Random } from './random.ts';

type Change =
  | { readonly kind: 'write'; readonly file: number; readonly position: number; readonly bytes: Uint8Array }
  | { readonly kind: 'size'; readonly file: number; readonly bytes: number }
  | { readonly kind: 'create'; readonly path: string; readonly file: number }
  | { readonly kind: 'link'; readonly path: string; readonly file: number }
  | { readonly kind: 'rename'; readonly from: string; readonly path: string; readonly file: number }
  | { readonly kind: 'remove'; readonly path: string };

interface Step {
  readonly change: Change;
  readonly begun: number;
  ended: number;
  /** The point from which on it survives. */
  durable: number;
}

/** How much of a change there is. Blocks are counted from the beginning of the file. */
type Variant =
  | { readonly kind: 'all' | 'none' | 'zeros' }
  | { readonly kind: 'blocks'; readonly blockBytes: number; readonly keeps: (index: number, count: number) => boolean };

const ALL: Variant = { kind: 'all' };
const NONE: Variant = { kind: 'none' };
const ZEROS: Variant = { kind: 'zeros' };
const PATTERNS: readonly ((index: number, count: number) => boolean)[] = [
  (index) => index === 0,
  (index) => index > 0,
  (index, count) => index === count - 1,
  (index, count) => index < count - 1,
  (index) => index % 2 === 0,
  (index) => index % 2 === 1,
];
const BLOCK_SIZES = [512, 4096];

export type FileStates = ReadonlyMap<string, Uint8Array>;

export class TracingDisk implements Disk {
  readonly #disk: Disk;
  readonly #steps: Step[] = [];
  /** Durable from the start. */
  readonly #initial: FileStates;
  readonly #fileOf = new Map<string, number>();
  readonly #initialFiles = new Map<number, Uint8Array>();
  #files = 0;
  /** How many beginnings and ends there have been. */
  point = 0;

  /** `initial`: what is on the disk already. */
  constructor(disk: Disk, initial: FileStates = new Map()) {
    this.#disk = disk;
    this.#initial = initial;
    for (const [path, bytes] of initial) {
      this.#initialFiles.set(this.#files, bytes);
      this.#fileOf.set(path, this.#files++);
    }
  }

  /** The different states after a power cut at `point`, at most `statesMax`. */
  states(point: number, statesMax: number, random: Random): FileStates[] {
    const steps = this.#steps.filter(({ begun }) => begun < point);
    const open = steps.filter(({ durable }) => durable > point);
    const choices = open.map(({ change }) => variantsOf(change));
    const states = new Map<string, FileStates>();
    for (const choice of combinations(choices, statesMax, random)) {
      const variants = new Map(open.map((step, index) => [step, choice[index]]));
      const state = this.#apply(steps, variants);
      states.set(nameOf(state), state);
    }
    return [...states.values()];
  }

  async ensureDirectory(path: string): Promise<void> {
    await this.#disk.ensureDirectory(path);
  }

  list(path: string): Promise<string[]> {
    return this.#disk.list(path);
  }

  async open(path: string, mode: OpenMode, isDirect?: boolean): Promise<DiskFile> {
    if (mode !== 'create') return new TracingFile(this, await this.#disk.open(path, mode, isDirect), this.#file(path));
    const file = this.#files++;
    const step = this.begin({ kind: 'create', path, file });
    const opened = await this.#disk.open(path, mode, isDirect);
    this.#fileOf.set(path, file);
    this.end(step);
    return new TracingFile(this, opened, file);
  }

  /** Leaves nothing behind. */
  directBlock(path: string): Promise<number> {
    return this.#disk.directBlock(path);
  }

  async rename(from: string, to: string): Promise<void> {
    const step = this.begin({ kind: 'rename', from, path: to, file: this.#file(from) });
    await this.#disk.rename(from, to);
    this.#fileOf.set(to, this.#file(from));
    this.#fileOf.delete(from);
    this.end(step);
  }

  async link(from: string, to: string): Promise<void> {
    const step = this.begin({ kind: 'link', path: to, file: this.#file(from) });
    await this.#disk.link(from, to);
    this.#fileOf.set(to, this.#file(from));
    this.end(step);
  }

  async unlink(path: string): Promise<void> {
    const step = this.begin({ kind: 'remove', path });
    await this.#disk.unlink(path);
    this.#fileOf.delete(path);
    this.end(step);
  }

  async syncDirectory(path: string): Promise<void> {
    const covered = this.#steps.filter(({ change, ended }) => {
      return ended <= this.point && 'path' in change && dirname(change.path) === path;
    });
    this.point++;
    await this.#disk.syncDirectory(path);
    this.point++;
    for (const step of covered) step.durable = Math.min(step.durable, this.point);
  }

  lockDirectory(path: string): Promise<DiskLock> {
    return this.#disk.lockDirectory(path);
  }

  freeBytes(path: string): Promise<number> {
    return this.#disk.freeBytes(path);
  }

  begin(change: Change): Step {
    const step = {
      change,
      begun: this.point++,
      ended: Number.POSITIVE_INFINITY,
      durable: Number.POSITIVE_INFINITY,
    };
    this.#steps.push(step);
    return step;
  }

  end(step: Step, isDurable = false): void {
    step.ended = ++this.point;
    if (isDurable) step.durable = this.point;
  }

  /** What a sync of the file that begins now will make durable. */
  covered(file: number): Step[] {
    this.point++;
    return this.#steps.filter(({ change, ended }) => {
      return ended <= this.point && (change.kind === 'write' || change.kind === 'size') && change.file === file;
    });
  }

  synced(steps: readonly Step[]): void {
    this.point++;
    for (const step of steps) step.durable = Math.min(step.durable, this.point);
  }

  #file(path: string): number {
    return this.#fileOf.get(path) ?? -1;
  }

  #apply(steps: readonly Step[], variants: ReadonlyMap<Step, Variant>): FileStates {
    const contents = new Map<number, Uint8Array>(this.#initialFiles);
    const entries = new Map<string, number>();
    let index = 0;
    for (const path of this.#initial.keys()) entries.set(path, index++);
    for (const step of steps) {
      const variant = variants.get(step) ?? ALL;
      const { change } = step;
      if (change.kind === 'write' || change.kind === 'size') {
        const old = contents.get(change.file) ?? new Uint8Array(0);
        contents.set(change.file, changed(old, change, variant));
      } else if (variant.kind === 'all') changeEntries(entries, change);
    }
    return new Map([...entries].map(([path, file]) => [path, contents.get(file) ?? new Uint8Array(0)]));
  }
}

class TracingFile implements DiskFile {
  readonly #trace: TracingDisk;
  readonly #file: DiskFile;
  readonly #id: number;

  constructor(trace: TracingDisk, file: DiskFile, id: number) {
    this.#trace = trace;
    this.#file = file;
    this.#id = id;
  }

  get path(): string {
    return this.#file.path;
  }

  write(chunks: readonly Uint8Array[], position: number, done: DiskCallback): void {
    const step = this.#begin(chunks, position);
    this.#file.write(chunks, position, (error) => {
      if (error === undefined) this.#trace.end(step);
      done(error);
    });
  }

  writeDurable(chunks: readonly Uint8Array[], position: number, done: DiskCallback): void {
    const step = this.#begin(chunks, position);
    this.#file.writeDurable(chunks, position, (error) => {
      if (error === undefined) this.#trace.end(step, true);
      done(error);
    });
  }

  datasync(done: DiskCallback): void {
    const covered = this.#trace.covered(this.#id);
    this.#file.datasync((error) => {
      if (error === undefined) this.#trace.synced(covered);
      done(error);
    });
  }

  read(target: Uint8Array, position: number): Promise<number> {
    return this.#file.read(target, position);
  }

  async truncate(bytes: number): Promise<void> {
    const step = this.#trace.begin({ kind: 'size', file: this.#id, bytes });
    await this.#file.truncate(bytes);
    this.#trace.end(step);
  }

  size(): Promise<number> {
    return this.#file.size();
  }

  nameCount(): Promise<number> {
    return this.#file.nameCount();
  }

  close(): Promise<void> {
    return this.#file.close();
  }

  #begin(chunks: readonly Uint8Array[], position: number): Step {
    return this.#trace.begin({ kind: 'write', file: this.#id, position, bytes: Buffer.concat(chunks) });
  }
}

function variantsOf(change: Change): Variant[] {
  if (change.kind !== 'write') return [ALL, NONE];
  const variants: Variant[] = [ALL, NONE, ZEROS];
  for (const blockBytes of BLOCK_SIZES) {
    const first = Math.floor(change.position / blockBytes);
    const last = Math.floor((change.position + change.bytes.length - 1) / blockBytes);
    if (last > first) for (const keeps of PATTERNS) variants.push({ kind: 'blocks', blockBytes, keeps });
  }
  return variants;
}

/** One variant of each choice; all combinations, or `most` of them. */
function* combinations(choices: readonly Variant[][], most: number, random: Random): Generator<Variant[]> {
  const total = choices.reduce((product, variants) => product * variants.length, 1);
  if (total <= most) {
    for (let number = 0; number < total; number++) {
      let rest = number;
      yield choices.map((variants) => {
        const variant = variants[rest % variants.length];
        rest = Math.floor(rest / variants.length);
        return variant;
      });
    }
    return;
  }
  let count = 0;
  for (const base of [ALL, NONE]) {
    yield choices.map(() => base);
    for (let index = 0; index < choices.length && count < most; index++) {
      for (const variant of choices[index]) {
        count++;
        yield choices.map((_, other) => (other === index ? variant : base));
      }
    }
  }
  for (; count < most; count++) yield choices.map((variants) => random.pick(variants));
}

function changed(old: Uint8Array, change: Change & { kind: 'write' | 'size' }, variant: Variant): Uint8Array {
  if (variant.kind === 'none') return old;
  if (change.kind === 'size') return resized(old, change.bytes);
  const { position, bytes } = change;
  const end = position + bytes.length;
  // A size may get there without the bytes, which then are zeros; bytes never without their size.
  const next = resized(old, Math.max(old.length, end));
  if (variant.kind === 'all') next.set(bytes, position);
  if (variant.kind !== 'blocks') return next;
  const { blockBytes, keeps } = variant;
  const first = Math.floor(position / blockBytes);
  const count = Math.floor((end - 1) / blockBytes) - first + 1;
  for (let index = 0; index < count; index++) {
    if (!keeps(index, count)) continue;
    const from = Math.max(position, (first + index) * blockBytes);
    const to = Math.min(end, (first + index + 1) * blockBytes);
    next.set(bytes.subarray(from - position, to - position), from);
  }
  return next;
}

function changeEntries(
  entries: Map<string, number>,
  change: Change & { kind: 'create' | 'link' | 'rename' | 'remove' },
): void {
  if (change.kind === 'create' || change.kind === 'link') entries.set(change.path, change.file);
  else if (change.kind === 'remove') entries.delete(change.path);
  else {
    // It names the file, also where the making of its first name is lost.
    entries.delete(change.from);
    entries.set(change.path, change.file);
  }
}

function resized(content: Uint8Array, size: number): Uint8Array {
  const next = new Uint8Array(size);
  next.set(content.subarray(0, Math.min(size, content.length)));
  return next;
}

function nameOf(state: FileStates): string {
  const files = [...state].sort(([a], [b]) => (a < b ? -1 : 1));
  return files.map(([path, bytes]) => `${path}:${Buffer.from(bytes).toString('latin1')}`).join('|');
}
