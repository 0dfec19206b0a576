// Objects out of a file: what `kubectl get … -o json|yaml` prints, or manifests, several documents of YAML or one of JSON. Lists
// (kind List, PodList, …) stand for their items, however nested.
//
// Limits: a text that is parsed whole may have 512 MB, and YAML takes much time and memory; a list in JSON is read item by item, however long it is, and
// an item may have ITEM_BYTES_MAX.

import { parseAllDocuments } from 'yaml';
import type { JsonObject } from '../../kube-api/kube-api.ts';
import { ListError, ListScanner } from '../../kube-api/list-scanner.ts';
import { isObject } from '../../kube-api/object-head.ts';
import { ManifestError } from './errors.ts';

const ITEM_BYTES_MAX = 33_554_432;

/** An object of a manifest and its kind. */
export interface Manifest {
  readonly kind: string;
  readonly object: JsonObject;
}

/** `path` is for the texts of errors. Throws ManifestError. */
export function readManifests(text: string, path: string): Manifest[] {
  return documentsOf(text, path).flatMap((document) => manifestsOf(document, path));
}

/** Whether a file that begins so is a list in JSON, which scanManifests reads item by item, rather than YAML. */
export function isJsonText(beginning: string): boolean {
  return /^\s*\{\s*"/.test(beginning);
}

/**
 * The items of a list in JSON, of any size, one after another; or the one object. Items that do not name their kind come last, when the
 * list has named it. Throws ManifestError.
 */
export function* scanManifests(chunks: Iterable<Uint8Array>, path: string): Generator<Manifest> {
  const scanner = new ListScanner(ITEM_BYTES_MAX);
  const unnamed: JsonObject[] = [];
  let items = 0;
  try {
    for (const chunk of chunks) {
      // The scanner keeps what it has not told yet.
      for (const { text, isCut } of scanner.push(Uint8Array.from(chunk))) {
        items++;
        if (isCut) throw new ManifestError(`error parsing ${path}: an item has more than ${ITEM_BYTES_MAX} bytes`);
        const item: unknown = JSON.parse(text);
        if (isObject(item) && item.kind === undefined) unnamed.push(item);
        else yield* manifestsOf(item, path);
      }
    }
    const list = scanner.end();
    yield* manifestsOf(items === 0 ? list : { ...list, items: unnamed }, path);
  } catch (error) {
    const isTheirs = error instanceof ListError || error instanceof SyntaxError;
    throw isTheirs ? new ManifestError(`error parsing ${path}: ${error.message}`) : error;
  }
}

function documentsOf(text: string, path: string): unknown[] {
  if (/^\s*\{/.test(text)) {
    try {
      return [JSON.parse(text)];
    } catch {
      // Flow style is YAML too, and so are several documents.
    }
  }
  const documents = parseAllDocuments(text, { merge: true, version: '1.1' });
  return [...documents].map((document) => {
    const [error] = document.errors;
    if (error !== undefined) throw new ManifestError(`error parsing ${path}: ${error.message}`);
    return document.toJS({ maxAliasCount: 100 });
  });
}

function manifestsOf(document: unknown, path: string): Manifest[] {
  // Between two separators there may be nothing but a comment.
  if (document === null || document === undefined) return [];
  if (!isObject(document)) throw new ManifestError(`error parsing ${path}: a document is not an object`);
  const { kind, items } = document;
  if (typeof kind !== 'string' || kind === '') {
    throw new ManifestError(`error validating ${path}: Object 'Kind' is missing`);
  }
  if (!kind.endsWith('List')) return [{ kind, object: document }];
  if (!Array.isArray(items)) throw new ManifestError(`error validating ${path}: ${kind} has no items`);
  // The items of a typed list need not name their kind.
  const itemKind = kind.slice(0, -'List'.length);
  return items.flatMap((item: unknown) =>
    manifestsOf(
      isObject(item) && item.kind === undefined && itemKind !== '' ? { kind: itemKind, ...item } : item,
      path,
    ),
  );
}
