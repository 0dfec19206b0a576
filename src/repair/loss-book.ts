// What a rebuilt state does not know: the batches that are lost, and the keys and leases that they may have changed.
//
//   lost batch ─► its body read as far as it can be ─► key, lease: uncertain
//   good batch ─► writes the same key, lease        ─► known again
//
// A body whose checksum does not match may hold other keys than those that are read from it. So the list of a loss counts as
// complete only where every lost batch is there, is read to its end, and has the checksum that its (damaged) header names.

import { isZero } from '../journal/batch-reader.ts';
import {
  ALIGNMENT_BYTES_MAX,
  AT_BODY_CRC,
  BATCH_ALIGNMENT_BYTES,
  BATCH_HEADER_BYTES,
  BATCH_MAGIC,
  crcOf,
  paddedBytes,
  readUint32,
} from '../journal/format.ts';
import type { DamageKind, NumberRange } from './damage.ts';
import { type Effect, parseBody } from './effect-parser.ts';
import type { BrokenPart } from './segment-survey.ts';

export interface UncertainKey {
  readonly key: Uint8Array;
  /** What the lost batch did with it, as far as can be told. */
  readonly change: 'put' | 'delete';
  readonly revision: number;
}

export interface UncertainLease {
  readonly lease: bigint;
  /** `unknown`: keys hang on it, and nothing is known of it. */
  readonly change: 'granted' | 'revoked' | 'unknown';
}

/** Damaged bytes that batches are lost with. */
export interface LostPart {
  readonly file: string;
  readonly offset: number;
  readonly bytes: number;
  readonly kind: DamageKind;
  readonly reason: string;
  /** Undefined when its header does not tell. */
  readonly sequence: number | undefined;
  /** Changes of keys that could be read. */
  readonly changes: number;
  readonly isReadToEnd: boolean;
  /** Its body has its checksum: only the header is damaged, and what was read is what was written. */
  readonly isCertain: boolean;
}

/** Batches in a row that are not in the rebuilt state. An end that nothing tells is infinite. */
export interface Loss {
  readonly sequences: NumberRange;
  readonly revisions: NumberRange | undefined;
  /** Nothing says that they had been durable: a crash leaves such at the end of a log. */
  readonly isUnproven: boolean;
  readonly parts: readonly LostPart[];
  /** All that they may have changed is among the uncertain keys and leases. */
  readonly isListComplete: boolean;
}

/** Beyond it keys are not listed; the loss's list then is not complete. */
export const UNCERTAIN_KEYS_MAX: number = 1 << 22;

/** A segment with a broken part, and what its checksums start from. */
export interface LosingSegment {
  readonly file: string;
  readonly crcSeed: number;
  readonly block: Uint8Array;
}

export class LossBook {
  readonly losses: Loss[] = [];
  readonly #uncertainKeysMax: number;
  readonly #keys = new Map<string, UncertainKey>();
  readonly #leases = new Map<bigint, UncertainLease>();

  constructor(uncertainKeysMax: number = UNCERTAIN_KEYS_MAX) {
    this.#uncertainKeysMax = uncertainKeysMax;
  }

  /** In the order of the keys' bytes. */
  get keys(): UncertainKey[] {
    return [...this.#keys].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, uncertain]) => uncertain);
  }

  get leases(): UncertainLease[] {
    return [...this.#leases.values()].sort((a, b) => (a.lease < b.lease ? -1 : 1));
  }

  get hasLosses(): boolean {
    return this.losses.length > 0;
  }

  add(loss: Loss): void {
    this.losses.push(loss);
  }

  /** Reads what is left of a broken part of a segment; `revisions` are those that it may have held. */
  lose({ file, crcSeed, block }: LosingSegment, part: BrokenPart, revisions: NumberRange | undefined): LostPart {
    const { offset, bytes, kind, reason, head } = part;
    const rest = readRest(block, offset, offset + bytes, head?.revisions ?? revisions);
    let changes = 0;
    let isListed = true;
    for (const effect of rest.effects) {
      if (effect.kind === 'put' || effect.kind === 'delete') {
        changes++;
        isListed &&= this.#loseKey(effect, block);
      } else if (effect.kind === 'lease-grant') this.#loseLease(effect.lease, 'granted');
      else if (effect.kind === 'lease-revoke') this.#loseLease(effect.lease, 'revoked');
    }
    const sequence = head?.sequence;
    const isReadToEnd = rest.isReadToEnd && isListed;
    const isCertain = isReadToEnd && rest.batches === 1 && hasChecksum(block, offset, rest.end, crcSeed);
    return { file, offset, bytes, kind, reason, sequence, changes, isReadToEnd, isCertain };
  }

  /** As `lose`, of a good batch that is not used. True when all of it is listed. */
  loseGood(block: Uint8Array, bodyStart: number, bodyEnd: number): boolean {
    const { effects, reason } = parseBody(block, bodyStart, bodyEnd);
    let isListed = reason === undefined;
    for (const { effect } of effects) {
      if (effect.kind === 'put' || effect.kind === 'delete') isListed = this.#loseKey(effect, block) && isListed;
      else if (effect.kind === 'lease-grant') this.#loseLease(effect.lease, 'granted');
      else if (effect.kind === 'lease-revoke') this.#loseLease(effect.lease, 'revoked');
    }
    return isListed;
  }

  /** A good batch says what the key is. */
  keyKnown(buffer: Uint8Array, start: number, end: number): void {
    if (this.#keys.size > 0) this.#keys.delete(textOf(buffer, start, end));
  }

  leaseKnown(lease: bigint): void {
    this.#leases.delete(lease);
  }

  /** A key hangs on a lease that is not there. */
  leaseMissing(lease: bigint): void {
    if (!this.#leases.has(lease)) this.#loseLease(lease, 'unknown');
  }

  #loseKey(effect: Effect & { kind: 'put' | 'delete' }, block: Uint8Array): boolean {
    const { kind: change, main: revision, keyStart, keyEnd } = effect;
    const text = textOf(block, keyStart, keyEnd);
    if (this.#keys.size >= this.#uncertainKeysMax && !this.#keys.has(text)) return false;
    this.#keys.set(text, { key: Uint8Array.prototype.slice.call(block, keyStart, keyEnd), change, revision });
    return true;
  }

  #loseLease(lease: bigint, change: UncertainLease['change']): void {
    this.#leases.set(lease, { lease, change });
  }
}

function hasChecksum(block: Uint8Array, offset: number, end: number, crcSeed: number): boolean {
  const crc = crcOf(block, offset + BATCH_HEADER_BYTES, end, crcSeed);
  return crc === readUint32(block, offset + AT_BODY_CRC);
}

function textOf(buffer: Uint8Array, start: number, end: number): string {
  return Buffer.from(buffer.buffer, buffer.byteOffset + start, end - start).toString('latin1');
}

interface Rest {
  readonly effects: readonly Effect[];
  readonly isReadToEnd: boolean;
  readonly batches: number;
  readonly end: number;
}

/** The effects of one batch, or of several whose headers are damaged too. */
function readRest(block: Uint8Array, start: number, end: number, revisions: NumberRange | undefined): Rest {
  const effects: Effect[] = [];
  let batches = 0;
  for (let at = start; at + BATCH_HEADER_BYTES <= end; ) {
    batches++;
    const body = parseBody(block, at + BATCH_HEADER_BYTES, end, revisions);
    for (const { effect } of body.effects) effects.push(effect);
    const next = Math.min(end, paddingEnd(block, body.end, end));
    if (!isZero(block, body.end, next)) break;
    if (next === end) return { effects, isReadToEnd: true, batches, end };
    if (next + BATCH_HEADER_BYTES > end || readUint32(block, next) !== BATCH_MAGIC) break;
    at = next;
  }
  return { effects, isReadToEnd: false, batches, end };
}

/** Where the zeros behind a body end, which pad it to a multiple of what its damaged header does not tell. */
function paddingEnd(block: Uint8Array, bodyEnd: number, end: number): number {
  let at = paddedBytes(bodyEnd, BATCH_ALIGNMENT_BYTES);
  const last = paddedBytes(bodyEnd, ALIGNMENT_BYTES_MAX);
  while (at < Math.min(last, end) && isZero(block, at, Math.min(at + BATCH_ALIGNMENT_BYTES, end)))
    at += BATCH_ALIGNMENT_BYTES;
  return at;
}
