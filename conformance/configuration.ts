/**
 * Compares our reading of KubeSchedulerConfiguration with that of a real kube-scheduler 1.36.
 *
 *   node conformance/configuration.ts [--random N] [--seed N]
 *
 * Each file of src/scheduler/configuration/configuration-fixture.ts is given to `kube-scheduler --config FILE --write-config-to OUT
 * -v=2`, which needs no API server. Compared are the configuration that it writes, with all defaults; the plugins that it says it
 * runs, at each extension point with their order and weights; or the text with which it refuses the file. So are N random files
 * (default: 100); of those, one that only we refuse, since we do not part what it parts, is no difference.
 *
 * Exits with 0 when there is no difference, 1 when there is one.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { isDeepStrictEqual, parseArgs } from 'node:util';
import fc from 'fast-check';
import { parse } from 'yaml';
import type { ConfigurationCase } from '../src/scheduler/configuration/configuration-case-fixture.ts';
import { CONFIGURATIONS } from '../src/scheduler/configuration/configuration-fixture.ts';
import { readConfiguration } from '../src/scheduler/configuration/configuration-reader.ts';
import { EXTENSION_POINTS } from '../src/scheduler/configuration/plugin-catalogue.ts';
import type { ExpandedPlugins } from '../src/scheduler/configuration/plugin-expansion.ts';
import { asOne } from '../src/scheduler/model/selector-reader.ts';
import { randomConfiguration } from './configuration/random-configuration.ts';
import { peerPath, requirePeers } from './lab/peer-path.ts';
import { runMain } from './lab/run-main.ts';

interface Answer {
  readonly error: string | undefined;
  /** Parsed. */
  readonly written: unknown;
  /** By profile, as logged. */
  readonly plugins: readonly unknown[];
}

function ask(folder: string, text: string): Answer {
  const [file, out] = ['in.yaml', 'out.yaml'].map((name) => join(folder, name));
  rmSync(out, { force: true });
  writeFileSync(file, text);
  const arguments_ = [
    '--config',
    file,
    '--write-config-to',
    out,
    '--master',
    'http://127.0.0.1:1',
    '--secure-port',
    '0',
  ];
  const { stderr, status } = spawnSync(peerPath('kube-scheduler'), [...arguments_, '-v=2'], {
    encoding: 'utf8',
    timeout: 30_000,
  });
  if (status === 0 && existsSync(out)) {
    const lines = stderr.split('\n').filter((line) => line.includes('starts to work with those plugins'));
    const plugins = lines.map((line): unknown => JSON.parse(line.slice(line.indexOf('Plugins=') + 'Plugins='.length)));
    return { error: undefined, written: parse(readFileSync(out, 'utf8')), plugins };
  }
  return { error: errorOf(stderr), written: undefined, plugins: [] };
}

/** klog's `err="…"`, or for several lines `err=<`, each of them after a tab, and ` >`. */
function errorOf(stderr: string): string {
  const [, quoted] = /"command failed" err=("(?:[^"\\]|\\.)*")/.exec(stderr) ?? [];
  if (quoted !== undefined) return String(JSON.parse(quoted));
  const [, lines] = /"command failed" err=<\n([\s\S]*?)\n >/.exec(stderr) ?? [];
  return lines === undefined ? stderr : lines.replaceAll(/^\t/gm, '');
}

/** Our plugins as kube-scheduler logs them. */
function logged(plugins: ExpandedPlugins): object {
  return Object.fromEntries(
    [...EXTENSION_POINTS, 'multiPoint' as const].map((point) => {
      const list = point === 'multiPoint' ? [] : (plugins.get(point) ?? []);
      const enabled = list.map(({ name, weight }) => ({ Name: name, Weight: weight }));
      const name = point[0].toUpperCase() + point.slice(1);
      return [name, { Enabled: enabled.length === 0 ? null : enabled, Disabled: null }];
    }),
  );
}

function isOurs(problem: string): boolean {
  return problem.includes(': Forbidden: ') && problem.includes(' cannot be disabled here while it is enabled at ');
}

function differences(one: ConfigurationCase, peer: Answer): string[] {
  const found: string[] = [];
  const compare = (what: string, ours: unknown, theirs: unknown): void => {
    if (isDeepStrictEqual(ours, theirs)) return;
    found.push(`${what}: ours ${JSON.stringify(ours)}, kube-scheduler's ${JSON.stringify(theirs)}`);
  };
  compare('the fixture', one.error, peer.error);
  const read = readConfiguration(one.text);
  if ('problems' in read) {
    const error = asOne(read.problems);
    if (peer.error === undefined && read.problems.every(isOurs)) return found;
    if (one.hasOtherWords !== true) compare('the error', error, peer.error);
    else if (peer.error === undefined) found.push(`refused only by us: ${error}`);
    return found;
  }
  compare('the error', undefined, peer.error);
  compare('what is written', JSON.parse(JSON.stringify(read.configuration.versioned)), peer.written);
  compare('plugins', read.configuration.plugins.map(logged), peer.plugins);
  return found;
}

function main(): number {
  const { values } = parseArgs({
    options: { random: { type: 'string', default: '100' }, seed: { type: 'string', default: '1' } },
  });
  requirePeers(['kube-scheduler']);
  const folder = mkdtempSync(join(tmpdir(), 'k1m-configuration-'));
  const texts = fc.sample(randomConfiguration, { numRuns: Number(values.random), seed: Number(values.seed) });
  let [differing, good] = [0, 0];
  const tell = (name: string, found: readonly string[]): void => {
    if (found.length === 0) return;
    differing++;
    process.stdout.write(`${name}:\n${found.map((text) => `  ${text}\n`).join('')}`);
  };
  try {
    for (const one of CONFIGURATIONS) tell(one.name, differences(one, ask(folder, one.text)));
    for (const text of texts) {
      const answer = ask(folder, text);
      if (answer.error === undefined) good++;
      tell(text, differences({ name: text, text, error: answer.error }, answer));
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
  process.stdout.write(
    `${CONFIGURATIONS.length} configurations and ${texts.length} random ones, ${good} of them good; ` +
      `${differing} read otherwise than by kube-scheduler\n`,
  );
  return differing === 0 ? 0 : 1;
}

runMain(async () => main());
