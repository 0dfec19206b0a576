// How much a merged index takes of shards before it asks again, or is given up (merged-index.ts).

export interface MergeLimits {
  /** Nodes that may change before the shards are asked again. */
  readonly exceptionsMax: number;
  /** Nodes of each group that a shard tells, at first and at most. */
  readonly listFirst: number;
  readonly listMax: number;
}

export const MERGE_LIMITS: MergeLimits = { exceptionsMax: 1_024, listFirst: 64, listMax: 4_096 };
