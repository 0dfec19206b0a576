// Objects that exist already, changed as a kubelet changes them: the interface. Written at the store (store-object-writer.ts) or through an API server
// (api-object-writer.ts).

import type { PlainObject } from '../kube/message-decoder.ts';
import type { JsonObject } from '../kube-api/kube-api.ts';

export interface ObjectName {
  /** '' for objects without one. */
  readonly namespace: string;
  readonly name: string;
}

export type WriteResult =
  | { readonly kind: 'done' }
  /** There is nothing to change: the object is gone, or another one, or no longer as it was. */
  | { readonly kind: 'moot' }
  /** It may have happened or not: try again, later. */
  | { readonly kind: 'failed'; readonly text: string };

export const DONE: WriteResult = { kind: 'done' };
export const MOOT: WriteResult = { kind: 'moot' };

/** The fields of its status that change; undefined when none does. May be asked again when others write the object meanwhile. */
export type StatusChange = (object: JsonObject) => PlainObject | undefined;

/** No method rejects for what a peer or a network does. */
export interface ObjectWriter {
  patchStatus(resource: 'pods' | 'nodes', object: ObjectName, change: StatusChange): Promise<WriteResult>;
  /** The end of a deletion: the pod goes, or is held by finalizers alone from now on. `isDue` says of the object whether it is to go. */
  removePod(pod: ObjectName & { readonly uid: string }, isDue: (object: JsonObject) => boolean): Promise<WriteResult>;
}
