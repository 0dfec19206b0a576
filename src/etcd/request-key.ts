// The key of a request that has not been decoded yet, as a hint for the store. A wrong guess costs time and changes nothing, so only
// the usual forms are understood: fields in the order of their numbers, lengths and numbers of one or two bytes.

/** A range of a request's bytes; used again and again. */
export class RequestKey {
  start = 0;
  end = 0;

  /** Of RangeRequest, PutRequest, DeleteRangeRequest: the first field. False: not found. */
  ofKeyed(buffer: Uint8Array, start: number, end: number): boolean {
    if (buffer[start] !== 0x0a) return false;
    return this.#read(buffer, start + 1, end);
  }

  /** Of TxnRequest: that of its first compare, whose fields before it are numbers. */
  ofTxn(buffer: Uint8Array, start: number, end: number): boolean {
    if (buffer[start] !== 0x0a || !this.#read(buffer, start + 1, end)) return false;
    let at = this.start;
    while (at < this.end && (buffer[at] === 0x08 || buffer[at] === 0x10)) at += 2;
    return buffer[at] === 0x1a && this.#read(buffer, at + 1, this.end);
  }

  /** A length and so many bytes, within the given ones. */
  #read(buffer: Uint8Array, at: number, end: number): boolean {
    let length = buffer[at++];
    if (length > 127) length = (length & 127) | (buffer[at++] << 7);
    this.start = at;
    this.end = at + length;
    return this.end <= end;
  }
}
