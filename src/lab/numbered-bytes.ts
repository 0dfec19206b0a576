// Many objects out of one: encoded once with marks where they differ, then made by overwriting the marks, all of fixed length.
//
//   mark         becomes, for object number i                 example
//   INDEX        i in seven digits                            lab-node-0000042
//   ADDRESS      three parts of an IPv4 address, 100 … 255    10.100.100.142
//   NETWORK      two words of an IPv6 prefix, 1000 … ffff     fd00:1000:102a::/64
//   SUFFIX       five letters, as generateName makes them     kube-api-access-bbbcx
//
// Addresses and networks are unique below ADDRESSES_MAX.

import { endsOf, KEY_DIGITS, writeDigits } from '../bench/key-digits.ts';

export const INDEX = '7390264';
export const ADDRESS = '197.193.191';
export const NETWORK = '7a31:9b5c';
export const SUFFIX = 'zx7q9';
export const MARKS: readonly string[] = [INDEX, ADDRESS, NETWORK, SUFFIX];

const OCTET_MIN = 100;
const OCTETS = 156;
const WORD_MIN = 0x1000;
const WORDS = 0xf000;
export const ADDRESSES_MAX: number = OCTETS ** 3;
/** apimachinery's pkg/util/rand. */
const LETTERS: Uint8Array = Buffer.from('bcdfghjklmnpqrstvwxz2456789');
const HEX: Uint8Array = Buffer.from('0123456789abcdef');
const OCTET_STEP = 4;
const WORD_STEP = 5;
const DOT = 0x2e;

export class NumberedBytes {
  /** As it was for the last number. */
  readonly bytes: Uint8Array;
  readonly #indexes: readonly number[];
  readonly #addresses: readonly number[];
  readonly #networks: readonly number[];
  readonly #suffixes: readonly number[];

  /** `bytes` are ours from now on. */
  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
    this.#indexes = startsOf(bytes, INDEX);
    this.#addresses = startsOf(bytes, ADDRESS);
    this.#networks = startsOf(bytes, NETWORK);
    this.#suffixes = startsOf(bytes, SUFFIX);
  }

  /** Makes `bytes` those of this number, below 10^7. */
  set(index: number): void {
    const { bytes } = this;
    for (const at of this.#indexes) writeDigits(bytes, at, index);
    for (const at of this.#addresses) writeAddress(bytes, at, index % ADDRESSES_MAX);
    for (const at of this.#networks) writeNetwork(bytes, at, index);
    for (const at of this.#suffixes) writeSuffix(bytes, at, index);
  }
}

/** What becomes of ADDRESS for this number. */
export function addressOf(index: number): string {
  const bytes = Buffer.from(ADDRESS);
  writeAddress(bytes, 0, index % ADDRESSES_MAX);
  return bytes.toString();
}

function startsOf(bytes: Uint8Array, mark: string): readonly number[] {
  return endsOf(bytes, mark).map((end) => end - mark.length);
}

function writeAddress(bytes: Uint8Array, at: number, index: number): void {
  let rest = index;
  for (let part = 2; part >= 0; part--) {
    const octet = OCTET_MIN + (rest % OCTETS);
    rest = Math.floor(rest / OCTETS);
    const start = at + part * OCTET_STEP;
    bytes[start] = 0x30 + Math.floor(octet / 100);
    bytes[start + 1] = 0x30 + (Math.floor(octet / 10) % 10);
    bytes[start + 2] = 0x30 + (octet % 10);
    if (part < 2) bytes[start + 3] = DOT;
  }
}

function writeNetwork(bytes: Uint8Array, at: number, index: number): void {
  writeWord(bytes, at, WORD_MIN + (Math.floor(index / WORDS) % WORDS));
  writeWord(bytes, at + WORD_STEP, WORD_MIN + (index % WORDS));
}

function writeWord(bytes: Uint8Array, at: number, word: number): void {
  for (let digit = 0; digit < 4; digit++) bytes[at + digit] = HEX[(word >>> (12 - 4 * digit)) & 15];
}

function writeSuffix(bytes: Uint8Array, at: number, index: number): void {
  let rest = index;
  for (let letter = SUFFIX.length - 1; letter >= 0; letter--) {
    bytes[at + letter] = LETTERS[rest % LETTERS.length];
    rest = Math.floor(rest / LETTERS.length);
  }
}

/** The name of an object by its prefix and number. */
export function nameOf(prefix: string, index: number): string {
  return prefix + String(index).padStart(KEY_DIGITS, '0');
}
