// Equal things get the same small number: what pods and nodes have in common is kept and looked at once.
//
// A thing is known by a text that says all of it. Making that text costs microseconds, so a number is also remembered by the
// object itself: objects that share their parts (pods of one template) are told apart without it.
//
// What was not asked for in a while is forgotten (sweep-rounds.ts). A number is never given to anything else; what comes again by the
// same object has its number again, by another object perhaps a new one.

import { type SweepRounds, sweepTable } from './sweep-rounds.ts';

interface Interned {
  readonly id: number;
  readonly text: string;
  round: number;
}

export class Interner<T extends object> {
  readonly #rounds: SweepRounds;
  readonly #byText = new Map<string, Interned>();
  readonly #byObject = new WeakMap<T, Interned>();
  #nextId = 0;

  constructor(rounds: SweepRounds) {
    this.#rounds = rounds;
  }

  get size(): number {
    return this.#byText.size;
  }

  idOf(thing: T): number {
    const known = this.#byObject.get(thing);
    if (known !== undefined && !this.#rounds.isOver(known.round)) {
      known.round = this.#rounds.current;
      return known.id;
    }
    const text = known?.text ?? canonicalText(thing);
    let interned = this.#byText.get(text);
    if (interned === undefined) {
      interned = known ?? { id: this.#nextId++, text, round: 0 };
      this.#byText.set(text, interned);
      this.#rounds.changed();
    }
    interned.round = this.#rounds.current;
    this.#byObject.set(thing, interned);
    return interned.id;
  }

  sweep(): Generator<void> {
    return sweepTable(this.#byText, ({ round }) => this.#rounds.isOver(round));
  }
}

/** The same for values that are equal part by part; maps and sets in the order of their keys. */
export function canonicalText(value: unknown): string {
  if (value instanceof Map) {
    return `{${[...value].map(([key, part]) => `${canonicalText(key)}:${canonicalText(part)}`).sort()}}`;
  }
  if (value instanceof Set) return `(${[...value].map(canonicalText).sort()})`;
  if (Array.isArray(value)) return `[${value.map(canonicalText)}]`;
  if (typeof value === 'object' && value !== null) {
    const parts = Object.entries(value).map(([name, part]) => `${name}:${canonicalText(part)}`);
    return `<${parts.sort()}>`;
  }
  return typeof value === 'string' ? JSON.stringify(value) : String(value);
}
