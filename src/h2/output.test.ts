import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Output } from './output.ts';

const SLAB_BYTES_MAX = 128 * 1024;

function write(output: Output, bytes: number, fill: number): void {
  output.reserve(bytes);
  output.buffer.fill(fill, output.position, output.position + bytes);
  output.position += bytes;
}

test('what was taken is not written again before the transport has it', () => {
  const output = new Output();
  const taken: Uint8Array[] = [];
  for (let i = 1; i <= 200; i++) {
    write(output, 5000, i);
    taken.push(...output.take());
  }
  assert.equal(Buffer.concat(taken).length, 1_000_000);
  let at = 0;
  for (const byte of Buffer.concat(taken)) assert.equal(byte, Math.floor(at++ / 5000) + 1);
});

test('memory is used again once the transport holds nothing', () => {
  const output = new Output();
  const memory = new Set<ArrayBufferLike>();
  for (let round = 0; round < 50; round++) {
    for (let i = 0; i < 4; i++) write(output, 100_000, round);
    for (const chunk of output.take()) if (chunk.length > 0) memory.add(chunk.buffer);
    output.recycle();
  }
  assert.ok(memory.size <= 8, `${memory.size} slabs`);
});

test('memory is not used again while something in it was not taken', () => {
  const output = new Output();
  write(output, 1000, 1);
  output.recycle();
  write(output, 1000, 2);
  assert.deepEqual([...new Set(Buffer.concat(output.take()))], [1, 2]);
});

test('what is larger than a slab gets memory of its own, which is not kept', () => {
  const output = new Output();
  write(output, SLAB_BYTES_MAX * 2, 1);
  const [large] = output.take();
  output.recycle();
  write(output, SLAB_BYTES_MAX * 2 + 1, 2);
  assert.equal(large[0], 1);
  output.take();
  output.recycle();
  output.release();
  assert.equal(output.buffer.length, 0);
});
