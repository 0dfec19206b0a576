// YAML or JSON to plain values, as kube-scheduler reads a file: JSON if it begins with a brace, otherwise the first document of
// YAML 1.1, whose fields are then looked at in order of name.
//
// Limits: CONFIGURATION_BYTES_MAX of text; aliases expand to ALIASES_MAX nodes at most, which the library counts.

import {
  type Document,
  isAlias,
  isMap,
  isScalar,
  isSeq,
  LineCounter,
  type Node,
  parseAllDocuments,
  type YAMLMap,
} from 'yaml';
import { errorText } from '../../base/error-text.ts';

export const CONFIGURATION_BYTES_MAX: number = 1 << 20;
const ALIASES_MAX = 100;

export type Json = null | boolean | number | string | readonly Json[] | JsonObject;
export interface JsonObject {
  readonly [name: string]: Json;
}

export interface ConfigurationText {
  readonly value: Json;
  /** Keys that are set twice, as a strict decoder tells them: of YAML before, of JSON among what else it finds. */
  readonly duplicates: readonly string[];
  readonly isJson: boolean;
}

/** The value, or why there is none. */
export function parseConfigurationText(text: string): ConfigurationText | { readonly problem: string } {
  if (text.length > CONFIGURATION_BYTES_MAX) {
    return { problem: `the configuration has ${text.length} characters, more than ${CONFIGURATION_BYTES_MAX}` };
  }
  try {
    return text.trimStart().startsWith('{') ? parseJson(text) : parseYaml(text);
  } catch (error) {
    // Nesting deeper than the stack.
    if (error instanceof RangeError) return { problem: `yaml: ${error.message}` };
    throw error;
  }
}

function parseJson(text: string): ConfigurationText | { readonly problem: string } {
  try {
    JSON.parse(text);
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    return { problem: `couldn't get version/kind; json parse error: ${error.message}` };
  }
  const [document] = parseAllDocuments(text, { version: '1.2', schema: 'json', uniqueKeys: false });
  const duplicates: string[] = [];
  const told = (name: string, path: string): unknown =>
    duplicates.push(`duplicate field ${JSON.stringify(path + name)}`);
  new DuplicateKeys(document, told).visit(document.contents, '');
  return { value: plain(JSON.parse(text), false), duplicates, isJson: true };
}

function parseYaml(text: string): ConfigurationText | { readonly problem: string } {
  const lines = new LineCounter();
  const [document] = parseAllDocuments(text, {
    version: '1.1',
    uniqueKeys: false,
    merge: true,
    lineCounter: lines,
    prettyErrors: false,
    // Go's library has neither times nor numbers to the base of 60; what looks like one is a string there.
    customTags: (tags) =>
      tags.filter((tag) => typeof tag === 'string' || !(tag.tag.endsWith(':timestamp') || tag.format === 'TIME')),
  });
  if (document === undefined) return { value: null, duplicates: [], isJson: false };
  if (document.errors.length > 0) {
    const [{ pos, message }] = document.errors;
    return { problem: `yaml: line ${lines.linePos(pos[0]).line}: ${message}` };
  }
  const value = parsedValue(document);
  if ('problem' in value) return value;
  return { value: plain(value.parsed, true), duplicates: yamlDuplicates(document, lines), isJson: false };
}

/** The library throws what it finds wrong only now: aliases of nothing or without end, merges of what is no map. */
function parsedValue(document: Document): { readonly parsed: unknown } | { readonly problem: string } {
  try {
    return { parsed: document.toJS({ maxAliasCount: ALIASES_MAX }) };
  } catch (error) {
    return { problem: `yaml: ${errorText(error)}` };
  }
}

function yamlDuplicates(document: Document, lines: LineCounter): string[] {
  const found: string[] = [];
  const told = (name: string, _path: string, offset: number): void => {
    found.push(`  line ${lines.linePos(offset).line}: key ${JSON.stringify(name)} already set in map`);
  };
  new DuplicateKeys(document, told).visit(document.contents, '');
  return found.length === 0 ? [] : [`yaml: unmarshal errors:\n${found.join('\n')}`];
}

/** Every key that its map has already; `path` is that of the map, with a dot behind it. Merged maps count as written in place. */
class DuplicateKeys {
  readonly #document: Document;
  readonly #repeated: (name: string, path: string, offset: number) => void;

  constructor(document: Document, repeated: (name: string, path: string, offset: number) => void) {
    this.#document = document;
    this.#repeated = repeated;
  }

  visit(node: unknown, path: string): void {
    if (isSeq(node)) {
      node.items.forEach((item, index) => {
        this.visit(item, `${path.slice(0, -1)}[${index}].`);
      });
    } else if (isMap(node)) this.#visitMap(node, path, new Set());
  }

  #visitMap(map: YAMLMap, path: string, seen: Set<string>): void {
    for (const { key, value } of map.items) {
      if (!isScalar(key)) continue;
      if (key.source === '<<') {
        for (const source of isSeq(value) ? value.items : [value]) {
          const merged = isAlias(source) ? source.resolve(this.#document) : source;
          if (isMap(merged)) this.#visitMap(merged, path, seen);
        }
        continue;
      }
      const name = String(key.value);
      if (seen.has(name)) this.#repeated(name, path, startOf(key));
      seen.add(name);
      this.visit(value, `${path}${name}.`);
    }
  }
}

function startOf(node: Node): number {
  return node.range?.[0] ?? 0;
}

/** Plain JSON of what a parser made; fields in order of name if asked for. */
function plain(value: unknown, isSorted: boolean): Json {
  if (value === null || value === undefined) return null;
  if (typeof value === 'boolean' || typeof value === 'number' || typeof value === 'string') return value;
  if (Array.isArray(value)) return value.map((item) => plain(item, isSorted));
  if (typeof value !== 'object') return String(value);
  const fields = Object.entries(value).map(([name, field]): [string, Json] => [name, plain(field, isSorted)]);
  if (isSorted) fields.sort(([a], [b]) => (a < b ? -1 : 1));
  return Object.fromEntries(fields);
}
