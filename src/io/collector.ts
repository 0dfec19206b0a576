// Asks for a garbage collection. What the store drops is memory outside the heap, which the collector weighs against the
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
