// The real disk: node:fs on plain descriptors, whose calls run on libuv's threads. Short writes and reads are
// gone on with here, so that callers see all or an error.

import fs from 'node:fs';
import { dirname } from 'node:path';
import { assert } from '../base/assert.ts';
import { DIRECT_FLAGS, findDirectBlock } from './direct-writes.ts';
import { type Disk, type DiskCallback, DiskError, type DiskFile, type DiskLock, type OpenMode } from './disk.ts';
import { lockFolder } from './folder-lock.ts';
import { SYNC_DESCRIPTORS, SyncDescriptors } from './sync-descriptors.ts';

const { O_CREAT, O_DSYNC, O_EXCL, O_RDONLY, O_RDWR } = fs.constants;
const OPEN_FLAGS: Readonly<Record<OpenMode, number>> = {
  read: O_RDONLY,
  write: O_RDWR,
  create: O_RDWR | O_CREAT | O_EXCL,
};

class RealFile implements DiskFile {
  readonly path: string;
  readonly #descriptor: number;
  /** The same file with O_DSYNC, and O_DIRECT if asked for; none where it was opened for reading. */
  readonly #durable: readonly number[];
  readonly #syncing: SyncDescriptors;
  #isClosed = false;

  constructor(path: string, descriptor: number, durable: readonly number[]) {
    this.path = path;
    this.#descriptor = descriptor;
    this.#durable = durable;
    this.#syncing = new SyncDescriptors(durable.length > 0 ? durable : [descriptor]);
  }

  write(chunks: readonly Uint8Array[], position: number, done: DiskCallback): void {
    this.#write(this.#descriptor, chunks, position, done);
  }

  writeDurable(chunks: readonly Uint8Array[], position: number, done: DiskCallback): void {
    this.#syncing.take((descriptor) => {
      this.#write(descriptor, chunks, position, (error) => {
        this.#syncing.give(descriptor);
        done(error);
      });
    });
  }

  #write(descriptor: number, chunks: readonly Uint8Array[], position: number, done: DiskCallback): void {
    let bytesLeft = 0;
    for (const chunk of chunks) bytesLeft += chunk.length;
    const written = (cause: Error | null, bytes: number): void => {
      if (cause !== null) done(new DiskError('write', this.path, cause));
      else if (bytes === bytesLeft) done(undefined);
      else if (bytes === 0) done(new DiskError('write', this.path, new Error('nothing was written')));
      else this.#write(descriptor, chunksFrom(chunks, bytes), position + bytes, done);
    };
    if (chunks.length === 1) fs.write(descriptor, chunks[0], 0, bytesLeft, position, written);
    else fs.writev(descriptor, chunks, position, written);
  }

  datasync(done: DiskCallback): void {
    this.#syncing.take((descriptor) => {
      fs.fdatasync(descriptor, (cause) => {
        this.#syncing.give(descriptor);
        done(cause === null ? undefined : new DiskError('fdatasync', this.path, cause));
      });
    });
  }

  async read(target: Uint8Array, position: number): Promise<number> {
    let filled = 0;
    while (filled < target.length) {
      const bytes = await this.#readOnce(target, filled, position + filled);
      if (bytes === 0) break;
      filled += bytes;
    }
    return filled;
  }

  truncate(bytes: number): Promise<void> {
    return settle('ftruncate', this.path, (done) => fs.ftruncate(this.#descriptor, bytes, done));
  }

  async size(): Promise<number> {
    return (await this.#stats()).size;
  }

  async nameCount(): Promise<number> {
    return (await this.#stats()).nlink;
  }

  async close(): Promise<void> {
    assert(!this.#isClosed, 'a file is closed once');
    this.#isClosed = true;
    for (const descriptor of this.#durable) {
      await settle('close', this.path, (done) => fs.close(descriptor, done));
    }
    await settle('close', this.path, (done) => fs.close(this.#descriptor, done));
  }

  #stats(): Promise<fs.Stats> {
    return new Promise((resolve, reject) => {
      fs.fstat(this.#descriptor, (cause, stats) => {
        if (cause === null) resolve(stats);
        else reject(new DiskError('fstat', this.path, cause));
      });
    });
  }

  #readOnce(target: Uint8Array, offset: number, position: number): Promise<number> {
    return new Promise((resolve, reject) => {
      fs.read(this.#descriptor, target, offset, target.length - offset, position, (cause, bytes) => {
        if (cause === null) resolve(bytes);
        else reject(new DiskError('read', this.path, cause));
      });
    });
  }
}

export class FileDisk implements Disk {
  async ensureDirectory(path: string): Promise<void> {
    const first = await this.#makeDirectory(path);
    if (first === undefined) return;
    // `first` is the topmost folder that was made: its name is in its parent, and so on down.
    const top = dirname(first);
    for (let folder = dirname(path); ; folder = dirname(folder)) {
      await this.syncDirectory(folder);
      if (folder === top || folder === dirname(folder)) break;
    }
  }

  list(path: string): Promise<string[]> {
    return new Promise((resolve, reject) => {
      fs.readdir(path, (cause, names) => {
        if (cause === null) resolve(names.sort());
        else reject(new DiskError('readdir', path, cause));
      });
    });
  }

  async open(path: string, mode: OpenMode, isDirect = false): Promise<DiskFile> {
    const descriptor = await openDescriptor(path, OPEN_FLAGS[mode]);
    const durable: number[] = [];
    try {
      while (mode !== 'read' && durable.length < SYNC_DESCRIPTORS) {
        durable.push(await openDescriptor(path, isDirect ? DIRECT_FLAGS : O_RDWR | O_DSYNC));
      }
    } catch (error) {
      for (const opened of [descriptor, ...durable]) fs.closeSync(opened);
      throw error;
    }
    return new RealFile(path, descriptor, durable);
  }

  directBlock(path: string): Promise<number> {
    return findDirectBlock(path);
  }

  rename(from: string, to: string): Promise<void> {
    return settle('rename', from, (done) => fs.rename(from, to, done));
  }

  link(from: string, to: string): Promise<void> {
    return settle('link', from, (done) => fs.link(from, to, done));
  }

  unlink(path: string): Promise<void> {
    return settle('unlink', path, (done) => fs.unlink(path, done));
  }

  async syncDirectory(path: string): Promise<void> {
    const descriptor = await openDescriptor(path, O_RDONLY);
    try {
      await settle('fsync', path, (done) => fs.fsync(descriptor, done));
    } finally {
      fs.closeSync(descriptor);
    }
  }

  lockDirectory(path: string): Promise<DiskLock> {
    return lockFolder(path);
  }

  freeBytes(path: string): Promise<number> {
    return new Promise((resolve, reject) => {
      fs.statfs(path, (cause, stats) => {
        if (cause === null) resolve(stats.bavail * stats.bsize);
        else reject(new DiskError('statfs', path, cause));
      });
    });
  }

  /**
   * The topmost folder that had to be made. Folder by folder: the recursive mkdir of Node 24 never answers where a
   * file system refuses new folders with ENOENT, as /proc does.
   */
  async #makeDirectory(path: string): Promise<string | undefined> {
    const missing: string[] = [];
    for (let folder = path; !(await isFolder(folder)); folder = dirname(folder)) missing.unshift(folder);
    for (const folder of missing) {
      await settle('mkdir', folder, (done) => {
        // Another process may have been faster.
        fs.mkdir(folder, 0o700, (cause) => done(cause?.code === 'EEXIST' ? null : cause));
      });
    }
    return missing[0];
  }
}

function openDescriptor(path: string, flags: number): Promise<number> {
  return new Promise((resolve, reject) => {
    fs.open(path, flags, 0o600, (cause, descriptor) => {
      if (cause === null) resolve(descriptor);
      else reject(new DiskError('open', path, cause));
    });
  });
}

/** False when nothing is there. */
function isFolder(path: string): Promise<boolean> {
  return new Promise((resolve, reject) => {
    fs.stat(path, (cause, stats) => {
      if (cause === null && stats.isDirectory()) resolve(true);
      else if (cause?.code === 'ENOENT') resolve(false);
      else reject(new DiskError('mkdir', path, cause ?? new Error('a file with this name is there')));
    });
  });
}

/** What is left of `chunks` when `bytes` are done. */
function chunksFrom(chunks: readonly Uint8Array[], bytes: number): Uint8Array[] {
  const rest: Uint8Array[] = [];
  let skip = bytes;
  for (const chunk of chunks) {
    if (skip < chunk.length) rest.push(chunk.subarray(skip));
    skip = Math.max(0, skip - chunk.length);
  }
  return rest;
}

function settle(operation: string, path: string, start: (done: fs.NoParamCallback) => void): Promise<void> {
  return new Promise((resolve, reject) => {
    start((cause) => {
      if (cause === null || cause === undefined) resolve();
      else reject(new DiskError(operation, path, cause));
    });
  });
}
