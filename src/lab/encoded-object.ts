// Objects of core/v1 in protobuf, as they are stored, and as an API server takes them.

import type { PlainObject } from '../kube/message-decoder.ts';
import { MessageEncoder } from '../kube/message-encoder.ts';
import { storedObject } from '../kube/stored-object.ts';

/** Throws TypeError where a field is of another type than it should be. */
export function encodedObject(kind: 'Node' | 'Pod', object: PlainObject): Uint8Array {
  const encoder = new MessageEncoder();
  return storedObject('v1', kind, (writer) => encoder.encode(kind, object, writer));
}
