// Small text files that a user wrote: configuration, tokens.

import { readFileSync } from 'node:fs';

/** Undefined when there is no such file. Throws the operating system's error otherwise. */
export function readTextFile(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    if (error instanceof Error && 'code' in error && (error.code === 'ENOENT' || error.code === 'ENOTDIR'))
      return undefined;
    throw error;
  }
}
