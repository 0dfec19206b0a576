// What may be lost of writes that were acknowledged, by durability class and by what happens: the one place that says it. The
// start line of `k1m serve`, its metrics and `k1m doctor` print this.
//
//              process killed      power cut, kernel crash      disk lost
//   fsync      nothing             nothing                      everything
//   buffered   nothing             bufferedLossMs, …Bytes       everything
//   none       since the start     since the start              everything
//
// Of the class `buffered` the log holds back what would exceed either limit (src/journal/file-journal.ts); the batch that reaches
// it is beyond it, by 1 MiB at most, or by one revision that is larger. "Everything" is since the last backup, where there are
// backups.

import type { Durability } from '../journal/journal.ts';
import type { DurabilityMap } from './durability.ts';
import type { LabelledValue, MetricDefiner } from './metric-definer.ts';

export const MISHAPS = ['process-kill', 'power-cut', 'disk-loss'] as const;
export type Mishap = (typeof MISHAPS)[number];

/** 0: nothing. Infinite: all of the class, of a killed process or a power cut since the start. */
export interface LossBudget {
  readonly ms: number;
  readonly bytes: number;
}

/** The class of the keys below a prefix, and what it may lose. */
export interface ClassBudget {
  /** Empty: all keys without a longer one. */
  readonly prefix: Uint8Array;
  readonly durability: Durability;
  readonly losses: Readonly<Record<Mishap, LossBudget>>;
}

export interface BufferedLimits {
  readonly bufferedLossMsMax: number;
  readonly bufferedLossBytesMax: number;
}

const NOTHING: LossBudget = { ms: 0, bytes: 0 };
const EVERYTHING: LossBudget = { ms: Number.POSITIVE_INFINITY, bytes: Number.POSITIVE_INFINITY };

/** The default first, then the rules, longest prefixes first. */
export function classBudgets(map: DurabilityMap, limits: BufferedLimits): ClassBudget[] {
  const rows = [{ prefix: new Uint8Array(0), durability: map.defaultDurability }, ...map.rules];
  return rows.map(({ prefix, durability }) => ({ prefix, durability, losses: lossesOf(durability, limits) }));
}

function lossesOf(durability: Durability, limits: BufferedLimits): ClassBudget['losses'] {
  const buffered = { ms: limits.bufferedLossMsMax, bytes: limits.bufferedLossBytesMax };
  const killed = durability === 'none' ? EVERYTHING : NOTHING;
  const cut = { none: EVERYTHING, buffered, fsync: NOTHING };
  return { 'process-kill': killed, 'power-cut': cut[durability], 'disk-loss': EVERYTHING };
}

/** As a person reads it. */
export function lossText({ ms, bytes }: LossBudget, mishap: Mishap): string {
  if (ms === 0) return 'nothing';
  if (ms === Number.POSITIVE_INFINITY) return mishap === 'disk-loss' ? 'everything' : 'all since the start';
  return `at most ${ms} ms or ${bytes / (1 << 20)} MiB`;
}

/** One row in a line: what a killed process, a power cut and a lost disk take. */
export function budgetText({ durability, losses }: ClassBudget): string {
  const texts = MISHAPS.map((mishap) => lossText(losses[mishap], mishap));
  return `${durability}: a killed process loses ${texts[0]}, a power cut ${texts[1]}, a lost disk ${texts[2]}`;
}

/** The label of a prefix; bytes that are no UTF-8 are replaced. */
function labelOf({ prefix }: ClassBudget): string {
  return Buffer.from(prefix).toString();
}

const CLASS_LABELS: readonly string[] = ['prefix', 'class'];
const LOSS_LABELS: readonly string[] = [...CLASS_LABELS, 'event'];

export function defineDurabilityMetrics(definer: MetricDefiner, budgets: readonly ClassBudget[]): void {
  const each = (measure: (budget: LossBudget) => number): readonly LabelledValue[] => {
    return budgets.flatMap((row) =>
      MISHAPS.map((event) => ({
        labels: { prefix: labelOf(row), class: row.durability, event },
        value: measure(row.losses[event]),
      })),
    );
  };
  definer.gauges(
    'k1m_durability_class',
    'The durability class in force for the keys below a prefix: 1.',
    CLASS_LABELS,
    () => {
      return budgets.map((row) => ({ labels: { prefix: labelOf(row), class: row.durability }, value: 1 }));
    },
  );
  const what = 'of acknowledged writes that an event may take; +Inf: all';
  definer.gauges('k1m_durability_loss_seconds', `The last seconds ${what}.`, LOSS_LABELS, () =>
    each(({ ms }) => ms / 1000),
  );
  definer.gauges('k1m_durability_loss_bytes', `The last bytes ${what}.`, LOSS_LABELS, () => each(({ bytes }) => bytes));
}
