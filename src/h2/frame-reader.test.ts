import assert from 'node:assert/strict';
import { it } from 'node:test';
import { DATA, FRAME_HEADER_BYTES } from './frame.ts';
import { FrameReader } from './frame-reader.ts';

const PAYLOAD_BYTES = 16_000;

/** Receives one frame in two chunks; the memory it was handed on from. */
function receiveCut(reader: FrameReader, memory: readonly Uint8Array[]): Uint8Array {
  const frame = Buffer.alloc(FRAME_HEADER_BYTES + PAYLOAD_BYTES);
  frame.writeUIntBE(PAYLOAD_BYTES, 0, 3);
  frame[3] = DATA;
  frame[8] = 1;
  reader.receive(frame.subarray(0, 100));
  reader.receive(frame.subarray(100));
  return memory[memory.length - 1];
}

it('frames that are cut off share memory, which is given back when none was for a while', () => {
  const memory: Uint8Array[] = [];
  const sink = {
    isStopped: false,
    onFrame: (_type: number, _flags: number, _id: number, buffer: Uint8Array): void => void memory.push(buffer),
    onBatchEnd: (): void => {},
  };
  const reader = new FrameReader(sink, PAYLOAD_BYTES, false);
  const first = receiveCut(reader, memory);
  reader.release();
  assert.equal(receiveCut(reader, memory), first);
  reader.release();
  assert.equal(receiveCut(reader, memory), first);
  reader.release();
  reader.release();
  assert.notEqual(receiveCut(reader, memory), first);
});

it('what there is of a frame outlasts any time', () => {
  const payloads: Buffer[] = [];
  const sink = {
    isStopped: false,
    onFrame: (_type: number, _flags: number, _id: number, buffer: Uint8Array, start: number, end: number): void =>
      void payloads.push(Buffer.from(buffer.subarray(start, end))),
    onBatchEnd: (): void => {},
  };
  const reader = new FrameReader(sink, PAYLOAD_BYTES, false);
  const frame = Buffer.alloc(FRAME_HEADER_BYTES + PAYLOAD_BYTES, 7);
  frame.writeUIntBE(PAYLOAD_BYTES, 0, 3);
  reader.receive(frame.subarray(0, 5_000));
  reader.release();
  reader.release();
  reader.receive(frame.subarray(5_000));
  assert.deepEqual(payloads, [frame.subarray(FRAME_HEADER_BYTES)]);
});
