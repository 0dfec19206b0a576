/**
 * Waiting that always ends. Real programs tell us little about when they are done, so these runs ask again and again; every
 * wait has a limit and says at the limit what it last saw.
 */

export function sleep(durationMs: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, durationMs));
}

/** What a probe answers: true when done, else what it saw instead, if it can tell. */
export type Probe = () => Promise<boolean | string> | boolean | string;

export interface WaitOptions {
  readonly timeoutMs: number;
  readonly everyMs?: number;
}

/** Asks `probe` until it answers true. A probe that throws counts as not done. Throws at the limit with the last answer. */
export async function until(what: string, { timeoutMs, everyMs = 100 }: WaitOptions, probe: Probe): Promise<void> {
  const deadlineMs = Date.now() + timeoutMs;
  let seen = '';
  while (true) {
    try {
      const answer = await probe();
      if (answer === true) return;
      seen = String(answer);
    } catch (error) {
      seen = error instanceof Error ? error.message : String(error);
    }
    if (Date.now() >= deadlineMs) throw new Error(`${what}: not within ${timeoutMs / 1000} s; last: ${seen}`);
    await sleep(everyMs);
  }
}

/** Rejects when `promise` takes longer than the limit. The work behind the promise goes on. */
export async function within<T>(what: string, timeoutMs: number, promise: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const limit = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${what}: not within ${timeoutMs / 1000} s`)), timeoutMs);
  });
  try {
    return await Promise.race([promise, limit]);
  } finally {
    clearTimeout(timer);
  }
}
