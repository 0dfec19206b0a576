// All pods of a cluster, told as they come, change and go: the interface. Read at the store (store-pod-feed.ts) or through an API server
// (api-pod-feed.ts).

import type { PodView } from './pod-view.ts';

export interface PodFeedListener {
  /** A pod is new, or other than it was. Whether something is going to be written about it: then it is worth being kept at hand. */
  onPod(pod: PodView): boolean;
  /** `key`: its namespace and name. */
  onGone(key: string): void;
  /** From here on every pod is told, whether it has been told before or not; what has not been told by the end is no more. */
  onListBegins(): void;
  onListEnds(): void;
  /** For a log. */
  onProblem(text: string): void;
}

export interface PodFeed {
  /** Once. */
  start(listener: PodFeedListener): void;
  listAnew(): void;
  close(): void;
}
