// Plain JSON against a schema, as Go's strict JSON decoder does it (sigs.k8s.io/json), with its error texts.
//
// Unknown fields are collected and decoding goes on. So it does past a value of another type, of which only the first is told,
// and it outranks every unknown field. A duration that cannot be read ends decoding at once.

import type { Schema, StructSchema } from './configuration-schema.ts';
import type { Json, JsonObject } from './configuration-text.ts';
import { parseDuration } from './go-duration.ts';

export type Decoded =
  | { readonly value: JsonObject; readonly strictProblems: readonly string[] }
  | { readonly problem: string };

/** The known fields that are there and not null; a struct, so an object. */
export function decodeStrictly(schema: StructSchema, json: Json): Decoded {
  const decoding = new Decoding();
  try {
    const value = decoding.decode(schema, json, { struct: '', fields: [], path: '' });
    if (decoding.firstTypeProblem !== undefined) return { problem: decoding.firstTypeProblem };
    return { value: isObject(value) ? value : {}, strictProblems: decoding.unknown };
  } catch (error) {
    if (error instanceof EndOfDecoding) return { problem: error.message };
    throw error;
  }
}

class EndOfDecoding extends Error {
  override readonly name = 'EndOfDecoding';
}

/** Where a value stands, for the two kinds of error. */
interface Place {
  /** The Go struct around it, without its package. */
  readonly struct: string;
  /** The names of the fields down to it. */
  readonly fields: readonly string[];
  /** The same with indices: `profiles[0].plugins`. */
  readonly path: string;
}

class Decoding {
  readonly unknown: string[] = [];
  firstTypeProblem: string | undefined;

  /** null for what is absent, null or of another type. */
  decode(schema: Schema, json: Json, place: Place): Json {
    if (json === null && !(schema.kind === 'duration' && !schema.isNullable)) return json;
    switch (schema.kind) {
      case 'anything':
        return json;
      case 'duration':
        return this.#duration(json, place);
      case 'text':
        return typeof json === 'string' ? json : this.#refuse(schema, json, place);
      case 'flag':
        return typeof json === 'boolean' ? json : this.#refuse(schema, json, place);
      case 'decimal':
        return typeof json === 'number' ? json : this.#refuse(schema, json, place);
      case 'integer':
        return typeof json === 'number' && fits(json, schema.type) ? json : this.#refuse(schema, json, place);
      case 'list':
        if (!isList(json)) return this.#refuse(schema, json, place);
        return json.map((item, index) => {
          const value = this.decode(schema.of, item, { ...place, path: `${place.path}[${index}]` });
          // An element that is null is the empty one of its type.
          return value ?? (schema.of.kind === 'struct' ? {} : '');
        });
      case 'struct':
        return isObject(json) ? this.#struct(schema, json, place) : this.#refuse(schema, json, place);
    }
  }

  #struct(schema: StructSchema, json: JsonObject, { fields, path }: Place): JsonObject {
    const found: [string, Json][] = [];
    const struct = schema.type.slice(schema.type.indexOf('.') + 1);
    for (const [name, item] of Object.entries(json)) {
      const inside = path === '' ? name : `${path}.${name}`;
      const field = schema.fields.get(name);
      if (field === undefined) {
        this.unknown.push(`unknown field ${JSON.stringify(inside)}`);
        continue;
      }
      const value = this.decode(field, item, { struct, fields: [...fields, name], path: inside });
      if (value !== null) found.push([name, value]);
    }
    return Object.fromEntries(found);
  }

  #duration(json: Json, place: Place): Json {
    if (json !== null && typeof json !== 'string') throw new EndOfDecoding(typeProblem('string', kindOf(json), place));
    const parsed = parseDuration(json ?? '');
    if ('problem' in parsed) throw new EndOfDecoding(parsed.problem);
    return parsed.nanoseconds;
  }

  #refuse(schema: Schema, json: Json, place: Place): null {
    const isInteger = schema.kind === 'integer' && typeof json === 'number';
    this.firstTypeProblem ??= typeProblem(schema.type, isInteger ? `number ${json}` : kindOf(json), place);
    return null;
  }
}

function typeProblem(type: string, what: string, { struct, fields }: Place): string {
  const where = struct === '' ? 'value' : `struct field ${struct}.${fields.join('.')}`;
  return `json: cannot unmarshal ${what} into Go ${where} of type ${type}`;
}

function kindOf(json: Json): string {
  if (isList(json)) return 'array';
  return typeof json === 'boolean' ? 'bool' : typeof json;
}

function fits(value: number, type: 'int32' | 'int64'): boolean {
  const most = type === 'int32' ? 2 ** 31 : 2 ** 63;
  return Number.isInteger(value) && value >= -most && value < most;
}

export function isList(json: Json): json is readonly Json[] {
  return Array.isArray(json);
}

export function isObject(json: Json): json is JsonObject {
  return typeof json === 'object' && json !== null && !isList(json);
}
