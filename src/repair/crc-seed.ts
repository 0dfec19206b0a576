// What the checksums of a log's batches start from, found from the batches themselves: where no segment header is left that says it.
//
// A CRC can be run backwards: from the checksum in a batch's header over the bytes that it covers to the seed. That fits every header,
// damaged or not, and so proves nothing; that the checksum of the body fits too, from the same seed, does.

import { BatchReader } from '../journal/batch-reader.ts';
import {
  AT_BODY_BYTES,
  AT_BODY_CRC,
  AT_HEADER_CRC,
  BATCH_HEADER_BYTES,
  readUint32,
  SEGMENT_HEADER_BYTES,
} from '../journal/format.ts';

/** CRC-32 as in zlib, bits reversed. */
const POLYNOMIAL = 0xedb8_8320;
/** The CRC of each byte, and which byte it is by the first eight bits of that. */
const TABLES: { readonly table: Uint32Array; readonly indexOf: Uint8Array } = makeTables();

/** A batch that is whole if its checksums start from `crcSeed`. */
export interface SeededBatch {
  readonly crcSeed: number;
  readonly offset: number;
  readonly end: number;
}

/**
 * Whole batches of a segment, whatever their seeds. What stands inside one is passed over: a client may have written it. So where the one
 * around it is damaged, a client's is among them.
 */
function* wholeBatches(block: Uint8Array): Generator<SeededBatch> {
  const reader = new BatchReader();
  let from = SEGMENT_HEADER_BYTES;
  for (let at = reader.nextMagic(block, from); at >= 0; at = reader.nextMagic(block, from)) {
    from = at + 1;
    if (at + BATCH_HEADER_BYTES > block.length || readUint32(block, at + AT_BODY_BYTES) > block.length - at) continue;
    const crcSeed = crcSeedBefore(
      block,
      at + AT_BODY_CRC,
      at + BATCH_HEADER_BYTES,
      readUint32(block, at + AT_HEADER_CRC),
    );
    if (reader.readHeader(block, at, block.length, crcSeed) !== undefined) continue;
    if (reader.checkBody(block, at, block.length, crcSeed) !== undefined) continue;
    from = reader.end;
    yield { crcSeed, offset: at, end: reader.end };
  }
}

/** The first of them whose seed is one of those wanted. */
export function wholeBatch(block: Uint8Array, isWanted: (crcSeed: number) => boolean): SeededBatch | undefined {
  for (const batch of wholeBatches(block)) if (isWanted(batch.crcSeed)) return batch;
  return undefined;
}

export interface SeedVote {
  readonly crcSeed: number;
  /** Of its batches. */
  bytes: number;
  /** The first segment that has one. */
  readonly segment: number;
}

/** Which seed a log has where no header tells: the one of most bytes. A client's batches lie in the log's, and are as long only where those are damaged. */
export class SeedVotes {
  readonly #votes = new Map<number, SeedVote>();
  #segments = 0;

  /** The next segment. */
  add(block: Uint8Array): void {
    const segment = this.#segments++;
    for (const { crcSeed, offset, end } of wholeBatches(block)) {
      const vote = this.#votes.get(crcSeed) ?? { crcSeed, bytes: 0, segment };
      vote.bytes += end - offset;
      this.#votes.set(crcSeed, vote);
    }
  }

  /** Of those whose seed is not `other`; undefined when there is none. */
  best(other?: number): SeedVote | undefined {
    return this.#most(({ crcSeed }) => crcSeed !== other);
  }

  /** Of those that the first segment has: a log that began in format 1 has another behind. */
  bestOfFirst(): SeedVote | undefined {
    return this.#most(({ segment }) => segment === 0);
  }

  #most(isMeant: (vote: SeedVote) => boolean): SeedVote | undefined {
    let most: SeedVote | undefined;
    for (const vote of this.#votes.values()) if (isMeant(vote) && vote.bytes > (most?.bytes ?? 0)) most = vote;
    return most;
  }
}

/** The seed from which the CRC over bytes [start, end) is `crc`. */
export function crcSeedBefore(buffer: Uint8Array, start: number, end: number, crc: number): number {
  const { table, indexOf } = TABLES;
  let state = ~crc >>> 0;
  for (let at = end - 1; at >= start; at--) {
    const index = indexOf[state >>> 24];
    state = (((state ^ table[index]) << 8) | (index ^ buffer[at])) >>> 0;
  }
  return ~state >>> 0;
}

function makeTables(): { table: Uint32Array; indexOf: Uint8Array } {
  const table = new Uint32Array(256);
  const indexOf = new Uint8Array(256);
  for (let byte = 0; byte < 256; byte++) {
    let crc = byte;
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ POLYNOMIAL : crc >>> 1;
    table[byte] = crc;
    indexOf[table[byte] >>> 24] = byte;
  }
  return { table, indexOf };
}
