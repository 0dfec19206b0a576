import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { Store } from '../store/store.ts';
import { type Lease, Lessor } from './lessor.ts';

const RUNS = Number(process.env.K1M_RUNS ?? 200);
const KEYS = 8;

function fixture(): { lessor: Lessor; rows: number[] } {
  const store = new Store({ hashSeed: 1 });
  const rows: number[] = [];
  for (let i = 0; i < KEYS; i++) {
    const key = Buffer.from(`key${i}`);
    rows.push(store.put(i + 2, 0, -1, key, 0, key.length, key, 0, key.length, 0n));
    store.commit(i + 2);
  }
  return { lessor: new Lessor(store, 2), rows };
}

const STEP = fc.oneof(
  fc.record({ kind: fc.constant('grant' as const), id: fc.bigInt(-3n, 5n), ttl: fc.integer({ min: 2, max: 9 }) }),
  fc.record({ kind: fc.constant('renew' as const), id: fc.bigInt(-3n, 5n) }),
  fc.record({ kind: fc.constant('attach' as const), id: fc.bigInt(-3n, 5n), row: fc.nat(KEYS - 1) }),
  fc.record({ kind: fc.constant('detach' as const), row: fc.nat(KEYS - 1) }),
  fc.record({ kind: fc.constant('pass' as const), ms: fc.nat(4000) }),
);

describe('the lessor', () => {
  it('expires what a plain map of leases expires, never early, with the same keys', () => {
    fc.assert(
      fc.property(fc.array(STEP, { maxLength: 60 }), (steps) => {
        const { lessor, rows } = fixture();
        const twin = new Map<bigint, { ttl: number; expiryMs: number; rows: Set<number> }>();
        let nowMs = 0;
        for (const step of steps) {
          if (step.kind === 'pass') {
            nowMs += step.ms;
            const due = [...twin].filter(([, { expiryMs }]) => expiryMs <= nowMs).map(([id]) => id);
            const expired = lessor.takeExpired(nowMs, 100);
            assert.deepEqual(expired.map(({ id }) => id).sort(), due.sort());
            for (const lease of expired) revoke(lessor, lease);
            for (const id of due) twin.delete(id);
            continue;
          }
          if (step.kind === 'detach') {
            lessor.attach(rows[step.row], undefined);
            for (const { rows: attached } of twin.values()) attached.delete(rows[step.row]);
            continue;
          }
          const lease = lessor.find(step.id);
          const other = twin.get(step.id);
          assert.equal(lease === undefined, other === undefined);
          if (step.kind === 'grant') {
            if (lease !== undefined || step.id === 0n) continue;
            lessor.grant(step.id, step.ttl, nowMs);
            twin.set(step.id, { ttl: step.ttl, expiryMs: nowMs + step.ttl * 1000, rows: new Set() });
          } else if (lease !== undefined && other !== undefined) {
            if (step.kind === 'renew') {
              lessor.renew(lease, nowMs);
              other.expiryMs = nowMs + other.ttl * 1000;
            } else {
              lessor.attach(rows[step.row], lease);
              for (const { rows: attached } of twin.values()) attached.delete(rows[step.row]);
              other.rows.add(rows[step.row]);
            }
          }
          for (const [id, { rows: attached }] of twin) {
            const found = lessor.find(id);
            assert.ok(found !== undefined);
            assert.deepEqual(lessor.rows(found).sort(), [...attached].sort());
          }
        }
        assert.equal(lessor.count, twin.size);
      }),
      { numRuns: RUNS },
    );
  });

  it('gives every lease its whole TTL again after a restart', () => {
    const { lessor } = fixture();
    lessor.grant(1n, 10, 0);
    lessor.renewAll(9_000);
    assert.deepEqual(lessor.takeExpired(18_999, 10), []);
    assert.equal(lessor.takeExpired(19_000, 10).length, 1);
  });

  it('gives an expired lease out once, and no more than asked for', () => {
    const { lessor } = fixture();
    for (let id = 1n; id <= 5n; id++) lessor.grant(id, 2, 0);
    assert.equal(lessor.takeExpired(5_000, 3).length, 3);
    assert.equal(lessor.takeExpired(5_000, 3).length, 2);
    assert.equal(lessor.takeExpired(5_000, 3).length, 0);
  });
});

function revoke(lessor: Lessor, lease: Lease): void {
  for (const row of lessor.rows(lease)) lessor.attach(row, undefined);
  lessor.remove(lease);
}
