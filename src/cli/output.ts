// Long output on standard output: in pieces, no faster than the reader takes them, and ended without a complaint when the reader
// has had enough (EPIPE, as by `| head`).

import type { Writable } from 'node:stream';
import { type Command, Option } from 'commander';

const PIECE_CHARACTERS = 1 << 16;

/** The reader has gone: there is nobody to write for. */
export class OutputClosedError extends Error {
  override readonly name = 'OutputClosedError';
}

export class Output {
  readonly #stream: Writable;
  #text = '';
  #error: Error | undefined;

  constructor(stream: Writable = process.stdout) {
    this.#stream = stream;
    stream.on('error', (error: Error & { code?: string }) => {
      this.#error = error.code === 'EPIPE' ? new OutputClosedError('the reader has gone') : error;
    });
  }

  /** A promise when there is something to wait for first. Rejects with OutputClosedError. */
  write(text: string): Promise<void> | undefined {
    this.#text += text;
    return this.#text.length < PIECE_CHARACTERS ? undefined : this.flush();
  }

  async flush(): Promise<void> {
    const text = this.#text;
    this.#text = '';
    if (text !== '' && this.#error === undefined) {
      await new Promise<void>((resolve) => {
        this.#stream.write(text, () => resolve());
      });
    }
    if (this.#error !== undefined) throw this.#error;
  }
}

/** Runs `work`; a reader that goes away ends it early, and well. */
export async function withOutput(work: (output: Output) => Promise<void>): Promise<void> {
  const output = new Output();
  try {
    await work(output);
    await output.flush();
  } catch (error) {
    if (!(error instanceof OutputClosedError)) throw error;
  }
}

/** How a command prints: for people or for programs. */
export interface FormatFlags {
  readonly writeOut: 'simple' | 'json';
  readonly json: boolean;
}

export function addFormatOptions(command: Command): Command {
  return command
    .addOption(new Option('-w, --write-out <format>', 'how').choices(['simple', 'json']).default('simple'))
    .option('--json', 'as -w json', false);
}

export function isJson({ writeOut, json }: FormatFlags): boolean {
  return json || writeOut === 'json';
}
