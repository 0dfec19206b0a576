import assert from 'node:assert/strict';
import { it } from 'node:test';
import { DurabilityMap } from './durability.ts';
import { budgetText, classBudgets, defineDurabilityMetrics } from './loss-budget.ts';
import type { LabelledValue } from './metric-definer.ts';

const LIMITS = { bufferedLossMsMax: 200, bufferedLossBytesMax: 32 << 20 };
const MAP = new DurabilityMap('fsync', [
  { prefix: Buffer.from('/e/'), durability: 'buffered' },
  { prefix: Buffer.from('/e/f/'), durability: 'none' },
]);

it('each class loses what docs/operating.md says', () => {
  const texts = classBudgets(MAP, LIMITS).map((row) => `${Buffer.from(row.prefix).toString()} ${budgetText(row)}`);
  assert.deepEqual(texts, [
    ' fsync: a killed process loses nothing, a power cut nothing, a lost disk everything',
    '/e/f/ none: a killed process loses all since the start, a power cut all since the start, a lost disk everything',
    '/e/ buffered: a killed process loses nothing, a power cut at most 200 ms or 32 MiB, a lost disk everything',
  ]);
});

it('the metrics say the same, in seconds and bytes', () => {
  const metrics = new Map<string, readonly LabelledValue[]>();
  const unused = (): never => assert.fail('only labelled ones');
  defineDurabilityMetrics(
    {
      gauge: unused,
      counter: unused,
      counters: unused,
      gauges: (name, _help, labelNames, read) => {
        metrics.set(name, read());
        for (const { labels } of read()) assert.deepEqual(Object.keys(labels), labelNames);
      },
    },
    classBudgets(MAP, LIMITS),
  );
  const valueAt = (name: string, prefix: string, event: string): number | undefined => {
    return metrics.get(name)?.find(({ labels }) => labels.prefix === prefix && labels.event === event)?.value;
  };
  assert.deepEqual(
    metrics.get('k1m_durability_class')?.map(({ labels }) => `${labels.prefix}=${labels.class}`),
    ['=fsync', '/e/f/=none', '/e/=buffered'],
  );
  assert.equal(valueAt('k1m_durability_loss_seconds', '', 'power-cut'), 0);
  assert.equal(valueAt('k1m_durability_loss_seconds', '/e/', 'power-cut'), 0.2);
  assert.equal(valueAt('k1m_durability_loss_bytes', '/e/', 'power-cut'), 32 << 20);
  assert.equal(valueAt('k1m_durability_loss_bytes', '/e/', 'process-kill'), 0);
  assert.equal(valueAt('k1m_durability_loss_seconds', '/e/f/', 'process-kill'), Number.POSITIVE_INFINITY);
  assert.equal(valueAt('k1m_durability_loss_bytes', '', 'disk-loss'), Number.POSITIVE_INFINITY);
});
