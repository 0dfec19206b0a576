// The envelope of an object in the store, and of what an API server sends as application/vnd.kubernetes.protobuf (apimachinery
// pkg/runtime/serializer/protobuf):
//
//   "k8s\0"  runtime.Unknown { typeMeta { apiVersion kind }, raw, contentEncoding "", contentType "" }
//
// In the store an object is this, or JSON (custom resources; `--storage-media-type`), or encrypted by the API server (`k8s:enc:` and the provider's name).

import { ByteReader, WireError } from '../base/byte-reader.ts';
import { KubeWriter } from './kube-writer.ts';

/** What an object in protobuf begins with. */
export const MAGIC: Uint8Array = Buffer.from('k8s\0', 'latin1');
const ENCRYPTED: Uint8Array = Buffer.from('k8s:enc:', 'latin1');
const OPENING_BRACE = 0x7b;

/** `writeRaw` writes the object's own message. */
export function storedObject(apiVersion: string, kind: string, writeRaw: (writer: KubeWriter) => void): Uint8Array {
  const writer = new KubeWriter(1024);
  writeObject(writer, apiVersion, kind, writeRaw);
  return writer.copy();
}

/** The same into a writer. */
export function writeObject(
  writer: KubeWriter,
  apiVersion: string,
  kind: string,
  writeRaw: (writer: KubeWriter) => void,
): void {
  writer.bytes(MAGIC);
  writer.message(1, () => {
    writer.text(1, apiVersion);
    writer.text(2, kind);
  });
  writer.message(2, () => writeRaw(writer));
  writer.text(3, '');
  writer.text(4, '');
}

export type StoredForm = 'protobuf' | 'json' | 'encrypted' | 'unknown';

export function formOf(bytes: Uint8Array, start = 0, end: number = bytes.length): StoredForm {
  if (startsWith(bytes, start, end, MAGIC)) return 'protobuf';
  if (start < end && bytes[start] === OPENING_BRACE) return 'json';
  return startsWith(bytes, start, end, ENCRYPTED) ? 'encrypted' : 'unknown';
}

function startsWith(bytes: Uint8Array, start: number, end: number, prefix: Uint8Array): boolean {
  return end - start >= prefix.length && prefix.every((byte, at) => bytes[start + at] === byte);
}

/** Where the object's own message lies. */
export interface Envelope {
  readonly apiVersion: string;
  readonly kind: string;
  readonly rawStart: number;
  readonly rawEnd: number;
}

/** Of bytes whose form is protobuf. Throws WireError when they are malformed. */
export function readEnvelope(bytes: Uint8Array, start = 0, end: number = bytes.length): Envelope {
  const reader = new ByteReader(bytes, start + MAGIC.length, end);
  let apiVersion = '';
  let kind = '';
  let rawStart = end;
  let rawEnd = end;
  while (reader.hasMore) {
    const tag = reader.tag();
    if (tag === 10) {
      const type = new ByteReader(bytes, 0, 0);
      reader.lengthDelimited();
      type.reset(bytes, reader.valueStart, reader.valueEnd);
      while (type.hasMore) {
        const typeTag = type.tag();
        if (typeTag === 10) apiVersion = type.string();
        else if (typeTag === 18) kind = type.string();
        else type.skip(typeTag);
      }
    } else if (tag === 18) {
      reader.lengthDelimited();
      rawStart = reader.valueStart;
      rawEnd = reader.valueEnd;
    } else if (tag === 26 || tag === 34) {
      if (reader.string() !== '') throw new WireError('the object is encoded or of another content type');
    } else reader.skip(tag);
  }
  return { apiVersion, kind, rawStart, rawEnd };
}
