import assert from 'node:assert/strict';
import { it } from 'node:test';
import { PodAddresses } from './pod-addresses.ts';

it('addresses of pods go on behind those that are there, begin anew after the last, and then go on whatever is seen', () => {
  const addresses = new PodAddresses();
  assert.deepEqual([addresses.take(), addresses.take()], ['10.0.0.1', '10.0.0.2']);
  for (const seen of ['', '192.168.0.9', '10.0.0.254', '10.0.0.7']) addresses.observe(seen);
  assert.equal(addresses.take(), '10.0.1.1');
  addresses.observe('10.99.255.253');
  assert.deepEqual([addresses.take(), addresses.take()], ['10.99.255.254', '10.0.0.1']);
  addresses.observe('10.99.255.253');
  assert.equal(addresses.take(), '10.0.0.2');
  const others = new PodAddresses();
  others.observe('10.99.255.254');
  assert.equal(others.take(), '10.0.0.1');
});
