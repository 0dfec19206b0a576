// What can be wrong with the files of a data folder, each kind by its name.
//
//   torn         bytes at the end of the log that are no batch and that nothing later calls durable: a crash leaves such, and
//                the next start cuts them
//   zero-filled  zeros where batches were durable
//   flipped      bytes that are not what was written
//   not-written  bytes of an earlier segment in the same file, where batches were durable
//   cut-off      the file ends in a batch, or before one that was durable
//   duplicated   a batch a second time
//   reordered    a batch behind one that comes after it
//   unchained    two whole batches next to each other, of which the second does not name the first
//   missing      batches that are nowhere, and no damaged bytes where they should be
//   header       the header of a segment
//   snapshot     a snapshot that cannot be used
//   foreign      a file that is not ours to read: another cluster, a newer format, an unknown name
//   unreadable   the disk answers with an error instead of bytes
//   leftover     made by a repair that did not come to its end

export type DamageKind =
  | 'torn'
  | 'zero-filled'
  | 'flipped'
  | 'not-written'
  | 'cut-off'
  | 'duplicated'
  | 'reordered'
  | 'unchained'
  | 'missing'
  | 'header'
  | 'snapshot'
  | 'foreign'
  | 'unreadable'
  | 'leftover';

/** Both ends included. */
export interface NumberRange {
  readonly first: number;
  readonly last: number;
}

export interface Finding {
  readonly kind: DamageKind;
  readonly file: string;
  readonly offset: number;
  /** 0 where nothing is. */
  readonly bytes: number;
  /** Batches that it concerns; undefined when nothing tells. */
  readonly sequences: NumberRange | undefined;
  /** Revisions that those batches may have held; undefined when they held none, or nothing tells. */
  readonly revisions: NumberRange | undefined;
  readonly reason: string;
  /** False for what a crash may leave: it loses nothing that was durable. */
  readonly isDamage: boolean;
}

export function findingOf(finding: Pick<Finding, 'kind' | 'file' | 'offset' | 'reason'> & Partial<Finding>): Finding {
  return { bytes: 0, sequences: undefined, revisions: undefined, isDamage: true, ...finding };
}
