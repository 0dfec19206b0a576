// Files that a flag names, and that have to be there.

import { readTextFile } from '../io/text-file.ts';
import { UsageError } from './flag-values.ts';

/** Throws UsageError, in the words of the Kubernetes programs, where there is none; `command`: whose flag names it. */
export function readNamedFile(path: string, command: string): string {
  const text = readTextFile(path);
  if (text === undefined) throw new UsageError(`open ${path}: no such file or directory`, command);
  return text;
}
