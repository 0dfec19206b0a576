// The indexes that shards know, by number, and those of them that are awake: they are told of each change of a node.
//
// Limits: as many in all shards together as may be in one place (node-index.ts), INDEXES_MAX at most, and AWAKE_MAX awake: those that were not asked for
// longest go, or sleep.

import { indexBytesMaxFor, NODE_BYTES } from '../kernel/node-index.ts';
import type { MergedIndex } from './merged-index.ts';
import { partText } from './model-text.ts';
import { TEXT_BYTES_MAX } from './shard-message.ts';
import { orderPartsOf } from './shard-source.ts';

const INDEXES_MAX = 1_024;
const AWAKE_MAX = 64;

/** Tells every shard. */
export interface IndexTeller {
  /** `text`: the part of the model that it is of. */
  indexKnown(number: number, text: string): void;
  indexGone(number: number): void;
}

export class KnownIndexes {
  readonly #teller: IndexTeller;
  /** The one asked last at the end. */
  readonly #numbers = new Map<MergedIndex, number>();
  /** The same. */
  readonly #awake = new Set<MergedIndex>();
  #lastNumber = 0;

  constructor(teller: IndexTeller) {
    this.#teller = teller;
  }

  /** The number that the shards know the index by: told to them, if need be. Undefined: it takes too long a text. */
  numberOf(index: MergedIndex, nodeCount: number): number | undefined {
    const known = this.#numbers.get(index);
    if (known !== undefined) {
      this.#numbers.delete(index);
      this.#numbers.set(index, known);
      return known;
    }
    const text = partText(orderPartsOf(index.order));
    if (Buffer.byteLength(text) > TEXT_BYTES_MAX) return undefined;
    const number = ++this.#lastNumber;
    this.#numbers.set(index, number);
    this.#teller.indexKnown(number, text);
    if (this.#numbers.size > indexesMaxFor(nodeCount)) this.#dropOldest();
    return number;
  }

  /** It has been asked. */
  wake(index: MergedIndex): void {
    this.#awake.delete(index);
    this.#awake.add(index);
    const [oldest] = this.#awake;
    if (this.#awake.size > AWAKE_MAX) {
      oldest.sleep();
      this.#awake.delete(oldest);
    }
  }

  nodeWillChange(slot: number): void {
    for (const index of this.#awake) {
      index.nodeWillChange(slot);
      if (!index.isAwake) this.#awake.delete(index);
    }
  }

  nodeSet(slot: number): void {
    for (const index of this.#awake) {
      index.nodeSet(slot);
      if (!index.isAwake) this.#awake.delete(index);
    }
  }

  /** They are all outdated, and no shard knows any. */
  releaseAll(): void {
    for (const index of this.#numbers.keys()) index.release();
    this.#numbers.clear();
    this.#awake.clear();
  }

  #dropOldest(): void {
    const [oldest] = this.#numbers;
    const [index, number] = oldest;
    index.release();
    this.#awake.delete(index);
    this.#numbers.delete(index);
    this.#teller.indexGone(number);
  }
}

function indexesMaxFor(nodeCount: number): number {
  return Math.min(INDEXES_MAX, Math.floor(indexBytesMaxFor(nodeCount) / (NODE_BYTES * Math.max(1, nodeCount))));
}
