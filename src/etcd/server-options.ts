// What a server needs to be told, and what it tells its operator.

import type { ConnectionOptions } from '../h2/connection-options.ts';
import type { Clock } from '../io/clock.ts';
import type { Disk, DiskError } from '../io/disk.ts';
import type { ListenOptions, Network } from '../io/network.ts';
import type { ProcessUsage } from '../io/process-usage.ts';
import type { CorruptionError } from '../journal/errors.ts';
import type { JournalIdentity } from '../journal/journal.ts';
import type { SnapshotScheduleLimits } from '../snapshot/snapshot-schedule.ts';
import type { SnapshotResult } from '../snapshot/snapshot-taking.ts';
import type { Prefault } from '../store/memory.ts';
import type { AutoCompactorOptions } from './auto-compactor.ts';
import type { BackupOptions, BackupResult } from './backups.ts';
import type { DiskLimits, DiskNotices } from './disk-health.ts';
import type { DurabilityMap } from './durability.ts';
import type { MemberInfo } from './maintenance-service.ts';

export interface ServerOptions {
  readonly disk: Disk;
  readonly network: Network;
  readonly clock: Clock;
  /** A number in [0, 1). */
  readonly random: () => number;
  /** 64 random bits. */
  readonly randomId: () => bigint;
  /** For a log that has none yet: journal/format.ts. */
  readonly salt: number;
  readonly usage: () => ProcessUsage;
  readonly loopStallSeconds: () => number;
  /** Asks for a garbage collection. */
  readonly collect: () => void;
  /** Makes new memory ready beside this thread; undefined: it is used as it comes. */
  readonly prefault?: Prefault | undefined;
  readonly folder: string;
  /** For a new data folder; an existing one keeps its own. */
  readonly identity: JournalIdentity;
  readonly member: MemberInfo;
  readonly listen: readonly ListenOptions[];
  /** Addresses that serve only the plain HTTP endpoints. */
  readonly listenMetrics: readonly ListenOptions[];
  readonly durability: DurabilityMap;
  readonly h2: ConnectionOptions;
  readonly requestBytesMax: number;
  readonly txnOpsMax: number;
  readonly quotaBytes: number;
  readonly replyBytesMax: number;
  readonly progressIntervalMs: number;
  readonly minimumLeaseTtlSeconds: number;
  readonly autoCompaction: AutoCompactorOptions | undefined;
  /** Commits are so far apart while writes are frequent; 0: never. */
  readonly commitDelayMs: number;
  readonly bufferedLossMsMax: number;
  readonly bufferedLossBytesMax: number;
  /** Size of a segment of the log; undefined for the usual one. */
  readonly segmentBytesMax?: number | undefined;
  /** Writes that wait for the log, in bytes; undefined for the usual limit. Beyond it they are refused. */
  readonly openBytesMax?: number | undefined;
  readonly diskLimits: DiskLimits;
  readonly snapshots: SnapshotScheduleLimits;
  /** Undefined: none are made. */
  readonly backups?: BackupOptions | undefined;
  /** For the operator to know. */
  readonly notices: ServerNotices;
  readonly diskNotices: DiskNotices;
  /** The process must end: the disk failed, or this program has a bug. */
  readonly onFatal: (error: unknown) => void;
}

export interface ServerNotices {
  /** The start goes on without this snapshot. */
  onSnapshotDamaged(error: CorruptionError): void;
  /** The start has read `done` of `total`. Called often. */
  onProgress(what: string, done: number, total: number): void;
  onSnapshotTaken(result: SnapshotResult): void;
  onSnapshotFailed(error: DiskError, retryMs: number): void;
  onBackupTaken(result: BackupResult): void;
  onBackupFailed(error: DiskError, retryMs: number): void;
}
