// The envelope of an object in the store (apimachinery pkg/runtime/serializer/protobuf):
//
//   "k8s\0"  runtime.Unknown { typeMeta { apiVersion kind }, raw, contentEncoding "", contentType "" }

import { KubeWriter } from './kube-writer.ts';

const MAGIC: Uint8Array = Buffer.from('k8s\0', 'latin1');

/** `writeRaw` writes the object's own message. */
export function storedObject(apiVersion: string, kind: string, writeRaw: (writer: KubeWriter) => void): Uint8Array {
  const writer = new KubeWriter(1024);
  writer.bytes(MAGIC);
  writer.message(1, () => {
    writer.text(1, apiVersion);
    writer.text(2, kind);
  });
  writer.message(2, () => writeRaw(writer));
  writer.text(3, '');
  writer.text(4, '');
  return writer.copy();
}
