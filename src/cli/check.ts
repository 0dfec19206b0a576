// One thing that `k1m doctor` looks at, and what it says: as text, as JSON, and as an exit code.

export interface Check {
  /** `warn`: works, and should be seen to. `fail`: does not work, or loses what it should not. */
  readonly state: 'ok' | 'warn' | 'fail';
  readonly subject: string;
  readonly says: string;
  /** What to do; undefined where nothing is to be done. */
  readonly remedy?: string | undefined;
}

const SUBJECT_WIDTH = 11;

export function checksText(checks: readonly Check[]): string {
  const lines = checks.map(({ state, subject, says, remedy }) => {
    const line = `${state.padEnd(4)}  ${subject.padEnd(SUBJECT_WIDTH)}  ${says}\n`;
    return remedy === undefined ? line : `${line}${' '.repeat(SUBJECT_WIDTH + 8)}→ ${remedy}\n`;
  });
  const count = (state: Check['state']): number => checks.filter((check) => check.state === state).length;
  return `${lines.join('')}\n${count('ok')} ok, ${count('warn')} to be seen to, ${count('fail')} failed\n`;
}

export function checksJson(checks: readonly Check[]): object {
  const isFine = checks.every(({ state }) => state !== 'fail');
  return { isFine, checks: checks.map((check) => ({ ...check, remedy: check.remedy ?? null })) };
}

/** 1 when something failed. */
export function exitCodeFor(checks: readonly Check[]): number {
  return checks.some(({ state }) => state === 'fail') ? 1 : 0;
}

const UNITS = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];

export function bytesText(bytes: number): string {
  let value = bytes;
  let unit = 0;
  for (; value >= 1024 && unit < UNITS.length - 1; unit++) value /= 1024;
  return `${value >= 100 || unit === 0 ? Math.round(value) : value.toFixed(1)} ${UNITS[unit]}`;
}

export function durationText(ms: number): string {
  const minutes = Math.floor(ms / 60_000);
  if (minutes < 2) return `${Math.max(0, Math.round(ms / 1000))} s`;
  if (minutes < 120) return `${minutes} min`;
  return minutes < 2880 ? `${Math.floor(minutes / 60)} h` : `${Math.floor(minutes / 1440)} days`;
}

export function countText(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`;
}
