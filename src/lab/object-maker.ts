// Objects by their numbers, for whoever creates them: at the store (object-creation.ts) or through an API server (api-creation.ts).

import type { ResourceName } from '../kube-api/resource.ts';

/** Where an API server takes new objects. */
export interface Collection {
  readonly resource: ResourceName;
  /** '' for objects without one. */
  readonly namespace: string;
}

/** All bytes are with marks (numbered-bytes.ts). */
export interface ObjectMaker {
  /** Objects of one shape have the same bytes but for their marks. */
  shapeOf(index: number): number;
  keyOf(shape: number): string;
  /** As it is stored. */
  valueOf(shape: number): Uint8Array;
  collectionOf(shape: number): Collection;
  /** As an API server is asked for it, in the encoding of the store. */
  requestOf(shape: number): Uint8Array;
}

/** How far a creation is. */
export interface CreationCount {
  /** Those that are there, `existing` among them. */
  readonly created: number;
  /** Those that were there already. */
  readonly existing: number;
  /** When each was meant to be sent, by the clock; 0: not yet. */
  readonly sentMs: Float64Array;
}
