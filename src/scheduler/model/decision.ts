// What a scheduler answers about one pod.

export type Decision = Bound | Unschedulable | Failed | LeftAlone;

/** `node` is one of the nodes with the highest total. */
export interface Bound {
  readonly kind: 'bound';
  readonly node: string;
  /** Σ of weighted scores; undefined where a single feasible node was taken without scoring. */
  readonly score: number | undefined;
}

export interface Unschedulable {
  readonly kind: 'unschedulable';
  /** The text of the PodScheduled condition, upstream's. */
  readonly message: string;
  /** How many nodes failed for which reason; empty when a PreFilter refused the pod for all. */
  readonly reasons: ReadonlyMap<string, number>;
  /** Names of the plugins that refused. */
  readonly plugins: ReadonlySet<string>;
  readonly preemption: Preemption | undefined;
}

export interface Preemption {
  /** To be status.nominatedNodeName. */
  readonly nominatedNode: string;
  /** Uids of the pods that have to go, most important first. Those that are terminating already need no deletion. */
  readonly victims: readonly string[];
  /** Uids of pods of lower priority that are nominated for that node and lose it. */
  readonly clearedNominations: readonly string[];
}

/** A plugin failed; the pod is tried again later. Condition reason SchedulerError. */
export interface Failed {
  readonly kind: 'error';
  readonly message: string;
}

/** Not this scheduler's business: why. */
export interface LeftAlone {
  readonly kind: 'left-alone';
  readonly reason: string;
  /** It is another pod's doing: to be asked again when that has changed. */
  readonly isPassing?: boolean;
}
