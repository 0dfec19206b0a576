// What a check reports: a file, a line (0: the file as a whole) and one sentence.

export interface Finding {
  readonly file: string;
  readonly line: number;
  readonly text: string;
}

/** The line, from 1, in which `offset` lies. */
export function lineAt(text: string, offset: number): number {
  let line = 1;
  for (let i = 0; i < offset; i++) if (text.charCodeAt(i) === 10) line++;
  return line;
}
