// Which revision a stopped data folder was at, at some wall time, as its log tells (src/journal/log-times.ts).

import { join } from 'node:path';
import type { Disk } from '../io/disk.ts';
import { CorruptionError } from '../journal/errors.ts';
import { IGNORING_VISITOR, type LogBase } from '../journal/journal.ts';
import { type KnownMoment, MomentSearch } from '../journal/log-times.ts';
import { logBegin, readLog } from '../journal/recovery.ts';
import { listSnapshots, snapshotFolder, snapshotPath } from '../snapshot/snapshot-folder.ts';
import { SnapshotReader } from '../snapshot/snapshot-reader.ts';

/** The log is read from its beginning, or from what the oldest good snapshot does not hold. Rejects as `readLog` does. */
export async function searchMoment(disk: Disk, folder: string, wallMs: number): Promise<MomentSearch> {
  const segments = join(folder, 'wal');
  const isWhole = (await logBegin(disk, segments)) === 1;
  const start = isWhole ? undefined : await oldestSnapshot(disk, snapshotFolder(folder));
  const search = new MomentSearch(wallMs, start?.known);
  const onBatch = search.take.bind(search);
  await readLog({ disk, folder: segments, visitor: IGNORING_VISITOR, base: start?.base, onBatch });
  return search;
}

interface SnapshotStart {
  readonly base: LogBase;
  readonly known: KnownMoment;
}

async function oldestSnapshot(disk: Disk, folder: string): Promise<SnapshotStart | undefined> {
  const { sequences } = await listSnapshots(disk, folder);
  for (const sequence of [...sequences].reverse()) {
    const file = snapshotPath(folder, sequence);
    try {
      const reader = await SnapshotReader.open(disk, file);
      await reader.close();
      const { revision, revisionMark, wallMs, identity } = reader.header;
      const base = { sequence, revision: revisionMark, clusterId: identity.clusterId, file };
      return { base, known: { revision, wallMs } };
    } catch (error) {
      if (!(error instanceof CorruptionError)) throw error;
    }
  }
  return undefined;
}
