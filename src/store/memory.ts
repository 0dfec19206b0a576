// Where the memory of segments, rows and history comes from, and where it goes.
//
//   allocate ─► in use ─┬─ giveBack ─► spare ─┬─ allocateUsed ─► in use
//                       │                     └─ trim ─► garbage ─► collected
//                       └─ dropped ─────────────────────► garbage
//   allocate ─► prefault ─► spare
//
// V8 counts private memory and collects the whole heap for each 64 MiB of it, used or not: under writes of 200 MB/s four times
// a second, a tenth of the CPU. Shared memory is not counted. Then garbage stays until somebody asks for a collection.
//
// A collection holds the thread for some twenty milliseconds, and a compaction lets go of gigabytes in a second. So what is given back is used
// again first, which saves the faults of fresh pages too, and `trim`, which is called seldom or while nothing else is to be done, lets go of
// what was not needed since the last time. There is never more spare memory than was in use at once, and one block of each size.
//
// That block is made ready while the last one is in use: whoever writes to new memory waits for each of its pages. Not before a second
// one is needed between two trims: where little is written, nobody waits much.

export interface StoreMemory {
  /** Zeroed. */
  allocate(bytes: number): ArrayBuffer | SharedArrayBuffer;
  /** Zeroed, or as somebody left it who gave it back. To be asked for few different sizes. */
  allocateUsed(bytes: number): ArrayBuffer | SharedArrayBuffer;
  /** Nobody reads it any more, or will. */
  giveBack(memory: ArrayBuffer | SharedArrayBuffer): void;
  /** The store has let go of so much, which somebody may still be reading. */
  dropped(bytes: number): void;
  /** Called from time to time: lets go of the spare memory that was not needed since the last call. */
  trim(): void;
}

/** Garbage that is worth a collection. */
const COLLECT_BYTES_MIN = 64 << 20;

export const PRIVATE_MEMORY: StoreMemory = {
  allocate: (bytes) => new ArrayBuffer(bytes),
  allocateUsed: (bytes) => new ArrayBuffer(bytes),
  giveBack: () => {},
  dropped: () => {},
  trim: () => {},
};

/** Spare memory of one size. */
interface Spares {
  readonly memory: (ArrayBuffer | SharedArrayBuffer)[];
  /** The fewest there were since the last trim: so many were not needed. */
  leastCount: number;
  /** Asked for since the last trim. */
  takenCount: number;
  /** One is being made ready. */
  isPrefaulting: boolean;
}

/** Makes the pages of memory ready, beside this thread, and then calls back. */
export type Prefault = (memory: SharedArrayBuffer, done: () => void) => void;

/** Memory that other threads may read. */
export class SharedMemory implements StoreMemory {
  readonly #collect: () => void;
  readonly #prefault: Prefault | undefined;
  readonly #spares = new Map<number, Spares>();
  #garbageBytes = 0;

  /** `collect` asks for a collection of the whole heap, now or soon. Without `prefault` new memory comes as it is. */
  constructor(collect: () => void, prefault?: Prefault) {
    this.#collect = collect;
    this.#prefault = prefault;
  }

  allocate(bytes: number): SharedArrayBuffer {
    return new SharedArrayBuffer(bytes);
  }

  allocateUsed(bytes: number): ArrayBuffer | SharedArrayBuffer {
    let spares = this.#spares.get(bytes);
    if (spares === undefined) {
      spares = { memory: [], leastCount: 0, takenCount: 0, isPrefaulting: false };
      this.#spares.set(bytes, spares);
    }
    const memory = spares.memory.pop() ?? this.allocate(bytes);
    spares.leastCount = Math.min(spares.leastCount, spares.memory.length);
    spares.takenCount++;
    if (spares.memory.length === 0 && spares.takenCount > 1) this.#makeReady(spares, bytes);
    return memory;
  }

  giveBack(memory: ArrayBuffer | SharedArrayBuffer): void {
    const spares = this.#spares.get(memory.byteLength);
    if (spares === undefined) this.dropped(memory.byteLength);
    else spares.memory.push(memory);
  }

  dropped(bytes: number): void {
    this.#garbageBytes += bytes;
    if (this.#garbageBytes < COLLECT_BYTES_MIN) return;
    this.#garbageBytes = 0;
    this.#collect();
  }

  trim(): void {
    let bytes = 0;
    for (const [size, spares] of this.#spares) {
      bytes += size * spares.memory.splice(0, spares.leastCount).length;
      spares.leastCount = spares.memory.length;
      spares.takenCount = 0;
    }
    this.dropped(bytes);
  }

  #makeReady(spares: Spares, bytes: number): void {
    if (this.#prefault === undefined || spares.isPrefaulting) return;
    spares.isPrefaulting = true;
    const memory = this.allocate(bytes);
    this.#prefault(memory, () => {
      spares.isPrefaulting = false;
      spares.memory.push(memory);
    });
  }
}
