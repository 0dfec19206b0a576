// Writes one snapshot file: header, blocks as they come, index, trailer. It is made under `<name>.new`; `finish` syncs it,
// gives it its name and makes the name durable, in this order, so that a file with a snapshot's name is whole unless
// the disk damaged it.
//
// Blocks are written durably in small pieces with pauses between: the log's own writes to the same disk then wait for one
// piece at most, and seldom. Syncing much at once would stall them, since a file system orders its files' data among each other.

import { type Clock, pause } from '../io/clock.ts';
import { type Disk, datasync, writeAll, writeDurable } from '../io/disk.ts';
import { NewFile } from '../io/new-file.ts';
import { crcOf } from '../journal/format.ts';
import {
  type BlockKind,
  encodeHeader,
  encodeIndexEntry,
  encodeTrailer,
  HEADER_BYTES,
  INDEX_ENTRY_BYTES,
  type IndexEntry,
  type SnapshotCounts,
  type SnapshotHeader,
} from './format.ts';
import { snapshotPath } from './snapshot-folder.ts';

const PIECE_BYTES = 256 << 10;
/** Not worth a timer. */
const PAUSE_MS_MIN = 0.1;

export interface WrittenPiece {
  readonly bytes: number;
  readonly tookMs: number;
  /** All of the file so far. */
  readonly bytesWritten: number;
}

export interface SnapshotWriterOptions {
  readonly disk: Disk;
  readonly clock: Clock;
  /** The folder of the snapshots. */
  readonly folder: string;
  readonly header: SnapshotHeader;
  /** Told of each durable write. */
  readonly onSync: (durationSeconds: number) => void;
  /** How long to pause after a durable write. */
  readonly pauseMs: (piece: WrittenPiece) => number;
}

export class SnapshotWriter {
  readonly path: string;
  /** The last batch in it. */
  readonly sequence: number;
  readonly #options: SnapshotWriterOptions;
  readonly #made: NewFile;
  readonly #crcSeed: number;
  readonly #entries: IndexEntry[] = [];
  #position = HEADER_BYTES;

  private constructor(options: SnapshotWriterOptions, path: string, made: NewFile, crcSeed: number) {
    this.#options = options;
    this.path = path;
    this.sequence = options.header.sequence;
    this.#made = made;
    this.#crcSeed = crcSeed;
  }

  /** Rejects with DiskError; a `.new` file may be left behind then. */
  static async create(options: SnapshotWriterOptions): Promise<SnapshotWriter> {
    const { disk, folder, header } = options;
    const path = snapshotPath(folder, header.sequence);
    const { bytes, crc } = encodeHeader(header);
    const made = await NewFile.create(disk, `${path}.new`);
    try {
      await writeAll(made.file, bytes, 0);
    } catch (error) {
      await made.close();
      throw error;
    }
    return new SnapshotWriter(options, path, made, crc);
  }

  /** Bytes written so far. */
  get bytes(): number {
    return this.#position;
  }

  /** The bytes must not change until this resolves. */
  async append(kind: BlockKind, count: number, bytes: Uint8Array, mainMax: number): Promise<void> {
    const position = this.#position;
    this.#position += bytes.length;
    let crc = this.#crcSeed;
    for (let from = 0; from < bytes.length; from += PIECE_BYTES) {
      const piece = bytes.subarray(from, from + PIECE_BYTES);
      crc = crcOf(piece, 0, piece.length, crc);
      await this.#writePiece(piece, position + from);
    }
    this.#entries.push({ kind, count, position, bytes: bytes.length, crc, mainMax });
  }

  async #writePiece(piece: Uint8Array, position: number): Promise<void> {
    const { clock, onSync } = this.#options;
    const startedMs = clock.nowMs();
    await writeDurable(this.#made.file, piece, position);
    const tookMs = clock.nowMs() - startedMs;
    onSync(tookMs / 1000);
    const bytes = piece.length;
    const pauseMs = this.#options.pauseMs({ bytes, tookMs, bytesWritten: position + bytes });
    if (pauseMs >= PAUSE_MS_MIN) await pause(clock, pauseMs);
  }

  /** The file is complete and durable under its name when this resolves. */
  async finish(counts: SnapshotCounts): Promise<void> {
    const index = Buffer.alloc(this.#entries.length * INDEX_ENTRY_BYTES);
    for (let i = 0; i < this.#entries.length; i++) encodeIndexEntry(index, i * INDEX_ENTRY_BYTES, this.#entries[i]);
    const trailer = encodeTrailer(
      {
        ...counts,
        indexPosition: this.#position,
        blocks: this.#entries.length,
        indexCrc: crcOf(index, 0, index.length, this.#crcSeed),
      },
      this.#crcSeed,
    );
    const end = Buffer.concat([index, trailer]);
    await writeAll(this.#made.file, end, this.#position);
    this.#position += end.length;
    await this.#sync();
    await this.#made.publish(this.path);
  }

  /** Lets go of the file; once is enough. */
  abandon(): Promise<void> {
    return this.#made.close();
  }

  async #sync(): Promise<void> {
    const { clock, onSync } = this.#options;
    const startedMs = clock.nowMs();
    await datasync(this.#made.file);
    onSync((clock.nowMs() - startedMs) / 1000);
  }
}
