// Equal things get the same small number: what pods and nodes have in common is kept and looked at once.
//
// A thing is known by a text that says all of it. Making that text costs microseconds, so a number is also remembered by the
// object itself: objects that share their parts (pods of one template) are told apart without it.

export class Interner<T extends object> {
  readonly #textOf: (thing: T) => string;
  readonly #byText = new Map<string, number>();
  readonly #byObject = new WeakMap<T, number>();

  constructor(textOf: (thing: T) => string = canonicalText) {
    this.#textOf = textOf;
  }

  /** Dense from 0. */
  idOf(thing: T): number {
    const known = this.#byObject.get(thing);
    if (known !== undefined) return known;
    const text = this.#textOf(thing);
    let id = this.#byText.get(text);
    if (id === undefined) {
      id = this.#byText.size;
      this.#byText.set(text, id);
    }
    this.#byObject.set(thing, id);
    return id;
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
