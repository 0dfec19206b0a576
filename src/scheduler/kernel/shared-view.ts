// What classes have in common that differ in labels, namespaces and topology rules only: they see the nodes alike but for their own pods. Thousands of
// Deployments of a few sizes are a few views, and a change of a node is looked at once for each view, not for each class.
//
//   row of a group:  [trait, late refusal, domain of key 1, …, 0, 1 where the node has a hostname, else 0]
//
// So a class that counts nothing by hostname reads it as its own row: the 0 is where nominated pods would be, of whom there are none then.
//
// What a class adds to it by hostname is in overlaid-groups.ts.

import type { ClusterState } from './cluster-state.ts';
import type { RoomScore } from './node-fit.ts';
import type { NodeIndex, RowSource } from './node-index.ts';
import type { PodClass } from './pod-class.ts';
import type { TopologyKey } from './topology.ts';
import { KEYS_PLACE } from './topology-rules.ts';

export class SharedView implements RowSource {
  readonly key: string;
  /** The first class of the view: what it makes of nodes, all of them do. */
  readonly first: PodClass;
  readonly state: ClusterState;
  readonly score: RoomScore;
  readonly width: number;
  readonly keys: readonly TopologyKey[];
  readonly #make: (view: SharedView) => NodeIndex;
  #index: NodeIndex | undefined;
  /** Changes of nodes up to the last use. */
  #changesSeen = 0;
  usedMs = 0;
  /** Larger for the one that was used later. */
  turn = 0;
  /** As it was last weighed. */
  bytes = 0;

  constructor(key: string, first: PodClass, make: (view: SharedView) => NodeIndex) {
    this.key = key;
    this.first = first;
    this.state = first.state;
    this.score = first.score;
    this.keys = [...first.rules.keys];
    this.#make = make;
    this.width = KEYS_PLACE + this.keys.length + 2;
  }

  /** Made, or brought up to date; undefined while that is awaited. */
  freshIndex(): NodeIndex | undefined {
    let freshness = this.#index?.refresh() ?? 'outdated';
    if (freshness === 'outdated') {
      // Classes may still have it.
      this.#index?.release();
      this.#index = this.#make(this);
      freshness = this.#index.refresh();
    }
    this.#changesSeen = this.state.changes.count;
    return freshness === 'fresh' ? this.#index : undefined;
  }

  /** Nodes that it has to look at before it is up to date, so many at most; 0 where all of them come first, as they do for any index. */
  get looksDue(): number {
    const { changes, nodes } = this.state;
    return this.#index === undefined ? 0 : Math.min(nodes.count, changes.count - this.#changesSeen);
  }

  /** As it was last asked for; undefined where there is none. */
  get index(): NodeIndex | undefined {
    return this.#index;
  }

  dropIndex(): void {
    this.#index?.release();
    this.#index = undefined;
  }

  judge(slot: number, row: Int32Array): number {
    const failure = this.first.judgeAlike(slot, row, this.keys);
    row[this.width - 2] = 0;
    row[this.width - 1] = this.state.nodes.hostnames[slot] === undefined ? 0 : 1;
    return failure;
  }

  markUsed(round: number): void {
    this.first.markUsed(round);
    for (const topology of this.keys) topology.round = round;
  }
}
