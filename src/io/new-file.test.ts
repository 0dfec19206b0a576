import assert from 'node:assert/strict';
import fs from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import { datasync, writeAll } from './disk.ts';
import { FileDisk } from './file-disk.ts';
import { NewFile } from './new-file.ts';

let folder = '';
const disk = new FileDisk();

beforeEach(() => {
  folder = fs.mkdtempSync(join(tmpdir(), 'k1m-new-file-'));
});

afterEach(() => {
  fs.rmSync(folder, { recursive: true, force: true });
});

async function make(): Promise<NewFile> {
  const made = await NewFile.create(disk, join(folder, 'a.part'));
  await writeAll(made.file, Buffer.from('whole'), 0);
  await datasync(made.file);
  return made;
}

test('a file has its name only when it is published', async () => {
  const made = await make();
  assert.deepEqual(fs.readdirSync(folder), ['a.part']);
  await made.publish(join(folder, 'a'));
  await made.discard();
  assert.deepEqual(fs.readdirSync(folder), ['a']);
  assert.equal(fs.readFileSync(join(folder, 'a'), 'utf8'), 'whole');
});

test('after a publication that failed it goes, and what was opened meanwhile stays open', async () => {
  const made = await make();
  await assert.rejects(made.publish(join(folder, 'missing', 'a')), { code: 'ENOENT' });
  const others = await Promise.all(['b', 'c', 'd'].map((name) => disk.open(join(folder, name), 'create')));
  await made.discard();
  for (const other of others) {
    await writeAll(other, Buffer.from('x'), 0);
    await other.close();
  }
  assert.deepEqual(fs.readdirSync(folder), ['b', 'c', 'd']);
});
