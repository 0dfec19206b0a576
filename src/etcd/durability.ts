// Which durability class a key has: the class of the longest configured prefix of it, else the default.
//
//   fsync     answered and shown after the disk has it          loses nothing to a crash or power cut
//   buffered  answered and shown after the OS has it            a power cut may take the last bufferedLossMs
//   none      answered at once, never in the log                a restart takes all of it
//
// A request that touches several keys has the strictest of their classes.

import { compareArrays } from '../base/bytes.ts';
import type { Durability } from '../journal/journal.ts';

export const CLASS_NONE = 0;
export const CLASS_BUFFERED = 1;
export const CLASS_FSYNC = 2;
/** In order of strictness. */
export type DurabilityClass = typeof CLASS_NONE | typeof CLASS_BUFFERED | typeof CLASS_FSYNC;

export interface DurabilityRule {
  readonly prefix: Uint8Array;
  readonly durability: Durability;
}

export const DURABILITY_RULES_MAX = 256;
const CLASSES: Readonly<Record<Durability, DurabilityClass>> = {
  none: CLASS_NONE,
  buffered: CLASS_BUFFERED,
  fsync: CLASS_FSYNC,
};

export class DurabilityMap {
  readonly defaultDurability: Durability;
  /** Longest prefixes first. */
  readonly rules: readonly DurabilityRule[];
  readonly #default: DurabilityClass;
  /** The class of every key, where no prefix has another. */
  readonly only: DurabilityClass | undefined;

  constructor(defaultDurability: Durability = 'fsync', rules: readonly DurabilityRule[] = []) {
    this.defaultDurability = defaultDurability;
    this.#default = CLASSES[defaultDurability];
    this.only = rules.every(({ durability }) => durability === defaultDurability) ? this.#default : undefined;
    this.rules = [...rules].sort((a, b) => b.prefix.length - a.prefix.length || compareArrays(a.prefix, b.prefix));
  }

  /** Some class is weaker than fsync: a crash may lose revisions that were shown. */
  get hasRelaxed(): boolean {
    return this.#default !== CLASS_FSYNC || this.rules.some((rule) => rule.durability !== 'fsync');
  }

  /** Some class is not in the log: every restart loses its keys. */
  get hasUnlogged(): boolean {
    return this.#default === CLASS_NONE || this.rules.some((rule) => rule.durability === 'none');
  }

  classOf(key: Uint8Array, start: number, end: number): DurabilityClass {
    for (let i = 0; i < this.rules.length; i++) {
      const rule = this.rules[i];
      if (startsWith(key, start, end, rule.prefix)) return CLASSES[rule.durability];
    }
    return this.#default;
  }
}

function startsWith(key: Uint8Array, start: number, end: number, prefix: Uint8Array): boolean {
  if (end - start < prefix.length) return false;
  for (let i = 0; i < prefix.length; i++) if (key[start + i] !== prefix[i]) return false;
  return true;
}
