// What a command has changed in the cluster, as far as that may let in pods that had no place: a bit each (kube-scheduler 1.36, framework/events.go).
// None of them: most updates are of a status that no plugin looks at.

export const NODE_ADDED = 1;
export const NODE_REMOVED = 2;
/** It has more of some resource than before. */
export const NODE_GROWN = 4;
export const NODE_LABELS = 8;
/** Or cordoned, or no longer. */
export const NODE_TAINTS = 16;
export const NODE_FEATURES = 32;
/** On a node, as the next ones. */
export const POD_ADDED = 64;
export const POD_REMOVED = 128;
export const POD_LABELS = 256;
/** It asks for less of some resource than before. */
export const POD_SCALED_DOWN = 512;
/** It is on its way out, and still there. */
export const POD_LEAVING = 1024;
/** A namespace, a service, an owner of pods, or what concerns volumes; not a budget, which only says who is a better victim. */
export const OBJECT_CHANGED = 2048;

/** Some of the above, added up. */
export type ClusterChange = number;
export const NO_CHANGE: ClusterChange = 0;
