import assert from 'node:assert/strict';
import { it } from 'node:test';
import { CLASS_BUFFERED, CLASS_FSYNC, CLASS_NONE, DurabilityMap } from './durability.ts';

const classOf = (map: DurabilityMap, key: string): number => map.classOf(Buffer.from(`<${key}>`), 1, key.length + 1);

it('the longest prefix of a key gives its class, whatever the order of the rules', () => {
  const map = new DurabilityMap('fsync', [
    { prefix: Buffer.from('/a/'), durability: 'buffered' },
    { prefix: Buffer.from('/a/b/'), durability: 'none' },
  ]);
  assert.equal(classOf(map, '/a/b/c'), CLASS_NONE);
  assert.equal(classOf(map, '/a/b/'), CLASS_NONE);
  assert.equal(classOf(map, '/a/b'), CLASS_BUFFERED);
  assert.equal(classOf(map, '/a'), CLASS_FSYNC);
  assert.equal(classOf(map, ''), CLASS_FSYNC);
});

it('a map is relaxed when its default or a rule is', () => {
  assert.equal(new DurabilityMap().hasRelaxed, false);
  assert.equal(new DurabilityMap('none').hasRelaxed, true);
  const rule = { prefix: Buffer.from('x'), durability: 'buffered' as const };
  assert.equal(new DurabilityMap('fsync', [rule]).hasRelaxed, true);
});

it('there is one class for all keys only where no rule names another', () => {
  const rules = [
    { prefix: Buffer.from('/a/'), durability: 'fsync' as const },
    { prefix: Buffer.from('/b/'), durability: 'buffered' as const },
  ];
  assert.equal(new DurabilityMap('fsync', rules).only, undefined);
  assert.equal(new DurabilityMap('buffered', rules).only, undefined);
  assert.equal(new DurabilityMap('fsync', rules.slice(0, 1)).only, CLASS_FSYNC);
  assert.equal(new DurabilityMap('none').only, CLASS_NONE);
});
