import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { readTextFile } from './text-file.ts';

describe('a text file', () => {
  const folder = mkdtempSync(join(tmpdir(), 'k1m-text-file-'));
  after(() => rmSync(folder, { recursive: true }));

  it('is read, or is not there', () => {
    writeFileSync(join(folder, 'a'), 'text');
    assert.equal(readTextFile(join(folder, 'a')), 'text');
    assert.equal(readTextFile(join(folder, 'b')), undefined);
    assert.equal(readTextFile(join(folder, 'a', 'b')), undefined);
  });

  it('that cannot be read is named', () => {
    assert.throws(() => readTextFile(folder), { code: 'EISDIR', message: new RegExp(`'${folder}'$`) });
  });
});
