// The keys in order: a counted B+ tree over the key bytes of rows, deleted keys that are still known included.
// Its nodes are drawn in key-tree-nodes.ts.
//
// Nodes are words in chunks of memory and are named by number; there is no object per node. "First row" of a child is
// the row of the lowest key below it. It is kept exact by every insertion and removal, so separators need no bytes of
// their own and never outlive the row they came from.
//
// A new key behind (before) all others of a full leaf starts a leaf of its own, so ascending and descending insertion
// leave full leaves; otherwise a full leaf is halved. A node below a quarter is merged with a neighbour when both fit
// into three quarters of one.
//
// Searching skips the bytes that the bounds found so far have in common with the key: keys of one resource share long
// prefixes. The tree never looks at a version; overwriting a key does not touch it.

import { assert } from '../base/assert.ts';
import {
  appendRows,
  buildTree,
  CHILD_AT,
  FIRST_AT,
  INNER_CHILDREN,
  INNER_WORDS,
  insertChild,
  insertRow,
  LEAF_ROWS,
  LEAF_WORDS,
  LIVE,
  LIVE_AT,
  liveBelow,
  liveOf,
  moveChildren,
  ROW_MASK,
  ROWS_AT,
} from './key-tree-nodes.ts';
import { NodePool } from './node-pool.ts';
import type { RowKeys } from './row-keys.ts';

/** 20 children deep at worst: more rows than there can be. */
const HEIGHT_MAX = 16;

export class KeyTree {
  readonly #keys: RowKeys;
  readonly #leaves: NodePool = new NodePool(LEAF_WORDS, 1024);
  readonly #inners: NodePool = new NodePool(INNER_WORDS, 256);
  /** Inner levels above the leaves; level 0 is the leaf level. */
  #height = 0;
  #root: number;
  /** The way down of the last search: by level, the node and the index taken in it. */
  readonly #node: Int32Array = new Int32Array(HEIGHT_MAX);
  readonly #index: Int32Array = new Int32Array(HEIGHT_MAX);
  #isFound = false;
  /** The row of the highest key if known, else −1: keys that come in order are not searched for. */
  #last = -1;

  constructor(keys: RowKeys) {
    this.#keys = keys;
    this.#root = this.#leaves.allocate();
  }

  get memoryBytes(): number {
    return this.#leaves.memoryBytes + this.#inners.memoryBytes;
  }

  /** Fills an empty tree with the rows 0 to count − 1, whose keys ascend. */
  build(count: number, isLive: (row: number) => boolean): void {
    assert(this.#height === 0 && this.#leaves.words(this.#root)[this.#leaves.base(this.#root)] === 0, 'tree is empty');
    if (count === 0) return;
    const { root, height } = buildTree(this.#leaves, this.#inners, this.#root, count, isLive);
    this.#root = root;
    this.#height = height;
    this.#last = count - 1;
  }

  /** Adds a live row whose key is not in the tree. */
  insert(row: number, key: Uint8Array, start: number, end: number): void {
    if (this.#last >= 0 && this.#keys.compare(this.#last, key, start, end, 0) > 0) this.#descendToEnd();
    else {
      this.#descend(key, start, end);
      assert(!this.#isFound, 'key tree: key is there already');
    }
    if (this.#isBehindAll()) this.#last = row;
    this.#addLive(1);
    const leaf = this.#node[0];
    const at = this.#index[0];
    if (at === 0) this.#setFirst(1, row);
    const words = this.#leaves.words(leaf);
    const base = this.#leaves.base(leaf);
    const count = words[base];
    if (count < LEAF_ROWS) {
      insertRow(words, base, at, row);
      return;
    }
    const right = this.#leaves.allocate();
    const rightWords = this.#leaves.words(right);
    const rightBase = this.#leaves.base(right);
    const kept = at === count ? count : at === 0 ? 0 : count >>> 1;
    rightWords.set(words.subarray(base + ROWS_AT + kept, base + ROWS_AT + count), rightBase + ROWS_AT);
    words[base] = kept;
    rightWords[rightBase] = count - kept;
    const moved = liveOf(rightWords, rightBase, count - kept);
    words[base + 1] -= moved;
    rightWords[rightBase + 1] = moved;
    if (at < kept || kept === 0) insertRow(words, base, at, row);
    else insertRow(rightWords, rightBase, at - kept, row);
    this.#addChild(1, right, rightWords[rightBase + 1], rightWords[rightBase + ROWS_AT] & ROW_MASK);
  }

  /** Says whether the key counts as live. */
  setLive(key: Uint8Array, start: number, end: number, isLive: boolean): void {
    this.#descend(key, start, end);
    assert(this.#isFound, 'key tree: key is not there');
    const words = this.#leaves.words(this.#node[0]);
    const base = this.#leaves.base(this.#node[0]);
    const at = base + ROWS_AT + this.#index[0];
    assert(words[at] >>> 31 === (isLive ? 0 : 1), 'key tree: live twice or deleted twice');
    words[at] = isLive ? words[at] | LIVE : words[at] & ROW_MASK;
    words[base + 1] += isLive ? 1 : -1;
    this.#addLive(isLive ? 1 : -1);
  }

  /** Removes a key that does not count as live. */
  remove(key: Uint8Array, start: number, end: number): void {
    this.#descend(key, start, end);
    assert(this.#isFound, 'key tree: key is not there');
    const leaf = this.#node[0];
    const words = this.#leaves.words(leaf);
    const base = this.#leaves.base(leaf);
    const at = base + ROWS_AT + this.#index[0];
    assert(words[at] >>> 31 === 0, 'key tree: a live key is not removed');
    if ((words[at] & ROW_MASK) === this.#last) this.#last = -1;
    const count = --words[base];
    words.copyWithin(at, at + 1, base + ROWS_AT + count + 1);
    if (count === 0) {
      if (this.#height === 0) return;
      this.#leaves.free(leaf);
      this.#removeChild(1, this.#index[1]);
      return;
    }
    if (this.#index[0] === 0) this.#setFirst(1, words[base + ROWS_AT] & ROW_MASK);
    if (count < LEAF_ROWS / 4 && this.#height > 0) this.#mergeChild(1);
  }

  /** How many live keys are below `key`. */
  rank(key: Uint8Array, start: number, end: number): number {
    this.#descend(key, start, end);
    let rank = 0;
    for (let level = this.#height; level > 0; level--) {
      const words = this.#inners.words(this.#node[level]);
      const from = this.#inners.base(this.#node[level]) + LIVE_AT;
      for (let at = from; at < from + this.#index[level]; at++) rank += words[at];
    }
    const words = this.#leaves.words(this.#node[0]);
    return rank + liveOf(words, this.#leaves.base(this.#node[0]), this.#index[0]);
  }

  // Walking. `seek`, then as long as `walkEnd() > 0`: rows `walkRow(i)` for i from `walkFrom` below `walkEnd`,
  // then `walkOn`. Changing the tree ends the walk.

  /** Starts a walk at the first key ≥ `key`. */
  seek(key: Uint8Array, start: number, end: number): void {
    this.#descend(key, start, end);
    const count = this.#leaves.words(this.#node[0])[this.#leaves.base(this.#node[0])];
    if (this.#index[0] === count) this.walkOn();
  }

  /** Index of the walk's first row in the present leaf. */
  get walkFrom(): number {
    return this.#index[0];
  }

  /** One more than the last index in the present leaf; 0 = the walk is over. */
  get walkEnd(): number {
    return this.#node[0] < 0 ? 0 : this.#leaves.words(this.#node[0])[this.#leaves.base(this.#node[0])];
  }

  /** Row id, plus 2^31 if the key is live. */
  walkRow(index: number): number {
    return this.#leaves.words(this.#node[0])[this.#leaves.base(this.#node[0]) + ROWS_AT + index];
  }

  /** As walkEnd, but stops before the first key ≥ `upper`; 0 = over. */
  walkEndBelow(upper: Uint8Array): number {
    const count = this.walkEnd;
    if (count === 0 || this.#keys.compare(this.walkRow(count - 1) & ROW_MASK, upper, 0, upper.length, 0) > 0) {
      return count;
    }
    let low = this.#index[0];
    let high = count - 1;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#keys.compare(this.walkRow(middle) & ROW_MASK, upper, 0, upper.length, 0) > 0) low = middle + 1;
      else high = middle;
    }
    return low === this.#index[0] ? 0 : low;
  }

  /** Goes on to the next leaf. */
  walkOn(): void {
    let level = 1;
    while (level <= this.#height) {
      const node = this.#node[level];
      if (++this.#index[level] < this.#inners.words(node)[this.#inners.base(node)]) break;
      level++;
    }
    if (level > this.#height) {
      this.#node[0] = -1;
      return;
    }
    for (; level > 0; level--) {
      const node = this.#node[level];
      const child = this.#inners.words(node)[this.#inners.base(node) + CHILD_AT + this.#index[level]];
      this.#node[level - 1] = child;
      this.#index[level - 1] = 0;
    }
  }

  /** Goes down to the leaf for `key`; `#index[0]` is that of the first key ≥ `key` in it. */
  #descend(key: Uint8Array, start: number, end: number): void {
    let node = this.#root;
    let commonLow = 0;
    let commonHigh = 0;
    for (let level = this.#height; level > 0; level--) {
      const words = this.#inners.words(node);
      const base = this.#inners.base(node);
      let low = 0;
      let high = words[base];
      while (high - low > 1) {
        const middle = (low + high) >>> 1;
        const common = Math.min(commonLow, commonHigh);
        if (this.#keys.compare(words[base + FIRST_AT + middle], key, start, end, common) >= 0) {
          low = middle;
          commonLow = this.#keys.commonBytes;
        } else {
          high = middle;
          commonHigh = this.#keys.commonBytes;
        }
      }
      this.#node[level] = node;
      this.#index[level] = low;
      node = words[base + CHILD_AT + low];
    }
    const words = this.#leaves.words(node);
    const base = this.#leaves.base(node);
    let low = 0;
    let high = words[base];
    this.#isFound = false;
    while (low < high) {
      const middle = (low + high) >>> 1;
      const common = Math.min(commonLow, commonHigh);
      const order = this.#keys.compare(words[base + ROWS_AT + middle] & ROW_MASK, key, start, end, common);
      if (order > 0) {
        low = middle + 1;
        commonLow = this.#keys.commonBytes;
      } else {
        high = middle;
        commonHigh = this.#keys.commonBytes;
        if (order === 0) this.#isFound = true;
      }
    }
    this.#node[0] = node;
    this.#index[0] = low;
  }

  /** Goes down to the end of the last leaf. */
  #descendToEnd(): void {
    let node = this.#root;
    for (let level = this.#height; level > 0; level--) {
      const base = this.#inners.base(node);
      const words = this.#inners.words(node);
      this.#node[level] = node;
      this.#index[level] = words[base] - 1;
      node = words[base + CHILD_AT + words[base] - 1];
    }
    this.#node[0] = node;
    this.#index[0] = this.#leaves.words(node)[this.#leaves.base(node)];
  }

  /** Whether the way down leads behind all keys. */
  #isBehindAll(): boolean {
    for (let level = this.#height; level > 0; level--) {
      const node = this.#node[level];
      if (this.#index[level] !== this.#inners.words(node)[this.#inners.base(node)] - 1) return false;
    }
    return this.#index[0] === this.#leaves.words(this.#node[0])[this.#leaves.base(this.#node[0])];
  }

  /** Adds to the live counts of everything on the way down. */
  #addLive(delta: number): void {
    for (let level = this.#height; level > 0; level--) {
      const node = this.#node[level];
      this.#inners.words(node)[this.#inners.base(node) + LIVE_AT + this.#index[level]] += delta;
    }
  }

  /** The lowest key below the way down, seen from `level` up, is now that of `row`. */
  #setFirst(level: number, row: number): void {
    for (; level <= this.#height; level++) {
      const node = this.#node[level];
      this.#inners.words(node)[this.#inners.base(node) + FIRST_AT + this.#index[level]] = row;
      if (this.#index[level] !== 0) return;
    }
  }

  /** Puts a new child behind the one taken on the way down; its live keys were counted with that one. */
  #addChild(level: number, child: number, live: number, first: number): void {
    if (level > this.#height) {
      this.#addRoot(child, live, first);
      return;
    }
    const node = this.#node[level];
    const words = this.#inners.words(node);
    const base = this.#inners.base(node);
    const at = this.#index[level] + 1;
    const count = words[base];
    words[base + LIVE_AT + at - 1] -= live;
    if (count < INNER_CHILDREN) {
      insertChild(words, base, at, child, live, first);
      return;
    }
    const right = this.#inners.allocate();
    const rightWords = this.#inners.words(right);
    const rightBase = this.#inners.base(right);
    const kept = at === count ? count : count >>> 1;
    moveChildren(words, base, kept, rightWords, rightBase);
    if (at < kept) insertChild(words, base, at, child, live, first);
    else insertChild(rightWords, rightBase, at - kept, child, live, first);
    this.#addChild(level + 1, right, liveBelow(rightWords, rightBase), rightWords[rightBase + FIRST_AT]);
  }

  #addRoot(child: number, live: number, first: number): void {
    const oldRoot = this.#root;
    const isLeaf = this.#height === 0;
    const pool = isLeaf ? this.#leaves : this.#inners;
    const words = pool.words(oldRoot);
    const base = pool.base(oldRoot);
    const oldLive = isLeaf ? words[base + 1] : liveBelow(words, base);
    const oldFirst = isLeaf ? words[base + ROWS_AT] & ROW_MASK : words[base + FIRST_AT];
    const root = this.#inners.allocate();
    insertChild(this.#inners.words(root), this.#inners.base(root), 0, oldRoot, oldLive, oldFirst);
    insertChild(this.#inners.words(root), this.#inners.base(root), 1, child, live, first);
    this.#root = root;
    this.#height++;
    assert(this.#height < HEIGHT_MAX, 'key tree: height');
  }

  /** Takes out the child at `index` of the node on the way down at `level`. */
  #removeChild(level: number, index: number): void {
    const node = this.#node[level];
    const words = this.#inners.words(node);
    const base = this.#inners.base(node);
    const count = --words[base];
    for (const column of [CHILD_AT, LIVE_AT, FIRST_AT]) {
      const at = base + column + index;
      words.copyWithin(at, at + 1, base + column + count + 1);
    }
    if (level === this.#height) {
      if (count === 1) {
        this.#root = words[base + CHILD_AT];
        this.#height--;
        this.#inners.free(node);
      }
      return;
    }
    if (count === 0) {
      this.#inners.free(node);
      this.#removeChild(level + 1, this.#index[level + 1]);
      return;
    }
    if (index === 0) this.#setFirst(level + 1, words[base + FIRST_AT]);
    if (count < INNER_CHILDREN / 4) this.#mergeChild(level + 1);
  }

  /** Joins the child taken at `level` with a neighbour under the same parent, if both together leave room. */
  #mergeChild(level: number): void {
    const node = this.#node[level];
    const words = this.#inners.words(node);
    const base = this.#inners.base(node);
    const at = this.#index[level];
    const isLeaf = level === 1;
    const pool = isLeaf ? this.#leaves : this.#inners;
    const roomMax = ((isLeaf ? LEAF_ROWS : INNER_CHILDREN) * 3) >>> 2;
    for (let left = at; left >= at - 1; left--) {
      if (left < 0 || left + 1 >= words[base]) continue;
      const leftNode = words[base + CHILD_AT + left];
      const rightNode = words[base + CHILD_AT + left + 1];
      const leftWords = pool.words(leftNode);
      const leftBase = pool.base(leftNode);
      const rightWords = pool.words(rightNode);
      const rightBase = pool.base(rightNode);
      if (leftWords[leftBase] + rightWords[rightBase] > roomMax) continue;
      if (isLeaf) appendRows(leftWords, leftBase, rightWords, rightBase);
      else moveChildren(rightWords, rightBase, 0, leftWords, leftBase);
      words[base + LIVE_AT + left] += words[base + LIVE_AT + left + 1];
      pool.free(rightNode);
      this.#removeChild(level, left + 1);
      return;
    }
  }
}
