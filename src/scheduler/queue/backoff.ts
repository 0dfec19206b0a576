// How long a pod waits before it is tried again (kube-scheduler 1.36: podInitialBackoffSeconds 1, podMaxBackoffSeconds 10).

export const BACKOFF_MS_MIN = 1000;
export const BACKOFF_MS_MAX = 10_000;

/** After so many failed attempts, at least one. */
export function backoffMs(attempts: number): number {
  return Math.min(BACKOFF_MS_MIN * 2 ** Math.min(attempts - 1, 10), BACKOFF_MS_MAX);
}
