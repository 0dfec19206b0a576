// Which keys hang on which lease: doubly linked lists in typed arrays, no object per key.
//
//   node n (from 1; 0 = none), four u32 in one chunk:  row │ lease slot │ next │ previous
//
// The store keeps the node of a row in the row's `attachment`, so attach and detach are O(1). A lease keeps the
// first node of its list. Freed nodes form a list through `next`.

/** The part of the store that attachments need. */
export interface AttachmentRows {
  attachment(row: number): number;
  setAttachment(row: number, node: number): void;
}

/** The head of one lease's list. */
export interface AttachmentList {
  /** Index of the lease among all leases; stable while it lives. */
  readonly slot: number;
  firstNode: number;
  keyCount: number;
}

const CHUNK_NODES = 1 << 14;
const STRIDE = 4;
const ROW = 0;
const SLOT = 1;
const NEXT = 2;
const PREVIOUS = 3;

export class Attachments {
  readonly #rows: AttachmentRows;
  readonly #chunks: Uint32Array[] = [];
  #free = 0;
  #used = 0;

  constructor(rows: AttachmentRows) {
    this.#rows = rows;
  }

  /** The lease slot a row hangs on, −1 for none. */
  slotOf(row: number): number {
    const node = this.#rows.attachment(row);
    return node === 0 ? -1 : this.#get(node, SLOT);
  }

  attach(row: number, list: AttachmentList): void {
    const node = this.#allocate();
    this.#set(node, ROW, row);
    this.#set(node, SLOT, list.slot);
    this.#set(node, NEXT, list.firstNode);
    this.#set(node, PREVIOUS, 0);
    if (list.firstNode !== 0) this.#set(list.firstNode, PREVIOUS, node);
    list.firstNode = node;
    list.keyCount++;
    this.#rows.setAttachment(row, node);
  }

  /** Takes a row off the list it is on, which must be `list`. */
  detach(row: number, list: AttachmentList): void {
    const node = this.#rows.attachment(row);
    const next = this.#get(node, NEXT);
    const previous = this.#get(node, PREVIOUS);
    if (next !== 0) this.#set(next, PREVIOUS, previous);
    if (previous !== 0) this.#set(previous, NEXT, next);
    else list.firstNode = next;
    list.keyCount--;
    this.#rows.setAttachment(row, 0);
    this.#set(node, NEXT, this.#free);
    this.#free = node;
  }

  /** The rows of a list, in no particular order. */
  rows(list: AttachmentList): number[] {
    const rows: number[] = [];
    for (let node = list.firstNode; node !== 0; node = this.#get(node, NEXT)) rows.push(this.#get(node, ROW));
    return rows;
  }

  #get(node: number, field: number): number {
    return this.#chunks[Math.floor(node / CHUNK_NODES)][(node % CHUNK_NODES) * STRIDE + field];
  }

  #set(node: number, field: number, value: number): void {
    this.#chunks[Math.floor(node / CHUNK_NODES)][(node % CHUNK_NODES) * STRIDE + field] = value;
  }

  #allocate(): number {
    if (this.#free !== 0) {
      const node = this.#free;
      this.#free = this.#get(node, NEXT);
      return node;
    }
    const node = ++this.#used;
    if (Math.floor(node / CHUNK_NODES) === this.#chunks.length) {
      this.#chunks.push(new Uint32Array(new SharedArrayBuffer(CHUNK_NODES * STRIDE * 4)));
    }
    return node;
  }
}
