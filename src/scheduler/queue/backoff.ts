// How long a pod waits before it is tried again: podInitialBackoffSeconds and podMaxBackoffSeconds of kube-scheduler 1.36.

export interface Backoff {
  readonly initialMs: number;
  readonly maxMs: number;
}

export const DEFAULT_BACKOFF: Backoff = { initialMs: 1000, maxMs: 10_000 };

/** After so many failed attempts, at least one. */
export function backoffMs({ initialMs, maxMs }: Backoff, attempts: number): number {
  return Math.min(initialMs * 2 ** Math.min(attempts - 1, 30), maxMs);
}
