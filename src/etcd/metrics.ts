// /metrics: etcd's names where the meaning is etcd's (docs/etcd-api.md has the list), k1m_ for what only we have.
//
// Nothing is counted twice: values live where they arise and are read at each scrape. The histograms of disk durations
// are ours: prom-client's cost a microsecond an observation, too much for something done for every batch.

import { Counter, Registry as PromRegistry } from 'prom-client';
import type { Method } from '../api/methods.ts';
import { DurationHistogram } from '../base/duration-histogram.ts';
import type { Registry } from '../grpc/registry.ts';
import type { ProcessUsage } from '../io/process-usage.ts';
import type { SnapshotResult } from '../snapshot/snapshot-taking.ts';
import type { Snapshotter } from '../snapshot/snapshotter.ts';
import type { WatchHub } from '../watch/hub.ts';
import type { Backups } from './backups.ts';
import type { Committer } from './committer.ts';
import { type ConnectionFigures, defineConnectionMetrics } from './connection-metrics.ts';
import type { Engine } from './engine.ts';
import { grpcMetricsText } from './grpc-metrics.ts';
import { defineHealthMetrics } from './health-metrics.ts';
import type { HttpService } from './http-service.ts';
import { ETCD_CLUSTER_VERSION, ETCD_VERSION } from './maintenance-service.ts';
import type { MetricDefiner } from './metric-definer.ts';
import { PrometheusDefiner } from './prometheus-definer.ts';
import type { ReplyBudget } from './reply-budget.ts';

/** etcd's buckets for disk durations, in seconds: 0.001 × 2^n. */
const DISK_BUCKETS = Array.from({ length: 14 }, (_, n) => 0.001 * 2 ** n);
/** etcd's for saving a database: 0.1 × 2^n. */
const SAVE_BUCKETS = Array.from({ length: 10 }, (_, n) => 0.1 * 2 ** n);

/** So many take a part of a millisecond. */
const METRICS_A_TURN = 16;

export interface MetricsSources {
  readonly engine: Engine;
  readonly committer: Committer;
  readonly hub: WatchHub;
  readonly registry: Registry;
  readonly unserved: readonly Method[];
  readonly budget: ReplyBudget;
  readonly snapshotter: Snapshotter;
  readonly backups: Backups | undefined;
  /** They have metrics of their own. */
  readonly parts: readonly { defineMetrics(definer: MetricDefiner): void }[];
  readonly http: () => HttpService;
  readonly usage: () => ProcessUsage;
  /** Calls back after the I/O that is ready now. */
  readonly defer: (callback: () => void) => void;
  readonly connections: () => ConnectionFigures;
  readonly storedBytes: () => number;
  readonly sequences: () => { readonly last: number; readonly durable: number };
  /** Longest time the event loop was held since the last scrape, in seconds. */
  readonly loopStallSeconds: () => number;
  readonly startedSeconds: number;
}

export class Metrics {
  readonly #prometheus = new PromRegistry();
  readonly #definer = new PrometheusDefiner(this.#prometheus);
  readonly #sources: MetricsSources;
  readonly #syncs = new DurationHistogram(DISK_BUCKETS);
  readonly #writes = new DurationHistogram(DISK_BUCKETS);
  /** The journal is the backend: there is no second commit. Kept for dashboards; stays empty. */
  readonly #backendCommits = new DurationHistogram(DISK_BUCKETS);
  readonly #snapshotSaves = new DurationHistogram(SAVE_BUCKETS);
  readonly #snapshotSyncs = new DurationHistogram(DISK_BUCKETS);
  readonly #rolls: Counter;
  #snapshotBytes = 0;
  #snapshotWrittenBytes = 0;
  #snapshotRevision = 0;
  #snapshotFailures = 0;

  constructor(sources: MetricsSources) {
    this.#sources = sources;
    const registers = [this.#prometheus];
    this.#rolls = new Counter({ name: 'k1m_journal_segments_total', help: 'Journal segments begun.', registers });
    this.#defineServer();
    this.#defineStore();
    this.#defineSnapshots();
    this.#defineWatch();
    defineHealthMetrics(this.#definer, () => sources.http().counters);
    defineConnectionMetrics(this.#definer, sources.connections);
    for (const part of sources.parts) part.defineMetrics(this.#definer);
    this.#defineProcess();
  }

  /** The journal's observer. */
  observeWrite(durationSeconds: number, bytes: number): void {
    this.#writes.observe(durationSeconds);
    this.#writtenBytes += bytes;
  }

  observeSync(durationSeconds: number): void {
    this.#syncs.observe(durationSeconds);
  }

  observeRoll(): void {
    this.#rolls.inc();
  }

  observeSnapshot({ durationSeconds, bytes, revision }: SnapshotResult): void {
    this.#snapshotSaves.observe(durationSeconds);
    this.#snapshotBytes = bytes;
    this.#snapshotWrittenBytes += bytes;
    this.#snapshotRevision = revision;
  }

  observeSnapshotSync(durationSeconds: number): void {
    this.#snapshotSyncs.observe(durationSeconds);
  }

  observeSnapshotFailure(): void {
    this.#snapshotFailures++;
  }

  #writtenBytes = 0;

  /** What a scrape gets. Made in turns, since requests wait meanwhile. */
  async text(): Promise<string> {
    const { registry, unserved, defer } = this.#sources;
    const turn = (): Promise<void> => new Promise((resolve) => defer(resolve));
    let text = '';
    for (const [place, metric] of this.#prometheus.getMetricsAsArray().entries()) {
      if (place % METRICS_A_TURN === 0) await turn();
      text += `${await this.#prometheus.getSingleMetricAsString(metric.name)}\n`;
    }
    await turn();
    text += grpcMetricsText(registry, unserved);
    await turn();
    return (
      text +
      this.#syncs.text(
        'etcd_disk_wal_fsync_duration_seconds',
        'The latency distributions of fsync called by the journal.',
      ) +
      this.#writes.text('etcd_disk_wal_write_duration_seconds', 'The latency distributions of writes of the journal.') +
      this.#snapshotSaves.text(
        'etcd_debugging_snap_save_total_duration_seconds',
        'The total latency distributions of save called by snapshot.',
      ) +
      this.#snapshotSyncs.text(
        'etcd_snap_fsync_duration_seconds',
        'The latency distributions of fsync called by snap.',
      ) +
      this.#backendCommits.text(
        'etcd_disk_backend_commit_duration_seconds',
        'Always empty: the journal is all that is committed.',
      )
    );
  }

  #info(name: string, help: string, labels: Readonly<Record<string, string>>): void {
    this.#definer.gauges(name, help, Object.keys(labels), () => [{ labels, value: 1 }]);
  }

  #defineServer(): void {
    const { engine, sequences, committer } = this.#sources;
    const serverId = BigInt.asUintN(64, engine.identity.memberId).toString(16);
    this.#definer.gauge('etcd_server_has_leader', 'Whether or not a leader exists. 1 is existence, 0 is not.', () => 1);
    this.#definer.gauge(
      'etcd_server_is_leader',
      'Whether or not this member is a leader. 1 if is, 0 otherwise.',
      () => 1,
    );
    this.#definer.gauge('etcd_server_is_learner', 'Whether or not this member is a learner.', () => 0);
    this.#definer.counter('etcd_server_leader_changes_seen_total', 'The number of leader changes seen.', () => 1);
    this.#definer.gauge(
      'etcd_server_proposals_committed_total',
      'The last batch of the journal that is durable.',
      () => sequences().durable,
    );
    this.#definer.gauge(
      'etcd_server_proposals_applied_total',
      'The last batch of the journal that was applied.',
      () => sequences().last,
    );
    this.#definer.gauge(
      'etcd_server_proposals_pending',
      'Replies that wait for the journal.',
      () => committer.pendingReplies,
    );
    this.#definer.counter('etcd_server_proposals_failed_total', 'The total number of failed proposals seen.', () => 0);
    this.#definer.counter('etcd_server_slow_apply_total', 'The total number of slow apply requests.', () => 0);
    this.#definer.counter(
      'etcd_server_slow_read_indexes_total',
      'The total number of pending read indexes not in sync with leader.',
      () => 0,
    );
    this.#definer.counter(
      'etcd_server_heartbeat_send_failures_total',
      'The total number of leader heartbeat send failures.',
      () => 0,
    );
    this.#definer.gauge(
      'etcd_server_quota_backend_bytes',
      'Current backend storage quota size in bytes.',
      () => engine.limits.quotaBytes,
    );
    this.#info('etcd_server_version', 'Which version is running. 1 for its label.', { server_version: ETCD_VERSION });
    this.#info('etcd_server_id', 'Server or member ID in hexadecimal format. 1 for its label.', {
      server_id: serverId,
    });
    this.#info('etcd_cluster_version', 'Which version is running. 1 for its label.', {
      cluster_version: ETCD_CLUSTER_VERSION.slice(0, 3),
    });
    this.#definer.gauge('etcd_debugging_server_alarms', 'Alarms that stand.', () => engine.standingAlarms.length);
    this.#definer.counter(
      'etcd_disk_wal_write_bytes_total',
      'Total number of bytes written to the journal.',
      () => this.#writtenBytes,
    );
  }

  #defineStore(): void {
    const { engine, storedBytes, budget } = this.#sources;
    const { store, lessor } = engine;
    const total = (): number => Math.max(storedBytes(), store.memoryBytes);
    this.#definer.gauge(
      'etcd_mvcc_db_total_size_in_bytes',
      'Total size of the log on disk or of the store in memory, whichever is larger.',
      total,
    );
    this.#definer.gauge(
      'etcd_mvcc_db_total_size_in_use_in_bytes',
      'Total size of the store in memory.',
      () => store.memoryBytes,
    );
    this.#definer.counter('etcd_mvcc_put_total', 'Total number of puts seen by this member.', () => engine.puts);
    this.#definer.counter(
      'etcd_mvcc_delete_total',
      'Total number of deletes seen by this member.',
      () => engine.deletes,
    );
    this.#definer.counter('etcd_mvcc_txn_total', 'Total number of txns seen by this member.', () => engine.txns);
    this.#definer.counter('etcd_mvcc_range_total', 'Total number of ranges seen by this member.', () => engine.ranges);
    this.#definer.gauge('etcd_debugging_mvcc_keys_total', 'Total number of keys.', () => store.liveKeyCount);
    this.#definer.gauge(
      'etcd_debugging_mvcc_current_revision',
      'The current revision of store.',
      () => store.currentRevision,
    );
    this.#definer.gauge(
      'etcd_debugging_mvcc_compact_revision',
      'The revision of the last compaction in store.',
      () => store.compactedRevision,
    );
    this.#definer.gauge(
      'etcd_debugging_mvcc_total_put_size_in_bytes',
      'The total size of put kv pairs seen by this member.',
      () => engine.putBytes,
    );
    this.#definer.counter(
      'etcd_debugging_lease_granted_total',
      'The total number of granted leases.',
      () => lessor.granted,
    );
    this.#definer.counter(
      'etcd_debugging_lease_revoked_total',
      'The total number of revoked leases.',
      () => lessor.revoked,
    );
    this.#definer.counter(
      'etcd_debugging_lease_renewed_total',
      'The number of renewed leases seen by the leader.',
      () => lessor.renewed,
    );
    this.#definer.counter(
      'etcd_debugging_server_lease_expired_total',
      'The total number of expired leases.',
      () => lessor.expired,
    );
    this.#definer.gauge(
      'k1m_visible_revision',
      'Newest revision that reads and watches show.',
      () => engine.visibleRevision,
    );
    this.#definer.gauge('k1m_record_bytes', 'Bytes of the records in memory.', () => store.recordBytesLive);
    this.#definer.gauge('k1m_reply_bytes_in_flight', 'Bytes of large replies in flight.', () => budget.bytesInFlight);
    this.#definer.gauge('k1m_replies_waiting', 'Large replies that wait for the budget.', () => budget.waitingCount);
  }

  #defineSnapshots(): void {
    const { snapshotter, backups } = this.#sources;
    this.#definer.counter('k1m_backups_total', 'Backups made.', () => backups?.taken ?? 0);
    this.#definer.counter('k1m_backup_failures_total', 'Backups that failed.', () => backups?.failed ?? 0);
    this.#definer.gauge('k1m_backup_last_seconds', 'Unix time of the last backup.', () => backups?.lastSeconds ?? 0);
    this.#definer.gauge('k1m_snapshot_running', '1 while a snapshot is taken.', () => (snapshotter.isRunning ? 1 : 0));
    this.#definer.gauge(
      'k1m_snapshot_sequence',
      'The last batch in the newest snapshot, 0 without one.',
      () => snapshotter.newestSequence,
    );
    this.#definer.gauge(
      'k1m_snapshot_log_bytes',
      'Bytes logged since the newest snapshot.',
      () => snapshotter.logBytes,
    );
    this.#definer.gauge(
      'k1m_snapshot_bytes',
      'Size of the last snapshot taken by this process.',
      () => this.#snapshotBytes,
    );
    this.#definer.gauge(
      'k1m_snapshot_revision',
      'Revision of the last snapshot taken by this process.',
      () => this.#snapshotRevision,
    );
    this.#definer.counter(
      'k1m_snapshot_written_bytes_total',
      'Bytes of all snapshots taken by this process.',
      () => this.#snapshotWrittenBytes,
    );
    this.#definer.counter('k1m_snapshot_failures_total', 'Snapshots that failed.', () => this.#snapshotFailures);
  }

  #defineWatch(): void {
    const { hub } = this.#sources;
    this.#definer.gauge('etcd_debugging_mvcc_watcher_total', 'Total number of watchers.', () => hub.watcherCount);
    this.#definer.gauge(
      'etcd_debugging_mvcc_watch_stream_total',
      'Total number of watch streams.',
      () => hub.streamCount,
    );
    this.#definer.gauge(
      'etcd_debugging_mvcc_slow_watcher_total',
      'Total number of unsynced slow watchers.',
      () => hub.laggingCount,
    );
    this.#definer.counter(
      'etcd_debugging_mvcc_events_total',
      'Total number of events sent by this member.',
      () => hub.eventsSent,
    );
    this.#definer.gauge(
      'etcd_debugging_mvcc_pending_events_total',
      'Always 0: pending events are read from history.',
      () => 0,
    );
  }

  #defineProcess(): void {
    const { usage, startedSeconds, loopStallSeconds } = this.#sources;
    this.#definer.counter(
      'process_cpu_seconds_total',
      'Total user and system CPU time spent in seconds.',
      () => usage().cpuSeconds,
    );
    this.#definer.counter(
      'k1m_core_wait_seconds_total',
      'Time that the main thread was ready to run and had no core, in seconds.',
      () => usage().coreWaitSeconds,
    );
    this.#definer.gauge('process_resident_memory_bytes', 'Resident memory size in bytes.', () => usage().residentBytes);
    this.#definer.gauge('process_open_fds', 'Number of open file descriptors.', () => usage().openFiles);
    this.#definer.gauge('process_max_fds', 'Maximum number of open file descriptors.', () => usage().openFilesMax);
    this.#definer.gauge(
      'process_start_time_seconds',
      'Start time of the process since unix epoch in seconds.',
      () => startedSeconds,
    );
    this.#definer.gauge('os_fd_used', 'The number of used file descriptors.', () => usage().openFiles);
    this.#definer.gauge('os_fd_limit', 'The file descriptor limit.', () => usage().openFilesMax);
    this.#definer.gauge('nodejs_heap_bytes', 'Bytes of the JavaScript heap in use.', () => usage().heapBytes);
    this.#definer.gauge(
      'k1m_event_loop_stall_seconds',
      'Longest time the event loop was held since the last scrape.',
      loopStallSeconds,
    );
  }
}
