import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { DAMAGES, judgeRot, type RotLog, type RotStory, type Structure, writeRotLog } from './rot.ts';

/** Puts a state of the files on the disk: those that are named, and no others. */
function place({ fixture, files }: RotLog, changed: ReadonlyMap<string, Uint8Array | undefined>): void {
  for (const path of fixture.disk.snapshot().keys()) fixture.disk.remove(path);
  for (const { path, bytes } of files) fixture.disk.place(path, bytes);
  for (const [path, bytes] of changed) {
    if (bytes === undefined) fixture.disk.remove(path);
    else fixture.disk.place(path, bytes);
  }
}

/** Whether nothing is left in the last file, where readers look for it, that tells of what was damaged. */
function hasNoWitness(damage: string, { start, end }: Structure, structures: readonly Structure[]): boolean {
  if (damage.startsWith('cut off')) return true;
  // What is behind is no more at a multiple of 8 bytes.
  if (damage === 'repeated' || damage === 'left out') return (end - start) % 8 !== 0;
  // The last sector, to the end.
  const logEnd = structures[structures.length - 1].end;
  return damage.includes('sector') && start >= Math.floor(logEnd / 512) * 512 - 512;
}

const STORIES: readonly RotStory[] = ['new files', 'files used again', 'direct writes'];

describe('damage at rest is refused and nothing is changed, where writes would be lost:', () => {
  const cases = Object.entries(DAMAGES).flatMap(([name, damage]) => STORIES.map((story) => ({ name, damage, story })));
  for (const { name, damage, story } of cases) {
    it(`each structure of each file ${name}, ${story}`, async (context) => {
      const log = await writeRotLog(story);
      const lastBatches = log.files.at(-1)?.structures.filter((structure) => structure.name === 'batch').length ?? 0;
      assert.ok(log.files.length >= 3 && lastBatches >= 3, `${log.files.length} files, ${lastBatches} batches`);
      const verdicts = { refused: 0, cut: 0, whole: 0 };
      for (const { path, bytes, structures } of log.files) {
        for (const structure of structures) {
          const damaged = damage(bytes, structure);
          if (damaged === undefined) continue;
          place(log, new Map([[path, damaged]]));
          const where = `${structure.name} of ${path} at ${structure.start}`;
          const verdict = await judgeRot(log).catch((error: unknown) => assert.fail(`${where}: ${String(error)}`));
          verdicts[verdict]++;
          const isLast = path === log.files.at(-1)?.path;
          if (verdict === 'cut') assert.ok(isLast && hasNoWitness(name, structure, structures), `${where}: ${verdict}`);
        }
      }
      context.diagnostic(`${verdicts.refused} refused, ${verdicts.whole} without loss, ${verdicts.cut} cut`);
    });
  }

  it('files missing, exchanged, doubled, or of another time', async () => {
    const log = await writeRotLog('new files');
    const [first, second, third] = log.files;
    const last = log.files[log.files.length - 1];
    const extra = first.path.replace(/[0-9a-f]{16}\.wal/, '00000000000000ff.wal');
    const other = await writeRotLog('new files');
    const cases: Record<string, [string, Uint8Array | undefined][]> = {
      'the first missing': [[first.path, undefined]],
      'one in the middle missing': [[second.path, undefined]],
      'two exchanged': [
        [second.path, third.bytes],
        [third.path, second.bytes],
      ],
      'one twice': [[third.path, second.bytes]],
      'one under another name too': [[extra, second.bytes]],
      'one empty': [[second.path, new Uint8Array(0)]],
      'the last empty': [[last.path, new Uint8Array(0)]],
      'one all zeros': [[second.path, new Uint8Array(second.bytes.length)]],
      'one of an earlier time': [[second.path, second.bytes.slice(0, second.bytes.length >> 1)]],
    };
    for (const [name, changes] of Object.entries(cases)) {
      place(log, new Map(changes));
      assert.equal(await judgeRot(log), 'refused', name);
    }
    place(log, new Map(other.files.map(({ path, bytes }) => [path, bytes])));
    assert.equal(await judgeRot(log), 'whole');
  });

  it('the last file missing: the log is whole without it, and that cannot be told', async () => {
    const log = await writeRotLog('new files');
    const last = log.files[log.files.length - 1];
    place(log, new Map([[last.path, undefined]]));
    assert.equal(await judgeRot(log), 'cut');
  });
});
