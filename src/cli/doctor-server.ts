// What `k1m doctor --endpoint` checks: a running server's own word, from /version, /readyz and /metrics.

import { type ClassBudget, MISHAPS } from '../etcd/loss-budget.ts';
import type { Durability } from '../journal/journal.ts';
import { bytesText, type Check, durationText } from './check.ts';
import { budgetChecks, openFilesCheck } from './doctor-folder.ts';

const ANSWER_MS_MAX = 10_000;
const SYNC_SECONDS_MAX = 0.01;
const STALL_SECONDS_MAX = 0.1;
const CLOCK_AWAY_MS_MAX = 10_000;
const QUOTA_SHARE_MAX = 0.8;
/** A server with --backup-dir has made its first one by then. */
const FIRST_BACKUP_MS_MAX = 120_000;

export interface ServerAnswers {
  readonly endpoint: string;
  readonly version: string;
  readonly isReady: boolean;
  /** What /readyz says. */
  readonly readiness: string;
  readonly metrics: Metrics;
  /** The server's clock, to the second; undefined when it does not say. */
  readonly wallMs: number | undefined;
  readonly nowMs: number;
}

/** A server that does not answer is a check that fails. */
export async function askServer(endpoint: string, nowMs: number): Promise<Check[]> {
  const ask = (path: string): Promise<Response> => {
    return fetch(new URL(path, endpoint), { signal: AbortSignal.timeout(ANSWER_MS_MAX) });
  };
  try {
    const version = await (await ask('/version')).text();
    const ready = await ask('/readyz?verbose');
    const readiness = (await ready.text()).trim();
    const metrics = parseMetrics(await (await ask('/metrics')).text());
    const date = Date.parse(ready.headers.get('date') ?? '');
    const wallMs = Number.isNaN(date) ? undefined : date;
    return serverChecks({ endpoint, version, isReady: ready.ok, readiness, metrics, wallMs, nowMs });
  } catch (error) {
    const { message, cause } = error instanceof Error ? error : new Error(String(error));
    const reason = cause instanceof Error && cause.message !== '' ? cause.message : message;
    const remedy = 'is it running, and is this one of its --listen-client-urls?';
    return [{ state: 'fail', subject: 'server', says: `${endpoint} does not answer: ${reason}`, remedy }];
  }
}

/** Values by name; labels as they are in the text. */
export type Metrics = ReadonlyMap<
  string,
  readonly { readonly labels: ReadonlyMap<string, string>; readonly value: number }[]
>;

const LINE = /^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? (\S+)$/;
const LABEL = /([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\]|\\.)*)"/g;

/** Prometheus' text format. */
export function parseMetrics(text: string): Metrics {
  const metrics = new Map<string, { labels: ReadonlyMap<string, string>; value: number }[]>();
  for (const line of text.split('\n')) {
    const match = LINE.exec(line);
    if (match === null || line.startsWith('#')) continue;
    const [, name, labelText = '', number] = match;
    const labels = new Map<string, string>();
    for (const [, label, value] of labelText.matchAll(LABEL)) {
      labels.set(
        label,
        value.replace(/\\(.)/g, (_, c: string) => (c === 'n' ? '\n' : c)),
      );
    }
    const value = number === '+Inf' ? Number.POSITIVE_INFINITY : Number(number);
    const found = metrics.get(name);
    if (found === undefined) metrics.set(name, [{ labels, value }]);
    else found.push({ labels, value });
  }
  return metrics;
}

export function serverChecks(answers: ServerAnswers): Check[] {
  const { endpoint, version, isReady, readiness, metrics } = answers;
  const bad = readiness.split('\n').filter((line) => line.startsWith('[-]'));
  const checks: Check[] = [
    { state: 'ok', subject: 'server', says: `${endpoint} answers: ${version}` },
    isReady
      ? { state: 'ok', subject: 'ready', says: 'it takes requests' }
      : {
          state: 'fail',
          subject: 'ready',
          says: bad.join('; ') || readiness,
          remedy: 'docs/operating.md, "What to alert on"',
        },
  ];
  if (!metrics.has('k1m_durability_class')) {
    const says = 'it does not say which class is in force: no k1m, or an older one';
    return [...checks, { state: 'warn', subject: 'durability', says, remedy: 'ask a k1m of this version' }];
  }
  return [
    ...checks,
    ...budgetChecks(budgetsOf(metrics)),
    alarmCheck(metrics),
    stallCheck(metrics),
    spaceCheck(metrics),
    syncCheck(metrics),
    snapshotCheck(metrics),
    backupCheck(answers),
    quotaCheck(metrics),
    openFilesCheck({ openFilesMax: valueAt(metrics, 'process_max_fds') }, valueAt(metrics, 'process_open_fds')),
    loopCheck(metrics),
    clockCheck(answers),
  ];
}

function valueAt(metrics: Metrics, name: string): number {
  return metrics.get(name)?.at(0)?.value ?? 0;
}

/** What the server has computed (src/etcd/loss-budget.ts), read back. */
function budgetsOf(metrics: Metrics): ClassBudget[] {
  const rows = metrics.get('k1m_durability_class') ?? [];
  return rows.map(({ labels }) => {
    const prefix = labels.get('prefix') ?? '';
    const find = (name: string, event: string): number => {
      const found = metrics
        .get(name)
        ?.find((one) => one.labels.get('prefix') === prefix && one.labels.get('event') === event);
      return found?.value ?? Number.POSITIVE_INFINITY;
    };
    const budget = (event: string): { ms: number; bytes: number } => ({
      ms: find('k1m_durability_loss_seconds', event) * 1000,
      bytes: find('k1m_durability_loss_bytes', event),
    });
    const [killed, cut, lost] = MISHAPS.map(budget);
    return {
      prefix: Buffer.from(prefix),
      durability: durabilityOf(labels.get('class')),
      losses: { 'process-kill': killed, 'power-cut': cut, 'disk-loss': lost },
    };
  });
}

function durabilityOf(text: string | undefined): Durability {
  return text === 'fsync' || text === 'buffered' ? text : 'none';
}

function alarmCheck(metrics: Metrics): Check {
  const count = valueAt(metrics, 'etcd_debugging_server_alarms');
  if (count === 0) return { state: 'ok', subject: 'alarms', says: 'none' };
  const remedy = 'etcdctl alarm list; docs/operating.md, "Full disk"';
  return { state: 'fail', subject: 'alarms', says: `${count} stand: writes that add are refused`, remedy };
}

function stallCheck(metrics: Metrics): Check {
  const total = valueAt(metrics, 'k1m_disk_stalls_total');
  if (valueAt(metrics, 'k1m_disk_stalled') !== 0) {
    const seconds = valueAt(metrics, 'k1m_disk_stall_seconds').toFixed(1);
    return {
      state: 'fail',
      subject: 'disk',
      says: `it has not answered for ${seconds} s`,
      remedy: 'dmesg, iostat -x 1',
    };
  }
  if (total === 0) return { state: 'ok', subject: 'disk', says: 'it has always answered in time' };
  return {
    state: 'warn',
    subject: 'disk',
    says: `it stalled ${total} times since the start`,
    remedy: 'dmesg, iostat -x 1',
  };
}

function spaceCheck(metrics: Metrics): Check {
  const free = valueAt(metrics, 'k1m_disk_free_bytes');
  const reserve = valueAt(metrics, 'k1m_disk_reserve_bytes');
  const says = `${bytesText(free)} free; reserve ${bytesText(reserve)}`;
  const remedy = 'make room; docs/operating.md, "Full disk"';
  if (valueAt(metrics, 'k1m_disk_low') !== 0)
    return { state: 'fail', subject: 'space', says: `${says}: writes that add are refused`, remedy };
  if (free < 2 * reserve) return { state: 'warn', subject: 'space', says, remedy };
  return { state: 'ok', subject: 'space', says };
}

/** The p99 as a bucket's upper end. */
function syncCheck(metrics: Metrics): Check {
  const buckets = metrics.get('etcd_disk_wal_fsync_duration_seconds_bucket') ?? [];
  const count = valueAt(metrics, 'etcd_disk_wal_fsync_duration_seconds_count');
  if (count === 0) return { state: 'ok', subject: 'syncs', says: 'none yet' };
  const reached = buckets.find(({ value }) => value >= 0.99 * count);
  const seconds = Number(reached?.labels.get('le') ?? 'Infinity');
  const text = Number.isFinite(seconds) ? `${seconds * 1000} ms` : 'longer than all buckets';
  const says = `99 % of ${count} took at most ${text}`;
  if (seconds <= 2 * SYNC_SECONDS_MAX) return { state: 'ok', subject: 'syncs', says };
  return { state: 'warn', subject: 'syncs', says, remedy: 'a faster disk, or a relaxed class for what may be lost' };
}

function snapshotCheck(metrics: Metrics): Check {
  const failures = valueAt(metrics, 'k1m_snapshot_failures_total');
  const says = `a start would read ${bytesText(valueAt(metrics, 'k1m_snapshot_log_bytes'))} of log; ${failures} failed`;
  if (failures === 0) return { state: 'ok', subject: 'snapshots', says };
  return { state: 'warn', subject: 'snapshots', says, remedy: 'the log line "a snapshot failed" says why' };
}

function backupCheck({ metrics, nowMs }: ServerAnswers): Check {
  const failures = valueAt(metrics, 'k1m_backup_failures_total');
  const lastMs = valueAt(metrics, 'k1m_backup_last_seconds') * 1000;
  const isFresh = nowMs - valueAt(metrics, 'process_start_time_seconds') * 1000 < FIRST_BACKUP_MS_MAX;
  const age = lastMs === 0 ? 'none by the clock of this process' : `the last is ${durationText(nowMs - lastMs)} old`;
  if (failures > 0) {
    const remedy = 'the log line "a backup failed" says why';
    return { state: 'warn', subject: 'backups', says: `${age}; ${failures} failed`, remedy };
  }
  if (lastMs > 0 || isFresh) return { state: 'ok', subject: 'backups', says: age };
  const remedy = '--backup-dir on another disk, or etcdctl snapshot save';
  return { state: 'warn', subject: 'backups', says: `${age}: a lost disk loses everything`, remedy };
}

function quotaCheck(metrics: Metrics): Check {
  const used = valueAt(metrics, 'etcd_mvcc_db_total_size_in_use_in_bytes');
  const quota = valueAt(metrics, 'etcd_server_quota_backend_bytes');
  const says = `${bytesText(used)} of ${quota === 0 ? 'no quota' : bytesText(quota)}`;
  if (quota === 0 || used <= QUOTA_SHARE_MAX * quota) return { state: 'ok', subject: 'memory', says };
  return { state: 'warn', subject: 'memory', says, remedy: 'compact, delete, or raise --quota-backend-bytes' };
}

function loopCheck(metrics: Metrics): Check {
  const seconds = valueAt(metrics, 'k1m_event_loop_stall_seconds');
  const says = `the event loop was held for ${Math.round(seconds * 1000)} ms at most since the last scrape`;
  if (seconds <= STALL_SECONDS_MAX) return { state: 'ok', subject: 'load', says };
  return {
    state: 'warn',
    subject: 'load',
    says,
    remedy: 'very large lists, or too few cores: top, k1m_replies_waiting',
  };
}

function clockCheck({ wallMs, nowMs }: ServerAnswers): Check {
  if (wallMs === undefined) return { state: 'ok', subject: 'clock', says: 'the server does not say' };
  const awayMs = Math.abs(nowMs - wallMs);
  const says = `the server's is ${durationText(awayMs)} from this machine's`;
  if (awayMs <= CLOCK_AWAY_MS_MAX) return { state: 'ok', subject: 'clock', says };
  return { state: 'warn', subject: 'clock', says, remedy: 'set the clocks (chronyd, ntpd)' };
}
