// `etcdctl snapshot save` for any server of etcd's API: the pieces go into FILE.part, which becomes FILE when all of it is on
// the disk and the hash at its end is right.

import { createHash } from 'node:crypto';
import type { SnapshotResponse } from '../api/messages.ts';
import { copyBytes, EMPTY_BYTES } from '../base/bytes.ts';
import { RefusedError } from '../base/refused-error.ts';
import { type Disk, type DiskFile, datasync, writeAll } from '../io/disk.ts';
import { NewFile } from '../io/new-file.ts';
import { HASH_BYTES } from './snapshot-file.ts';

/** Pieces are written together up to this size. */
const WRITE_BYTES = 1 << 20;

export interface SavedSnapshot {
  readonly bytes: number;
  /** The server's storage version; empty before etcd 3.6. */
  readonly version: string;
}

/** Rejects with StatusError, DiskError, or Error for a stream without the right hash. Nothing is left behind then. */
export async function saveSnapshot(
  disk: Disk,
  path: string,
  pieces: AsyncIterable<SnapshotResponse>,
): Promise<SavedSnapshot> {
  const part = `${path}.part`;
  await disk.unlink(part).catch(() => {});
  const made = await NewFile.create(disk, part);
  try {
    const saved = await writePieces(made.file, pieces);
    await datasync(made.file);
    await made.publish(path);
    return saved;
  } catch (error) {
    await made.discard();
    throw error;
  }
}

async function writePieces(file: DiskFile, pieces: AsyncIterable<SnapshotResponse>): Promise<SavedSnapshot> {
  const hash = createHash('sha256');
  const buffer = Buffer.allocUnsafeSlow(WRITE_BYTES);
  let buffered = 0;
  let bytes = 0;
  let version = '';
  // The last piece is the hash of those before.
  let last: Uint8Array = EMPTY_BYTES;
  const put = async (piece: Uint8Array): Promise<void> => {
    for (let at = 0; at < piece.length; ) {
      const end = Math.min(piece.length, at + WRITE_BYTES - buffered);
      copyBytes(buffer, buffered, piece, at, end);
      buffered += end - at;
      at = end;
      if (buffered < WRITE_BYTES) continue;
      await writeAll(file, buffer, bytes);
      bytes += buffered;
      buffered = 0;
    }
  };
  for await (const piece of pieces) {
    version = piece.version;
    hash.update(last);
    await put(piece.blob);
    last = piece.blob;
  }
  await writeAll(file, buffer.subarray(0, buffered), bytes);
  bytes += buffered;
  if (last.length !== HASH_BYTES) throw new RefusedError(`sha256 checksum not found [bytes: ${bytes}]`);
  if (!hash.digest().equals(last)) throw new RefusedError('the sha256 checksum of what was received is wrong');
  return { bytes, version };
}
