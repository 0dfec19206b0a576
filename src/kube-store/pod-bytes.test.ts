import assert from 'node:assert/strict';
import { test } from 'node:test';
import { KvView } from '../client/kv-view.ts';
import { PodBytes } from './pod-bytes.ts';

function viewOf(text: string, modRevision = 7): KvView {
  const kv = new KvView();
  kv.bytes = Buffer.from(`key ${text} behind`);
  kv.valueStart = 4;
  kv.valueEnd = 4 + text.length;
  kv.modRevision = modRevision;
  return kv;
}

function keptOf(bytes: PodBytes, slot: number): string | undefined {
  const kept = bytes.get(slot);
  return kept === undefined ? undefined : `${Buffer.from(kept.value)} ${kept.mod_revision}`;
}

test('bytes are kept until the pod is on a node or gone, whatever becomes of where they came in', () => {
  const bytes = new PodBytes();
  const view = viewOf('one');
  bytes.keep(3, view, undefined);
  view.bytes.fill(0);
  assert.equal(keptOf(bytes, 3), 'one 7');
  assert.equal(keptOf(bytes, 0), undefined);
  assert.equal(keptOf(bytes, -1), undefined);
  bytes.keep(3, viewOf('two', 8), undefined);
  assert.equal(keptOf(bytes, 3), 'two 8');
  bytes.drop(3);
  assert.equal(keptOf(bytes, 3), undefined);
});

test('beyond the limit pods are not kept, until others have left', () => {
  const bytes = new PodBytes();
  const view = viewOf('x'.repeat(1024 * 1024));
  for (let slot = 0; slot < 300; slot++) bytes.keep(slot, view, undefined);
  assert.notEqual(bytes.get(254), undefined);
  assert.equal(bytes.get(256), undefined);
  bytes.drop(0);
  bytes.keep(256, view, undefined);
  assert.notEqual(bytes.get(256), undefined);
});

test('a binding is known by its bytes, once, and by nothing after its pod is gone', () => {
  const bytes = new PodBytes();
  const sent = { value: Buffer.from('bound'), uid: 'u', nodeName: 'node-1' };
  bytes.send(1, sent);
  assert.equal(bytes.takeSent(1, viewOf('bound')), sent);
  assert.equal(bytes.takeSent(1, viewOf('bound')), undefined);
  bytes.send(1, sent);
  // Somebody else has written the pod.
  assert.equal(bytes.takeSent(1, viewOf('other')), undefined);
  assert.equal(bytes.takeSent(1, viewOf('bound')), undefined);
  bytes.send(1, sent);
  bytes.unsend(1, { ...sent });
  assert.equal(bytes.takeSent(1, viewOf('bound')), sent);
  bytes.send(1, sent);
  bytes.unsend(1, sent);
  assert.equal(bytes.takeSent(1, viewOf('bound')), undefined);
  bytes.send(1, sent);
  bytes.forget(1);
  assert.equal(bytes.takeSent(1, viewOf('bound')), undefined);
});
