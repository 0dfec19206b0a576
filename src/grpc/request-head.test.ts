import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import type { HeaderField } from '../h2/header-block.ts';
import { propertyRuns } from '../testing/property-runs.ts';
import { Registry } from './registry.ts';
import { parseTimeoutMs, RequestHead } from './request-head.ts';

const RUNS = propertyRuns(300, process.env);
const PATHS = ['/test.Service/One', '/test.Service/Two', '/test.Service/Missing'] as const;
const UNIT_MS: Readonly<Record<string, number>> = { H: 3_600_000, M: 60_000, S: 1000, m: 1, u: 1e-3, n: 1e-6 };

const registry = new Registry();
for (const name of ['One', 'Two']) {
  registry.unary({ path: `/test.Service/${name}`, service: 'test.Service', name, shape: 'unary' }, () => {});
}

/** What a peer's table holds: the same field objects come again. */
const table = {
  method: ['POST', 'GET'].map((value) => ({ name: ':method', value })),
  path: PATHS.map((value) => ({ name: ':path', value })),
  type: ['application/grpc', 'text/plain'].map((value) => ({ name: 'content-type', value })),
  encoding: ['identity', 'gzip'].map((value) => ({ name: 'grpc-encoding', value })),
};
const timeout = fc.oneof(
  fc.constantFrom('4999938u', '5S', '0n', '99999999H', '', 'S', '5', '5x', '-1S', '123456789S', '1.5S', ' 5S', '5SS'),
  fc.tuple(fc.nat(99_999_999), fc.constantFrom('H', 'M', 'S', 'm', 'u', 'n')).map(([count, unit]) => `${count}${unit}`),
);

function fieldsOf(timeouts: readonly string[], place: number, encoding: readonly HeaderField[]): HeaderField[] {
  const fields = [table.method[0], table.path[0], table.type[0], ...encoding];
  fields.splice(place, 0, ...timeouts.map((value) => ({ name: 'grpc-timeout', value })));
  return fields;
}

const block = fc
  .record({
    picks: fc.tuple(fc.nat(9), fc.nat(5), fc.nat(9), fc.nat(5)),
    timeouts: fc.array(timeout, { maxLength: 2 }),
    place: fc.constantFrom(3, 3, 3, 1, 4),
  })
  .map(({ picks: [method, path, type, encoding], timeouts, place }) => {
    const encodings = encoding > 1 ? [] : [table.encoding[encoding]];
    const fields = fieldsOf(timeouts, place, encodings).map((field) => {
      if (field === table.method[0] && method === 0) return table.method[1];
      if (field === table.path[0]) return table.path[Math.max(0, path - 3)];
      return field === table.type[0] && type === 0 ? table.type[1] : field;
    });
    return { fields, memo: undefined };
  });

describe('the head of a request', () => {
  it('says the same whichever head came before', () => {
    fc.assert(
      fc.property(fc.array(block, { minLength: 2, maxLength: 12 }), (blocks) => {
        let before: RequestHead | undefined;
        for (const one of blocks) {
          const head = new RequestHead(one, registry, before);
          const fresh = new RequestHead(one, registry);
          assert.deepEqual({ ...head }, { ...fresh });
          before = head;
        }
      }),
      RUNS,
    );
  });

  it('reads a timeout as gRPC defines it', () => {
    fc.assert(
      fc.property(timeout, (text) => {
        const match = /^([0-9]{1,8})([HMSmun])$/.exec(text);
        const expected = match === null ? Number.NaN : Math.max(Number(match[1]) * UNIT_MS[match[2]], 1e-6);
        assert.equal(parseTimeoutMs(text), expected);
      }),
      RUNS,
    );
  });
});
