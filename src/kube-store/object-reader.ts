// A stored object as the API shows it: the plain object that its JSON parses to, with its version, which is not stored.

import { WireError } from '../base/byte-reader.ts';
import { MessageDecoder } from '../kube/message-decoder.ts';
import { formOf, readEnvelope, type StoredForm } from '../kube/stored-object.ts';
import type { JsonObject } from '../kube-api/kube-api.ts';
import { isObject } from '../kube-api/object-head.ts';

/** What no scheduler reads. */
const LEFT_OUT: readonly string[] = ['ObjectMeta.managedFields'];

export type ReadObject = { readonly object: JsonObject } | { readonly form: StoredForm; readonly reason: string };

export class ObjectReader {
  readonly #decoder = new MessageDecoder(LEFT_OUT);

  /** The object with `revision` as its resourceVersion, or why it cannot be read. */
  read(value: Uint8Array, revision: number): ReadObject {
    const form = formOf(value);
    switch (form) {
      case 'protobuf':
        return this.#readProtobuf(value, revision);
      case 'json':
        return readJson(value, revision);
      case 'encrypted':
        return { form, reason: 'it is encrypted by the API server' };
      case 'unknown':
        return { form, reason: 'it is neither protobuf nor JSON' };
    }
  }

  #readProtobuf(value: Uint8Array, revision: number): ReadObject {
    const form = 'protobuf';
    try {
      const { apiVersion, kind, rawStart, rawEnd } = readEnvelope(value);
      const object = this.#decoder.decode(kind, value, rawStart, rawEnd);
      if (object === undefined) return { form, reason: `it is of kind ${kind}, which is not known here` };
      if (!isObject(object.metadata)) return { form, reason: 'it has no metadata' };
      object.kind = kind;
      object.apiVersion = apiVersion;
      // The decoder made it: nobody else has it yet.
      Object.assign(object.metadata, { resourceVersion: String(revision) });
      return { object };
    } catch (error) {
      if (!(error instanceof WireError)) throw error;
      return { form, reason: `it is damaged: ${error.message}` };
    }
  }
}

function readJson(value: Uint8Array, revision: number): ReadObject {
  const form = 'json';
  try {
    const parsed: unknown = JSON.parse(Buffer.from(value).toString());
    if (!isObject(parsed) || !isObject(parsed.metadata)) return { form, reason: 'it has no metadata' };
    return { object: { ...parsed, metadata: { ...parsed.metadata, resourceVersion: String(revision) } } };
  } catch {
    return { form, reason: 'it is damaged JSON' };
  }
}
