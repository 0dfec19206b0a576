import assert from 'node:assert/strict';
import fs from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import { datasync, writeAll } from './disk.ts';
import { FileDisk } from './file-disk.ts';

let folder = '';
const disk = new FileDisk();

beforeEach(() => {
  folder = fs.mkdtempSync(join(tmpdir(), 'k1m-disk-'));
});

afterEach(() => {
  fs.rmSync(folder, { recursive: true, force: true });
});

test('what is written in pieces is read back whole', async () => {
  const file = await disk.open(join(folder, 'a'), 'create');
  const chunks = Array.from({ length: 20 }, (_, index) => Buffer.alloc(index * 1000, index));
  await new Promise<void>((resolve, reject) => {
    file.write(chunks, 5, (error) => (error === undefined ? resolve() : reject(error)));
  });
  await writeAll(file, Buffer.from('first'), 0);
  await datasync(file);
  const expected = Buffer.concat([Buffer.from('first'), ...chunks]);
  assert.equal(await file.size(), expected.length);
  const target = Buffer.alloc(expected.length + 10);
  assert.equal(await file.read(target, 0), expected.length);
  assert.deepEqual(target.subarray(0, expected.length), expected);
  await file.truncate(3);
  assert.equal(await file.read(target, 0), 3);
  await file.close();
});

test('durable writes may run beside each other', async () => {
  const file = await disk.open(join(folder, 'a'), 'create');
  const chunks = Array.from({ length: 8 }, (_, index) => Buffer.alloc(3000, index));
  const writes = chunks.map((chunk, index) => {
    return new Promise<void>((resolve, reject) => {
      file.writeDurable([chunk.subarray(0, 10), chunk.subarray(10)], index * 3000, (error) => {
        if (error === undefined) resolve();
        else reject(error);
      });
    });
  });
  await Promise.all(writes);
  const target = Buffer.alloc(30_000);
  assert.equal(await file.read(target, 0), 24_000);
  assert.deepEqual(target.subarray(0, 24_000), Buffer.concat(chunks));
  await file.close();
});

test('a file is closed once: its descriptors may be those of another file afterwards', async () => {
  const file = await disk.open(join(folder, 'a'), 'create');
  await file.close();
  const others = await Promise.all(['b', 'c', 'd'].map((name) => disk.open(join(folder, name), 'create')));
  await assert.rejects(file.close(), /closed once/);
  for (const other of others) {
    await writeAll(other, Buffer.from('x'), 0);
    await other.close();
  }
});

test('folders are made, listed in order, and files renamed and removed', async () => {
  const inner = join(folder, 'x', 'y', 'z');
  await disk.ensureDirectory(inner);
  await disk.ensureDirectory(inner);
  for (const name of ['b', 'a', 'c']) await (await disk.open(join(inner, name), 'create')).close();
  await disk.rename(join(inner, 'c'), join(inner, 'a'));
  assert.deepEqual(await disk.list(inner), ['a', 'b']);
  await disk.link(join(inner, 'b'), join(inner, 'd'));
  await assert.rejects(disk.link(join(inner, 'b'), join(inner, 'd')), { operation: 'link', code: 'EEXIST' });
  await disk.unlink(join(inner, 'd'));
  await disk.unlink(join(inner, 'a'));
  await disk.syncDirectory(inner);
  assert.deepEqual(await disk.list(inner), ['b']);
  assert.ok((await disk.freeBytes(inner)) > 0);
});

test('errors name the operation, the path and the code', async () => {
  const path = join(folder, 'a');
  await assert.rejects(disk.open(path, 'write'), { name: 'DiskError', operation: 'open', path, code: 'ENOENT' });
  await (await disk.open(path, 'create')).close();
  await assert.rejects(disk.open(path, 'create'), { code: 'EEXIST' });
  const file = await disk.open(path, 'read');
  await assert.rejects(writeAll(file, Buffer.from('x'), 0), { operation: 'write', code: 'EBADF' });
  await file.close();
  await assert.rejects(disk.list(join(folder, 'none')), { operation: 'readdir', code: 'ENOENT' });
});

test('a device without room refuses the write', { skip: !fs.existsSync('/dev/full') }, async () => {
  const file = await disk.open('/dev/full', 'write');
  await assert.rejects(writeAll(file, Buffer.from('x'), 0), { operation: 'write', code: 'ENOSPC' });
  await file.close();
});
