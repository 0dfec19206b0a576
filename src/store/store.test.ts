import { describe, it } from 'node:test';
import fc from 'fast-check';
import { Store } from './store.ts';
import { OP, Twins } from './store-twins-fixture.ts';
import { UsedMemory } from './used-memory-fixture.ts';

const RUNS = Number(process.env.K1M_RUNS ?? 300);

describe('store', () => {
  it('agrees with the model under any sequence of changes, compactions and reads', () => {
    fc.assert(
      fc.property(
        fc.constantFrom(256, 1024, 65536),
        fc.array(OP, { maxLength: 80, size: 'max' }),
        (segmentBytes, ops) => {
          const twins = new Twins(new Store({ segmentBytes, memory: new UsedMemory() }));
          for (const op of ops) twins.run(op);
          twins.check(twins.model.current, '', null, 3);
          while (!twins.store.compactStep(7));
          twins.check(twins.model.current, '', null, 100);
          twins.check(Math.max(0, twins.model.compacted), '', null, 100);
        },
      ),
      { numRuns: RUNS },
    );
  });
});
