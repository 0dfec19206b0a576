// Where the memory of segments, rows and history comes from.
//
// V8 counts private memory and collects the whole heap for each 64 MiB of it, used or not: under writes of 200 MB/s four times
// a second, a tenth of the CPU. Shared memory is not counted. Then dropped segments stay until somebody asks for a
// collection, which SharedMemory does for each COLLECT_BYTES_MIN that were dropped: only compaction costs collections.

export interface StoreMemory {
  /** Zeroed. */
  allocate(bytes: number): ArrayBuffer | SharedArrayBuffer;
  /** The store has let go of so much of what it was given. */
  dropped(bytes: number): void;
}

/** Garbage that is worth a collection (about ten milliseconds). */
const COLLECT_BYTES_MIN = 64 << 20;

export const PRIVATE_MEMORY: StoreMemory = {
  allocate: (bytes) => new ArrayBuffer(bytes),
  dropped: () => {},
};

/** Memory that other threads may read. */
export class SharedMemory implements StoreMemory {
  readonly #collect: () => void;
  #garbageBytes = 0;

  /** `collect` asks for a collection of the whole heap, now or soon. */
  constructor(collect: () => void) {
    this.#collect = collect;
  }

  allocate(bytes: number): SharedArrayBuffer {
    return new SharedArrayBuffer(bytes);
  }

  dropped(bytes: number): void {
    this.#garbageBytes += bytes;
    if (this.#garbageBytes < COLLECT_BYTES_MIN) return;
    this.#garbageBytes = 0;
    this.#collect();
  }
}
