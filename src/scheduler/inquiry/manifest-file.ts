// Objects out of a file: what `kubectl get … -o json|yaml` prints, or manifests, several documents of YAML or one of JSON. Lists
// (kind List, PodList, …) stand for their items, however nested.
//
// Limits: none but memory; the text is parsed whole. YAML is slow and large in memory: for clusters of many thousand nodes use JSON.

import { parseAllDocuments } from 'yaml';
import type { JsonObject } from '../../kube-api/kube-api.ts';
import { isObject } from '../../kube-api/object-head.ts';
import { ManifestError } from './errors.ts';

/** An object of a manifest and its kind. */
export interface Manifest {
  readonly kind: string;
  readonly object: JsonObject;
}

/** `path` is for the texts of errors. Throws ManifestError. */
export function readManifests(text: string, path: string): Manifest[] {
  return documentsOf(text, path).flatMap((document) => manifestsOf(document, path));
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
