// The transcripts of etcd, all in one file: `=== name`, then the case's lines. Written by conformance/compat.ts.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';

export const TRANSCRIPTS_FILE: string = join(import.meta.dirname, 'transcripts.txt');

export function transcriptsText(transcripts: ReadonlyMap<string, string>): string {
  return [...transcripts].map(([name, text]) => `=== ${name}\n${text}`).join('');
}

export function readTranscripts(): Map<string, string> {
  const parts = readFileSync(TRANSCRIPTS_FILE, 'utf8').split(/^=== /m).slice(1);
  return new Map(
    parts.map((part) => {
      const end = part.indexOf('\n');
      return [part.slice(0, end), part.slice(end + 1)];
    }),
  );
}
