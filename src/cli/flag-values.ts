// Where a flag's value comes from: the command line, else the environment, else its default; or all from one config
// file. Go's spellings are taken: --x=y, --x y, -x=y; a boolean is --x or --x=false. A value from flag and environment
// both is fatal, as in etcd.

import type { Flag } from './flags.ts';

/** A mistake of the person who started the program: one line, exit code 2. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
  /** Whose help says more. */
  readonly command: string;

  constructor(message: string, command = 'serve') {
    super(message);
    this.command = command;
  }
}

export class FlagValues {
  readonly #values: ReadonlyMap<string, string>;
  readonly #flags: ReadonlyMap<string, Flag>;

  constructor(flags: readonly Flag[], values: ReadonlyMap<string, string>) {
    this.#flags = new Map(flags.map((flag) => [flag.name, flag]));
    this.#values = values;
  }

  isSet(name: string): boolean {
    return this.#values.has(name);
  }

  string(name: string): string {
    return this.#values.get(name) ?? this.#flags.get(name)?.default ?? '';
  }

  list(name: string): string[] {
    const text = this.string(name);
    return text === '' ? [] : text.split(',').map((part) => part.trim());
  }

  number(name: string): number {
    const text = this.string(name);
    const value = Number(text);
    if (text.trim() === '' || !Number.isSafeInteger(value)) throw invalid(text, name, 'parse error');
    const { min, max } = this.#flags.get(name) ?? {};
    if (min !== undefined && value < min) throw invalid(text, name, `it must be at least ${min}`);
    if (max !== undefined && value > max) throw invalid(text, name, `it must be at most ${max}`);
    return value;
  }

  /** Finds what is malformed in any flag that was set, before anything is done with one of them. */
  check(): void {
    for (const name of this.#values.keys()) {
      const type = this.#flags.get(name)?.type;
      if (type === 'number') this.number(name);
      else if (type === 'boolean') this.boolean(name);
      else if (type === 'duration') this.durationMs(name);
    }
  }

  boolean(name: string): boolean {
    const text = this.string(name);
    if (['true', '1', 't', 'T', 'TRUE', 'True'].includes(text)) return true;
    if (['false', '0', 'f', 'F', 'FALSE', 'False', ''].includes(text)) return false;
    throw invalid(text, name, 'parse error');
  }

  durationMs(name: string): number {
    const text = this.string(name);
    const value = parseDurationMs(text);
    if (value === undefined) throw invalid(text, name, 'parse error');
    return value;
  }

  /** Flags that were set and do nothing here, and those that are refused. */
  namesOf(use: Flag['use']): string[] {
    return [...this.#values.keys()].filter((name) => this.#flags.get(name)?.use === use);
  }
}

function invalid(text: string, name: string, reason: string): UsageError {
  return new UsageError(`invalid value ${JSON.stringify(text)} for flag --${name}: ${reason}`);
}

const UNIT_MS: Readonly<Record<string, number>> = {
  h: 3_600_000,
  m: 60_000,
  s: 1000,
  ms: 1,
  us: 1e-3,
  µs: 1e-3,
  ns: 1e-6,
};

/** Go's durations: "1h30m", "500ms", "0"; undefined when malformed. */
export function parseDurationMs(text: string): number | undefined {
  if (text === '0') return 0;
  const match = /^[+]?((?:\d+(?:\.\d*)?|\.\d+)(?:h|ms|us|µs|ns|m|s))+$/.exec(text);
  if (match === null) return undefined;
  let total = 0;
  for (const [, number, unit] of text.matchAll(/(\d+(?:\.\d*)?|\.\d+)(h|ms|us|µs|ns|m|s)/g)) {
    total += Number(number) * UNIT_MS[unit];
  }
  return total;
}

/** Reads the command line. Throws UsageError for what it does not know. */
export function parseArguments(flags: readonly Flag[], argv: readonly string[]): Map<string, string> {
  const byName = bySpelling(flags, (name) => name);
  const values = new Map<string, string>();
  for (let i = 0; i < argv.length; i++) {
    const match = /^--?([a-zA-Z][a-zA-Z0-9-]*)(?:=(.*))?$/s.exec(argv[i]);
    if (match === null) throw new UsageError(`'${argv[i]}' is not a valid flag`);
    const flag = byName.get(match[1]);
    if (flag === undefined) throw new UsageError(`unknown flag: --${match[1]}`);
    let value: string | undefined = match[2];
    if (value === undefined && flag.type === 'boolean') value = 'true';
    if (value === undefined) {
      i++;
      if (i === argv.length) throw new UsageError(`flag needs an argument: --${match[1]}`);
      value = argv[i];
    }
    values.set(flag.name, value);
  }
  return values;
}

/** Adds what the environment says. `warn` hears of ETCD_ variables that no flag has. */
export function addEnvironment(
  flags: readonly Flag[],
  values: Map<string, string>,
  environment: Readonly<Record<string, string | undefined>>,
  warn: (text: string) => void,
): void {
  const known = bySpelling(flags, variableNamed);
  for (const [variable, value] of Object.entries(environment)) {
    if (value === undefined || value === '') continue;
    const flag = known.get(variable);
    if (flag === undefined) {
      if (variable.startsWith('ETCD_')) warn(`unrecognized environment variable ${variable}=${value}`);
      continue;
    }
    if (values.has(flag.name)) {
      throw new UsageError(
        `conflicting environment variable "${variable}" is shadowed by corresponding command-line flag ` +
          '(either unset environment variable or disable flag)',
      );
    }
    values.set(flag.name, value);
  }
}

export function variableOf(flag: Flag): string {
  return variableNamed(flag.name, flag);
}

function variableNamed(name: string, { environment }: Flag): string {
  return environment + name.toUpperCase().replaceAll('-', '_');
}

/** Each flag under what `keyOf` makes of its name, and of its aliases. */
function bySpelling(flags: readonly Flag[], keyOf: (name: string, flag: Flag) => string): Map<string, Flag> {
  const found = new Map<string, Flag>();
  for (const flag of flags) {
    for (const name of [flag.name, ...(flag.aliases ?? [])]) found.set(keyOf(name, flag), flag);
  }
  return found;
}

/** Maps within etcd's config file: what stands before a key to make a flag's name of it, and keys whose flags are called otherwise. */
const SECTIONS: Readonly<
  Record<string, { readonly prefix: string; readonly names: Readonly<Record<string, string>> }>
> = {
  'client-transport-security': { prefix: '', names: { 'allowed-hostname': 'client-cert-allowed-hostname' } },
  'peer-transport-security': {
    prefix: 'peer-',
    names: { 'allowed-cn': 'peer-cert-allowed-cn', 'allowed-hostname': 'peer-cert-allowed-hostname' },
  },
  'socket-options': { prefix: 'socket-', names: {} },
};

interface ConfigEntry {
  /** As the file has it. */
  readonly path: string;
  readonly flagName: string;
  readonly value: unknown;
}

function entriesOf(config: object): ConfigEntry[] {
  return Object.entries(config).flatMap(([key, value]: [string, unknown]) => {
    const section = Object.hasOwn(SECTIONS, key) ? SECTIONS[key] : undefined;
    if (section === undefined) return [{ path: key, flagName: key, value }];
    if (value === null) return [];
    if (typeof value !== 'object' || Array.isArray(value))
      throw new UsageError(`${key} in the config file is not a map`);
    return Object.entries(value).map(([name, one]: [string, unknown]) => {
      const flagName = Object.hasOwn(section.names, name) ? section.names[name] : section.prefix + name;
      return { path: `${key}.${name}`, flagName, value: one };
    });
  });
}

/** Values of a parsed config file; durations may be numbers of nanoseconds, lists may be arrays. */
export function valuesOfConfig(flags: readonly Flag[], config: unknown): Map<string, string> {
  if (typeof config !== 'object' || config === null || Array.isArray(config)) {
    throw new UsageError('the config file is not a map of flags');
  }
  const byName = bySpelling(flags, (name) => name);
  const values = new Map<string, string>();
  for (const { path, flagName, value } of entriesOf(config)) {
    const flag = byName.get(flagName);
    if (flag === undefined) throw new UsageError(`unknown flag in the config file: ${path}`);
    if (value === null) continue;
    const parts: unknown[] = Array.isArray(value) ? value : [value];
    if (parts.some((part) => typeof part === 'object')) {
      throw new UsageError(`${path} in the config file has the wrong form: a ${flag.type} is wanted`);
    }
    if (flag.type === 'duration' && typeof value === 'number') values.set(flag.name, `${value}ns`);
    else values.set(flag.name, Array.isArray(value) ? value.join(',') : String(value));
  }
  return values;
}
