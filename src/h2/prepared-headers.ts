// A field section made once and sent many times, on any number of connections.
//
// The first emission on a connection puts its fields into that connection's dynamic table (as far as they fit);
// later ones take a byte or two a field. What a connection derived from it is kept here for the connection that
// used it last, so that the hot path needs no lookup.

import type { HeaderField } from './header-block.ts';

/** A connection's encoding of one PreparedHeaders; `bytes` is right while `version` is the encoder's. */
export interface PreparedEncoding {
  /** The encoder it belongs to, compared by identity. */
  readonly owner: object;
  version: number;
  bytes: Uint8Array;
}

export class PreparedHeaders {
  readonly fields: readonly HeaderField[];
  /** Of the encoder that used these headers last; it alone reads and writes this. */
  encoding: PreparedEncoding | null = null;

  constructor(fields: readonly HeaderField[]) {
    this.fields = fields.map(({ name, value }) => ({ name, value }));
  }
}

/**
 * A section with fields between two prepared parts that change with each message, as a request's path does, since fields with a colon come
 * first (RFC 9113 §8.3).
 */
export class SplitHeaders {
  readonly front: PreparedHeaders;
  readonly back: PreparedHeaders;

  constructor(front: readonly HeaderField[], back: readonly HeaderField[]) {
    this.front = new PreparedHeaders(front);
    this.back = new PreparedHeaders(back);
  }
}
