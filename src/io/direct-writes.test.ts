import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { pageAligned } from './direct-writes.ts';
import { writeDurable } from './disk.ts';
import { FileDisk } from './file-disk.ts';

// Where the file system of temporary files takes no direct writes this covers that it says so.
describe('direct writes', () => {
  let folder: string;
  before(() => {
    folder = mkdtempSync(join(tmpdir(), 'k1m-direct-'));
  });
  after(() => rmSync(folder, { recursive: true }));

  it('are taken at multiples of the block that was found, and of no less', async (context) => {
    const disk = new FileDisk();
    const block = await disk.directBlock(join(folder, 'trial'));
    assert.equal(existsSync(join(folder, 'trial')), false, 'nothing is left of the trial');
    context.diagnostic(`block ${block}`);
    assert.ok(block === 0 || block === 512 || block === 4096);
    if (block === 0) return;
    const path = join(folder, 'file');
    const file = await disk.open(path, 'create', true);
    const memory = pageAligned(3 * block);
    assert.ok(memory !== undefined);
    memory
      .fill(1, 0, block)
      .fill(2, block, 2 * block)
      .fill(3, 2 * block);
    await writeDurable(file, memory.subarray(0, 2 * block), 0);
    await new Promise<void>((resolve, reject) => {
      const chunks = [memory.subarray(2 * block), memory.subarray(0, block)];
      file.writeDurable(chunks, block, (error) => (error === undefined ? resolve() : reject(error)));
    });
    const expected = Buffer.concat([1, 3, 1].map((byte) => Buffer.alloc(block, byte)));
    assert.deepEqual(readFileSync(path), expected, 'past the page cache, and seen through it');
    await assert.rejects(writeDurable(file, memory.subarray(0, block), 8), { code: 'EINVAL' });
    await assert.rejects(writeDurable(file, memory.subarray(0, 8), 0), { code: 'EINVAL' });
    assert.deepEqual(readFileSync(path), expected);
    await file.close();
  });

  it('are none where a file stands in the way, which stays, or no file can be made', async () => {
    const disk = new FileDisk();
    assert.equal(await disk.directBlock(join(folder, 'missing', 'trial')), 0);
    writeFileSync(join(folder, 'mine'), 'mine');
    assert.equal(await disk.directBlock(join(folder, 'mine')), 0);
    assert.equal(statSync(join(folder, 'mine')).size, 4);
  });

  it('have memory that begins at a page', () => {
    const memory = pageAligned(100_000);
    assert.equal(memory?.length, 100_000);
    assert.equal(memory?.byteOffset, 0);
    assert.equal(pageAligned(2 ** 50), undefined);
  });
});
