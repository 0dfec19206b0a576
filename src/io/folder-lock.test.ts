import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import { FolderLockedError } from './disk.ts';
import { lockFolder } from './folder-lock.ts';

let folder = '';
const children: ChildProcess[] = [];

beforeEach(() => {
  folder = fs.mkdtempSync(join(tmpdir(), 'k1m-lock-'));
});

afterEach(() => {
  for (const child of children.splice(0)) child.kill('SIGKILL');
  fs.rmSync(folder, { recursive: true, force: true });
});

const CLAIMANT = `
  const { lockFolder } = await import(${JSON.stringify(new URL('./folder-lock.ts', import.meta.url).href)});
  try {
    await lockFolder(process.argv[1]);
    console.log('held');
    setInterval(() => {}, 1000);
  } catch (error) {
    console.log(error.name + ' ' + error.holderPid);
  }`;

/** Starts a process that claims the folder, holds it when it gets it, and says what happened. */
async function claim(): Promise<{ child: ChildProcess; said: string }> {
  const child = spawn(process.execPath, ['--input-type=module', '-e', CLAIMANT, folder], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  children.push(child);
  assert.ok(child.stdout !== null);
  const [chunk] = await once(child.stdout, 'data');
  return { child, said: String(chunk).trim() };
}

async function kill(child: ChildProcess): Promise<void> {
  const exited = once(child, 'exit');
  child.kill('SIGKILL');
  await exited;
}

test('a second process is refused and told who holds the folder', async () => {
  const holder = await claim();
  assert.equal(holder.said, 'held');
  const second = await claim();
  assert.equal(second.said, `FolderLockedError ${holder.child.pid}`);
  await assert.rejects(lockFolder(folder), { holderPid: holder.child.pid, path: folder });
});

test('the folder of a killed holder is free at once, and nothing of it stays', async () => {
  const holder = await claim();
  await kill(holder.child);
  assert.equal(fs.readdirSync(folder).length, 1);
  const lock = await lockFolder(folder);
  assert.equal(fs.readdirSync(folder).length, 1);
  await lock.release();
  assert.deepEqual(fs.readdirSync(folder), []);
});

test('a stopped holder still holds', async () => {
  const holder = await claim();
  holder.child.kill('SIGSTOP');
  await assert.rejects(lockFolder(folder), FolderLockedError);
});

test('of processes that start together one at most gets the folder, and then one does', async () => {
  const stale = await claim();
  await kill(stale.child);
  const claims = await Promise.all([claim(), claim(), claim(), claim()]);
  assert.equal(claims.filter(({ said }) => said === 'held').length, 1);
});

test('within one process too a folder is held once', async () => {
  const lock = await lockFolder(folder);
  await assert.rejects(lockFolder(folder), FolderLockedError);
  await lock.release();
  await (await lockFolder(folder)).release();
});

test('a folder with a long path can be locked', async () => {
  const long = join(folder, 'n'.repeat(120));
  fs.mkdirSync(long);
  const lock = await lockFolder(long);
  assert.equal(fs.readdirSync(long).length, 1);
  await assert.rejects(lockFolder(long), FolderLockedError);
  await lock.release();
  assert.deepEqual(fs.readdirSync(long), []);
});

test('a folder that is not there is an error of the disk', async () => {
  await assert.rejects(lockFolder(join(folder, 'missing')), { name: 'DiskError', code: 'ENOENT' });
});
