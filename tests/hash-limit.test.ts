// Hashes are long jobs: so many at a time and no more.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as methods from '../src/api/methods.ts';
import { put } from './compat/requests.ts';
import { DiskBench } from './disk/disk-fixture.ts';

const HASHES_MAX = 4;

test('a hash is refused while four are under way, and taken when one has ended or its caller is gone', async () => {
  const bench = await DiskBench.open(1);
  for (let i = 0; i < 50; i++) bench.begin(methods.put, put(`k${i}`));
  await bench.pass(100);
  const asked = Array.from({ length: HASHES_MAX + 2 }, () => bench.begin(methods.hashKv, {}));
  const byMember = bench.begin(methods.hash, {});
  await bench.pass(100);
  const outcomes = [...asked, byMember].map(({ outcome }) => outcome);
  const refused = 'StatusError: etcdserver: too many requests';
  assert.deepEqual(outcomes, [...Array(HASHES_MAX).fill('answered'), refused, refused, refused]);
  assert.equal(await bench.metric('k1m_hashes_refused_total'), 3);
  assert.equal(await bench.metric('k1m_hashes_running'), 0);

  const gone = bench.server.connect();
  const abandoned = Array.from({ length: HASHES_MAX }, () => gone.unary(methods.hashKv, {}));
  for (const call of abandoned) call.catch(() => {});
  await bench.pass(1);
  gone.close();
  await bench.pass(100);
  await bench.call(methods.hashKv, {});
  assert.equal(await bench.metric('k1m_hashes_running'), 0);
  await bench.close();
});
