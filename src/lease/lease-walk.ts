// The leases that there were at one moment, gathered in slices while leases come and go: by slot, without those granted since,
// and with those that were removed before their slot was reached.

/** The part of a lease that a walk needs. */
export interface WalkedLease {
  readonly id: bigint;
  readonly slot: number;
  readonly ttlSeconds: number;
  readonly grantNumber: number;
}

export class LeaseWalk {
  readonly #bySlot: readonly (WalkedLease | undefined)[];
  readonly #grantNumberMax: number;
  readonly #onEnd: (walk: LeaseWalk) => void;
  readonly #slotEnd: number;
  #slot = 0;
  #leases: WalkedLease[] = [];

  /** For Lessor.walk. */
  constructor(bySlot: readonly (WalkedLease | undefined)[], grantNumberMax: number, onEnd: (walk: LeaseWalk) => void) {
    this.#bySlot = bySlot;
    this.#slotEnd = bySlot.length;
    this.#grantNumberMax = grantNumberMax;
    this.#onEnd = onEnd;
  }

  /** In no particular order; only when `step` has returned true. */
  get leases(): readonly WalkedLease[] {
    return this.#leases;
  }

  /** Looks at up to `slots` slots; true when done. */
  step(slots: number): boolean {
    const end = Math.min(this.#slot + slots, this.#slotEnd);
    for (; this.#slot < end; this.#slot++) this.#take(this.#bySlot[this.#slot]);
    if (this.#slot < this.#slotEnd) return false;
    this.#onEnd(this);
    return true;
  }

  /** Ends the walk early; harmless when it is done. */
  close(): void {
    this.#leases = [];
    this.#slot = this.#slotEnd;
    this.#onEnd(this);
  }

  /** For Lessor: a lease is gone. */
  removed(lease: WalkedLease): void {
    if (lease.slot >= this.#slot && lease.slot < this.#slotEnd) this.#take(lease);
  }

  #take(lease: WalkedLease | undefined): void {
    if (lease !== undefined && lease.grantNumber <= this.#grantNumberMax) this.#leases.push(lease);
  }
}
