// Folders and files as a dependency: the interface and its errors. `file-disk.ts` is the real one over node:fs,
// `src/testing/disk.ts` the simulated one (lost, torn and reordered writes, errors, stalls, a full disk).
//
// What survives a power cut is what POSIX promises and no more: bytes after `writeDurable`, or `datasync` of their file, names
// after `syncDirectory` of their folder. The hot operations, write, writeDurable and datasync, call back, never before they have
// returned; the rest are promises. All of them run off the calling thread.

/** An operation on a file failed. After a failed write, durable or not, or datasync what is on the disk is unknown. */
export class DiskError extends Error {
  override readonly name = 'DiskError';
  readonly operation: string;
  readonly path: string;
  /** The operating system's code, like ENOSPC; empty when there is none. */
  readonly code: string;

  constructor(operation: string, path: string, cause: Error) {
    super(`${operation} ${path}: ${cause.message}`, { cause });
    this.operation = operation;
    this.path = path;
    this.code = 'code' in cause && typeof cause.code === 'string' ? cause.code : '';
  }
}

/** Another process holds the folder. */
export class FolderLockedError extends Error {
  override readonly name = 'FolderLockedError';
  readonly path: string;
  /** As the holder sees itself: in another container it may be a different number here. */
  readonly holderPid: number;

  constructor(path: string, holderPid: number) {
    super(`${path} is in use by process ${holderPid}`);
    this.path = path;
    this.holderPid = holderPid;
  }
}

/** `read`: must exist. `write`: must exist, may be read and written. `create`: must not exist. */
export type OpenMode = 'read' | 'write' | 'create';

export type DiskCallback = (error: DiskError | undefined) => void;

export interface DiskFile {
  readonly path: string;
  /**
   * Writes all chunks back to back from `position` on. The chunks must not change until `done`. Writes may be
   * in flight together when they do not overlap.
   */
  write(chunks: readonly Uint8Array[], position: number, done: DiskCallback): void;
  /**
   * As `write`, and these bytes (not those of other writes) are durable when it is done, with the file's size: O_DSYNC. One
   * operation where `write` and `datasync` are two. In a file opened for direct writes it goes past the page cache: position, lengths and
   * addresses are multiples of the block, and nothing that `write` has written near it is not durable yet.
   */
  writeDurable(chunks: readonly Uint8Array[], position: number, done: DiskCallback): void;
  /** Makes durable the bytes of all writes that were done before this call, and the file's size. */
  datasync(done: DiskCallback): void;
  /** Fills `target` from `position` on; the result is less than its length only at the end of the file. */
  read(target: Uint8Array, position: number): Promise<number>;
  /** Sets the size: cuts the end off, or adds zeros. */
  truncate(bytes: number): Promise<void>;
  size(): Promise<number>;
  /** How many names it has in folders: what is written through one is seen through all. */
  nameCount(): Promise<number>;
  close(): Promise<void>;
}

export interface DiskLock {
  release(): Promise<void>;
}

/** Paths are the operating system's; every rejection is a DiskError unless said otherwise. */
export interface Disk {
  /** Makes the folder and those above it where missing; they are durable when it resolves. */
  ensureDirectory(path: string): Promise<void>;
  /** The names in a folder, in byte order. */
  list(path: string): Promise<string[]>;
  /** `isDirect`: durable writes go past the page cache (`directBlock` says whether they can). */
  open(path: string, mode: OpenMode, isDirect?: boolean): Promise<DiskFile>;
  /**
   * What direct writes on this file system must be multiples of; 0: there are none, or nothing is gained by them. A file is made at
   * `path`, where none may be, and removed.
   */
  directBlock(path: string): Promise<number>;
  /** Replaces what `to` was. */
  rename(from: string, to: string): Promise<void>;
  /** Another name for the same file; there must be nothing at `to`. The bytes are not copied: a write through one name changes both. */
  link(from: string, to: string): Promise<void>;
  unlink(path: string): Promise<void>;
  /** Makes creations, renames and removals in the folder durable. */
  syncDirectory(path: string): Promise<void>;
  /**
   * Takes the folder for this process until `release` or the process's death, however it dies. Rejects with
   * FolderLockedError while another process of this machine has it.
   */
  lockDirectory(path: string): Promise<DiskLock>;
  /** What this process may still write to the file system of `path`. */
  freeBytes(path: string): Promise<number>;
}

/** `write` as a promise, for what is not hot. */
export function writeAll(file: DiskFile, chunk: Uint8Array, position: number): Promise<void> {
  return new Promise((resolve, reject) => {
    file.write([chunk], position, (error) => (error === undefined ? resolve() : reject(error)));
  });
}

/** `writeDurable` as a promise, for what is not hot. */
export function writeDurable(file: DiskFile, chunk: Uint8Array, position: number): Promise<void> {
  return new Promise((resolve, reject) => {
    file.writeDurable([chunk], position, (error) => (error === undefined ? resolve() : reject(error)));
  });
}

/** `datasync` as a promise. */
export function datasync(file: DiskFile): Promise<void> {
  return new Promise((resolve, reject) => {
    file.datasync((error) => (error === undefined ? resolve() : reject(error)));
  });
}
