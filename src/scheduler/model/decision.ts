// What a scheduler answers about one pod.

export type Decision = Bound | Unschedulable | Failed | LeftAlone;

/** `node` is one of the nodes with the highest total. */
export interface Bound {
  readonly kind: 'bound';
  readonly node: string;
  /** Σ of weighted scores; undefined where a single feasible node was taken without scoring. */
  readonly score: number | undefined;
  /** Absent where no claim of the pod waits to be bound. */
  readonly volumes?: VolumePlan;
}

/** What has to happen to the pod's claims before it is bound to its node (Reserve and PreBind of VolumeBinding). */
export interface VolumePlan {
  /** Volumes that are there, to be set aside for claims. */
  readonly found: readonly FoundVolume[];
  /** Keys of the claims that volumes are to be made for on the node. */
  readonly provisioned: readonly string[];
}

export interface FoundVolume {
  readonly claimKey: string;
  readonly volumeName: string;
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
  /** A node that was nominated for the pod is none any more: nothing would make room for it. */
  readonly losesNomination: boolean;
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
}
