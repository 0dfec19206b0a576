// Collects a field section that comes in several frames: HEADERS without END_HEADERS, then CONTINUATION
// (RFC 9113 §4.3, §6.10). Bounded in bytes and in frames.

import { ConnectionError, ENHANCE_YOUR_CALM } from './error-code.ts';

export class HeaderAssembly {
  readonly #bytesMax: number;
  readonly #framesMax: number;
  /** The stream whose section is incomplete; 0 when there is none. */
  id = 0;
  endStream = false;
  /** The HEADERS frame named its own stream as its parent. */
  dependsOnItself = false;
  #frameCount = 0;
  #bytes: Uint8Array = new Uint8Array(0);
  #length = 0;

  constructor(bytesMax: number, framesMax: number) {
    this.#bytesMax = bytesMax;
    this.#framesMax = framesMax;
  }

  open(id: number, endStream: boolean, dependsOnItself: boolean): void {
    this.id = id;
    this.endStream = endStream;
    this.dependsOnItself = dependsOnItself;
    this.#frameCount = 0;
    this.#length = 0;
  }

  /** Throws ConnectionError above a limit. */
  add(buffer: Uint8Array, start: number, end: number): void {
    const length = this.#length + end - start;
    if (length > this.#bytesMax)
      throw new ConnectionError(ENHANCE_YOUR_CALM, `a field section above ${this.#bytesMax} bytes`);
    if (this.#frameCount > this.#framesMax)
      throw new ConnectionError(ENHANCE_YOUR_CALM, 'too many CONTINUATION frames');
    this.#frameCount++;
    if (length > this.#bytes.length) {
      const grown = Buffer.allocUnsafeSlow(length * 2);
      grown.set(this.#bytes.subarray(0, this.#length));
      this.#bytes = grown;
    }
    this.#bytes.set(buffer.subarray(start, end), this.#length);
    this.#length = length;
  }

  /** The whole section; the assembly is empty afterwards. */
  take(): Uint8Array {
    const section = this.#bytes.subarray(0, this.#length);
    this.#bytes = new Uint8Array(0);
    this.#length = 0;
    this.id = 0;
    return section;
  }
}
