// `k1m serve` on a small disk of its own, a client of it, and what the client was told: compared with what is there after a kill.

import { join } from 'node:path';
import { EtcdClient } from '../../../src/client/etcd-client.ts';
import { RealClock } from '../../../src/io/clock.ts';
import { TcpNetwork } from '../../../src/io/tcp-network.ts';
import { ServedProcess } from '../../kill/served-process.ts';
import { LoopMount } from './loop-mount.ts';

const MIB = 1 << 20;

export interface DiskLabOptions {
  readonly mebibytes: number;
  readonly port: number;
  readonly flags: readonly string[];
  readonly onLine?: (line: string) => void;
}

export class DiskLab {
  readonly mount: LoopMount;
  readonly clock: RealClock = new RealClock();
  readonly client: EtcdClient;
  readonly endpoint: string;
  readonly #options: DiskLabOptions;
  #served: ServedProcess | undefined;
  /** What was acknowledged; undefined: deleted. */
  readonly acknowledged: Map<string, string | undefined> = new Map();
  readonly problems: string[] = [];
  readonly #onExit = (): void => this.#served?.signal('SIGKILL');

  constructor(options: DiskLabOptions) {
    this.#options = options;
    // Before the mount's own: what has it open must be gone.
    process.on('exit', this.#onExit);
    this.mount = new LoopMount(options.mebibytes);
    this.endpoint = `http://127.0.0.1:${options.port}`;
    this.client = this.connect();
  }

  connect(): EtcdClient {
    return new EtcdClient({
      network: new TcpNetwork(),
      clock: this.clock,
      endpoints: [this.endpoint],
      timeoutMs: 30_000,
    });
  }

  async start(): Promise<void> {
    const { port, flags, onLine } = this.#options;
    const folder = join(this.mount.path, 'k1m');
    const told = onLine === undefined ? {} : { onLine };
    this.#served = new ServedProcess({ folder, port, failpoints: '', flags, ...told });
    await this.#served.ready();
  }

  /** Says a figure. */
  say(text: string): void {
    process.stdout.write(`  ${text}\n`);
  }

  /** Notes what must hold and does not. */
  check(holds: boolean, text: string): void {
    if (holds) return;
    this.problems.push(text);
    process.stdout.write(`  WRONG: ${text}\n`);
  }

  /** A goal that is missed is told, and is no fault. */
  goal(isMet: boolean, text: string): void {
    process.stdout.write(`  goal ${isMet ? 'met' : 'MISSED'}: ${text}\n`);
  }

  get isAlive(): boolean {
    return this.#served?.isOver === false;
  }

  /** Kills the server, starts it again and looks for all that was acknowledged. */
  async killAndCompare(): Promise<void> {
    this.#served?.signal('SIGKILL');
    await this.#served?.gone(10_000);
    await this.start();
    const found = new Map<string, string>();
    const { kvs } = await this.client.range({ key: Buffer.from('a'), range_end: Buffer.from('z') });
    for (const { key, value } of kvs) found.set(text(key), text(value));
    let lost = 0;
    for (const [key, value] of this.acknowledged) if (found.get(key) !== value) lost++;
    this.check(lost === 0, `${lost} of ${this.acknowledged.size} acknowledged changes are lost`);
    this.say(`killed and started again: ${this.acknowledged.size} keys changed and acknowledged, ${lost} lost`);
  }

  async close(): Promise<void> {
    this.client.close();
    await this.mount.thaw();
    this.#served?.signal('SIGKILL');
    await this.#served?.gone(10_000);
    this.mount.remove();
    process.removeListener('exit', this.#onExit);
  }
}

export function mebibytes(bytes: number): string {
  return `${(bytes / MIB).toFixed(1)} MiB`;
}

export function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

function text(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('latin1');
}
