// Failpoints of the disk, set by a text: what a process meets before, during or after a step that has to be durable. For the
// tests that kill the real program (docs/testing.md); a server without them runs on the plain disk.
//
//   journal/before-durable-write=exit(0.01);journal/after-rename=exit;snapshot/during-write=exit;data/before-sync=stall(500)
//
//   part     by the folder: `wal` is `journal`, `snap` is `snapshot`, everything else `data`
//   when     before, after; during: a write that gets half of its bytes down (only with exit)
//   step     create, write, durable-write, sync, truncate, rename, remove, sync-folder
//   action   exit(chance): the process is gone at once, as by kill -9; error(chance): the step fails with EIO;
//            stall(ms): the step takes that much longer. The chance is 1 when left out

import { basename, dirname } from 'node:path';
import type { Clock } from './clock.ts';
import { type Disk, type DiskCallback, DiskError, type DiskFile, type DiskLock, type OpenMode } from './disk.ts';

const NAME =
  /^(journal|snapshot|data)\/(before|during|after)-(create|write|durable-write|sync|truncate|rename|remove|sync-folder)$/;
const ACTION = /^(exit|error|stall)(?:\(([0-9.]+)\))?$/;

type Step = 'create' | 'write' | 'durable-write' | 'sync' | 'truncate' | 'rename' | 'remove' | 'sync-folder';

interface Failpoint {
  readonly action: 'exit' | 'error' | 'stall';
  /** A chance from 0 to 1, or milliseconds. */
  readonly argument: number;
}

export interface FailpointSurroundings {
  readonly clock: Clock;
  /** A number in [0, 1). */
  readonly random: () => number;
  /** Ends the process at once, without a word and without flushing anything. */
  readonly die: () => void;
}

/** Throws RangeError naming what is wrong with the text. */
export function parseFailpoints(text: string): Map<string, Failpoint> {
  const failpoints = new Map<string, Failpoint>();
  for (const part of text.split(';').filter((one) => one.trim() !== '')) {
    const [name, action = ''] = part.trim().split('=');
    const match = ACTION.exec(action);
    if (!NAME.test(name) || match === null) throw new RangeError(`"${part.trim()}" is not a failpoint`);
    const argument = match[2] === undefined ? 1 : Number(match[2]);
    const isChance = match[1] !== 'stall';
    if (Number.isNaN(argument) || (isChance && argument > 1)) throw new RangeError(`"${part.trim()}": bad argument`);
    if (name.includes('/during-') && (match[1] !== 'exit' || !name.endsWith('write'))) {
      throw new RangeError(`"${part.trim()}": only a write can be left half done, and only by exit`);
    }
    failpoints.set(name, { action: match[1] as Failpoint['action'], argument });
  }
  return failpoints;
}

class Failpoints {
  readonly #byName: ReadonlyMap<string, Failpoint>;
  readonly #surroundings: FailpointSurroundings;

  constructor(byName: ReadonlyMap<string, Failpoint>, surroundings: FailpointSurroundings) {
    this.#byName = byName;
    this.#surroundings = surroundings;
  }

  /** Goes on, later or with an error, or not at all. */
  meet(when: 'before' | 'after', step: Step, path: string, goOn: DiskCallback): void {
    const failpoint = this.#byName.get(`${partOf(path, step)}/${when}-${step}`);
    const { clock, random, die } = this.#surroundings;
    if (failpoint === undefined) goOn(undefined);
    else if (failpoint.action === 'stall') clock.setTimer(failpoint.argument, () => goOn(undefined));
    else if (random() >= failpoint.argument) goOn(undefined);
    else if (failpoint.action === 'exit') die();
    else {
      const error = new DiskError(step, path, Object.assign(new Error('EIO: failpoint'), { code: 'EIO' }));
      // As a disk: never before the operation that it concerns has been begun.
      clock.defer(() => goOn(error));
    }
  }

  /** Whether this write is to be left half done. */
  isHalved(step: Step, path: string): boolean {
    const failpoint = this.#byName.get(`${partOf(path, step)}/during-${step}`);
    return failpoint !== undefined && this.#surroundings.random() < failpoint.argument;
  }

  die(): void {
    this.#surroundings.die();
  }

  async around<T>(step: Step, path: string, run: () => Promise<T>): Promise<T> {
    await this.#passed('before', step, path);
    const result = await run();
    await this.#passed('after', step, path);
    return result;
  }

  #passed(when: 'before' | 'after', step: Step, path: string): Promise<void> {
    return new Promise((resolve, reject) => {
      this.meet(when, step, path, (error) => (error === undefined ? resolve() : reject(error)));
    });
  }
}

function partOf(path: string, step: Step): 'journal' | 'snapshot' | 'data' {
  const folder = basename(step === 'sync-folder' ? path : dirname(path));
  if (folder === 'wal') return 'journal';
  return folder === 'snap' ? 'snapshot' : 'data';
}

export class FailpointDisk implements Disk {
  readonly #disk: Disk;
  readonly #failpoints: Failpoints;

  constructor(disk: Disk, failpoints: ReadonlyMap<string, Failpoint>, surroundings: FailpointSurroundings) {
    this.#disk = disk;
    this.#failpoints = new Failpoints(failpoints, surroundings);
  }

  ensureDirectory(path: string): Promise<void> {
    return this.#disk.ensureDirectory(path);
  }

  list(path: string): Promise<string[]> {
    return this.#disk.list(path);
  }

  async open(path: string, mode: OpenMode, isDirect?: boolean): Promise<DiskFile> {
    const open = async (): Promise<DiskFile> => {
      return new FailpointFile(await this.#disk.open(path, mode, isDirect), this.#failpoints);
    };
    return mode === 'create' ? this.#failpoints.around('create', path, open) : open();
  }

  directBlock(path: string): Promise<number> {
    return this.#disk.directBlock(path);
  }

  rename(from: string, to: string): Promise<void> {
    return this.#failpoints.around('rename', to, () => this.#disk.rename(from, to));
  }

  link(from: string, to: string): Promise<void> {
    return this.#failpoints.around('create', to, () => this.#disk.link(from, to));
  }

  unlink(path: string): Promise<void> {
    return this.#failpoints.around('remove', path, () => this.#disk.unlink(path));
  }

  syncDirectory(path: string): Promise<void> {
    return this.#failpoints.around('sync-folder', path, () => this.#disk.syncDirectory(path));
  }

  lockDirectory(path: string): Promise<DiskLock> {
    return this.#disk.lockDirectory(path);
  }

  freeBytes(path: string): Promise<number> {
    return this.#disk.freeBytes(path);
  }
}

class FailpointFile implements DiskFile {
  readonly #file: DiskFile;
  readonly #failpoints: Failpoints;

  constructor(file: DiskFile, failpoints: Failpoints) {
    this.#file = file;
    this.#failpoints = failpoints;
  }

  get path(): string {
    return this.#file.path;
  }

  write(chunks: readonly Uint8Array[], position: number, done: DiskCallback): void {
    this.#write('write', chunks, position, done);
  }

  writeDurable(chunks: readonly Uint8Array[], position: number, done: DiskCallback): void {
    this.#write('durable-write', chunks, position, done);
  }

  datasync(done: DiskCallback): void {
    this.#around('sync', (end) => this.#file.datasync(end), done);
  }

  read(target: Uint8Array, position: number): Promise<number> {
    return this.#file.read(target, position);
  }

  truncate(bytes: number): Promise<void> {
    return this.#failpoints.around('truncate', this.path, () => this.#file.truncate(bytes));
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

  #write(step: 'write' | 'durable-write', chunks: readonly Uint8Array[], position: number, done: DiskCallback): void {
    const write = (some: readonly Uint8Array[], end: DiskCallback): void => {
      if (step === 'write') this.#file.write(some, position, end);
      else this.#file.writeDurable(some, position, end);
    };
    if (this.#failpoints.isHalved(step, this.path)) {
      const bytes = Buffer.concat(chunks);
      write([bytes.subarray(0, bytes.length >> 1)], () => this.#failpoints.die());
    } else this.#around(step, (end) => write(chunks, end), done);
  }

  #around(step: Step, run: (end: DiskCallback) => void, done: DiskCallback): void {
    this.#failpoints.meet('before', step, this.path, (refusal) => {
      if (refusal !== undefined) {
        done(refusal);
        return;
      }
      run((error) => {
        if (error === undefined) this.#failpoints.meet('after', step, this.path, done);
        else done(error);
      });
    });
  }
}
