// Where the pages of one bucket's B+ tree begin and end, from the sizes of its entries alone. Planner and writer feed the
// same sizes to this class, so that they agree on every page number without keeping a list of pages.
//
//   entries ─► leaf ──full──► level 0 ──full──► level 1 …        a page gets its number when it is closed
//
// A page is closed when the next entry would not fit into one page; an entry that is larger by itself makes a page with
// overflow. So children come before their parent, and the root is the last page. One open page a level is all the state.

import { ELEMENT_BYTES, ELEMENT_COUNT_MAX, PAGE_HEADER_BYTES } from './page-format.ts';

/** Told of each page in the order of their numbers. */
export interface PageVisitor {
  /** The open leaf is closed as page `id`; `bytes` without padding. */
  onLeaf(id: number, count: number, bytes: number, pages: number): void;
  /** The open branch of `level` is closed as page `id`. */
  onBranch(level: number, id: number, count: number, bytes: number, pages: number): void;
  /** Page `child` joins the open branch of `level`. Its first key is the one of the open page below that was closed. */
  onChild(level: number, child: number): void;
}

class OpenPage {
  count = 0;
  bytes = PAGE_HEADER_BYTES;
  /** Size of the first key, which the parent's element will have. */
  firstKeyBytes = 0;
  /** The only child so far of a branch; with no page of its level closed before, it is the root. */
  lastChild = 0;
  closed = 0;

  add(keyBytes: number, bytes: number): void {
    if (this.count === 0) this.firstKeyBytes = keyBytes;
    this.count++;
    this.bytes += bytes;
  }

  reset(): void {
    this.closed++;
    this.count = 0;
    this.bytes = PAGE_HEADER_BYTES;
  }
}

export class PageTree {
  readonly #pageBytes: number;
  readonly #visitor: PageVisitor;
  readonly #leaf = new OpenPage();
  readonly #branches: OpenPage[] = [];
  /** The number of the next page. */
  #next: number;

  constructor(pageBytes: number, firstPage: number, visitor: PageVisitor) {
    this.#pageBytes = pageBytes;
    this.#next = firstPage;
    this.#visitor = visitor;
  }

  /** One past the last page. */
  get nextPage(): number {
    return this.#next;
  }

  /** Before an entry's bytes are taken: closes the pages that have no room for it. */
  add(keyBytes: number, valueBytes: number): void {
    const leaf = this.#leaf;
    const bytes = ELEMENT_BYTES + keyBytes + valueBytes;
    const isFull = leaf.bytes + bytes > this.#pageBytes || leaf.count === ELEMENT_COUNT_MAX;
    if (leaf.count > 0 && isFull) this.#closeLeaf();
    leaf.add(keyBytes, bytes);
  }

  /** Closes what is open and returns the root page. There is at least one entry. */
  finish(): number {
    this.#closeLeaf();
    for (let level = 0; ; level++) {
      const branch = this.#branches[level];
      if (branch.closed === 0 && branch.count === 1) return branch.lastChild;
      this.#closeBranch(level);
    }
  }

  #closeLeaf(): void {
    const { count, bytes, firstKeyBytes } = this.#leaf;
    const id = this.#take(bytes);
    this.#visitor.onLeaf(id, count, bytes, this.#next - id);
    this.#leaf.reset();
    this.#addChild(0, id, firstKeyBytes);
  }

  #closeBranch(level: number): void {
    const branch = this.#branches[level];
    const { count, bytes, firstKeyBytes } = branch;
    const id = this.#take(bytes);
    this.#visitor.onBranch(level, id, count, bytes, this.#next - id);
    branch.reset();
    this.#addChild(level + 1, id, firstKeyBytes);
  }

  #addChild(level: number, child: number, keyBytes: number): void {
    if (level === this.#branches.length) this.#branches.push(new OpenPage());
    const branch = this.#branches[level];
    const bytes = ELEMENT_BYTES + keyBytes;
    // Two children at least, so that each level is smaller than the one below, however long the keys are.
    const isFull = branch.bytes + bytes > this.#pageBytes || branch.count === ELEMENT_COUNT_MAX;
    if (branch.count >= 2 && isFull) this.#closeBranch(level);
    branch.add(keyBytes, bytes);
    branch.lastChild = child;
    this.#visitor.onChild(level, child);
  }

  #take(bytes: number): number {
    const id = this.#next;
    this.#next += Math.ceil(bytes / this.#pageBytes);
    return id;
  }
}
