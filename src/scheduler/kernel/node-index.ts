// What a decision asks of an index of the nodes, and who makes one: on this thread (class-index.ts), or in shards (../shards).

import type { PodObject } from '../model/pod-object.ts';
import type { SchedulerProfile } from '../model/scheduler-profile.ts';
import type { PodSpread } from './class-keys.ts';
import type { ClusterState } from './cluster-state.ts';
import type { Failure } from './failure-table.ts';
import type { RoomScore } from './node-fit.ts';
import type { ExceptionMarks } from './overlaid-groups.ts';
import type { TopologyKey } from './topology.ts';

/** What an index takes for each node. */
export const NODE_BYTES = 16;
const BYTES_MAX = 384 * 1024 * 1024;
const INDEXES_LEAST = 64;

/** What indexes in one place may take together: BYTES_MAX, or as much as INDEXES_LEAST of them take where nodes are so many that this is more. */
export function indexBytesMaxFor(nodeCount: number): number {
  return Math.max(BYTES_MAX, INDEXES_LEAST * NODE_BYTES * nodeCount);
}

/** Outdated: they are to be made anew. Awaited: nothing can be decided by them before shards have answered. */
export type Freshness = 'fresh' | 'outdated' | 'awaited';

/** Nodes in groups, as a pick looks at them. */
export interface Groups {
  /** Rows of all groups, one after another. */
  readonly rows: Int32Array;
  readonly width: number;
  /** Nodes in each group. */
  readonly counts: readonly number[];
  /** The highest bucket of each group that has a node. */
  readonly tops: readonly number[];
  /** Groups that have nodes, in no order. */
  readonly live: readonly number[];
  /** Nodes by the number of the failure that keeps the class from them. */
  readonly failed: readonly number[];
  readonly bytes: number;
  /** Brings them up to date. */
  refresh(): Freshness;
  /** Of the nodes of the group's highest bucket the one that changed last. */
  bestOf(group: number): number;
  /** The node's group; −1 − failure where it does not fit whatever its topology. Until nodes or pods change. */
  groupOf(slot: number): number;
}

/** What makes groups of nodes. */
export interface RowSource {
  readonly state: ClusterState;
  readonly score: RoomScore;
  readonly width: number;
  /** The number of the failure that keeps a node out of all groups; 0: `row` is its group's. */
  judge(slot: number, row: Int32Array): number;
}

/** Groups of the nodes alone, without anything laid over. */
export interface NodeIndex extends Groups {
  /** As bestOf, of nodes that are not marked; there is one. −1: it is not known, and asked for. */
  bestExcept(group: number, marks: ExceptionMarks): number;
  /** The bucket of a node that is in a group. */
  bucketAt(slot: number): number;
  /** Gives up what it holds, whoever still knows it: it is outdated. */
  release(): void;
}

/** What an index is of: enough to make its source anew elsewhere. */
export interface IndexOrder {
  readonly source: RowSource;
  readonly pod: PodObject;
  readonly profile: SchedulerProfile;
  /** Names of the only nodes that come into question; undefined: all. */
  readonly only: ReadonlySet<string> | undefined;
  readonly spread: PodSpread;
  /** Keys whose domains are in the row. */
  readonly keys: readonly TopologyKey[];
  /** It is the one of a view (shared-view.ts). */
  readonly isShared: boolean;
  /** The number that a failure has in `failed`. */
  readonly failureId: (failure: Failure) => number;
}

export type IndexMaker = (order: IndexOrder) => NodeIndex;
