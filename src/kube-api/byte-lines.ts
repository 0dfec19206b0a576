// Cuts a stream of bytes into lines, as a watch is framed: one JSON text a line.
//
// A line is complete with its line feed; what follows the last one when the stream ends is a line cut off, and is dropped. A line
// longer than `lineBytesMax` is not kept: its first bytes are answered in place of it, marked as cut.

export interface ByteLine {
  readonly text: string;
  /** It was too long; `text` is its beginning. */
  readonly isCut: boolean;
}

/** Of a line that is too long, for telling which object it was. */
const CUT_BYTES = 4096;
const LINE_FEED = 10;

export class ByteLines {
  readonly #lineBytesMax: number;
  #parts: Uint8Array[] = [];
  #bytes = 0;
  #isCut = false;

  constructor(lineBytesMax: number) {
    this.#lineBytesMax = lineBytesMax;
  }

  /** The lines that end in this chunk. Empty ones are left out. */
  push(chunk: Uint8Array): ByteLine[] {
    const lines: ByteLine[] = [];
    let start = 0;
    for (let end = chunk.indexOf(LINE_FEED); end >= 0; end = chunk.indexOf(LINE_FEED, start)) {
      this.#keep(chunk.subarray(start, end));
      if (this.#bytes > 0) lines.push(this.#take());
      start = end + 1;
    }
    this.#keep(chunk.subarray(start));
    return lines;
  }

  #keep(part: Uint8Array): void {
    if (this.#isCut || part.length === 0) return;
    this.#parts.push(part);
    this.#bytes += part.length;
    if (this.#bytes <= this.#lineBytesMax) return;
    this.#isCut = true;
    this.#parts = [Buffer.concat(this.#parts).subarray(0, CUT_BYTES)];
  }

  #take(): ByteLine {
    const line = { text: Buffer.concat(this.#parts).toString(), isCut: this.#isCut };
    this.#parts = [];
    this.#bytes = 0;
    this.#isCut = false;
    return line;
  }
}
