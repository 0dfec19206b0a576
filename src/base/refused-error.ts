// What was asked for cannot be done with what is there: one line for a person, and nothing was changed.

export class RefusedError extends Error {
  override readonly name = 'RefusedError';
}
