// Which watchers want a key. Ranges are cut at all their bounds into disjoint intervals, each with the list of the
// watchers that cover it, so that a lookup is one binary search however many watch; single keys are hashed.
//
//   bounds   b0 < b1 < b2 < …            lists[i] covers [b(i), b(i+1)); the last one has no end
//
// The intervals are made anew at the first lookup after a change: watches change seldom, events come all the time.

import { compareArrays, compareBytes } from '../base/bytes.ts';
import type { Watcher } from './watcher.ts';

const NOBODY: readonly Watcher[] = [];

export class Interest {
  readonly #ranges = new Set<Watcher>();
  readonly #keys = new Map<string, Watcher[]>();
  #isStale = false;
  #bounds: Uint8Array[] = [];
  #lists: (readonly Watcher[])[] = [];
  /** Index of the interval that the last lookup hit, −1 for the one before all bounds: events come in runs. */
  #last = -1;

  get isEmpty(): boolean {
    return this.#ranges.size === 0 && this.#keys.size === 0;
  }

  add(watcher: Watcher): void {
    if (watcher.spec.end !== undefined) {
      this.#ranges.add(watcher);
      this.#isStale = true;
      return;
    }
    const name = nameOf(watcher.spec.key, 0, watcher.spec.key.length);
    const list = this.#keys.get(name);
    if (list === undefined) this.#keys.set(name, [watcher]);
    else list.push(watcher);
  }

  remove(watcher: Watcher): void {
    if (watcher.spec.end !== undefined) {
      this.#ranges.delete(watcher);
      this.#isStale = true;
      return;
    }
    const name = nameOf(watcher.spec.key, 0, watcher.spec.key.length);
    const list = this.#keys.get(name)?.filter((other) => other !== watcher) ?? [];
    if (list.length === 0) this.#keys.delete(name);
    else this.#keys.set(name, list);
  }

  /** Watchers of ranges that hold the key. */
  ofRanges(buffer: Uint8Array, start: number, end: number): readonly Watcher[] {
    if (this.#isStale) this.#rebuild();
    const bounds = this.#bounds;
    let low = 0;
    let high = bounds.length;
    if (this.#isIn(this.#last, buffer, start, end)) return this.#last < 0 ? NOBODY : this.#lists[this.#last];
    while (low < high) {
      const middle = (low + high) >>> 1;
      const bound = bounds[middle];
      if (compareBytes(bound, 0, bound.length, buffer, start, end) <= 0) low = middle + 1;
      else high = middle;
    }
    this.#last = low - 1;
    return low === 0 ? NOBODY : this.#lists[low - 1];
  }

  /** Watchers of exactly this key. */
  ofKey(buffer: Uint8Array, start: number, end: number): readonly Watcher[] {
    if (this.#keys.size === 0) return NOBODY;
    return this.#keys.get(nameOf(buffer, start, end)) ?? NOBODY;
  }

  #isIn(interval: number, buffer: Uint8Array, start: number, end: number): boolean {
    const bounds = this.#bounds;
    if (interval >= 0) {
      const lower = bounds[interval];
      if (compareBytes(lower, 0, lower.length, buffer, start, end) > 0) return false;
    }
    if (interval + 1 >= bounds.length) return true;
    const upper = bounds[interval + 1];
    return compareBytes(upper, 0, upper.length, buffer, start, end) > 0;
  }

  #rebuild(): void {
    this.#isStale = false;
    this.#last = -1;
    const bounds: Uint8Array[] = [];
    for (const { spec } of this.#ranges) {
      bounds.push(spec.key);
      if (spec.end !== null && spec.end !== undefined) bounds.push(spec.end);
    }
    bounds.sort(compareArrays);
    this.#bounds = bounds.filter((bound, i) => i === 0 || compareArrays(bounds[i - 1], bound) !== 0);
    const lists: Watcher[][] = this.#bounds.map(() => []);
    for (const watcher of this.#ranges) {
      const { key, end } = watcher.spec;
      const from = this.#indexOf(key);
      const to = end === null || end === undefined ? this.#bounds.length : this.#indexOf(end);
      for (let i = from; i < to; i++) lists[i].push(watcher);
    }
    this.#lists = lists;
  }

  /** Index of a bound that is there. */
  #indexOf(bound: Uint8Array): number {
    let low = 0;
    let high = this.#bounds.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (compareArrays(this.#bounds[middle], bound) < 0) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

/** A key as a map key: one character a byte. */
function nameOf(buffer: Uint8Array, start: number, end: number): string {
  return Buffer.from(buffer.buffer, buffer.byteOffset + start, end - start).toString('latin1');
}
