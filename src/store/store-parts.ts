// What a store is made of, for the files that work on several parts at once.

import { HashIndex } from './hash-index.ts';
import { History } from './history.ts';
import { KeyTree } from './key-tree.ts';
import { LifeLog } from './life-log.ts';
import { RowKeys } from './row-keys.ts';
import { Rows } from './rows.ts';
import { addressOf, Segments } from './segments.ts';

export class StoreParts {
  readonly segments: Segments;
  readonly rows: Rows = new Rows();
  readonly history: History = new History();
  readonly lives: LifeLog = new LifeLog();
  readonly keys: RowKeys;
  readonly hash: HashIndex;
  readonly tree: KeyTree;

  constructor(segmentBytes: number, hashSeed: number) {
    this.segments = new Segments(segmentBytes);
    this.keys = new RowKeys(this.rows, this.segments);
    this.hash = new HashIndex(this.keys, hashSeed);
    this.tree = new KeyTree(this.keys);
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
