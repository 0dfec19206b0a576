// The groups of an index that have nodes, in no order: one comes and goes at the same cost, however many there are.

import { assert } from '../../base/assert.ts';

const NONE = -1;

export class LiveGroups {
  readonly list: number[] = [];
  /** By group: where it is in the list; NONE where it is not. */
  readonly #placeOf: number[] = [];

  has(group: number): boolean {
    return this.#place(group) !== NONE;
  }

  add(group: number): void {
    assert(!this.has(group), 'a group is listed once');
    this.#placeOf[group] = this.list.push(group) - 1;
  }

  remove(group: number): void {
    const place = this.#place(group);
    const last = this.list.pop();
    assert(place !== NONE && last !== undefined, 'a group that has nodes is listed');
    this.#placeOf[group] = NONE;
    if (last === group) return;
    this.list[place] = last;
    this.#placeOf[last] = place;
  }

  clear(): void {
    this.list.length = 0;
    this.#placeOf.length = 0;
  }

  #place(group: number): number {
    return this.#placeOf[group] ?? NONE;
  }
}
