import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isLoopback, parseEndpoint } from './endpoint.ts';
import { prefixEnd } from './key-range.ts';
import { timeoutField } from './request-fields.ts';

test('endpoints have a host, a port and the authority of requests', () => {
  assert.deepEqual(parseEndpoint('http://127.0.0.1:2379'), {
    host: '127.0.0.1',
    port: 2379,
    authority: '127.0.0.1:2379',
  });
  assert.deepEqual(parseEndpoint('etcd.example'), { host: 'etcd.example', port: 2379, authority: 'etcd.example:2379' });
  assert.deepEqual(parseEndpoint('http://[::1]:80'), { host: '::1', port: 80, authority: '[::1]:80' });
});

test('what is no plain endpoint is refused', () => {
  for (const text of ['https://127.0.0.1:2379', 'unix:///tmp/x', 'http://', 'http://a:99999']) {
    assert.throws(() => parseEndpoint(text), RangeError, text);
  }
});

test('loopback is known by name and by address', () => {
  const isLocal = (text: string): boolean => isLoopback(parseEndpoint(text));
  assert.deepEqual(['localhost', '127.3.2.1', '[::1]'].map(isLocal), [true, true, true]);
  assert.deepEqual(['10.0.0.1', '127.0.0.1.example', 'localhost.example'].map(isLocal), [false, false, false]);
});

test('the end of a prefix is its last byte plus one, or the end of all keys', () => {
  assert.deepEqual([...prefixEnd(Uint8Array.of(1, 2))], [1, 3]);
  assert.deepEqual([...prefixEnd(Uint8Array.of(1, 0xff, 0xff))], [2]);
  assert.deepEqual([...prefixEnd(Uint8Array.of(0xff))], [0]);
});

test('timeouts have at most eight digits', () => {
  assert.equal(timeoutField(5000).value, '5000m');
  assert.equal(timeoutField(0.2).value, '1m');
  assert.equal(timeoutField(100_000_000).value, '100000S');
});
