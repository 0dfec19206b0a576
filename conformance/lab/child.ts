/**
 * Programs that a run starts, each with a log file, and the promise that none outlives the run.
 *
 * `Children` ends what is left, by process id, when the run ends in whatever way short of SIGKILL: `endAll` in an order that
 * spares them waiting for each other, and at the exit of this process a SIGKILL to each that still runs.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { delimiter, dirname, join } from 'node:path';
import { within } from './wait.ts';

export const k1mProgram: string = join(import.meta.dirname, '..', '..', 'bin', 'k1m.js');
const graceMs = 20_000;
const logTailLines = 12;

export interface ChildOptions {
  readonly name: string;
  readonly program: string;
  readonly args: readonly string[];
  readonly env?: NodeJS.ProcessEnv;
}

export class Child {
  readonly name: string;
  readonly logPath: string;
  readonly #process: ChildProcess;
  readonly #exited: Promise<void>;
  #failure: string | undefined;

  constructor(options: ChildOptions, logPath: string) {
    this.name = options.name;
    this.logPath = logPath;
    const log = openSync(logPath, 'a');
    this.#process = spawn(options.program, options.args, {
      stdio: ['ignore', log, log],
      env: { ...process.env, ...options.env },
    });
    closeSync(log);
    this.#exited = new Promise((resolve) => {
      this.#process.once('exit', () => resolve());
      this.#process.once('error', (error) => {
        this.#failure = error.message;
        resolve();
      });
    });
  }

  /** User and system CPU time of all its threads so far, in seconds; 0 when it has ended (Linux). */
  get cpuSeconds(): number {
    if (this.#process.pid === undefined || !this.isRunning) return 0;
    const stat = readFileSync(`/proc/${this.#process.pid}/stat`, 'utf8');
    // Fields 14 and 15, in ticks of 10 ms; the name before them may have spaces.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return (Number(fields[11]) + Number(fields[12])) / 100;
  }

  /** Null while it runs, or when a signal has ended it. */
  get exitCode(): number | null {
    return this.#process.exitCode;
  }

  get isRunning(): boolean {
    return this.#failure === undefined && this.#process.exitCode === null && this.#process.signalCode === null;
  }

  /** Throws, with the end of the log, when the program has ended by itself. */
  assertRunning(): void {
    if (this.isRunning) return;
    const how = this.#failure ?? this.#process.signalCode ?? `exit code ${this.#process.exitCode}`;
    const tail = readFileSync(this.logPath, 'utf8').trimEnd().split('\n').slice(-logTailLines).join('\n');
    throw new Error(`${this.name} ended (${how}); the end of ${this.logPath}:\n${tail}`);
  }

  signal(signal: NodeJS.Signals): void {
    if (this.isRunning) this.#process.kill(signal);
  }

  /** Sends the signal and waits for the end. A program that does not end in time is killed, and that is an error. */
  async end(signal: NodeJS.Signals): Promise<void> {
    this.signal(signal);
    try {
      await within(`${this.name} to end on ${signal}`, graceMs, this.#exited);
    } catch (error) {
      this.signal('SIGKILL');
      await this.#exited;
      throw error;
    }
  }
}

export class Children {
  readonly #folder: string;
  readonly #children: Child[] = [];

  constructor(folder: string) {
    this.#folder = folder;
    process.once('exit', () => {
      for (const child of this.#children) child.signal('SIGKILL');
    });
  }

  start(options: ChildOptions): Child {
    const child = new Child(options, join(this.#folder, `${options.name}.log`));
    this.#children.push(child);
    return child;
  }

  /** By its own first line, which says how Node is to be started; it finds the one that runs this. */
  startK1m(name: string, args: readonly string[], env: NodeJS.ProcessEnv = {}): Child {
    const path = [dirname(process.execPath), process.env.PATH].join(delimiter);
    return this.start({ name, program: k1mProgram, args, env: { PATH: path, ...env } });
  }

  /** Ends what still runs, by name in this order, then the others. Returns what did not end when asked to. */
  async endAll(order: readonly string[]): Promise<string[]> {
    const problems: string[] = [];
    const rank = (child: Child): number => (order.includes(child.name) ? order.indexOf(child.name) : order.length);
    for (const child of this.#children.toSorted((a, b) => rank(a) - rank(b))) {
      try {
        await child.end('SIGTERM');
      } catch (error) {
        problems.push(error instanceof Error ? error.message : String(error));
      }
    }
    return problems;
  }
}
