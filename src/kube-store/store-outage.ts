// A store that cannot be reached, which every collection that is followed there hears of: told as one thing, by whichever hears of it, and over when all
// are followed again.

import type { Clock } from '../io/clock.ts';
import { Trouble } from '../kube-api/trouble.ts';

type Tell = (text: string) => void;

export class StoreOutage {
  readonly #trouble: Trouble;
  /** Collections that are not followed for it. */
  readonly #without = new Set<string>();
  /** Of the collection that was heard last. */
  #tell: Tell = () => {};

  constructor(clock: Clock) {
    this.#trouble = new Trouble(clock, 'the store: all is followed again', (text) => this.#tell(text));
  }

  fail(collection: string, text: string, tell: Tell): void {
    this.#without.add(collection);
    this.#tell = tell;
    this.#trouble.fail(`the store cannot be reached: ${text}`);
  }

  /** The collection is followed, or is not to be any more. */
  end(collection: string, tell: Tell): void {
    if (!this.#without.delete(collection) || this.#without.size > 0) return;
    this.#tell = tell;
    this.#trouble.end();
  }
}
