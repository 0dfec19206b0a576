// `k1m` commands as processes that a benchmark starts and looks at: what they say, what they cost, their end.

import { type ChildProcess, spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { delimiter, dirname, join } from 'node:path';
import { createInterface } from 'node:readline';

const CHECKOUT = join(import.meta.dirname, '..');
/** The program's first line says how Node is to be started; it finds the one that runs this. */
const ENVIRONMENT = { ...process.env, PATH: [dirname(process.execPath), process.env.PATH].join(delimiter) };
const LINE_TIMEOUT_MS = 600_000;
const END_MS = 10_000;
const TICKS_A_SECOND = 100;

/** A k1m command, its lines on both streams watched for what they say. */
export class Command {
  readonly #child: ChildProcess;
  readonly #waiting = new Map<string, (line: string) => void>();
  readonly lines: string[] = [];
  readonly ended: Promise<number>;

  /** Of this checkout, unless another one is named. */
  constructor(args: readonly string[], checkout: string = CHECKOUT) {
    this.#child = spawn(join(checkout, 'bin', 'k1m.js'), [...args], {
      env: ENVIRONMENT,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    for (const stream of [this.#child.stdout, this.#child.stderr]) {
      if (stream !== null) createInterface({ input: stream }).on('line', (line) => this.#onLine(line));
    }
    this.ended = new Promise((resolve) => this.#child.once('exit', (code) => resolve(code ?? 1)));
  }

  #onLine(line: string): void {
    this.lines.push(line);
    for (const [part, resolve] of this.#waiting) if (line.includes(part)) resolve(line);
  }

  /** The first line with that part. */
  async line(part: string): Promise<string> {
    const known = this.lines.find((line) => line.includes(part));
    if (known !== undefined) return known;
    const { promise, resolve, reject } = Promise.withResolvers<string>();
    this.#waiting.set(part, resolve);
    const timer = setTimeout(() => reject(new Error(`no line with ${part}`)), LINE_TIMEOUT_MS);
    void this.ended.then(() => reject(new Error(`it ended without a line with ${part}:\n${this.lines.join('\n')}`)));
    return promise.finally(() => clearTimeout(timer));
  }

  get pid(): number {
    if (this.#child.pid === undefined) throw new Error('it did not start');
    return this.#child.pid;
  }

  /** User and system time so far. */
  get cpuSeconds(): number {
    const fields = readFileSync(`/proc/${this.#child.pid}/stat`, 'utf8').split(') ')[1].split(' ');
    return (Number(fields[11]) + Number(fields[12])) / TICKS_A_SECOND;
  }

  get residentMib(): number {
    const status = readFileSync(`/proc/${this.#child.pid}/status`, 'utf8');
    return Math.round(Number(/VmRSS:\s+(\d+)/.exec(status)?.[1] ?? 0) / 1024);
  }

  kill(): void {
    this.#child.kill('SIGKILL');
  }

  async end(): Promise<void> {
    this.#child.kill('SIGTERM');
    const timer = setTimeout(() => this.kill(), END_MS);
    await this.ended;
    clearTimeout(timer);
  }
}

/** Of this machine's loopback. */
export function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const address = server.address();
      const port = typeof address === 'object' && address !== null ? address.port : 0;
      server.close(() => resolve(port));
    });
  });
}
