// Errors of fields in upstream's words (apimachinery pkg/util/validation/field).

export function invalid(path: string, value: unknown, problem: string): string {
  return `${path}: Invalid value: ${JSON.stringify(value)}: ${problem}`;
}

export function required(path: string, problem: string): string {
  return `${path}: Required value${problem === '' ? '' : `: ${problem}`}`;
}

export function forbidden(path: string, problem: string): string {
  return `${path}: Forbidden: ${problem}`;
}

export function duplicate(path: string, value: unknown): string {
  return `${path}: Duplicate value: ${JSON.stringify(value)}`;
}

export function unsupported(path: string, value: string, supported: readonly string[]): string {
  const list = supported.map((one) => JSON.stringify(one)).join(', ');
  return `${path}: Unsupported value: ${JSON.stringify(value)}: supported values: ${list}`;
}

/** `range` as upstream writes it. */
export function outOfRange(
  value: number,
  [least, most]: readonly [number, number],
  path: string,
  range: string,
): string[] {
  return value < least || value > most ? [invalid(path, value, `not in valid range ${range}`)] : [];
}
