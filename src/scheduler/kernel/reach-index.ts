// Things that a node reaches by its labels (volumes, storage capacities), found from the node. A selector that asks for one of a few values
// of a label pins its thing to those values, and is only looked at for nodes that have one of them: with a local disk for each node
// a node looks at its own disks.

import type { Labels, Requirement } from '../model/label-selector.ts';
import { HOSTNAME } from './topology.ts';

/** A node without one of these values of the label does not reach the thing. */
export interface Pin {
  readonly key: string;
  readonly values: ReadonlySet<string>;
}

/** By what requirements, all to be met, pin a thing down; the hostname where that is asked for. */
export function pinOf(requirements: readonly Requirement[]): Pin | undefined {
  const single = requirements.filter(({ operator }) => operator === 'In');
  const best = single.find(({ key }) => key === HOSTNAME) ?? single[0];
  return best === undefined ? undefined : { key: best.key, values: new Set(best.values) };
}

/** For alternatives, each of which is pinned by the same label; undefined where that is not so. */
export function pinOfAny(pins: readonly (Pin | undefined)[]): Pin | undefined {
  const [first] = pins;
  if (first === undefined || !pins.every((pin) => pin?.key === first.key)) return undefined;
  return { key: first.key, values: new Set(pins.flatMap((pin) => [...(pin?.values ?? [])])) };
}

export class ReachIndex<T> {
  /** Grows with every change. */
  changeCount = 0;
  size = 0;
  readonly #unpinned = new Set<T>();
  readonly #pinned = new Map<string, Map<string, Set<T>>>();

  add(thing: T, pin: Pin | undefined): void {
    this.changeCount++;
    this.size++;
    if (pin === undefined) {
      this.#unpinned.add(thing);
      return;
    }
    let byValue = this.#pinned.get(pin.key);
    if (byValue === undefined) {
      byValue = new Map();
      this.#pinned.set(pin.key, byValue);
    }
    for (const value of pin.values) {
      const there = byValue.get(value);
      if (there === undefined) byValue.set(value, new Set([thing]));
      else there.add(thing);
    }
  }

  remove(thing: T, pin: Pin | undefined): void {
    this.changeCount++;
    this.size--;
    if (pin === undefined) {
      this.#unpinned.delete(thing);
      return;
    }
    const byValue = this.#pinned.get(pin.key);
    for (const value of pin.values) {
      const there = byValue?.get(value);
      there?.delete(thing);
      if (there?.size === 0) byValue?.delete(value);
    }
    if (byValue?.size === 0) this.#pinned.delete(pin.key);
  }

  /** Each once; others are not reached with these labels. */
  *at(labels: Labels): Iterable<T> {
    yield* this.#unpinned;
    for (const [key, byValue] of this.#pinned) {
      const value = labels.get(key);
      if (value !== undefined) yield* byValue.get(value) ?? [];
    }
  }
}
