import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect } from 'node:net';
import { test } from 'node:test';
import type { ByteStream } from './network.ts';
import { TcpNetwork } from './tcp-network.ts';

const HOST = '127.0.0.1';
/** More than the kernel keeps for a reader that rests. */
const WRITTEN_BYTES = 64 << 20;

test('bufferedBytes falls while a large write is under way, and counts what waits behind it', async (context) => {
  const accepted = Promise.withResolvers<ByteStream>();
  const listener = await new TcpNetwork().listen({ host: HOST, port: 0 }, accepted.resolve);
  const peer = connect(listener.port, HOST);
  context.after(() => listener.close());
  context.after(() => peer.destroy());
  const stream = await accepted.promise;
  const drained = Promise.withResolvers<void>();
  stream.start({ onData: () => {}, onDrain: drained.resolve, onEnd: () => {}, onClose: () => {} });
  assert.equal(stream.bufferedBytes, 0);
  stream.write(new Uint8Array(WRITTEN_BYTES));
  const before = stream.bufferedBytes;
  assert.ok(before > 0 && before < WRITTEN_BYTES, `${before}`);
  stream.writeAll([new Uint8Array(300), new Uint8Array(700)]);
  assert.equal(stream.bufferedBytes, before + 1_000);
  let left = WRITTEN_BYTES / 2;
  while (left > 0) {
    const [chunk] = (await once(peer, 'data')) as [Buffer];
    left -= chunk.length;
  }
  const between = stream.bufferedBytes;
  assert.ok(between > 1_000 && between <= before + 1_000 - (1 << 20), `${between} of ${before}`);
  peer.resume();
  await drained.promise;
  assert.equal(stream.bufferedBytes, 0);
});
