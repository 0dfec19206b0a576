/**
 * Plays the cases of `tests/compat`, and random requests, on a real etcd and on k1m.
 *
 *   node conformance/compat.ts                    the cases on both; what differs
 *   node conformance/compat.ts --record           etcd's transcripts become what `npm test` expects of k1m
 *   node conformance/compat.ts --runs 50 --seed 1 random requests on both, compared field by field
 *   --case TEXT   only the cases whose names hold it
 *
 * Exits with 0 when nothing differs, 1 when something does.
 */
import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { CASES, play } from '../tests/compat/cases.ts';
import { RemoteSubject } from '../tests/compat/server-fixture.ts';
import { TRANSCRIPTS_FILE, transcriptsText } from '../tests/compat/transcript-file.ts';
import { compareRandomly } from './compat/differential.ts';
import { Children } from './lab/child.ts';
import { requirePeers } from './lab/peer-path.ts';
import { startSubject } from './lab/subject.ts';
import { diffLines } from './lab/text-diff.ts';

const { values } = parseArgs({
  options: {
    record: { type: 'boolean', default: false },
    case: { type: 'string', default: '' },
    runs: { type: 'string', default: '0' },
    seed: { type: 'string', default: '1' },
  },
});

async function main(): Promise<number> {
  requirePeers(['etcd']);
  const folder = mkdtempSync(join(tmpdir(), 'k1m-compat-'));
  const children = new Children(folder);
  const subjects: RemoteSubject[] = [];
  try {
    for (const name of values.record ? (['etcd'] as const) : (['etcd', 'k1m'] as const)) {
      subjects.push(new RemoteSubject((await startSubject(name, children, folder)).endpoint));
    }
    const [etcd, k1m] = subjects;
    const runs = Number(values.runs);
    if (runs > 0) return await compareRandomly(etcd, k1m, { runs, seed: Number(values.seed) });
    const transcripts = new Map<string, string>();
    let differ = 0;
    const chosen = CASES.filter(({ name }) => name.includes(values.case));
    for (const one of chosen) {
      const [expected, actual] = await Promise.all(subjects.map((subject) => play(one, subject)));
      transcripts.set(one.name, expected);
      const lines = values.record ? [] : diffLines(expected, actual);
      if (lines.length === 0) continue;
      differ++;
      process.stdout.write(`${one.name}\n${lines.map((line) => `  ${line}\n`).join('')}`);
    }
    if (values.record) writeFileSync(TRANSCRIPTS_FILE, transcriptsText(transcripts));
    process.stdout.write(`${chosen.length} cases, ${differ} different\n`);
    return differ === 0 ? 0 : 1;
  } finally {
    for (const subject of subjects) await subject.close();
    await children.endAll([]);
  }
}

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, () => process.exit(1));
try {
  process.exitCode = await main();
} catch (error) {
  process.stderr.write(`${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`);
  process.exitCode = 1;
}
