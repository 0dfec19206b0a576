// A snapshot file on the disk: written under a name of its own, with its SHA-256 behind it, and renamed when all of it is durable.
//
// Chunks are written one after the other, the next one filled meanwhile; more than `PENDING_CHUNKS_MAX` waiting, and the file is
// full until the disk has taken one.

import { createHash } from 'node:crypto';
import { copyBytes } from '../base/bytes.ts';
import type { ByteSink } from '../bolt/bolt-writer.ts';
import { type Disk, DiskError, datasync, writeAll } from '../io/disk.ts';
import { NewFile } from '../io/new-file.ts';
import type { SnapshotTarget } from './snapshot-stream.ts';

const CHUNK_BYTES = 1 << 20;
const PENDING_CHUNKS_MAX = 2;

export class BackupFile implements SnapshotTarget, ByteSink {
  readonly #made: NewFile;
  readonly #hash = createHash('sha256');
  #chunk: Buffer = Buffer.allocUnsafeSlow(CHUNK_BYTES);
  #chunkUsed = 0;
  #pending = 0;
  #position = 0;
  /** All writes so far, one after the other. */
  #writing: Promise<void> = Promise.resolve();
  #failure: DiskError | undefined;
  /** Called when it is no longer full, or failed. */
  onDrain: () => void = () => {};
  /** Called when all bytes have been given. */
  onComplete: () => void = () => {};
  writtenBytes = 0;

  private constructor(made: NewFile) {
    this.#made = made;
  }

  /** At `path` until `commit`. Rejects with DiskError. */
  static async create(disk: Disk, path: string): Promise<BackupFile> {
    await disk.unlink(path).catch(ignoreMissing);
    return new BackupFile(await NewFile.create(disk, path));
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
    await writeAll(this.#made.file, digest, this.#position);
    this.writtenBytes += digest.length;
    await datasync(this.#made.file);
    await this.#made.publish(path);
  }

  /** Nothing of it remains. */
  async abandon(): Promise<void> {
    await this.#writing;
    await this.#made.discard();
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
      if (this.#failure === undefined) await writeAll(this.#made.file, chunk, this.#position);
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
