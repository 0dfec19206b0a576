// The real program in its own process: run to its end, or serving on a folder.

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { EtcdClient } from '../../src/client/etcd-client.ts';
import { RealClock } from '../../src/io/clock.ts';
import { TcpNetwork } from '../../src/io/tcp-network.ts';

export const BINARY: string = join(import.meta.dirname, '../../bin/k1m.js');
/** What Node made of the sources, kept from run to run: half of a start. The program's own place. */
const COMPILE_CACHE: string = join(import.meta.dirname, '../../node_modules/.cache/k1m');
/** Of a run to its end; a server that should have refused to start does not hold up the tests. */
const RUN_MS_MAX = 30_000;
const URL = 'http://127.0.0.1:0';
export const LISTEN: readonly string[] = ['--listen-client-urls', URL, '--advertise-client-urls', URL];

export interface Outcome {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface RunOptions {
  readonly env?: Readonly<Record<string, string>>;
  readonly node?: string;
}

export function start(args: readonly string[], { env, node }: RunOptions, timeoutMs = 0): ChildProcess {
  // Of a mutation run (tests/mutation) the program has the change too.
  const kept = process.env.K1M_MUTANT === undefined ? [] : ['K1M_MUTANT', 'NODE_OPTIONS'];
  const inherited = Object.entries(process.env).filter(
    ([name]) => kept.includes(name) || !/^(?:ETCD|K1M|NODE)_/.test(name),
  );
  return spawn(node ?? process.execPath, [BINARY, ...args], {
    env: { NODE_COMPILE_CACHE: COMPILE_CACHE, ...Object.fromEntries(inherited), ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: timeoutMs,
  });
}

/** Collects what a stream says. */
export function collect(child: ChildProcess): { stdout: string; stderr: string } {
  const texts = { stdout: '', stderr: '' };
  child.stdout?.on('data', (chunk: Buffer) => {
    texts.stdout += chunk.toString();
  });
  child.stderr?.on('data', (chunk: Buffer) => {
    texts.stderr += chunk.toString();
  });
  return texts;
}

export async function run(args: readonly string[], options: RunOptions = {}): Promise<Outcome> {
  const child = start(args, options, RUN_MS_MAX);
  const texts = collect(child);
  const [code] = (await once(child, 'close')) as [number | null];
  return { code, ...texts };
}

/** What the program says to a person: without its log lines and the pointer to its help. */
export function message({ stderr }: Outcome): string {
  const lines = stderr.split('\n').filter((line) => line !== '' && !line.startsWith('{') && !line.startsWith("See '"));
  return lines.join('\n');
}

export function temporaryFolder(test: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'k1m-cli-'));
  test.after(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

export class Serving {
  readonly welcome: string;
  readonly endpoint: string;
  readonly client: EtcdClient;
  readonly #child: ChildProcess;
  readonly #closed: Promise<unknown[]>;

  constructor(child: ChildProcess, closed: Promise<unknown[]>, welcome: string) {
    this.#child = child;
    this.#closed = closed;
    this.welcome = welcome;
    this.endpoint = /http:\S+/.exec(welcome)?.[0] ?? '';
    this.client = new EtcdClient({ network: new TcpNetwork(), clock: new RealClock(), endpoints: [this.endpoint] });
  }

  /** Sends the signal; resolves with exit code and signal when the process has ended. */
  async end(signal: NodeJS.Signals): Promise<unknown[]> {
    this.client.close();
    this.#child.kill(signal);
    return this.#closed;
  }
}

/** Serves until the test's end; resolves when the server says that it is ready. */
export async function serve(
  test: TestContext,
  folder: string,
  args: readonly string[] = LISTEN,
  options: RunOptions = {},
): Promise<Serving> {
  const child = start(['serve', '--data-dir', folder, ...args], options);
  const texts = collect(child);
  const closed = once(child, 'close');
  test.after(() => child.kill('SIGKILL'));
  await new Promise<void>((resolve, reject) => {
    const look = (): void => {
      if (texts.stderr.includes('ready to serve client requests') && /durability.*\n/.test(texts.stdout)) resolve();
    };
    child.stderr?.on('data', look);
    child.stdout?.on('data', look);
    child.on('exit', (code) => reject(new Error(`k1m serve ended with ${code}: ${texts.stderr}`)));
  });
  return new Serving(child, closed, texts.stdout);
}
