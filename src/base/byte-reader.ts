// Reads the protobuf wire format out of a byte range without copying.
//
// A reader is reused: `reset(buffer, start, end)`, then `while (reader.hasMore) switch (reader.tag()) …`.
// Length-delimited fields come as offsets into `buffer` (`valueStart`, `valueEnd`).
// Malformed input throws WireError; the caller turns it into the peer's error.

/** The bytes are not a valid protobuf message. */
export class WireError extends Error {
  override readonly name = 'WireError';
}

const INT64_MIN_AS_UINT = 0x8000_0000_0000_0000n;

export class ByteReader {
  buffer: Uint8Array;
  position = 0;
  end = 0;
  /** Offsets of the last length-delimited value read. */
  valueStart = 0;
  valueEnd = 0;

  constructor(buffer: Uint8Array = new Uint8Array(0), start = 0, end: number = buffer.length) {
    this.buffer = buffer;
    this.position = start;
    this.end = end;
  }

  reset(buffer: Uint8Array, start: number, end: number): void {
    // Storing a young object in an old one costs more than the look; one buffer is read again and again.
    if (this.buffer !== buffer) this.buffer = buffer;
    this.position = start;
    this.end = end;
  }

  get hasMore(): boolean {
    return this.position < this.end;
  }

  /** The next tag: field number × 8 + wire type. Field number 0 is malformed. */
  tag(): number {
    const at = this.position;
    if (at < this.end && this.buffer[at] < 128) {
      this.position = at + 1;
      const tag = this.buffer[at];
      if (tag < 8) throw new WireError('illegal tag 0');
      return tag;
    }
    const tag = this.varint();
    if (tag < 8 || tag > 0xffff_ffff) throw new WireError('illegal tag');
    return tag;
  }

  /** A varint as int64 in a double. Beyond 2^53 the nearest double; ten-byte values are negative. */
  varint(): number {
    const buffer = this.buffer;
    let at = this.position;
    const end = this.end;
    let value = 0;
    let multiplier = 1;
    for (let i = 0; i < 7; i++) {
      if (at >= end) throw new WireError('unexpected EOF');
      const byte = buffer[at++];
      value += (byte & 127) * multiplier;
      if (byte < 128) {
        this.position = at;
        return value;
      }
      multiplier *= 128;
    }
    return Number(this.varint64());
  }

  /** A varint as a signed 64-bit integer. */
  varint64(): bigint {
    let value = 0n;
    let shift = 0n;
    for (let i = 0; i < 10; i++) {
      if (this.position >= this.end) throw new WireError('unexpected EOF');
      const byte = this.buffer[this.position++];
      value |= BigInt(byte & 127) << shift;
      if (byte < 128) {
        const unsigned = BigInt.asUintN(64, value);
        return unsigned >= INT64_MIN_AS_UINT ? BigInt.asIntN(64, unsigned) : unsigned;
      }
      shift += 7n;
    }
    throw new WireError('integer overflow');
  }

  bool(): boolean {
    return this.varint() !== 0;
  }

  /** Reads a length and steps over that many bytes: valueStart and valueEnd say where they are. */
  lengthDelimited(): void {
    const length = this.varint();
    const start = this.position;
    if (length < 0 || length > this.end - start) throw new WireError('unexpected EOF');
    this.valueStart = start;
    this.valueEnd = start + length;
    this.position = start + length;
  }

  /** A view of a length-delimited value; it shares the buffer. */
  view(): Uint8Array {
    this.lengthDelimited();
    return this.buffer.subarray(this.valueStart, this.valueEnd);
  }

  /** A copy of a length-delimited value. */
  bytes(): Uint8Array {
    this.lengthDelimited();
    return Uint8Array.prototype.slice.call(this.buffer, this.valueStart, this.valueEnd);
  }

  string(): string {
    this.lengthDelimited();
    const { buffer, valueStart, valueEnd } = this;
    return Buffer.from(buffer.buffer, buffer.byteOffset + valueStart, valueEnd - valueStart).toString('utf8');
  }

  /** Into the message that has just been stepped over, which ends where hasMore is false. What it returns is for `leave`. */
  enter(): number {
    const outer = this.end;
    this.position = this.valueStart;
    this.end = this.valueEnd;
    return outer;
  }

  /** Behind the message that was entered, wherever in it the reader stands. */
  leave(outer: number): void {
    this.position = this.end;
    this.end = outer;
  }

  /** Steps over a field that nobody knows. */
  skip(tag: number): void {
    switch (tag & 7) {
      case 0:
        this.varint();
        return;
      case 1:
        this.#advance(8);
        return;
      case 2:
        this.lengthDelimited();
        return;
      case 3:
        this.#skipGroup(tag);
        return;
      case 5:
        this.#advance(4);
        return;
      default:
        throw new WireError(`illegal wire type ${tag & 7}`);
    }
  }

  #advance(bytes: number): void {
    if (this.end - this.position < bytes) throw new WireError('unexpected EOF');
    this.position += bytes;
  }

  #skipGroup(startTag: number): void {
    const endTag = startTag + 1;
    // Groups nest; depth is counted rather than recursed so that hostile input cannot exhaust the stack.
    let depth = 1;
    while (depth > 0) {
      const tag = this.tag();
      if ((tag & 7) === 3) depth++;
      else if ((tag & 7) === 4) {
        depth--;
        if (depth === 0 && tag !== endTag) throw new WireError('mismatched end of group');
      } else this.skip(tag);
    }
  }
}
