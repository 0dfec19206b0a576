import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { MessageFormatError, MessageReader } from './message-reader.ts';

function prefixed(message: Uint8Array): Uint8Array {
  const bytes = Buffer.alloc(5 + message.length);
  bytes.writeUInt32BE(message.length, 1);
  bytes.set(message, 5);
  return bytes;
}

test('messages come out as they went in, however the frames cut them', () => {
  const messages = fc.array(fc.uint8Array({ maxLength: 40 }), { maxLength: 8 });
  fc.assert(
    fc.property(messages, fc.array(fc.integer({ min: 1, max: 17 }), { minLength: 1 }), (sent, cuts) => {
      const bytes = Buffer.concat(sent.map(prefixed));
      const reader = new MessageReader();
      const received: number[][] = [];
      let at = 0;
      for (let i = 0; at < bytes.length; i++) {
        const end = Math.min(bytes.length, at + cuts[i % cuts.length]);
        // A copy that is overwritten: nothing may be kept by reference.
        const frame = Uint8Array.from(bytes.subarray(at, end));
        reader.receive(frame, 0, frame.length, (buffer, start, stop) =>
          received.push([...buffer.subarray(start, stop)]),
        );
        frame.fill(0xdd);
        at = end;
      }
      assert.deepEqual(
        received,
        sent.map((message) => [...message]),
      );
      assert.equal(reader.isBetweenMessages, true);
    }),
  );
});

test('a compressed message is refused', () => {
  const reader = new MessageReader();
  assert.throws(() => reader.receive(Uint8Array.of(1, 0, 0, 0, 0), 0, 5, () => undefined), MessageFormatError);
});

test('an announced length alone takes no memory', () => {
  const reader = new MessageReader();
  reader.receive(Uint8Array.of(0, 0xff, 0xff, 0xff, 0xff, 1), 0, 6, () => assert.fail('no message is complete'));
  assert.equal(reader.isBetweenMessages, false);
});
