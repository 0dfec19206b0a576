// Writes a state in memory into a log, as it is at one revision with its history back to the compaction.

import type { Lessor } from '../lease/lessor.ts';
import { KeyValueView } from '../store/key-value.ts';
import type { Store } from '../store/store.ts';
import type { VersionList } from '../store/version-list.ts';
import type { JournalFiller } from './journal-filler.ts';

const STEP_UNITS = 100_000;

export interface WrittenState {
  readonly store: Store;
  readonly lessor: Lessor;
  readonly alarms: ReadonlySet<number>;
}

/**
 * `revision` lies between the store's compacted and its current one; leases and alarms are written as they are now. Resolves with the
 * revision that counts as compacted, −1 = none.
 */
export async function writeState(filler: JournalFiller, state: WrittenState, revision: number): Promise<number> {
  for (const { id, ttlSeconds } of state.lessor.list()) {
    filler.onLeaseGrant(id, ttlSeconds);
    await filler.pause();
  }
  const list = state.store.listVersions(revision);
  while (!list.step(STEP_UNITS));
  await writeVersions(filler, state.store, list);
  list.close();
  for (const alarm of state.alarms) filler.onAlarm(alarm, true);
  return list.compactRevision;
}

async function writeVersions(filler: JournalFiller, store: Store, list: VersionList): Promise<void> {
  const view = new KeyValueView();
  const { compactRevision } = list;
  let isCompacted = compactRevision < 0;
  let current = 0;
  let deletion = 0;
  for (let i = 0; i < list.count; i++) {
    const item = list.item(i);
    const address = Math.abs(item);
    const segment = store.segmentOf(address);
    const start = store.kvStart(address);
    view.readHead(segment, start);
    const main = item < 0 ? list.deletionMain(deletion) : view.modRevision;
    if (main !== current) {
      current = main;
      const waits = filler.pause();
      if (waits !== undefined) await waits;
      if (!isCompacted && main > compactRevision) {
        isCompacted = true;
        filler.onCompact(compactRevision);
      }
      filler.onRevision(main);
    }
    if (item > 0) filler.onPut(store.recordSub(item), segment, start, store.kvEnd(item));
    else filler.onDelete(main, list.deletionSub(deletion++), segment, view.keyStart, view.keyEnd);
  }
  if (!isCompacted) filler.onCompact(compactRevision);
}
