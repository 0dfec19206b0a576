// Small text files that a user wrote: configuration, tokens; and what a user pipes in.

import { readFileSync } from 'node:fs';

const STANDARD_INPUT = 0;

/** All of it. A path like /dev/stdin would not do: what is a socket cannot be opened by one. */
export function readStandardInput(): string {
  return readFileSync(STANDARD_INPUT, 'utf8');
}

/** Undefined when there is no such file. Throws the operating system's error otherwise, with the path in it. */
export function readTextFile(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    if (!(error instanceof Error && 'code' in error)) throw error;
    if (error.code === 'ENOENT' || error.code === 'ENOTDIR') return undefined;
    // What fails after the opening names no file.
    if (!error.message.includes(path)) error.message += ` '${path}'`;
    throw error;
  }
}
