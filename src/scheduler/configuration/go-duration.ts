// Durations as Go writes and reads them (time.ParseDuration, Duration.String), in nanoseconds.
//
// Limit: a number holds nanoseconds exactly up to 104 days; longer ones are rounded.

const UNITS: ReadonlyMap<string, number> = new Map([
  ['ns', 1],
  ['us', 1e3],
  ['µs', 1e3],
  ['μs', 1e3],
  ['ms', 1e6],
  ['s', 1e9],
  ['m', 60e9],
  ['h', 3600e9],
]);

const NANOSECONDS_MAX = 2 ** 63;

/** Nanoseconds, or what Go says of a text that is no duration. */
export function parseDuration(text: string): { readonly nanoseconds: number } | { readonly problem: string } {
  const quoted = JSON.stringify(text);
  const invalid = { problem: `time: invalid duration ${quoted}` };
  const unsigned = text.replace(/^[-+]/, '');
  if (unsigned === '0') return { nanoseconds: 0 };
  if (unsigned === '') return invalid;
  let nanoseconds = 0;
  for (let rest = unsigned; rest !== ''; ) {
    const [all, digits, unit] = /^([0-9]*\.?[0-9]*)([^0-9.]*)/.exec(rest) ?? ['', '', ''];
    if (digits === '' || digits === '.') return invalid;
    if (unit === '') return { problem: `time: missing unit in duration ${quoted}` };
    const factor = UNITS.get(unit);
    if (factor === undefined) return { problem: `time: unknown unit ${JSON.stringify(unit)} in duration ${quoted}` };
    const [whole, fraction = ''] = digits.split('.');
    nanoseconds += Number(whole) * factor + Math.trunc(Number(fraction) * (factor / 10 ** fraction.length));
    if (nanoseconds >= NANOSECONDS_MAX) return invalid;
    rest = rest.slice(all.length);
  }
  return { nanoseconds: text.startsWith('-') ? -nanoseconds : nanoseconds };
}

/** `1h0m0s`, `10m0s`, `1.5s`, `500ms`, `0s`. */
export function formatDuration(nanoseconds: number): string {
  const sign = nanoseconds < 0 ? '-' : '';
  const rest = Math.abs(nanoseconds);
  if (rest === 0) return '0s';
  if (rest < 1e3) return `${sign}${rest}ns`;
  if (rest < 1e6) return `${sign}${decimal(rest, 1e3)}µs`;
  if (rest < 1e9) return `${sign}${decimal(rest, 1e6)}ms`;
  const minutes = Math.floor(rest / 60e9);
  const seconds = `${decimal(rest % 60e9, 1e9)}s`;
  if (minutes === 0) return sign + seconds;
  return minutes < 60
    ? `${sign}${minutes}m${seconds}`
    : `${sign}${Math.floor(minutes / 60)}h${minutes % 60}m${seconds}`;
}

function decimal(nanoseconds: number, unit: number): string {
  const fraction = String(nanoseconds % unit).padStart(String(unit).length - 1, '0');
  return `${Math.floor(nanoseconds / unit)}.${fraction}`.replace(/\.?0+$/, '');
}
