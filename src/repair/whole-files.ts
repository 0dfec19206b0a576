// Whole files read one after the other into the same memory: V8 is slow to free buffers that it does not see the size of.
//
// What the disk cannot read (EIO) is tried again in small pieces, so that one bad sector costs no more than its piece. Such pieces
// are filled with bytes that begin nothing: they are damage like other bytes that are not what was written.

import { type Disk, DiskError, type DiskFile } from '../io/disk.ts';

/** A page: the least that the kernel reads. */
const PIECE_BYTES = 4096;
const FILLER = 0xff;

export interface UnreadablePart {
  readonly offset: number;
  bytes: number;
}

export class WholeFiles {
  readonly #disk: Disk;
  #memory: Uint8Array = new Uint8Array(0);
  /** Of the last file. */
  unreadable: readonly UnreadablePart[] = [];

  constructor(disk: Disk) {
    this.#disk = disk;
  }

  /** Valid until the next call. Rejects with DiskError, but not for what cannot be read. */
  async read(path: string): Promise<Uint8Array> {
    const file = await this.#disk.open(path, 'read');
    try {
      const size = await file.size();
      if (this.#memory.length < size) this.#memory = Buffer.allocUnsafeSlow(size);
      const target = this.#memory.subarray(0, size);
      this.unreadable = [];
      try {
        return target.subarray(0, await file.read(target, 0));
      } catch (error) {
        if (!isUnreadable(error)) throw error;
        this.unreadable = await readPieces(file, target);
        return target;
      }
    } finally {
      await file.close();
    }
  }
}

/** The disk has lost what is there. */
export function isUnreadable(error: unknown): error is DiskError {
  return error instanceof DiskError && error.operation === 'read' && error.code === 'EIO';
}

async function readPieces(file: DiskFile, target: Uint8Array): Promise<UnreadablePart[]> {
  const parts: UnreadablePart[] = [];
  for (let at = 0; at < target.length; at += PIECE_BYTES) {
    const piece = target.subarray(at, at + PIECE_BYTES);
    try {
      await file.read(piece, at);
    } catch (error) {
      if (!isUnreadable(error)) throw error;
      piece.fill(FILLER);
      const last = parts.at(-1);
      if (last !== undefined && last.offset + last.bytes === at) last.bytes += piece.length;
      else parts.push({ offset: at, bytes: piece.length });
    }
  }
  return parts;
}
