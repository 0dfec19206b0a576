// The server: opens the state, listens, and ties engine, committer, hub, snapshots and connections together.
// What is decided is decided in those; here they are connected, ticked and shut down.

import { serverStopped } from '../api/errors.ts';
import type { ServerIdentity } from '../api/header-writer.ts';
import { HeaderWriter } from '../api/header-writer.ts';
import { UNSERVED_METHODS } from '../api/methods.ts';
import { Registry } from '../grpc/registry.ts';
import { type Timer, within } from '../io/clock.ts';
import type { Listener } from '../io/network.ts';
import type { Journal, Recovery } from '../journal/journal.ts';
import { RevisionReserve } from '../journal/revision-reserve.ts';
import type { RestoredSnapshot } from '../snapshot/restore.ts';
import { snapshotFolder } from '../snapshot/snapshot-folder.ts';
import { Snapshotter } from '../snapshot/snapshotter.ts';
import { WATCH_LIMITS, WatchHub } from '../watch/hub.ts';
import { AutoCompactor } from './auto-compactor.ts';
import { Backups } from './backups.ts';
import { CommitPace } from './commit-pace.ts';
import { COMMITTER_LIMITS, Committer } from './committer.ts';
import { Connections } from './connections.ts';
import { DiskHealth } from './disk-health.ts';
import { Engine } from './engine.ts';
import { HttpService } from './http-service.ts';
import { KvService } from './kv-service.ts';
import { LeaseService } from './lease-service.ts';
import { type ClassBudget, classBudgets, defineDurabilityMetrics } from './loss-budget.ts';
import { MaintenanceService } from './maintenance-service.ts';
import { Metrics } from './metrics.ts';
import { ReplyBudget } from './reply-budget.ts';
import type { ServerOptions } from './server-options.ts';
import { Slices } from './slices.ts';
import { SPENT_SHARE } from './space-watch.ts';
import { type OpenedState, openState } from './state-opening.ts';
import { TrimPace } from './trim-pace.ts';
import { WatchService } from './watch-service.ts';

const TICK_MS = 100;
/** gRPC's allowance over --max-request-bytes. */
const GRPC_OVERHEAD_BYTES = 512 << 10;
/** How long one turn of sliced work may hold the event loop. */
const TURN_MS_MAX = 3;
const BACKGROUND_MS_MAX = 1;
/** The background's time in a turn, over the time that the rest of it took. */
const BACKGROUND_SHARE = 1 / 5;
/** What is not done after so long gets more of them. */
const BACKGROUND_PATIENCE_MS = 20_000;
/** Revisions reserved ahead for relaxed durability classes. */
const RESERVE_REVISIONS = 1_000_000;
/** How long a shutdown waits for calls that are still open, and for a backup to be given up. */
const SHUTDOWN_MS_MAX = 2_000;
/** How long it may then take to write a snapshot that the next start gains by. */
const SHUTDOWN_SNAPSHOT_MS_MAX = 10_000;

/** Opens the data folder and listens. Rejects with the folder's or the network's error; nothing is left open then. */
export async function openServer(options: ServerOptions): Promise<Server> {
  await checkAddresses(options);
  const late: { server: Server | undefined } = { server: undefined };
  const state = await openState({
    ...options,
    handler: {
      onWritten: (sequence) => late.server?.committer.onWritten(sequence),
      onDurable: (sequence) => late.server?.onDurable(sequence),
      onFatal: (error) => options.onFatal(error),
    },
    observer: {
      onWrite: (seconds, bytes) => late.server?.onLogged(seconds, bytes),
      onSync: (seconds) => late.server?.metrics.observeSync(seconds),
      onRoll: () => late.server?.metrics.observeRoll(),
    },
    onSnapshotDamaged: (error) => options.notices.onSnapshotDamaged(error),
    onProgress: (what, done, total) => options.notices.onProgress(what, done, total),
  });
  const server = new Server(options, state);
  late.server = server;
  try {
    await server.start();
  } catch (error) {
    await server.close();
    throw error;
  }
  return server;
}

/** An address that is taken is told before a folder is made, or a long start begun. Nobody is listened to until the state is there. */
async function checkAddresses({ network, listen, listenMetrics }: ServerOptions): Promise<void> {
  const listeners: Listener[] = [];
  try {
    for (const address of [...listen, ...listenMetrics]) {
      listeners.push(await network.listen(address, (stream) => stream.destroy()));
    }
  } finally {
    for (const listener of listeners) await listener.close();
  }
}

export class Server {
  readonly identity: ServerIdentity;
  readonly recovery: Recovery;
  /** What each class of keys may lose. */
  readonly budgets: readonly ClassBudget[];
  /** What the start began with. */
  readonly snapshot: RestoredSnapshot | undefined;
  readonly snapshotter: Snapshotter;
  readonly #backups: Backups | undefined;
  readonly engine: Engine;
  readonly committer: Committer;
  readonly metrics: Metrics;
  readonly http: HttpService;
  readonly #options: ServerOptions;
  readonly #disk: DiskHealth;
  readonly #journal: Journal;
  readonly #hub: WatchHub;
  readonly #slices: Slices;
  readonly #registry = new Registry();
  readonly #watches: WatchService;
  readonly #leases: LeaseService;
  readonly #kv: KvService;
  readonly #connections: Connections;
  readonly #autoCompactor: AutoCompactor | undefined;
  readonly #trimPace: TrimPace;
  #timer: Timer | undefined;
  #isClosing = false;

  constructor(options: ServerOptions, state: OpenedState) {
    const { store, lessor, journal, recovery } = state;
    const { clock } = options;
    this.#options = options;
    this.#journal = journal;
    this.recovery = recovery;
    this.budgets = classBudgets(options.durability, options);
    this.snapshot = state.snapshot;
    this.identity = { ...recovery.identity, raftTerm: journal.epoch + 1 };
    const nowMs = (): number => clock.nowMs();
    const { autoCompaction } = options;
    this.#autoCompactor = autoCompaction && new AutoCompactor(autoCompaction, clock.nowMs());
    this.#trimPace = new TrimPace(clock.nowMs());
    const defer = (callback: () => void): void => clock.defer(callback);
    const reserve = options.durability.hasRelaxed
      ? new RevisionReserve(store.currentRevision, RESERVE_REVISIONS)
      : undefined;
    this.committer = new Committer({
      limits: { ...COMMITTER_LIMITS, openBytesMax: options.openBytesMax ?? COMMITTER_LIMITS.openBytesMax },
      pace: new CommitPace(options.commitDelayMs),
      nowMs,
      rest: (ms) => clock.rest(ms),
      reserve,
      currentRevision: () => store.currentRevision,
      onVisible: (revision) => this.#show(revision),
      onReleasing: () => this.#connections.expectFlush(),
      onReleased: () => this.#connections.flush(),
      defer,
      onFatal: options.onFatal,
    });
    this.committer.attach(journal);
    // Where revisions are lost the start has compacted all there is. Also who comes back after the next start must be told.
    if (store.compactedRevision === store.currentRevision) journal.batch.appendCompact(store.compactedRevision);
    const limits = {
      requestBytesMax: options.requestBytesMax,
      txnOpsMax: options.txnOpsMax,
      quotaBytes: options.quotaBytes,
    };
    const { durability, disk, folder, diskLimits, diskNotices } = options;
    const { alarms } = state;
    this.#disk = new DiskHealth({ disk, clock, folder, limits: diskLimits, journal, notices: diskNotices });
    this.engine = new Engine({
      store,
      lessor,
      log: this.committer,
      durability,
      limits,
      identity: this.identity,
      alarms,
      space: this.#disk,
    });
    this.#hub = new WatchHub({
      store,
      writer: new HeaderWriter(this.identity),
      limits: { ...WATCH_LIMITS, fragmentBytesMax: options.requestBytesMax + GRPC_OVERHEAD_BYTES },
      progressIntervalMs: options.progressIntervalMs,
      random: options.random,
    });
    this.#slices = new Slices({
      turnMsMax: TURN_MS_MAX,
      backgroundMsMax: BACKGROUND_MS_MAX,
      backgroundShare: BACKGROUND_SHARE,
      backgroundPatienceMs: BACKGROUND_PATIENCE_MS,
      nowMs,
      defer,
      onTurnEnd: () => this.#connections.flush(),
    });
    this.snapshotter = this.#makeSnapshotter(state, () => reserve?.appendedMark ?? 0);
    const budget = new ReplyBudget(options.replyBytesMax);
    const { engine, committer } = this;
    this.#kv = new KvService({ engine, committer, slices: this.#slices, budget });
    this.#watches = new WatchService({ hub: this.#hub, slices: this.#slices, nowMs });
    this.#leases = new LeaseService({
      engine,
      committer,
      nowMs,
      isHeldBack: () => this.#disk.isHeldBack,
      randomId: options.randomId,
    });
    const maintenance = new MaintenanceService({
      engine,
      committer,
      slices: this.#slices,
      member: options.member,
      storedBytes: () => journal.storedBytes,
      lastSequence: () => journal.lastSequence,
      durableSequence: () => journal.durableSequence,
    });
    this.#kv.register(this.#registry);
    this.#watches.register(this.#registry);
    this.#leases.register(this.#registry);
    maintenance.register(this.#registry);
    this.#backups = this.#makeBackups(maintenance);
    this.metrics = new Metrics({
      engine,
      committer,
      hub: this.#hub,
      registry: this.#registry,
      unserved: UNSERVED_METHODS,
      defer,
      budget,
      snapshotter: this.snapshotter,
      backups: this.#backups,
      parts: [this.#disk, maintenance, { defineMetrics: (to) => defineDurabilityMetrics(to, this.budgets) }],
      http: () => this.http,
      usage: options.usage,
      connections: () => this.#connections,
      storedBytes: () => journal.storedBytes,
      sequences: () => ({ last: journal.lastSequence, durable: journal.durableSequence }),
      loopStallSeconds: options.loopStallSeconds,
      startedSeconds: clock.wallMs() / 1000,
    });
    this.http = new HttpService({
      engine,
      metrics: () => this.metrics.text(),
      unreadyReason: () => this.#disk.stallReason ?? (committer.isOverloaded ? 'the disk does not keep up' : undefined),
    });
    this.#connections = new Connections({
      network: options.network,
      clock,
      h2: options.h2,
      registry: this.#registry,
      http: this.http,
      messageBytesMax: options.requestBytesMax + GRPC_OVERHEAD_BYTES,
      onBug: options.onFatal,
    });
  }

  /** The ports in use, in the order of `listen`. */
  get ports(): number[] {
    return this.#connections.ports;
  }

  #makeSnapshotter(state: OpenedState, revisionMark: () => number): Snapshotter {
    const { disk, clock, folder, snapshots, diskLimits, notices, onFatal } = this.#options;
    const { store, lessor, alarms, journal, recovery, snapshot } = state;
    return new Snapshotter({
      subject: {
        disk,
        clock,
        folder: snapshotFolder(folder),
        identity: recovery.identity,
        journal,
        store,
        lessor,
        alarms,
        compactTarget: () => this.engine.compactTarget,
        revisionMark,
        whenCommitted: (callback) => this.committer.whenCommitted(callback),
        addJob: (job) => this.#slices.addBackground(job),
      },
      limits: snapshots,
      // Below it nothing is logged: there is nothing to leave room for.
      freeBytesMin: diskLimits.reserveBytes * SPENT_SHARE,
      replayedBytes: recovery.replayedBytes,
      loadedSequence: snapshot?.header.sequence ?? 0,
      observer: {
        onSync: (seconds) => this.metrics.observeSnapshotSync(seconds),
        onTaken: (result) => {
          this.metrics.observeSnapshot(result);
          notices.onSnapshotTaken(result);
        },
        onFailed: (error, retryMs) => {
          this.metrics.observeSnapshotFailure();
          notices.onSnapshotFailed(error, retryMs);
        },
      },
      onFatal,
    });
  }

  #makeBackups(maintenance: MaintenanceService): Backups | undefined {
    const { disk, clock, backups, notices, onFatal } = this.#options;
    return (
      backups &&
      new Backups(backups, {
        disk,
        clock,
        snapshotTo: (target, onEnd) => maintenance.snapshotTo(target, onEnd),
        onTaken: (result) => notices.onBackupTaken(result),
        onFailed: (error, retryMs) => notices.onBackupFailed(error, retryMs),
        onFatal,
      })
    );
  }

  /** The journal took bytes; for its observer. */
  onLogged(durationSeconds: number, bytes: number): void {
    this.metrics.observeWrite(durationSeconds, bytes);
    this.snapshotter.onLogged(bytes);
    this.#disk.onWritten(bytes);
  }

  /** For the journal's handler. */
  onDurable(sequence: number): void {
    this.committer.onDurable(sequence);
    this.snapshotter.onDurable(sequence);
  }

  async start(): Promise<void> {
    await this.snapshotter.open();
    await this.#disk.open();
    const { listen, listenMetrics } = this.#options;
    await this.#connections.listen(listen, false);
    await this.#connections.listen(listenMetrics, true);
    this.#tick();
    if (this.engine.store.compactionPending) this.#kv.startCompaction(() => {});
  }

  /** Graceful: ends streams with UNAVAILABLE, makes everything durable, and marks the log as cleanly closed. */
  async close(): Promise<void> {
    if (this.#isClosing) return;
    this.#isClosing = true;
    this.#timer?.cancel();
    await this.#connections.stopListening();
    for (const call of [...this.#watches.calls]) call.fail(serverStopped());
    await this.#connections.close(SHUTDOWN_MS_MAX);
    const { clock } = this.#options;
    await within(clock, SHUTDOWN_MS_MAX, this.#backups?.close());
    // A start that failed is not held up by a snapshot.
    if (this.#timer !== undefined) await this.snapshotter.close(SHUTDOWN_SNAPSHOT_MS_MAX);
    // Where keys are lost the next start has to begin behind the revisions that were shown, as after a crash, so that watches are
    // told: the log is not marked as clean.
    const { hasUnlogged } = this.#options.durability;
    await this.#journal.close(hasUnlogged ? undefined : this.engine.store.currentRevision);
  }

  /** Everything up to `revision` may be shown. */
  #show(revision: number): void {
    this.engine.visibleRevision = revision;
    this.#hub.dispatch(revision);
    this.#watches.resume();
  }

  #tick(): void {
    const nowMs = this.#options.clock.nowMs();
    this.#connections.tick(nowMs);
    this.#hub.tick(nowMs);
    this.#disk.tick();
    if (this.#leases.expire()) {
      this.#slices.add(() => !this.#leases.expire());
    }
    const compactTo = this.#autoCompactor?.tick(nowMs, this.engine.visibleRevision) ?? 0;
    if (this.#disk.isLow) this.snapshotter.relieve();
    else this.snapshotter.tick();
    this.#backups?.tick();
    if (compactTo > 0 && compactTo > this.engine.compactTarget && !this.#disk.isSpent)
      this.#kv.compactTo(compactTo, () => {});
    const { store } = this.engine;
    if (this.#trimPace.tick(store.currentRevision, this.#slices.jobCount > 0, nowMs)) store.trimMemory();
    this.#connections.flush();
    this.#timer = this.#options.clock.setTimer(TICK_MS, () => this.#tick());
  }
}
