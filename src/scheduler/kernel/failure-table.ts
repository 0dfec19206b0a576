// Why nodes do not fit: each reason, or set of reasons of one plugin, has a number from 1 on; 0 stands for none.

import type { FilterPluginName } from '../model/scheduler-profile.ts';

export interface Failure {
  readonly plugin: FilterPluginName;
  readonly reasons: readonly string[];
  /** It would stay, whichever pods left the node (UnschedulableAndUnresolvable). */
  readonly isUnresolvable: boolean;
  /** The plugin failed: nothing is decided about the pod. */
  readonly isError?: boolean;
}

export class FailureTable {
  readonly #failures: Failure[] = [];
  readonly #ids = new Map<string, number>();

  get count(): number {
    return this.#failures.length;
  }

  /** Their numbers will stand for others. */
  clear(): void {
    this.#failures.length = 0;
    this.#ids.clear();
  }

  idOf(failure: Failure): number {
    const { plugin, reasons, isUnresolvable, isError } = failure;
    const text = JSON.stringify([plugin, reasons, isUnresolvable, isError === true]);
    let id = this.#ids.get(text);
    if (id === undefined) {
      id = this.#failures.push(failure);
      this.#ids.set(text, id);
    }
    return id;
  }

  at(id: number): Failure {
    return this.#failures[id - 1];
  }
}
