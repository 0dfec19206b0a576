// Cuts the DATA of a call into gRPC messages: a flag byte, four bytes of length, the message.
//
// A message that lies whole in a frame is given out where it lies. Of one that does not, the pieces are gathered in a
// buffer that grows with what has really arrived, so that a length alone makes nobody allocate. The buffer is used again for
// the next message, up to KEPT_BYTES_MAX, and by the next reader of a connection (SpareBuffer).

import { copyBytes, EMPTY_BYTES } from '../base/bytes.ts';

const PREFIX_BYTES = 5;
const GATHER_BYTES_MIN = 1024;
const KEPT_BYTES_MAX: number = 8 << 20;

export type MessageSink = (buffer: Uint8Array, start: number, end: number) => void;

/** The peer sent a message that we did not offer to take. */
export class MessageFormatError extends Error {
  override readonly name = 'MessageFormatError';
}

/** What one reader has done with, and the next one begins with. Limit: one buffer of KEPT_BYTES_MAX. */
export class SpareBuffer {
  #buffer: Uint8Array = EMPTY_BYTES;

  take(): Uint8Array {
    const buffer = this.#buffer;
    this.#buffer = EMPTY_BYTES;
    return buffer;
  }

  /** Nobody else may hold on to it. */
  give(buffer: Uint8Array): void {
    if (buffer.length > this.#buffer.length && buffer.length <= KEPT_BYTES_MAX) this.#buffer = buffer;
  }
}

export class MessageReader {
  readonly #spare: SpareBuffer | undefined;
  /** Prefix and body of the message that is incomplete; `#bytes` of it are there. */
  #gathered: Uint8Array = EMPTY_BYTES;
  #bytes = 0;

  constructor(spare?: SpareBuffer) {
    this.#spare = spare;
  }

  /** Nothing more is received. */
  release(): void {
    this.#spare?.give(this.#gathered);
    this.#gathered = EMPTY_BYTES;
    this.#bytes = 0;
  }

  /** Whether the stream may end here: no message is incomplete. */
  get isBetweenMessages(): boolean {
    return this.#bytes === 0;
  }

  /** What is still to come of the message that is incomplete; 0 while its length is not known. */
  get missingBytes(): number {
    if (this.#bytes < PREFIX_BYTES) return 0;
    return PREFIX_BYTES + messageLength(this.#gathered, 0) - this.#bytes;
  }

  /** Calls `sink` for each message that is complete. The bytes are valid during the call. Throws MessageFormatError. */
  receive(buffer: Uint8Array, start: number, end: number, sink: MessageSink): void {
    let at = start;
    while (at < end) {
      if (this.#bytes === 0 && end - at >= PREFIX_BYTES) {
        const messageEnd = at + PREFIX_BYTES + messageLength(buffer, at);
        if (messageEnd <= end) {
          sink(buffer, at + PREFIX_BYTES, messageEnd);
          at = messageEnd;
          continue;
        }
      }
      at = this.#gather(buffer, at, end, sink);
    }
  }

  #gather(buffer: Uint8Array, start: number, end: number, sink: MessageSink): number {
    const hasPrefix = this.#bytes >= PREFIX_BYTES;
    const wantedBytes = hasPrefix ? PREFIX_BYTES + messageLength(this.#gathered, 0) : PREFIX_BYTES;
    const takenBytes = Math.min(end - start, wantedBytes - this.#bytes);
    this.#grow(this.#bytes + takenBytes);
    copyBytes(this.#gathered, this.#bytes, buffer, start, start + takenBytes);
    this.#bytes += takenBytes;
    const isComplete = this.#bytes === wantedBytes && (hasPrefix || messageLength(this.#gathered, 0) === 0);
    if (isComplete) {
      const message = this.#gathered;
      this.#bytes = 0;
      if (message.length > KEPT_BYTES_MAX) this.#gathered = EMPTY_BYTES;
      sink(message, PREFIX_BYTES, wantedBytes);
    }
    return start + takenBytes;
  }

  #grow(bytes: number): void {
    if (this.#gathered.length === 0) this.#gathered = this.#spare?.take() ?? EMPTY_BYTES;
    if (bytes <= this.#gathered.length) return;
    const grown = Buffer.allocUnsafeSlow(Math.max(bytes, this.#gathered.length * 2, GATHER_BYTES_MIN));
    copyBytes(grown, 0, this.#gathered, 0, this.#bytes);
    this.#gathered = grown;
  }
}

function messageLength(buffer: Uint8Array, at: number): number {
  if (buffer[at] !== 0) throw new MessageFormatError(`message with flags ${buffer[at]}`);
  return buffer[at + 1] * 0x100_0000 + (buffer[at + 2] << 16) + (buffer[at + 3] << 8) + buffer[at + 4];
}
