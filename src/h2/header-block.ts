// Header fields and received header blocks.
//
// Strings hold one byte per character (latin1), so every byte value survives in both directions.

export interface HeaderField {
  /** Lower case; pseudo-header fields keep their colon. */
  readonly name: string;
  readonly value: string;
}

/**
 * A decoded field section. A connection hands out the *same* object again when the same bytes arrive while the
 * decoder's table is unchanged, so what the layer above derives from it may be kept in `memo`.
 */
export interface HeaderBlock {
  readonly fields: readonly HeaderField[];
  /** Belongs to the layer above; undefined until it sets something. */
  memo: unknown;
}

/** The value of the first field called `name`, or undefined. A convenience for cold paths. */
export function headerValue(fields: readonly HeaderField[], name: string): string | undefined {
  for (let i = 0; i < fields.length; i++) if (fields[i].name === name) return fields[i].value;
  return undefined;
}
