// A mvccpb.KeyValue from somebody else's file or message, checked and written again in the one form that the store takes
// (src/store/key-value.ts).

import { ByteReader, WireError } from '../base/byte-reader.ts';
import { EMPTY_BYTES } from '../base/bytes.ts';
import { keyValueBytes, writeKeyValueHead, writeKeyValueTail } from '../store/key-value.ts';

export interface Version {
  readonly key: Uint8Array;
  readonly createRevision: number;
  readonly modRevision: number;
  readonly version: number;
  readonly value: Uint8Array;
  readonly lease: bigint;
}

/** In a buffer of its own. */
export function encodeVersion({ key, createRevision, modRevision, version, value, lease }: Version): Uint8Array {
  const bytes = keyValueBytes(key.length, createRevision, modRevision, version, value.length, lease);
  const target = Buffer.allocUnsafe(bytes);
  const at = writeKeyValueHead(target, 0, key, 0, key.length, createRevision);
  writeKeyValueTail(target, at, modRevision, version, value, 0, value.length, lease);
  return target;
}

export class ValueDecoder implements Version {
  key: Uint8Array = EMPTY_BYTES;
  createRevision = 0;
  modRevision = 0;
  version = 0;
  value: Uint8Array = EMPTY_BYTES;
  lease = 0n;
  readonly #reader = new ByteReader();

  /** Decodes bytes[start, end); key and value share them. Returns what is wrong, or undefined. */
  decode(bytes: Uint8Array, start: number, end: number): string | undefined {
    const reader = this.#reader;
    reader.reset(bytes, start, end);
    this.key = EMPTY_BYTES;
    this.value = EMPTY_BYTES;
    this.createRevision = 0;
    this.modRevision = 0;
    this.version = 0;
    this.lease = 0n;
    try {
      while (reader.hasMore) this.#field(reader.tag());
    } catch (error) {
      if (error instanceof WireError) return `a version is malformed: ${error.message}`;
      throw error;
    }
    return this.key.length === 0 ? 'a version has no key' : undefined;
  }

  /** The bytes of a put, in a buffer of their own. Only when all numbers are in range, as `wrong` says. */
  encode(): Uint8Array {
    return encodeVersion(this);
  }

  /** What is wrong with the numbers of a put, or undefined. */
  wrong(): string | undefined {
    const { createRevision, modRevision, version } = this;
    const isInRange = createRevision > 0 && createRevision <= modRevision && version > 0;
    const isExact = modRevision <= Number.MAX_SAFE_INTEGER && version <= Number.MAX_SAFE_INTEGER;
    return isInRange && isExact ? undefined : 'the revisions of a version are out of range';
  }

  #field(tag: number): void {
    const reader = this.#reader;
    switch (tag) {
      case 0x0a:
        this.key = reader.view();
        return;
      case 0x10:
        this.createRevision = reader.varint();
        return;
      case 0x18:
        this.modRevision = reader.varint();
        return;
      case 0x20:
        this.version = reader.varint();
        return;
      case 0x2a:
        this.value = reader.view();
        return;
      case 0x30:
        this.lease = reader.varint64();
        return;
      default:
        reader.skip(tag);
    }
  }
}
