// One Range over the store: finds the records it answers with, in slices, so that a range over millions of keys does
// not hold the event loop. Order of evaluation is etcd's (3.7, server/etcdserver/txn/range.go): walk in key order, filter,
// sort, cut to limit.
//
// The result is a list of record addresses and the exact bytes of the reply's `kvs` fields. The caller pins the store
// while addresses are kept across slices.

import {
  SORT_ASCEND,
  SORT_BY_CREATE,
  SORT_BY_KEY,
  SORT_BY_MOD,
  SORT_BY_VALUE,
  SORT_BY_VERSION,
  SORT_DESCEND,
  SORT_NONE,
} from '../api/messages.ts';
import { assert } from '../base/assert.ts';
import { compareBytes } from '../base/bytes.ts';
import { KeyValueView } from '../store/key-value.ts';
import { AddressList } from '../store/lists.ts';
import type { Store } from '../store/store.ts';
import { isEmptyRange, isSingleKey, lowerBound, upperBound } from './key-interval.ts';
import type { RangeOp } from './operations.ts';

export class RangeQuery {
  readonly #store: Store;
  readonly #op: RangeOp;
  readonly #revision: number;
  readonly #lower: Uint8Array;
  readonly #upper: Uint8Array | null;
  /** Stop collecting at this many; more are known to exist by the count. */
  readonly #fetchMax: number;
  #cursor: Uint8Array | null;
  #matched = 0;
  /** What the reply holds, in its order; complete when `step` has returned true. */
  addresses: AddressList = new AddressList();
  /** Live keys in the range at the revision, whatever limit and filters say. */
  count = 0;
  hasMore = false;

  /**
   * `revision` is the one to read at: compacted ≤ revision. With isCopied false, `op`'s bytes must stay valid
   * until the query is done.
   */
  constructor(store: Store, op: RangeOp, revision: number) {
    this.#store = store;
    this.#op = op;
    this.#revision = revision;
    this.#lower = lowerBound(op);
    this.#upper = isSingleKey(op) ? null : upperBound(op);
    const isCut = op.limit > 0 && !op.hasFilters && op.sortOrder === SORT_NONE;
    // Where the order is another one, etcd sorts one key more than it returns.
    const fetched = op.sortTarget === SORT_BY_KEY ? op.limit : op.limit + 1;
    this.#fetchMax = isCut ? fetched : Number.POSITIVE_INFINITY;
    this.#cursor = this.#lower;
  }

  /** Does up to `units` keys' worth of work; true when the result is complete. */
  step(units: number): boolean {
    if (isSingleKey(this.#op)) return this.#readOne();
    if (isEmptyRange(this.#op)) return true;
    if (this.#matched === 0 && this.#cursor === this.#lower) {
      this.count = this.#store.count(this.#lower, this.#upper, this.#revision);
      if (this.#op.isCountOnly || this.count === 0) return true;
    }
    if (this.#scan(units)) {
      this.#finish();
      return true;
    }
    return false;
  }

  /** Runs to the end at once. */
  run(): this {
    while (!this.step(Number.MAX_SAFE_INTEGER));
    return this;
  }

  #readOne(): boolean {
    const { buffer, keyStart, keyEnd } = this.#op;
    const row = this.#store.find(buffer, keyStart, keyEnd);
    const address = row < 0 ? 0 : this.#store.recordAt(row, this.#revision);
    if (address === 0) return true;
    this.count = 1;
    if (!this.#op.isCountOnly) this.addresses.push(address);
    if (this.#op.hasFilters) this.#finish();
    return true;
  }

  #scan(units: number): boolean {
    assert(this.#cursor !== null, 'the scan is over');
    const wanted = Math.min(units, this.#fetchMax - this.addresses.length);
    this.#cursor = this.#store.scan(this.#cursor, this.#upper, this.#revision, wanted, this.addresses);
    this.#matched++;
    return this.#cursor === null || this.addresses.length >= this.#fetchMax;
  }

  #finish(): void {
    const { limit, sortOrder, sortTarget, hasFilters } = this.#op;
    if (this.#fetchMax !== Number.POSITIVE_INFINITY) {
      this.hasMore = this.count > limit;
      if (sortTarget !== SORT_BY_KEY) this.#sort(sortTarget, false);
      if (this.addresses.length > limit) this.addresses.length = limit;
      return;
    }
    if (hasFilters) this.#filter();
    const isSorted = sortTarget === SORT_BY_KEY && sortOrder !== SORT_DESCEND;
    if (!isSorted) this.#sort(sortTarget, sortOrder === SORT_DESCEND);
    if (limit > 0 && this.addresses.length > limit) {
      this.addresses.length = limit;
      this.hasMore = true;
    }
  }

  #filter(): void {
    const { minModRevision, maxModRevision, minCreateRevision, maxCreateRevision } = this.#op;
    const view = new KeyValueView();
    const kept = new AddressList();
    for (let i = 0; i < this.addresses.length; i++) {
      const address = this.addresses.at(i);
      view.readHead(this.#store.segmentOf(address), this.#store.kvStart(address));
      const { modRevision, createRevision } = view;
      if (minModRevision !== 0 && modRevision < minModRevision) continue;
      if (maxModRevision !== 0 && modRevision > maxModRevision) continue;
      if (minCreateRevision !== 0 && createRevision < minCreateRevision) continue;
      if (maxCreateRevision !== 0 && createRevision > maxCreateRevision) continue;
      kept.push(address);
    }
    this.addresses = kept;
  }

  #sort(target: number, isDescending: boolean): void {
    const places = Array.from({ length: this.addresses.length }, (_, place) => place);
    const addresses = places.map((place) => this.addresses.at(place));
    const sign = isDescending ? -1 : 1;
    if (target === SORT_BY_KEY) places.reverse();
    else {
      const compare = target === SORT_BY_VALUE ? this.#valueOrder(addresses) : this.#numberOrder(addresses, target);
      places.sort((a, b) => sign * compare(a, b));
    }
    this.addresses = new AddressList();
    for (const place of places) this.addresses.push(addresses[place]);
  }

  #numberOrder(addresses: readonly number[], target: number): (a: number, b: number) => number {
    const view = new KeyValueView();
    const numbers = addresses.map((address) => {
      view.readHead(this.#store.segmentOf(address), this.#store.kvStart(address));
      if (target === SORT_BY_VERSION) return view.version;
      assert(target === SORT_BY_CREATE || target === SORT_BY_MOD, 'sort target was checked');
      return target === SORT_BY_CREATE ? view.createRevision : view.modRevision;
    });
    return (a, b) => numbers[a] - numbers[b];
  }

  #valueOrder(addresses: readonly number[]): (a: number, b: number) => number {
    const values = addresses.map((address) => {
      const segment = this.#store.segmentOf(address);
      const view = new KeyValueView().read(segment, this.#store.kvStart(address), this.#store.kvEnd(address));
      return segment.subarray(view.valueStart, view.valueEnd);
    });
    return (a, b) => compareBytes(values[a], 0, values[a].length, values[b], 0, values[b].length);
  }
}

/** The order in which results come when the request does not ask for another. */
export function isNaturalOrder(op: RangeOp): boolean {
  return op.sortTarget === SORT_BY_KEY && (op.sortOrder === SORT_NONE || op.sortOrder === SORT_ASCEND);
}
