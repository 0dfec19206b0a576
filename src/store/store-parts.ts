// What a store is made of, for the files that work on several parts at once.

import { HashIndex } from './hash-index.ts';
import { History } from './history.ts';
import { KeyTree } from './key-tree.ts';
import type { StoreMemory } from './memory.ts';
import { NumberLog } from './number-log.ts';
import { ReadAhead } from './read-ahead.ts';
import { RowKeys } from './row-keys.ts';
import { Rows } from './rows.ts';
import { addressOf, Segments } from './segments.ts';

export class StoreParts {
  readonly memory: StoreMemory;
  readonly segments: Segments;
  readonly rows: Rows;
  readonly history: History;
  /**
   * Births and deaths: the history positions of the changes that started or ended the life of a key, ascending. The
   * count of live keys at an older revision is the count now, corrected by these.
   */
  readonly lives: NumberLog = new NumberLog();
  readonly keys: RowKeys;
  readonly hash: HashIndex;
  readonly tree: KeyTree;
  readonly ahead: ReadAhead;

  constructor(segmentBytes: number, hashSeed: number, memory: StoreMemory) {
    this.memory = memory;
    this.segments = new Segments(segmentBytes, memory);
    this.rows = new Rows(memory);
    this.history = new History(memory);
    this.keys = new RowKeys(this.rows, this.segments);
    this.hash = new HashIndex(this.keys, hashSeed);
    this.tree = new KeyTree(this.keys);
    this.ahead = new ReadAhead(this.rows, this.segments);
  }

  /** Address of the version of a row's key at `revision`, 0 = it did not exist then. */
  recordAt(row: number, revision: number): number {
    const { rows, history } = this;
    const mod = rows.mod(row);
    if (mod !== 0 && mod <= revision) return addressOf(rows.segment(row), rows.offset(row));
    if (!rows.hasHistory(row)) return 0;
    let segment = mod === 0 ? 0 : rows.segment(row);
    let offset = rows.offset(row);
    let position = history.positionOf(rows.last(row));
    while (position >= 0 && history.main(position) > revision) {
      segment = history.previousSegment(position);
      offset = history.previousOffset(position);
      position = history.previousEntry(position);
    }
    return segment === 0 ? 0 : addressOf(segment, offset);
  }

  /** Address of the version that a history entry made, 0 if it is a deletion. */
  recordOf(position: number): number {
    const { history } = this;
    const segment = history.ownSegment(position);
    return segment === 0 ? 0 : addressOf(segment, history.ownOffset(position));
  }
}
