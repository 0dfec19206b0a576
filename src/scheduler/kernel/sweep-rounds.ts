// When what nobody uses any more is forgotten. Tables of what pods and nodes have in common keep each thing with the round in which it was
// last used; a round goes through all tables in slices, marks what others still use, and drops what was not used in this round or the one before.
//
// A thing is only ever reached by a look-up, which marks it, so a round may be interrupted anywhere. (Marking by rounds instead of
// counting users: parts are shared by shapes, classes and counters alike, and looking one up is then all there is to do.)

/** Entries looked at between two yields. */
const SLICE = 128;

export class SweepRounds {
  /** The round that is on, or was the last one. */
  current = 1;
  /** Things that have come, or lost their last user, since the round began. */
  changeCount = 0;

  changed(): void {
    this.changeCount++;
  }

  /** Last used before the previous round began. */
  isOver(round: number): boolean {
    return round < this.current - 1;
  }

  begin(): void {
    this.current++;
    this.changeCount = 0;
  }
}

/** Drops what is over; yields after each slice. The table may change meanwhile. */
export function* sweepTable<K, T>(table: Map<K, T>, isOver: (thing: T) => boolean): Generator<void> {
  let looked = 0;
  for (const [key, thing] of table) {
    if (isOver(thing)) table.delete(key);
    if (++looked % SLICE === 0) yield;
  }
  yield;
}
