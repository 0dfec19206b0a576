// Answers and refusals that rest on changes which the disk does not have yet: while it stalls nobody gets them, and after a power cut
// nobody was told what is not so.

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { TypedMethod } from '../../src/api/methods.ts';
import * as methods from '../../src/api/methods.ts';
import { opPut, put, remove, txn } from '../compat/requests.ts';
import { DiskBench } from './disk-fixture.ts';

const STALL_MS = 5_000;

interface Case {
  readonly name: string;
  /** Changes something, while the disk stalls. */
  readonly change: (bench: DiskBench) => void;
  /** Would be answered otherwise if the change were lost. */
  readonly ask: (bench: DiskBench) => Asked;
  readonly before: string;
  readonly after: string;
}

interface Asked {
  outcome: string;
}

function asked<Q extends object, R extends object>(
  bench: DiskBench,
  method: TypedMethod<Q, R>,
  request: Partial<Q>,
  text: (response: R) => string = () => 'done',
): Asked {
  const begun: Asked = { outcome: 'waits' };
  bench.server.client.unary(method, request).then(
    (response) => {
      begun.outcome = text(response);
    },
    (error: Error) => {
      begun.outcome = error.message;
    },
  );
  return begun;
}

const revoke = (bench: DiskBench): void => void asked(bench, methods.leaseRevoke, { ID: 6n });
const timeToLive = (bench: DiskBench, keys: boolean): Asked => {
  return asked(bench, methods.leaseTimeToLive, { ID: 6n, keys }, ({ TTL, keys: found }) => {
    return `${TTL > 0 ? 'lives' : 'gone'}, ${found.length} keys`;
  });
};
const NO_LEASE = 'etcdserver: requested lease not found';

const CASES: readonly Case[] = [
  {
    name: 'the time to live of a revoked lease',
    change: revoke,
    ask: (bench) => timeToLive(bench, false),
    before: 'lives, 0 keys',
    after: 'gone, 0 keys',
  },
  {
    name: 'a keep-alive of a revoked lease',
    change: revoke,
    ask: (bench) => {
      return asked(bench, methods.leaseKeepAlive, { ID: 6n }, ({ TTL }) => (TTL > 0 ? 'kept' : 'gone'));
    },
    before: 'kept',
    after: 'gone',
  },
  {
    name: 'a second revocation',
    change: revoke,
    ask: (bench) => asked(bench, methods.leaseRevoke, { ID: 6n }),
    before: 'done',
    after: NO_LEASE,
  },
  {
    name: 'a put with a revoked lease',
    change: revoke,
    ask: (bench) => asked(bench, methods.put, put('other', '', { lease: 6n })),
    before: 'done',
    after: NO_LEASE,
  },
  {
    name: 'a transaction with a revoked lease',
    change: revoke,
    ask: (bench) => asked(bench, methods.txn, txn([], [opPut(put('other', '', { lease: 6n }))])),
    before: 'done',
    after: NO_LEASE,
  },
  {
    name: 'the keys of a lease',
    change: (bench) => void asked(bench, methods.put, put('second', '', { lease: 6n })),
    ask: (bench) => timeToLive(bench, true),
    before: 'lives, 1 keys',
    after: 'lives, 2 keys',
  },
  {
    name: 'a grant of an id that is taken',
    change: (bench) => void asked(bench, methods.leaseGrant, { ID: 9n, TTL: 60 }),
    ask: (bench) => asked(bench, methods.leaseGrant, { ID: 9n, TTL: 60 }),
    before: 'done',
    after: 'etcdserver: lease already exists',
  },
  {
    name: 'a put that keeps the value of a deleted key',
    change: (bench) => void asked(bench, methods.deleteRange, remove('k')),
    ask: (bench) => asked(bench, methods.put, put('k', '', { ignore_value: true })),
    before: 'done',
    after: 'etcdserver: key not found',
  },
  {
    name: 'a second compaction',
    change: (bench) => void asked(bench, methods.compact, { revision: 3 }),
    ask: (bench) => asked(bench, methods.compact, { revision: 3 }),
    before: 'done',
    after: 'etcdserver: mvcc: required revision has been compacted',
  },
];

async function stalled(seed: number): Promise<DiskBench> {
  const bench = await DiskBench.open(seed);
  await bench.call(methods.leaseGrant, { ID: 6n, TTL: 600 });
  await bench.call(methods.leaseGrant, { ID: 7n, TTL: 600 });
  await bench.call(methods.put, put('k', '1', { lease: 6n }));
  await bench.put('x');
  await bench.put('x');
  bench.server.disk.faults.push({ operation: 'writeDurable', pathPart: '.wal', times: 1, delayMs: STALL_MS });
  bench.begin(methods.put, put('first'));
  await bench.pass(20);
  return bench;
}

describe('while what it rests on is not durable', () => {
  for (const { name, change, ask, before, after } of CASES) {
    it(`${name} waits, and says what is so afterwards`, async () => {
      const bench = await stalled(1);
      change(bench);
      await bench.pass(20);
      const outcome = ask(bench);
      await bench.pass(2_000);
      assert.equal(outcome.outcome, 'waits');
      await bench.pass(STALL_MS);
      assert.equal(outcome.outcome, after);
      await bench.close();
    });

    it(`${name} is not told before a power cut takes it back`, async () => {
      const bench = await stalled(2);
      change(bench);
      await bench.pass(20);
      const outcome = ask(bench);
      await bench.pass(500);
      bench.server.crash('lose');
      await bench.server.start();
      assert.notEqual(outcome.outcome, after);
      const again = ask(bench);
      await bench.pass(100);
      assert.equal(again.outcome, before);
      await bench.close();
    });
  }

  it('a list of leases has those that leave and not those that come, and other leases are answered for', async () => {
    const bench = await stalled(3);
    revoke(bench);
    asked(bench, methods.leaseGrant, { ID: 9n, TTL: 60 });
    await bench.pass(20);
    const listed = async (): Promise<bigint[]> => {
      const { leases } = await bench.call(methods.leaseLeases, {});
      return leases.map(({ ID }) => ID).sort();
    };
    assert.deepEqual(await listed(), [6n, 7n]);
    const { TTL } = await bench.call(methods.leaseTimeToLive, { ID: 7n });
    assert.ok(TTL > 0);
    const stream = await bench.server.drive(bench.server.client.stream(methods.leaseKeepAlive));
    for (const ID of [6n, 7n]) stream.send({ ID });
    const first = await bench.server.drive(stream.next());
    assert.ok('message' in first && first.message.ID === 7n && first.message.TTL === 600);
    await bench.pass(2 * STALL_MS);
    const second = await bench.server.drive(stream.next());
    assert.ok('message' in second && second.message.ID === 6n && second.message.TTL === 0);
    assert.deepEqual(await listed(), [7n, 9n]);
    await bench.close();
  });

  it('a keep-alive that waited for a grant waits for the revocation after it as well', async () => {
    const bench = await stalled(4);
    asked(bench, methods.leaseGrant, { ID: 9n, TTL: 60 });
    const kept = asked(bench, methods.leaseKeepAlive, { ID: 9n }, ({ TTL }) => `${TTL}`);
    await bench.pass(20);
    // Its batch leaves with the grant, or with the revocation: either way only what is so is told.
    revoke(bench);
    const gone = asked(bench, methods.leaseRevoke, { ID: 9n });
    await bench.pass(2 * STALL_MS);
    assert.deepEqual([kept.outcome, gone.outcome], ['0', 'done']);
    await bench.close();
  });

  it('a refusal for want of room leaves at once: it would wait for what is missing', async () => {
    const bench = await DiskBench.open(5, { openBytesMax: 1 << 20 });
    await bench.put('a');
    bench.server.disk.capacityBytes = 0;
    bench.server.disk.faults.push({ operation: 'writeDurable', pathPart: '.wal', times: 1, delayMs: STALL_MS });
    const waits = bench.begin(methods.deleteRange, remove('a'));
    await bench.pass(1_100);
    const refused = bench.begin(methods.put, put('b', 'x'.repeat(1000)));
    await bench.pass(100);
    assert.equal(waits.outcome, 'waits');
    assert.equal(refused.outcome, 'StatusError: etcdserver: mvcc: database space exceeded');
    bench.server.disk.capacityBytes = Number.POSITIVE_INFINITY;
    await bench.pass(2 * STALL_MS);
    await bench.close();
  });
});
