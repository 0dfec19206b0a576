// How a shard arranges its nodes for a class of pods, or for a view that classes share: at least as finely as the sequencer does, who knows of pods and terms that
// the shard has never heard of. So the topology keys of the sequencer's row are told with it, and nodes without a hostname are kept apart: what nobody here counts by it is
// 0 where there is one, and nothing where there is none.
//
//   row of a group:  that of the class (topology-rules.ts), then the domain of each key that was told, then 1 where the node has a hostname, else 0

import type { ClusterState } from '../kernel/cluster-state.ts';
import type { FailureTable } from '../kernel/failure-table.ts';
import type { RoomScore } from '../kernel/node-fit.ts';
import type { IndexOrder, RowSource } from '../kernel/node-index.ts';
import { PodClass } from '../kernel/pod-class.ts';
import type { TopologyKey } from '../kernel/topology.ts';
import { KEYS_PLACE } from '../kernel/topology-rules.ts';
import type { SpreadConstraint } from '../model/pod-object.ts';

/** An order as it is told. */
export interface OrderParts extends Pick<IndexOrder, 'pod' | 'profile' | 'only' | 'isShared'> {
  readonly hard: readonly SpreadConstraint[];
  readonly soft: readonly SpreadConstraint[];
  readonly keys: readonly string[];
}

export function orderPartsOf({ pod, profile, only, spread, keys, isShared }: IndexOrder): OrderParts {
  const { hard, soft } = spread;
  return { pod, profile, only, isShared, hard, soft, keys: keys.map(({ name }) => name) };
}

export class ShardSource implements RowSource {
  readonly state: ClusterState;
  readonly score: RoomScore;
  readonly width: number;
  readonly #class: PodClass;
  readonly #isShared: boolean;
  readonly #keys: readonly TopologyKey[];
  readonly #keysPlace: number;
  readonly #withheld: ReadonlySet<number>;
  readonly #withheldFailure: number;

  /** `withheld`: slots of nodes that are to be counted under `withheldFailure`. */
  constructor(
    state: ClusterState,
    failures: FailureTable,
    { pod, profile, only, hard, soft, keys, isShared }: OrderParts,
    { withheld, withheldFailure }: { readonly withheld: ReadonlySet<number>; readonly withheldFailure: number },
  ) {
    this.state = state;
    this.#class = new PodClass(state, failures, pod, profile, only, { hard, soft, key: '', round: 0 });
    this.score = this.#class.score;
    this.#isShared = isShared;
    this.#keys = keys.map((name) => state.topology(name));
    this.#keysPlace = isShared ? KEYS_PLACE : this.#class.rules.width;
    this.width = this.#keysPlace + keys.length + 1;
    this.#withheld = withheld;
    this.#withheldFailure = withheldFailure;
  }

  /** Terms of pods have come since that speak of the class. */
  get isOutdated(): boolean {
    return this.#class.rules.isOutdated;
  }

  judge(slot: number, row: Int32Array): number {
    if (this.#withheld.has(slot)) return this.#withheldFailure;
    row[this.width - 1] = this.state.nodes.hostnames[slot] === undefined ? 0 : 1;
    if (this.#isShared) return this.#class.judgeAlike(slot, row, this.#keys);
    const failure = this.#class.judge(slot, row);
    for (let i = 0; i < this.#keys.length; i++) row[this.#keysPlace + i] = this.#keys[i].domainOf[slot];
    return failure;
  }

  markUsed(round: number): void {
    this.#class.markUsed(round);
    for (const topology of this.#keys) topology.round = round;
  }

  forgetShapes(shapes: readonly number[]): void {
    this.#class.forgetShapes(shapes);
  }
}
