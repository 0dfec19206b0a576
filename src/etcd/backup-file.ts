// A snapshot file on the disk: written under a name of its own, with its SHA-256 behind it, and renamed when all of it is durable.
//
// Chunks are written one after the other, the next one filled meanwhile; more than `PENDING_CHUNKS_MAX` waiting, and the file is
// full until the disk has taken one.

import { createHash } from 'node:crypto';
import { dirname } from 'node:path';
import { copyBytes } from '../base/bytes.ts';
import type { ByteSink } from '../bolt/bolt-writer.ts';
import { type Disk, DiskError, type DiskFile, datasync, writeAll } from '../io/disk.ts';
import type { SnapshotTarget } from './snapshot-stream.ts';

const CHUNK_BYTES = 1 << 20;
const PENDING_CHUNKS_MAX = 2;

export class BackupFile implements SnapshotTarget, ByteSink {
  readonly #disk: Disk;
  readonly #file: DiskFile;
  readonly #hash = createHash('sha256');
  #chunk: Buffer = Buffer.allocUnsafeSlow(CHUNK_BYTES);
  #chunkUsed = 0;
  #pending = 0;
  #position = 0;
  /** All writes so far, one after the other. */
  #writing: Promise<void> = Promise.resolve();
  #failure: DiskError | undefined;
  #isClosed = false;
  /** Called when it is no longer full, or failed. */
  onDrain: () => void = () => {};
  /** Called when all bytes have been given. */
  onComplete: () => void = () => {};
  writtenBytes = 0;

  private constructor(disk: Disk, file: DiskFile) {
    this.#disk = disk;
    this.#file = file;
  }

  /** At `path` until `commit`. Rejects with DiskError. */
  static async create(disk: Disk, path: string): Promise<BackupFile> {
    await disk.unlink(path).catch(ignoreMissing);
    return new BackupFile(disk, await disk.open(path, 'create'));
  }

  get failure(): DiskError | undefined {
    return this.#failure;
  }

  get isFull(): boolean {
    return this.#pending >= PENDING_CHUNKS_MAX;
  }

  open(): ByteSink {
    return this;
  }

  write(source: Uint8Array, start: number, end: number): void {
    for (let at = start; at < end; ) {
      const part = Math.min(end - at, CHUNK_BYTES - this.#chunkUsed);
      copyBytes(this.#chunk, this.#chunkUsed, source, at, at + part);
      at += part;
      this.#took(part);
    }
  }

  pad(bytes: number): void {
    for (let left = bytes; left > 0; ) {
      const part = Math.min(left, CHUNK_BYTES - this.#chunkUsed);
      this.#chunk.fill(0, this.#chunkUsed, this.#chunkUsed + part);
      left -= part;
      this.#took(part);
    }
  }

  finish(): void {
    this.onComplete();
  }

  /** Writes what is left and the hash, and gives the file its name. Rejects with DiskError. */
  async commit(path: string): Promise<void> {
    if (this.#chunkUsed > 0) this.#flush();
    const digest = this.#hash.digest();
    await this.#writing;
    if (this.#failure !== undefined) throw this.#failure;
    await writeAll(this.#file, digest, this.#position);
    this.writtenBytes += digest.length;
    await datasync(this.#file);
    await this.#close();
    await this.#disk.rename(this.#file.path, path);
    await this.#disk.syncDirectory(dirname(path));
  }

  /** Nothing of it remains. */
  async abandon(): Promise<void> {
    await this.#writing;
    await this.#close().catch(() => {});
    await this.#disk.unlink(this.#file.path).catch(() => {});
  }

  /** Once: the descriptors' numbers may be somebody else's afterwards. */
  async #close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    await this.#file.close();
  }

  #took(bytes: number): void {
    this.#chunkUsed += bytes;
    this.writtenBytes += bytes;
    if (this.#chunkUsed === CHUNK_BYTES) this.#flush();
  }

  #flush(): void {
    const chunk = this.#chunk.subarray(0, this.#chunkUsed);
    this.#chunk = Buffer.allocUnsafeSlow(CHUNK_BYTES);
    this.#chunkUsed = 0;
    this.#hash.update(chunk);
    this.#pending++;
    this.#writing = this.#writing.then(() => this.#writeChunk(chunk));
  }

  async #writeChunk(chunk: Uint8Array): Promise<void> {
    try {
      if (this.#failure === undefined) await writeAll(this.#file, chunk, this.#position);
      this.#position += chunk.length;
    } catch (error) {
      if (!(error instanceof DiskError)) throw error;
      this.#failure = error;
    }
    this.#pending--;
    this.onDrain();
  }
}

function ignoreMissing(error: unknown): void {
  if (!(error instanceof DiskError) || error.code !== 'ENOENT') throw error;
}
