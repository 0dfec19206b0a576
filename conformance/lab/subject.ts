/**
 * The store under test: a real etcd, k1m, or one that somebody else runs. The first two take etcd's flags, are ready when
 * `GET /health` answers 200, and keep their port and data folder over `stop` and `start`.
 */
import { mkdtempSync } from 'node:fs';
import { get } from 'node:http';
import { join } from 'node:path';
import type { Child, Children } from './child.ts';
import { freePorts } from './free-port.ts';
import { peerPath } from './peer-path.ts';
import { until } from './wait.ts';

export type SubjectName = 'etcd' | 'k1m';

const readyTimeoutMs = 30_000;
const requestTimeoutMs = 2_000;

export interface Subject {
  readonly name: string;
  readonly endpoint: string;
  /** Absent when the store is not ours to stop. */
  readonly server?: StoreServer;
}

export function isSubjectName(name: string): name is SubjectName {
  return name === 'etcd' || name === 'k1m';
}

function healthStatus(endpoint: string): Promise<number> {
  return new Promise((resolve, reject) => {
    const request = get(`${endpoint}/health`, { timeout: requestTimeoutMs, agent: false }, (response) => {
      response.resume();
      resolve(response.statusCode ?? 0);
    });
    request.on('timeout', () => request.destroy(new Error('no answer')));
    request.on('error', reject);
  });
}

/** A store that the run starts, stops and kills. */
export class StoreServer {
  readonly endpoint: string;
  readonly #children: Children;
  readonly #name: SubjectName;
  readonly #args: readonly string[];
  #child: Child | undefined;

  constructor(name: SubjectName, children: Children, ports: readonly [number, number], dataFolder: string) {
    this.#name = name;
    this.#children = children;
    this.endpoint = `http://127.0.0.1:${ports[0]}`;
    const peerUrl = `http://127.0.0.1:${ports[1]}`;
    this.#args = [
      `--data-dir=${dataFolder}`,
      `--listen-client-urls=${this.endpoint}`,
      `--advertise-client-urls=${this.endpoint}`,
      `--listen-peer-urls=${peerUrl}`,
      `--initial-advertise-peer-urls=${peerUrl}`,
      `--initial-cluster=default=${peerUrl}`,
      '--log-level=warn',
    ];
  }

  async start(): Promise<void> {
    await this.tryStart();
    this.assertRunning();
  }

  /** With more environment and flags; false when the store ended before it was healthy. */
  async tryStart(env: NodeJS.ProcessEnv = {}, flags: readonly string[] = []): Promise<boolean> {
    const name = this.#name;
    const args = [...this.#args, ...flags];
    const child =
      name === 'etcd'
        ? this.#children.start({ name, program: peerPath(name), args, env })
        : this.#children.startK1m(name, ['serve', ...args], env);
    this.#child = child;
    await until(`${this.#name} to be healthy`, { timeoutMs: readyTimeoutMs, everyMs: 20 }, async () => {
      if (!child.isRunning) return true;
      const status = await healthStatus(this.endpoint);
      return status === 200 ? true : `status ${status}`;
    });
    return child.isRunning;
  }

  get isRunning(): boolean {
    return this.#child?.isRunning === true;
  }

  signal(signal: NodeJS.Signals): void {
    this.#child?.signal(signal);
  }

  async stop(signal: 'SIGTERM' | 'SIGKILL'): Promise<void> {
    await this.#child?.end(signal);
  }

  assertRunning(): void {
    this.#child?.assertRunning();
  }
}

/** Starts a store with a new data folder below `folder`. */
export async function startSubject(name: SubjectName, children: Children, folder: string): Promise<Subject> {
  const [clientPort = 0, peerPort = 0] = await freePorts(2);
  const dataFolder = mkdtempSync(join(folder, `${name}-data-`));
  const server = new StoreServer(name, children, [clientPort, peerPort], dataFolder);
  await server.start();
  return { name, endpoint: server.endpoint, server };
}
