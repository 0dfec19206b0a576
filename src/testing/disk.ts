// A disk in memory that forgets what was not synced. Programs see a normal file system until `crash`, which
// ends all handles and locks and leaves what a power cut may leave: unsynced bytes are kept, lost, torn at 512 B or
// 4 KiB, out of order, or zeros; unsynced names (created, renamed, removed) each happened or not. Errors, delays
// and a full disk can be asked for. All operations end by timers of the given clock.

import { basename, dirname } from 'node:path';
import type { Clock } from '../io/clock.ts';
import {
  type Disk,
  type DiskCallback,
  DiskError,
  type DiskFile,
  type DiskLock,
  FolderLockedError,
  type OpenMode,
} from '../io/disk.ts';
import { CRASH_STYLES, type CrashStyle, copyOf, SimulatedContent, type WriteEnd } from './disk-file.ts';
import type { Random } from './random.ts';

export type DiskOperation =
  | 'write'
  | 'writeDurable'
  | 'datasync'
  | 'read'
  | 'open'
  | 'list'
  | 'rename'
  | 'link'
  | 'unlink'
  | 'syncDirectory'
  | 'freeBytes';

/** What the next operations meet; the first rule that matches is asked. */
export interface DiskFault {
  readonly operation: DiskOperation;
  /** Matches paths that contain it. */
  readonly pathPart: string;
  /** How many more times it applies; then it is gone. */
  times: number;
  /** The operation fails with this code. */
  readonly code?: string;
  /** The operation takes this much longer. */
  readonly delayMs?: number;
}

interface Folder {
  durable: Map<string, SimulatedContent>;
  entries: Map<string, SimulatedContent>;
  pending: ((entries: Map<string, SimulatedContent>) => void)[];
}

export interface SimulatedDiskOptions {
  readonly clock: Clock;
  readonly random: Random;
  /** Each operation takes up to this long. */
  readonly latencyMsMax?: number;
  readonly capacityBytes?: number;
  /** What direct writes must be multiples of; none are taken when left out. */
  readonly directBlock?: number;
}

export class SimulatedDisk implements Disk {
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #latencyMsMax: number;
  /** May change at any time, as when others use the disk too. */
  capacityBytes: number;
  /** What direct writes must be multiples of; 0: none are taken. May change when nothing is open: the files were moved. */
  block: number;
  readonly #folders = new Map<string, Folder>();
  readonly #locks = new Set<string>();
  readonly #openFiles = new Set<DiskFile>();
  readonly faults: DiskFault[] = [];
  /** Told of every operation when it begins, for traces. */
  onOperation: (operation: DiskOperation, path: string) => void = () => {};
  #generation = 0;

  constructor(options: SimulatedDiskOptions) {
    this.#clock = options.clock;
    this.#random = options.random;
    this.#latencyMsMax = options.latencyMsMax ?? 0;
    this.block = options.directBlock ?? 0;
    this.capacityBytes = options.capacityBytes ?? Number.POSITIVE_INFINITY;
  }

  /** Cuts the power; without a style one is drawn. Afterwards the disk can be used again. */
  crash(style: CrashStyle = this.#random.pick(CRASH_STYLES)): void {
    this.#generation++;
    this.#locks.clear();
    this.#openFiles.clear();
    for (const folder of this.#folders.values()) {
      const entries = new Map(folder.durable);
      for (const change of folder.pending) {
        if (style === 'keep' || (style !== 'lose' && this.#random.chance(0.5))) change(entries);
      }
      const contents = new Set(entries.values());
      for (const content of contents) content.crash(style, this.#random);
      folder.entries = entries;
      folder.durable = new Map(entries);
      folder.pending = [];
    }
  }

  /** The process dies, the machine does not: handles and locks end, all bytes and names stay. */
  kill(): void {
    this.#generation++;
    this.#locks.clear();
    this.#openFiles.clear();
    for (const folder of this.#folders.values()) {
      for (const content of folder.entries.values()) content.settle();
    }
  }

  /** A file's bytes, as programs see them; for tests to look at and to damage. */
  bytes(path: string): Uint8Array {
    return copyOf(this.#content(path, 'read').visible);
  }

  /** Makes a file hold exactly these bytes, durably. */
  place(path: string, bytes: Uint8Array): void {
    const content = new SimulatedContent();
    content.write(bytes, 0).done();
    content.sync().succeed();
    const folder = this.#folder(dirname(path), 'place');
    folder.entries.set(basename(path), content);
    folder.durable.set(basename(path), content);
  }

  /** Removes a file, durably. */
  remove(path: string): void {
    const folder = this.#folder(dirname(path), 'remove');
    folder.entries.delete(basename(path));
    folder.durable.delete(basename(path));
  }

  /** All files with their bytes, to compare two states of the disk. */
  snapshot(): Map<string, string> {
    const files = new Map<string, string>();
    for (const [path, folder] of this.#folders) {
      for (const [name, content] of folder.entries) {
        files.set(`${path}/${name}`, Buffer.from(content.visible).toString('latin1'));
      }
    }
    return files;
  }

  async ensureDirectory(path: string): Promise<void> {
    for (let folder = path; !this.#folders.has(folder); folder = dirname(folder)) {
      this.#folders.set(folder, { durable: new Map(), entries: new Map(), pending: [] });
    }
  }

  async list(path: string): Promise<string[]> {
    await this.#turn('list', path);
    return [...this.#folder(path, 'list').entries.keys()].sort();
  }

  async open(path: string, mode: OpenMode, isDirect = false): Promise<DiskFile> {
    await this.#turn('open', path);
    if (isDirect && this.block === 0) throw failure('open', path, 'EINVAL');
    if (mode === 'create') this.#create(path);
    const file = new OpenFile(this, path, this.#content(path, 'open'), isDirect ? this.block : 0);
    this.#openFiles.add(file);
    return file;
  }

  async directBlock(path: string): Promise<number> {
    if (this.#folder(dirname(path), 'open').entries.has(basename(path))) throw failure('open', path, 'EEXIST');
    return this.block;
  }

  async rename(from: string, to: string): Promise<void> {
    await this.#turn('rename', from);
    const content = this.#content(from, 'rename');
    if (dirname(from) !== dirname(to)) throw failure('rename', from, 'EXDEV');
    this.#changeEntries(dirname(from), (entries) => {
      if (!entries.delete(basename(from)) && !entries.has(basename(to))) return;
      entries.set(basename(to), content);
    });
  }

  async link(from: string, to: string): Promise<void> {
    await this.#turn('link', from);
    const content = this.#content(from, 'link');
    if (this.#folder(dirname(to), 'link').entries.has(basename(to))) throw failure('link', to, 'EEXIST');
    this.#changeEntries(dirname(to), (entries) => entries.set(basename(to), content));
  }

  async unlink(path: string): Promise<void> {
    await this.#turn('unlink', path);
    this.#content(path, 'unlink');
    this.#changeEntries(dirname(path), (entries) => entries.delete(basename(path)));
  }

  async syncDirectory(path: string): Promise<void> {
    const folder = this.#folder(path, 'syncDirectory');
    const covered = new Set(folder.pending);
    await this.#turn('syncDirectory', path);
    for (const change of folder.pending) if (covered.has(change)) change(folder.durable);
    folder.pending = folder.pending.filter((change) => !covered.has(change));
  }

  async lockDirectory(path: string): Promise<DiskLock> {
    if (this.#locks.has(path)) throw new FolderLockedError(path, 1);
    this.#locks.add(path);
    const generation = this.#generation;
    return {
      release: async (): Promise<void> => {
        if (generation === this.#generation) this.#locks.delete(path);
      },
    };
  }

  async freeBytes(path: string): Promise<number> {
    await this.#turn('freeBytes', path);
    return Math.max(0, this.capacityBytes - this.usedBytes());
  }

  /** Paths under which files were opened that are not closed; a process takes its own with it when it dies. */
  get openPaths(): string[] {
    return [...this.#openFiles].map(({ path }) => path);
  }

  /** For open files. */
  closed(file: DiskFile): void {
    this.#openFiles.delete(file);
  }

  /** For open files: handles of an earlier one are dead, and do nothing. */
  get generation(): number {
    return this.#generation;
  }

  /** For open files. */
  nameCount(content: SimulatedContent): number {
    const folders = [...this.#folders.values()];
    return folders.flatMap(({ entries }) => [...entries.values()]).filter((one) => one === content).length;
  }

  /** For open files: true when `bytes` more do not fit. */
  isFull(bytes: number): boolean {
    return this.usedBytes() + bytes > this.capacityBytes;
  }

  /**
   * For open files: calls back when the operation has had its time, with what it met. Never, when the power
   * was cut meanwhile.
   */
  run(operation: DiskOperation, path: string, done: DiskCallback): void {
    // First: when the power is cut from inside, this operation is of those that never end.
    const generation = this.#generation;
    this.onOperation(operation, path);
    const at = this.faults.findIndex((fault) => fault.operation === operation && path.includes(fault.pathPart));
    const fault = at < 0 ? undefined : this.faults[at];
    if (fault !== undefined && --fault.times <= 0) this.faults.splice(at, 1);
    const delayMs = this.#random.fraction() * this.#latencyMsMax + (fault?.delayMs ?? 0);
    this.#clock.setTimer(delayMs, () => {
      if (generation !== this.#generation) return;
      done(fault?.code === undefined ? undefined : failure(operation, path, fault.code));
    });
  }

  #turn(operation: DiskOperation, path: string): Promise<void> {
    return new Promise((resolve, reject) => {
      this.run(operation, path, (error) => (error === undefined ? resolve() : reject(error)));
    });
  }

  #folder(path: string, operation: string): Folder {
    const folder = this.#folders.get(path);
    if (folder === undefined) throw failure(operation, path, 'ENOENT');
    return folder;
  }

  #content(path: string, operation: string): SimulatedContent {
    const content = this.#folder(dirname(path), operation).entries.get(basename(path));
    if (content === undefined) throw failure(operation, path, 'ENOENT');
    return content;
  }

  #create(path: string): void {
    if (this.#folder(dirname(path), 'open').entries.has(basename(path))) throw failure('open', path, 'EEXIST');
    const content = new SimulatedContent();
    this.#changeEntries(dirname(path), (entries) => entries.set(basename(path), content));
  }

  #changeEntries(path: string, change: (entries: Map<string, SimulatedContent>) => void): void {
    const folder = this.#folder(path, 'change');
    change(folder.entries);
    folder.pending.push(change);
  }

  /** Of all files, each once. */
  usedBytes(): number {
    const contents = new Set<SimulatedContent>();
    for (const folder of this.#folders.values()) for (const content of folder.entries.values()) contents.add(content);
    let bytes = 0;
    for (const content of contents) bytes += content.visible.length;
    return bytes;
  }
}

class OpenFile implements DiskFile {
  readonly path: string;
  readonly #disk: SimulatedDisk;
  readonly #content: SimulatedContent;
  readonly #generation: number;
  /** Of direct writes; 0: durable writes are none. */
  readonly #block: number;

  constructor(disk: SimulatedDisk, path: string, content: SimulatedContent, block: number) {
    this.#disk = disk;
    this.#block = block;
    this.#generation = disk.generation;
    this.path = path;
    this.#content = content;
  }

  write(chunks: readonly Uint8Array[], position: number, done: DiskCallback): void {
    this.#write('write', chunks, position, (change, error) => {
      if (error === undefined) change?.done();
      done(error);
    });
  }

  writeDurable(chunks: readonly Uint8Array[], position: number, done: DiskCallback): void {
    if (this.#block > 0) this.#content.checkDirect(chunks, position, this.#block);
    this.#write('writeDurable', chunks, position, (change, error) => {
      if (error === undefined) change?.endDurably();
      else change?.forget();
      done(error);
    });
  }

  #write(
    operation: 'write' | 'writeDurable',
    chunks: readonly Uint8Array[],
    position: number,
    onEnd: (change: WriteEnd | undefined, error: DiskError | undefined) => void,
  ): void {
    if (this.#isDead) return;
    const bytes = Buffer.concat(chunks);
    const grownBytes = position + bytes.length - this.#content.visible.length;
    const isFull = grownBytes > 0 && this.#disk.isFull(grownBytes);
    const isDirect = operation === 'writeDurable' && this.#block > 0;
    const change = isFull ? undefined : this.#content.write(bytes, position, isDirect);
    this.#disk.run(operation, this.path, (error) => {
      onEnd(change, isFull ? (error ?? failure(operation, this.path, 'ENOSPC')) : error);
    });
  }

  datasync(done: DiskCallback): void {
    if (this.#isDead) return;
    const sync = this.#content.sync();
    this.#disk.run('datasync', this.path, (error) => {
      if (error === undefined) sync.succeed();
      else sync.fail();
      done(error);
    });
  }

  async read(target: Uint8Array, position: number): Promise<number> {
    await this.#turn();
    const bytes = this.#content.visible.subarray(position, position + target.length);
    target.set(bytes);
    return bytes.length;
  }

  async truncate(bytes: number): Promise<void> {
    if (this.#isDead) return;
    this.#content.truncate(bytes);
  }

  async size(): Promise<number> {
    return this.#content.visible.length;
  }

  async nameCount(): Promise<number> {
    return this.#disk.nameCount(this.#content);
  }

  async close(): Promise<void> {
    this.#disk.closed(this);
  }

  /** The process that opened it is dead. */
  get #isDead(): boolean {
    return this.#generation !== this.#disk.generation;
  }

  #turn(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#disk.run('read', this.path, (error) => (error === undefined ? resolve() : reject(error)));
    });
  }
}

function failure(operation: string, path: string, code: string): DiskError {
  return new DiskError(operation, path, Object.assign(new Error(`${code}, simulated`), { code }));
}
