// When a revision was first seen, and which revision had been seen by when: from every answer and every watch response.

import type { History } from './history.ts';

interface Sighting {
  readonly order: number;
  readonly ms: number;
  readonly revision: number;
}

export class SeenRevisions {
  /** In order of time, each with a higher revision than the one before. */
  readonly #rises: Sighting[] = [];

  constructor(history: History) {
    const sightings: Sighting[] = [];
    for (const { outcome } of history.calls) {
      if (outcome.kind === 'answered') sightings.push({ ...outcome.at, revision: outcome.revision });
    }
    for (const { responses } of history.watches) {
      for (const response of responses) {
        let revision = response.kind === 'compacted' ? 0 : response.revision;
        if (response.kind === 'events') for (const { pair } of response.events) revision = Math.max(revision, pair.mod);
        sightings.push({ ...response.at, revision });
      }
    }
    for (const { at, revision } of history.jumps) sightings.push({ ...at, revision });
    sightings.sort((a, b) => a.order - b.order);
    let highest = 0;
    for (const sighting of sightings) {
      if (sighting.revision <= highest) continue;
      highest = sighting.revision;
      this.#rises.push(sighting);
    }
  }

  /** The highest revision that anybody saw before `order`. */
  before(order: number): number {
    const count = this.#count((sighting) => sighting.order < order);
    return count === 0 ? 0 : this.#rises[count - 1].revision;
  }

  /** When `revision` or a later one was first seen. */
  first(revision: number): Sighting | undefined {
    return this.#rises[this.#count((sighting) => sighting.revision < revision)];
  }

  /** The highest revision that anybody saw by then. */
  by(ms: number): number {
    const count = this.#count((sighting) => sighting.ms <= ms);
    return count === 0 ? 0 : this.#rises[count - 1].revision;
  }

  get highest(): number {
    return this.#rises.at(-1)?.revision ?? 0;
  }

  /** How many sightings at the beginning fulfil the condition, which later ones do not. */
  #count(condition: (sighting: Sighting) => boolean): number {
    let low = 0;
    let high = this.#rises.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (condition(this.#rises[middle])) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
