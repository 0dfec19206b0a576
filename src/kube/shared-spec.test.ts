import assert from 'node:assert/strict';
import { it } from 'node:test';
import { ByteWriter } from '../base/byte-writer.ts';
import { MessageDecoder, type PlainObject } from './message-decoder.ts';
import { SharedSpecs, sharedSpecOf } from './shared-spec.ts';

const MEBIBYTE = 1024 * 1024;

/** A PodSpec with a serviceAccountName of so many bytes. */
function specBytes(letter: string, bytes: number): Uint8Array {
  const writer = new ByteWriter(bytes + 16);
  writer.string(8 * 8 + 2, letter.repeat(bytes));
  return writer.copy();
}

it('specs are shared, and forgotten before they take more than 32 MiB', () => {
  const specs = new SharedSpecs(new MessageDecoder());
  const put = (bytes: Uint8Array): object | undefined => {
    const pod: PlainObject = {};
    specs.put(pod, bytes, 0, bytes.length);
    return sharedSpecOf(pod);
  };
  const small = specBytes('x', 100);
  const first = put(small);
  for (let i = 0; i < 31; i++) put(specBytes(String.fromCharCode(0x41 + i), MEBIBYTE));
  assert.equal(put(small), first);
  put(specBytes('w', MEBIBYTE));
  const second = put(small);
  assert.notEqual(second, first);
  assert.deepEqual(second, first);
});
