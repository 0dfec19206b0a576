// The nodes of the key tree (key-tree.ts), in memory of two pools:
//
//   leaf, 64 words     [count][live count][row × 62]                     row word: row id | LIVE (bit 31)
//   inner, 128 words   [count][unused][child × 42][live count × 42][first row × 42]
//
// and how a tree is built bottom-up from rows that are in order already: leaves and inner nodes are full but for the
// last of each level, and no key is looked at.

import type { NodePool } from './node-pool.ts';

export const LEAF_WORDS = 64;
export const LEAF_ROWS = 62;
export const ROWS_AT = 2;
export const INNER_WORDS = 128;
export const INNER_CHILDREN = 42;
export const CHILD_AT = 2;
export const LIVE_AT = 44;
export const FIRST_AT = 86;
export const LIVE = 0x8000_0000;
export const ROW_MASK = 0x7fff_ffff;
export function liveOf(words: Uint32Array, base: number, count: number): number {
  let live = 0;
  for (let at = base + ROWS_AT; at < base + ROWS_AT + count; at++) live += words[at] >>> 31;
  return live;
}

export function liveBelow(words: Uint32Array, base: number): number {
  let live = 0;
  for (let at = base + LIVE_AT; at < base + LIVE_AT + words[base]; at++) live += words[at];
  return live;
}

export function insertRow(words: Uint32Array, base: number, index: number, row: number): void {
  const count = words[base]++;
  words[base + 1]++;
  const at = base + ROWS_AT + index;
  for (let i = base + ROWS_AT + count; i > at; i--) words[i] = words[i - 1];
  words[at] = row | LIVE;
}

export function appendRows(words: Uint32Array, base: number, from: Uint32Array, fromBase: number): void {
  const rows = from.subarray(fromBase + ROWS_AT, fromBase + ROWS_AT + from[fromBase]);
  words.set(rows, base + ROWS_AT + words[base]);
  words[base] += from[fromBase];
  words[base + 1] += from[fromBase + 1];
}

export function insertChild(
  words: Uint32Array,
  base: number,
  index: number,
  child: number,
  live: number,
  first: number,
): void {
  const count = words[base]++;
  for (let i = base + count; i > base + index; i--) {
    words[i + CHILD_AT] = words[i + CHILD_AT - 1];
    words[i + LIVE_AT] = words[i + LIVE_AT - 1];
    words[i + FIRST_AT] = words[i + FIRST_AT - 1];
  }
  words[base + CHILD_AT + index] = child;
  words[base + LIVE_AT + index] = live;
  words[base + FIRST_AT + index] = first;
}

/** Moves the children from index `kept` on to the end of another node. */
export function moveChildren(words: Uint32Array, base: number, kept: number, to: Uint32Array, toBase: number): void {
  const count = words[base];
  for (const column of [CHILD_AT, LIVE_AT, FIRST_AT]) {
    to.set(words.subarray(base + column + kept, base + column + count), toBase + column + to[toBase]);
  }
  words[base] = kept;
  to[toBase] += count - kept;
}

/**
 * Fills leaves with the rows 0 to count − 1 and puts inner levels over them. `firstLeaf` is an empty leaf to begin with;
 * count > 0.
 */
export function buildTree(
  leaves: NodePool,
  inners: NodePool,
  firstLeaf: number,
  count: number,
  isLive: (row: number) => boolean,
): { root: number; height: number } {
  let level: BuiltNode[] = [];
  for (let row = 0; row < count; ) {
    const node = row === 0 ? firstLeaf : leaves.allocate();
    const words = leaves.words(node);
    const base = leaves.base(node);
    const first = row;
    const end = Math.min(row + LEAF_ROWS, count);
    let live = 0;
    for (let at = base + ROWS_AT; row < end; row++, at++) {
      const isLiveRow = isLive(row);
      words[at] = isLiveRow ? row | LIVE : row;
      if (isLiveRow) live++;
    }
    words[base] = end - first;
    words[base + 1] = live;
    level.push({ node, live, first });
  }
  let height = 0;
  for (; level.length > 1; height++) {
    const parents: BuiltNode[] = [];
    for (let from = 0; from < level.length; from += INNER_CHILDREN) {
      parents.push(buildInner(inners, level.slice(from, from + INNER_CHILDREN)));
    }
    level = parents;
  }
  return { root: level[0].node, height };
}

interface BuiltNode {
  readonly node: number;
  readonly live: number;
  /** Its lowest row. */
  readonly first: number;
}

function buildInner(inners: NodePool, children: readonly BuiltNode[]): BuiltNode {
  const node = inners.allocate();
  const words = inners.words(node);
  const base = inners.base(node);
  words[base] = children.length;
  let live = 0;
  children.forEach((child, index) => {
    words[base + CHILD_AT + index] = child.node;
    words[base + LIVE_AT + index] = child.live;
    words[base + FIRST_AT + index] = child.first;
    live += child.live;
  });
  return { node, live, first: children[0].first };
}
