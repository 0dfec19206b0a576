// The descriptors of one file through which it is made durable: each is used by one operation at a time, and what finds all in
// use waits for its turn, in order.
//
// Linux keeps one number for the write-back errors of a file and, in each open descriptor, how far that one was told (errseq). A sync, or a
// write with O_DSYNC, that finds the two different fails and brings its descriptor up to date. So of two at a time through one
// descriptor the second would succeed although the page that failed is its own. Through two descriptors both fail.

/** How many are opened for each file, and so how many syncs of it may run at a time. */
export const SYNC_DESCRIPTORS = 2;

export class SyncDescriptors {
  readonly #free: number[];
  readonly #waiting: ((descriptor: number) => void)[] = [];

  constructor(descriptors: readonly number[]) {
    this.#free = [...descriptors];
  }

  /** Calls `use` with a descriptor that is its own until `give`: now, or when one is given back. */
  take(use: (descriptor: number) => void): void {
    const descriptor = this.#free.pop();
    if (descriptor === undefined) this.#waiting.push(use);
    else use(descriptor);
  }

  give(descriptor: number): void {
    const next = this.#waiting.shift();
    if (next === undefined) this.#free.push(descriptor);
    else next(descriptor);
  }
}
