// Fixed-size nodes of 32-bit words, in chunks, named by number.
//
// A free node's first word holds the next free node + 1. A node handed out is all zero.

export class NodePool {
  readonly #nodeWords: number;
  readonly #shift: number;
  readonly #mask: number;
  readonly #chunks: Uint32Array[] = [];
  #used = 0;
  /** First free node + 1; 0 = none. */
  #free = 0;

  /** Both powers of two. */
  constructor(nodeWords: number, chunkNodes: number) {
    this.#nodeWords = nodeWords;
    this.#shift = Math.log2(chunkNodes);
    this.#mask = chunkNodes - 1;
  }

  get memoryBytes(): number {
    return this.#used * this.#nodeWords * 4;
  }

  /** The memory a node is in. */
  words(node: number): Uint32Array {
    return this.#chunks[node >>> this.#shift];
  }

  /** Where in `words` the node starts. */
  base(node: number): number {
    return (node & this.#mask) * this.#nodeWords;
  }

  allocate(): number {
    if (this.#free === 0) {
      if ((this.#used & this.#mask) === 0) this.#chunks.push(new Uint32Array((this.#mask + 1) * this.#nodeWords));
      return this.#used++;
    }
    const node = this.#free - 1;
    const base = this.base(node);
    this.#free = this.words(node)[base];
    this.words(node).fill(0, base, base + this.#nodeWords);
    return node;
  }

  free(node: number): void {
    this.words(node)[this.base(node)] = this.#free;
    this.#free = node + 1;
  }
}
