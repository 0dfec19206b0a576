// Assertions for our own mistakes: always on. A failed one is a bug in this program and ends the process,
// since state that broke an invariant must not be served or written. What a peer or the disk can cause is
// never asserted; it is an error with its own type.

export class AssertionError extends Error {
  override readonly name = 'AssertionError';
}

/** Throws AssertionError when `condition` is false. Nothing catches it: the process ends. */
export function assert(condition: boolean, message: string): asserts condition {
  if (!condition) throw new AssertionError(message);
}

/** Marks a branch that no value can reach. */
export function unreachable(what: never): never {
  throw new AssertionError(`unreachable: ${String(what)}`);
}
