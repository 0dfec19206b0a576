// The flags that `k1m serve` runs with: from the command line and the environment, or all from a config file.

import { readFileSync } from 'node:fs';
import { parse as parseYaml } from 'yaml';
import { errorText } from '../base/error-text.ts';
import { addEnvironment, FlagValues, parseArguments, UsageError, valuesOfConfig } from './flag-values.ts';
import { SERVE_FLAGS } from './flags.ts';

/** Throws UsageError. */
export function readServeFlags(argv: readonly string[], warn: (text: string) => void): FlagValues {
  const values = parseArguments(SERVE_FLAGS, argv);
  const file = values.get('config-file') ?? process.env.ETCD_CONFIG_FILE ?? '';
  if (file !== '') {
    let text: string;
    try {
      text = readFileSync(file, 'utf8');
    } catch (error) {
      throw new UsageError(`cannot read the config file: ${firstLine(error)}`);
    }
    try {
      return new FlagValues(SERVE_FLAGS, valuesOfConfig(SERVE_FLAGS, parseYaml(text)));
    } catch (error) {
      if (error instanceof UsageError) throw error;
      throw new UsageError(`${file}: ${firstLine(error)}`);
    }
  }
  addEnvironment(SERVE_FLAGS, values, process.env, warn);
  return new FlagValues(SERVE_FLAGS, values);
}

export function firstLine(error: unknown): string {
  return errorText(error).split('\n')[0].replace(/:$/, '');
}
