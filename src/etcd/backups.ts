// Backups by the clock: etcd's snapshot files in a folder, the newest few kept.
//
//   <folder>/backup-<number, 8 digits>-<UTC, 20260131T235959Z>-r<revision>.db
//
// The number is one above that of the newest: it alone says in which order they were made. The wall clock may step, so that it is for names
// only; between two backups monotonic time passes. At the start the newest name says how long ago it was made, so that a restart
// makes none too many or too few: at most an interval is waited, whatever the wall clock says by then.
// Files with other names are left alone. A failure is told and tried again; it never stops the server.

import { join } from 'node:path';
import { assert } from '../base/assert.ts';
import type { Clock } from '../io/clock.ts';
import { type Disk, DiskError } from '../io/disk.ts';
import { BackupFile } from './backup-file.ts';
import type { SnapshotStream, SnapshotTarget } from './snapshot-stream.ts';

const NAME = /^backup-(\d{8,15})-(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z-r(\d+)\.db$/;
const PART_NAME = /^backup-\d{8,15}\.db\.part$/;
const NUMBER_DIGITS = 8;
const RETRY_MS_MAX = 60_000;

export interface BackupOptions {
  readonly folder: string;
  readonly intervalMs: number;
  /** How many files are kept. */
  readonly keptMax: number;
}

export interface BackupResult {
  readonly path: string;
  readonly revision: number;
  readonly bytes: number;
  readonly durationSeconds: number;
}

export interface BackupSurroundings {
  readonly disk: Disk;
  readonly clock: Clock;
  /** Makes the snapshot of now, to be started. */
  readonly snapshotTo: (target: SnapshotTarget, onEnd: () => void) => SnapshotStream;
  readonly onTaken: (result: BackupResult) => void;
  /** The next try is in `retryMs`. */
  readonly onFailed: (error: DiskError, retryMs: number) => void;
  readonly onFatal: (error: unknown) => void;
}

export interface BackupName {
  readonly name: string;
  readonly number: number;
  readonly wallMs: number;
  readonly revision: number;
}

/** Of the names in a folder, those of backups, in the order in which they were made. */
export function backupsAmong(names: readonly string[]): BackupName[] {
  const backups: BackupName[] = [];
  for (const name of names) {
    const match = NAME.exec(name);
    if (match === null) continue;
    const [number, year, month, day, hour, minute, second, revision] = match.slice(1).map(Number);
    backups.push({ name, number, wallMs: Date.UTC(year, month - 1, day, hour, minute, second), revision });
  }
  return backups.sort((a, b) => a.number - b.number);
}

/** The backups in a folder, the oldest first. Of a folder that does not exist: none. Rejects with DiskError. */
export async function listBackups(disk: Disk, folder: string): Promise<BackupName[]> {
  const names = await disk.list(folder).catch((error: unknown) => {
    if (error instanceof DiskError && error.code === 'ENOENT') return [];
    throw error;
  });
  return backupsAmong(names);
}

export class Backups {
  readonly #options: BackupOptions;
  readonly #surroundings: BackupSurroundings;
  /** Monotonic time from which the next one is due; undefined until the folder was looked at. */
  #dueMs: number | undefined;
  /** Of the newest one. */
  #number = 0;
  #running: Promise<void> | undefined;
  #stream: SnapshotStream | undefined;
  #isClosed = false;
  // For metrics.
  taken = 0;
  failed = 0;
  lastSeconds = 0;

  constructor(options: BackupOptions, surroundings: BackupSurroundings) {
    this.#options = options;
    this.#surroundings = surroundings;
  }

  /** Called from time to time. */
  tick(): void {
    if (this.#running !== undefined || this.#isClosed) return;
    const nowMs = this.#surroundings.clock.nowMs();
    if (this.#dueMs !== undefined && nowMs < this.#dueMs) return;
    this.#running = this.#run(nowMs).finally(() => {
      this.#running = undefined;
    });
  }

  /** Gives up the one under way; no more are made. */
  async close(): Promise<void> {
    this.#isClosed = true;
    this.#stream?.close();
    await this.#running;
  }

  async #run(nowMs: number): Promise<void> {
    const { intervalMs } = this.#options;
    try {
      if (this.#dueMs === undefined) {
        this.#dueMs = nowMs + (await this.#lookAtFolder());
        if (this.#dueMs > nowMs) return;
      }
      await this.#take();
      this.#dueMs = nowMs + intervalMs;
    } catch (error) {
      if (!(error instanceof DiskError)) {
        this.#surroundings.onFatal(error);
        return;
      }
      const retryMs = Math.min(intervalMs, RETRY_MS_MAX);
      this.#dueMs = nowMs + retryMs;
      this.failed++;
      this.#surroundings.onFailed(error, retryMs);
    }
  }

  /** Makes the folder, removes what a crash left, and says in how many milliseconds the next one is due. */
  async #lookAtFolder(): Promise<number> {
    const { disk, clock } = this.#surroundings;
    const { folder, intervalMs } = this.#options;
    await disk.ensureDirectory(folder);
    for (const name of await disk.list(folder)) if (PART_NAME.test(name)) await disk.unlink(join(folder, name));
    const newest = (await listBackups(disk, folder)).at(-1);
    if (newest === undefined) return 0;
    this.#number = newest.number;
    const ageMs = clock.wallMs() - newest.wallMs;
    return Math.min(Math.max(0, intervalMs - ageMs), intervalMs);
  }

  async #take(): Promise<void> {
    if (this.#isClosed) return;
    const { disk, clock } = this.#surroundings;
    const startedMs = clock.nowMs();
    const wallMs = clock.wallMs();
    const number = this.#number + 1;
    const start = join(this.#options.folder, `backup-${String(number).padStart(NUMBER_DIGITS, '0')}`);
    const file = await BackupFile.create(disk, `${start}.db.part`);
    try {
      const revision = await this.#fill(file);
      if (revision === undefined) {
        await file.abandon();
        return;
      }
      const stamp = new Date(wallMs).toISOString().replace(/[-:]|\.\d+/g, '');
      const path = `${start}-${stamp}-r${revision}.db`;
      await file.commit(path);
      this.#number = number;
      const durationSeconds = (clock.nowMs() - startedMs) / 1000;
      this.taken++;
      this.lastSeconds = wallMs / 1000;
      this.#surroundings.onTaken({ path, revision, bytes: file.writtenBytes, durationSeconds });
    } catch (error) {
      await file.abandon();
      throw error;
    }
    await this.#prune();
  }

  /** The revision in the file; undefined when it was given up. */
  #fill(file: BackupFile): Promise<number | undefined> {
    if (this.#isClosed) return Promise.resolve(undefined);
    return new Promise((resolve, reject) => {
      let isComplete = false;
      const stream = this.#surroundings.snapshotTo(file, () => {
        this.#stream = undefined;
        // Completion, if it is one, follows at once.
        if (file.failure !== undefined) reject(file.failure);
        else if (this.#isClosed) resolve(undefined);
      });
      file.onComplete = () => {
        assert(!isComplete, 'a file is complete once');
        isComplete = true;
        resolve(stream.revision);
      };
      file.onDrain = () => {
        if (file.failure !== undefined && !isComplete) stream.close();
        else stream.drained();
      };
      this.#stream = stream;
      stream.start();
    });
  }

  async #prune(): Promise<void> {
    const { disk } = this.#surroundings;
    const { folder, keptMax } = this.#options;
    const backups = await listBackups(disk, folder);
    const surplus = backups.slice(0, Math.max(0, backups.length - keptMax));
    for (const { name } of surplus) await disk.unlink(join(folder, name));
    if (surplus.length > 0) await disk.syncDirectory(folder);
  }
}
