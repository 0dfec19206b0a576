import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { it } from 'node:test';
import { openPrefault } from './prefault.ts';

const BYTES = 64 << 20;

it('memory has its pages and is as empty as before', { skip: !existsSync('/dev/zero') && 'no /dev/zero' }, async () => {
  const prefault = openPrefault();
  assert.ok(prefault !== undefined);
  const memory = new SharedArrayBuffer(BYTES);
  const before = process.memoryUsage.rss();
  await new Promise<void>((resolve) => prefault(memory, resolve));
  assert.ok(process.memoryUsage.rss() - before > BYTES / 2);
  const words = new Uint32Array(memory);
  assert.equal(
    words.findIndex((word) => word !== 0),
    -1,
  );
});
