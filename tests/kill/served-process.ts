// `k1m serve` in a process of its own, to be killed.

import { type ChildProcess, spawn } from 'node:child_process';
import { join } from 'node:path';

const BINARY = join(import.meta.dirname, '../../bin/k1m.js');
const READY = 'ready to serve client requests';

export interface ServedProcessOptions {
  readonly folder: string;
  readonly port: number;
  /** Empty: none. */
  readonly failpoints: string;
  readonly flags: readonly string[];
  /** Told of each line of its log. */
  readonly onLine?: (line: string) => void;
}

export class ServedProcess {
  readonly #child: ChildProcess;
  readonly #exit: Promise<void>;
  #stderr = '';
  isOver = false;

  constructor({ folder, port, failpoints, flags, onLine = () => {} }: ServedProcessOptions) {
    const url = `http://127.0.0.1:${port}`;
    const listen = ['--listen-client-urls', url, '--advertise-client-urls', url];
    const all = ['--data-dir', folder, ...listen, ...flags];
    const env = { ...process.env, ...(failpoints === '' ? {} : { K1M_FAILPOINTS: failpoints }) };
    this.#child = spawn(process.execPath, [BINARY, 'serve', ...all], { env, stdio: ['ignore', 'ignore', 'pipe'] });
    this.#child.stderr?.on('data', (chunk: Buffer) => {
      const told = this.#stderr.lastIndexOf('\n') + 1;
      this.#stderr += chunk.toString();
      for (const line of this.#stderr.slice(told).split('\n').slice(0, -1)) onLine(line);
    });
    this.#exit = new Promise((resolve) => {
      this.#child.on('close', () => {
        this.isOver = true;
        resolve();
      });
    });
  }

  /** True when it serves; false when a failpoint ended it before. Rejects when it ended by itself. */
  async ready(): Promise<boolean> {
    while (!this.isOver && !this.#stderr.includes(READY)) {
      await Promise.race([new Promise((resolve) => setTimeout(resolve, 3)), this.#exit]);
    }
    if (!this.isOver) return true;
    if (this.#child.signalCode === 'SIGKILL' || this.#stderr.includes('EIO: failpoint')) return false;
    throw new Error(`k1m serve ended with ${this.#child.exitCode}: ${this.#stderr}`);
  }

  signal(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  /** Resolves when the process is gone; false: it is still there after `ms`. */
  async gone(ms: number): Promise<boolean> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, ms);
    });
    await Promise.race([this.#exit, late]);
    clearTimeout(timer);
    return this.isOver;
  }
}
