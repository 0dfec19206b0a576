// Garbage collection: asked for, and shared with nobody.
//
// What the store drops is memory outside the heap, which the collector weighs against the
// store's whole size: without being asked it would let garbage of that size gather. The heap itself is small (tens
// of megabytes), so a collection takes milliseconds.

import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

/** A function that collects, or one that does nothing where V8 does not offer it. */
export function makeCollector(): () => void {
  setFlagsFromString('--expose-gc');
  const collect: unknown = runInNewContext('gc');
  setFlagsFromString('--no-expose-gc');
  return typeof collect === 'function' ? () => collect({ type: 'major', execution: 'async' }) : () => {};
}

/**
 * Collections of the young generation are made by the calling thread alone from now on. V8 shares them with threads of its own and then waits
 * for those that have begun: worth it where much survives, while little does here, and whoever has no core is waited for.
 */
export function collectAlone(): void {
  setFlagsFromString('--no-parallel-scavenge');
}
