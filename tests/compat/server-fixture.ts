// Our server in this process: on simulated disk, network and time, or on real ones.

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { DiskNotices } from '../../src/etcd/disk-health.ts';
import { DurabilityMap } from '../../src/etcd/durability.ts';
import { openServer, type Server } from '../../src/etcd/server.ts';
import type { ServerOptions } from '../../src/etcd/server-options.ts';
import { SERVER_DEFAULTS } from '../../src/h2/connection-options.ts';
import { type Clock, RealClock } from '../../src/io/clock.ts';
import type { Disk } from '../../src/io/disk.ts';
import { FileDisk } from '../../src/io/file-disk.ts';
import type { Network } from '../../src/io/network.ts';
import { processUsage } from '../../src/io/process-usage.ts';
import { TcpNetwork } from '../../src/io/tcp-network.ts';
import { SimulatedClock } from '../../src/testing/clock.ts';
import { SimulatedDisk } from '../../src/testing/disk.ts';
import type { CrashStyle } from '../../src/testing/disk-file.ts';
import { SimulatedNetwork } from '../../src/testing/network.ts';
import { SimulatedProcess } from '../../src/testing/process.ts';
import { Random } from '../../src/testing/random.ts';
import { CompatClient } from './compat-client.ts';

const MIB = 1 << 20;
/** More simulated time than any case needs. */
const SIMULATED_MS_MAX = 120_000;
const REAL_MS_MAX = 20_000;

const SILENT_DISK_NOTICES: DiskNotices = {
  onDiskStalled: () => {},
  onDiskAnswered: () => {},
  onSpaceLow: () => {},
  onSpaceEnough: () => {},
  onSpaceUnknown: () => {},
};

export type ServerChanges = Partial<
  Pick<
    ServerOptions,
    | 'durability'
    | 'quotaBytes'
    | 'progressIntervalMs'
    | 'autoCompaction'
    | 'requestBytesMax'
    | 'replyBytesMax'
    | 'listen'
    | 'onFatal'
    | 'snapshots'
    | 'notices'
    | 'segmentBytesMax'
    | 'backups'
    | 'identity'
    | 'diskLimits'
    | 'openBytesMax'
    | 'diskNotices'
  >
>;

export const NO_NOTICES: ServerOptions['notices'] = {
  onSnapshotDamaged: () => {},
  onProgress: () => {},
  onSnapshotTaken: () => {},
  onSnapshotFailed: () => {},
  onBackupTaken: () => {},
  onBackupFailed: () => {},
};

export interface Surroundings {
  readonly disk: Disk;
  readonly network: Network;
  readonly clock: Clock;
  readonly folder: string;
  readonly random: Random;
}

export async function openOn(surroundings: Surroundings, changes: ServerChanges): Promise<Server> {
  const { random, disk, network, clock, folder } = surroundings;
  return openServer({
    disk,
    network,
    clock,
    folder,
    random: () => random.fraction(),
    randomId: () => (BigInt(random.uint32()) << 32n) | BigInt(random.uint32()),
    salt: 0x5a17_c0de,
    usage: processUsage,
    loopStallSeconds: () => 0,
    collect: () => {},
    identity: { clusterId: 0x1234_5678_9abcn, memberId: -0x1234_5678_9abcn },
    member: { name: 'default', peerUrls: ['http://localhost:2380'], clientUrls: ['http://localhost:2379'] },
    listen: [{ host: '127.0.0.1', port: 0 }],
    listenMetrics: [],
    durability: new DurabilityMap(),
    h2: SERVER_DEFAULTS,
    requestBytesMax: 1.5 * MIB,
    txnOpsMax: 128,
    quotaBytes: 2048 * MIB,
    replyBytesMax: 64 * MIB,
    progressIntervalMs: 600_000,
    minimumLeaseTtlSeconds: 2,
    autoCompaction: undefined,
    commitDelayMs: 0.4,
    bufferedLossMsMax: 100,
    bufferedLossBytesMax: 16 * MIB,
    diskLimits: { stallMsMax: 500, reserveBytes: MIB },
    snapshots: { logBytesMin: 64 * MIB, logShare: 0.75 },
    diskNotices: SILENT_DISK_NOTICES,
    notices: NO_NOTICES,
    onFatal: (error) => {
      throw error;
    },
    ...changes,
  });
}

/** A server to play cases on. */
export interface Subject {
  readonly client: CompatClient;
  /** Waits for the promise, letting the subject's time pass. */
  drive<T>(promise: Promise<T>): Promise<T>;
  close(): Promise<void>;
}

export class SimulatedServer implements Subject {
  readonly clock: SimulatedClock = new SimulatedClock();
  readonly disk: SimulatedDisk;
  readonly network: SimulatedNetwork;
  readonly #random: Random;
  readonly #changes: ServerChanges;
  #process: SimulatedProcess | undefined;
  #server: Server | undefined;
  #client: CompatClient | undefined;

  constructor(seed: number, changes: ServerChanges = {}, directBlock = 0) {
    this.#random = new Random(seed);
    const { clock } = this;
    this.disk = new SimulatedDisk({ clock, random: this.#random, latencyMsMax: 1, directBlock });
    this.network = new SimulatedNetwork({ clock, random: this.#random });
    this.#changes = changes;
  }

  static async open(seed: number, changes: ServerChanges = {}, directBlock = 0): Promise<SimulatedServer> {
    const server = new SimulatedServer(seed, changes, directBlock);
    await server.start();
    return server;
  }

  get server(): Server {
    if (this.#server === undefined) throw new Error('the server is not started');
    return this.#server;
  }

  get client(): CompatClient {
    if (this.#client === undefined) throw new Error('the server is not started');
    return this.#client;
  }

  async start(): Promise<void> {
    const process = new SimulatedProcess(this.clock, this.network);
    this.#process = process;
    const { clock, network } = process;
    this.#server = await this.drive(
      openOn({ clock, disk: this.disk, network, folder: '/data', random: this.#random }, this.#changes),
    );
    this.#client = this.connect();
  }

  /** Another client, with a connection of its own. */
  connect(): CompatClient {
    const endpoint = `http://127.0.0.1:${this.server.ports[0]}`;
    return new CompatClient({ network: this.network, clock: this.clock, endpoint });
  }

  /** Cuts the power: the process, its connections and what was not synced are gone. */
  crash(style?: CrashStyle): void {
    this.#end();
    this.disk.crash(style);
  }

  /** The process dies; what it wrote is there. */
  kill(): void {
    this.#end();
    this.disk.kill();
  }

  #end(): void {
    this.client.close();
    this.#process?.end(false);
    for (const stream of this.network.streams) stream.destroy();
  }

  async drive<T>(promise: Promise<T>): Promise<T> {
    let isSettled = false;
    const settled = (): void => {
      isSettled = true;
    };
    promise.then(settled, settled);
    const endMs = this.clock.nowMs() + SIMULATED_MS_MAX;
    for (;;) {
      await new Promise((resolve) => setImmediate(resolve));
      if (isSettled) return promise;
      if (!this.clock.step() || this.clock.nowMs() > endMs) throw new Error('the promise waits, and nothing happens');
    }
  }

  async close(): Promise<void> {
    this.client.close();
    await this.drive(this.server.close());
  }
}

/** A server that somebody else runs. */
export class RemoteSubject implements Subject {
  readonly client: CompatClient;

  constructor(endpoint: string) {
    this.client = new CompatClient({ network: new TcpNetwork(), clock: new RealClock(), endpoint });
  }

  async drive<T>(promise: Promise<T>): Promise<T> {
    let timeout: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_, reject) => {
      timeout = setTimeout(() => reject(new Error('no answer in time')), REAL_MS_MAX);
    });
    try {
      return await Promise.race([promise, late]);
    } finally {
      clearTimeout(timeout);
    }
  }

  async close(): Promise<void> {
    this.client.close();
  }
}

/** Our server on a real socket and folder. */
export async function openSocketSubject(): Promise<Subject> {
  const folder = mkdtempSync(join(tmpdir(), 'k1m-compat-'));
  const server = await openOn(
    { disk: new FileDisk(), network: new TcpNetwork(), clock: new RealClock(), folder, random: new Random(1) },
    {},
  );
  const remote = new RemoteSubject(`http://127.0.0.1:${server.ports[0]}`);
  return {
    client: remote.client,
    drive: (promise) => remote.drive(promise),
    close: async (): Promise<void> => {
      await remote.close();
      await server.close();
      rmSync(folder, { recursive: true });
    },
  };
}
