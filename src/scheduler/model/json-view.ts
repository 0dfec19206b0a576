// A look at parsed JSON from the API: fields by name with the type the caller expects.
//
// What is absent or null is the empty value of its type, as for Go's decoder. What has another type throws an
// ObjectError that names the field; readObject turns it into a reason, so that one bad object costs nothing but itself.

import { parseQuantity, type Quantity, QuantityError } from './quantity.ts';
import type { QuantityList } from './resources.ts';

/** An object that cannot be used, and which field is to blame. Does not leave readObject. */
export class ObjectError extends Error {
  override readonly name = 'ObjectError';
}

export type Read<T> = { readonly object: T } | { readonly reason: string };

/** What `read` makes of the object, or why it cannot be used. */
export function readObject<T>(json: unknown, read: (view: JsonView) => T): Read<T> {
  try {
    return { object: read(new JsonView(json, '')) };
  } catch (error) {
    if (error instanceof ObjectError) return { reason: error.message };
    throw error;
  }
}

export class JsonView {
  readonly #fields: ReadonlyMap<string, unknown>;
  readonly #path: string;
  /** False for a field that is absent or null; everything in it is empty then. */
  readonly isPresent: boolean;

  constructor(json: unknown, path: string) {
    this.#path = path;
    this.isPresent = json !== undefined && json !== null;
    if (this.isPresent && (typeof json !== 'object' || json === null || Array.isArray(json))) {
      throw new ObjectError(`${path === '' ? 'the object' : path}: is not an object`);
    }
    this.#fields = new Map(json === undefined || json === null ? [] : Object.entries(json));
  }

  /** Throws ObjectError: what is wrong with a field of this object. */
  refuse(field: string, problem: string): never {
    throw new ObjectError(`${this.#pathOf(field)}: ${problem}`);
  }

  object(field: string): JsonView {
    return new JsonView(this.#fields.get(field), this.#pathOf(field));
  }

  objects(field: string): JsonView[] {
    return this.#list(field).map((item, index) => new JsonView(item ?? {}, `${this.#pathOf(field)}[${index}]`));
  }

  text(field: string): string {
    const value = this.#fields.get(field) ?? '';
    return typeof value === 'string' ? value : this.refuse(field, 'is not a string');
  }

  /** Throws when it is absent or empty. */
  name(field: string): string {
    const text = this.text(field);
    return text === '' ? this.refuse(field, 'is required') : text;
  }

  texts(field: string): string[] {
    return this.#list(field).map((item) => (typeof item === 'string' ? item : this.refuse(field, 'has a non-string')));
  }

  flag(field: string): boolean {
    const value = this.#fields.get(field) ?? false;
    return typeof value === 'boolean' ? value : this.refuse(field, 'is not a boolean');
  }

  /** A whole number that a double holds exactly; undefined when absent. */
  optionalNumber(field: string): number | undefined {
    const value = this.#fields.get(field) ?? undefined;
    if (value === undefined) return undefined;
    return typeof value === 'number' && Number.isSafeInteger(value) ? value : this.refuse(field, 'is not an integer');
  }

  number(field: string): number {
    return this.optionalNumber(field) ?? 0;
  }

  /** Any number; 0 when absent. */
  decimal(field: string): number {
    const value = this.#fields.get(field) ?? 0;
    return typeof value === 'number' ? value : this.refuse(field, 'is not a number');
  }

  /** An RFC 3339 time as milliseconds since 1970; undefined when absent. */
  time(field: string): number | undefined {
    const text = this.text(field);
    if (text === '') return undefined;
    const time = Date.parse(text);
    return Number.isNaN(time) ? this.refuse(field, 'is not a time') : time;
  }

  pairs(field: string): Map<string, string> {
    const pairs = new Map<string, string>();
    for (const [key, value] of this.object(field).#fields) {
      pairs.set(key, typeof value === 'string' ? value : this.refuse(field, `${JSON.stringify(key)} is not a string`));
    }
    return pairs;
  }

  /** The names of the fields of an object. */
  names(field: string): Set<string> {
    return new Set(this.object(field).#fields.keys());
  }

  has(field: string): boolean {
    const value = this.#fields.get(field);
    return value !== undefined && value !== null;
  }

  quantity(field: string): Quantity | undefined {
    return this.has(field) ? this.#quantity(field, this.#fields.get(field)) : undefined;
  }

  quantities(field: string): QuantityList {
    const list = new Map<string, Quantity>();
    const view = this.object(field);
    for (const [name, value] of view.#fields) if (value !== null) list.set(name, view.#quantity(name, value));
    return list;
  }

  #quantity(field: string, value: unknown): Quantity {
    if (typeof value !== 'string' && typeof value !== 'number') this.refuse(field, 'is not a quantity');
    try {
      return parseQuantity(String(value).trim());
    } catch (error) {
      if (error instanceof QuantityError) this.refuse(field, error.message);
      throw error;
    }
  }

  #list(field: string): unknown[] {
    const value = this.#fields.get(field) ?? [];
    return Array.isArray(value) ? value : this.refuse(field, 'is not a list');
  }

  #pathOf(field: string): string {
    return this.#path === '' ? field : `${this.#path}.${field}`;
  }
}
