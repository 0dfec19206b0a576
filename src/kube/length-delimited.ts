// A walk over the length-delimited fields of an encoded message: its strings, bytes and messages. Others are passed over.

import { ByteReader } from '../base/byte-reader.ts';

const LENGTH_DELIMITED = 2;

/** Calls `visit` with each field's number and where its value lies in `bytes`. Throws WireError when the message is malformed. */
export function eachLengthDelimited(
  bytes: Uint8Array,
  start: number,
  end: number,
  visit: (number: number, start: number, end: number) => void,
): void {
  const reader = new ByteReader(bytes, start, end);
  while (reader.hasMore) {
    const tag = reader.tag();
    if ((tag & 7) === LENGTH_DELIMITED) {
      reader.lengthDelimited();
      visit(tag >>> 3, reader.valueStart, reader.valueEnd);
    } else reader.skip(tag);
  }
}
