// The body of a list or a watch, cut into objects as it arrives: in JSON here, in protobuf in `protobuf-stream.ts`. Which of the two came says the
// content type of the answer, whatever was asked for.

import { ByteLines } from './byte-lines.ts';
import type { JsonObject } from './kube-api.ts';
import { ListScanner } from './list-scanner.ts';
import { guessKey, isObject } from './object-head.ts';
import { parseObject } from './outcome.ts';

/** Where an object's own message lies in bytes. */
export interface MessageRange {
  readonly bytes: Buffer;
  readonly start: number;
  readonly end: number;
}

/** An object of a list. It is to be used before the next chunk is pushed, and while the last one lasts. */
export interface ListPiece {
  /** Undefined for what cannot be read. It may be read now. */
  readonly object: JsonObject | undefined;
  /** Of an object in protobuf. */
  readonly message?: MessageRange;
  /** Which one it seems to be, for a log, where it is none that can be used. */
  readonly guess: () => string;
  /** It was longer than is allowed. */
  readonly isCut: boolean;
}

/** An event of a watch. */
export interface WatchPiece extends ListPiece {
  readonly type: unknown;
}

export interface ListStream {
  /** What ends in this chunk. Throws ListError where the list is none. */
  push(chunk: Uint8Array): ListPiece[];
  /** The list without its items. Throws ListError when it ended early. */
  end(): JsonObject;
}

export interface WatchStream {
  /** What ends in this chunk. Throws ListError where nothing after it can be read. */
  push(chunk: Uint8Array): WatchPiece[];
}

export class JsonList implements ListStream {
  readonly #scanner: ListScanner;

  constructor(objectBytesMax: number) {
    this.#scanner = new ListScanner(objectBytesMax);
  }

  push(chunk: Uint8Array): ListPiece[] {
    return this.#scanner.push(Buffer.from(chunk)).map(({ text, isCut }) => {
      const object = isCut ? undefined : parseObject(text);
      return { object, guess: () => guessKey(text), isCut };
    });
  }

  end(): JsonObject {
    return this.#scanner.end();
  }
}

export class JsonWatch implements WatchStream {
  readonly #lines: ByteLines;

  constructor(objectBytesMax: number) {
    this.#lines = new ByteLines(objectBytesMax);
  }

  push(chunk: Uint8Array): WatchPiece[] {
    return this.#lines.push(Buffer.from(chunk)).map(({ text, isCut }) => {
      const event = isCut ? undefined : parseObject(text);
      const object = event !== undefined && isObject(event.object) ? event.object : undefined;
      return { type: event?.type, object, guess: () => guessKey(text), isCut };
    });
  }
}
