// A real disk that does not answer for 2 s in every 10: what clients notice, and how soon it is told.

import { StatusError } from '../../../src/api/errors.ts';
import * as methods from '../../../src/api/methods.ts';
import { DiskLab, sleep } from './disk-lab.ts';

const DISK_MIB = 512;
const STALL_MS = 2_000;
const PERIOD_MS = 10_000;
const WRITERS = 16;
const POLL_MS = 10;
const READ_MS_MAX = 50;
const DETECTION_MS_MAX = 1_000;
const LEASE_SECONDS = 5;

/** What does not hold. */
export async function proveStalledDisk(port: number, stalls: number): Promise<readonly string[]> {
  process.stdout.write(
    `stalled disk: ext4 of ${DISK_MIB} MiB on a loop device, frozen 2 s in every 10, ${stalls} times\n`,
  );
  const late: { proof: StalledDiskProof | undefined } = { proof: undefined };
  const onLine = (line: string): void => late.proof?.logged(line);
  const lab = new DiskLab({ mebibytes: DISK_MIB, port, flags: ['--disk-reserve-bytes', `${16 << 20}`], onLine });
  try {
    await lab.start();
    const proof = new StalledDiskProof(lab);
    late.proof = proof;
    await proof.run(stalls);
  } finally {
    await lab.close();
  }
  return lab.problems;
}

/** Latencies of one kind of call. */
class Latencies {
  /** While the disk answers, and while it does not. */
  readonly quiet: number[] = [];
  readonly stalled: number[] = [];

  text(list: 'quiet' | 'stalled'): string {
    const sorted = this[list].toSorted((a, b) => a - b);
    const at = (share: number): string => (sorted[Math.floor((sorted.length - 1) * share)] ?? 0).toFixed(1);
    return `${sorted.length}, p50 ${at(0.5)}, p99 ${at(0.99)}, longest ${at(1)} ms`;
  }
}

class StalledDiskProof {
  readonly #lab: DiskLab;
  readonly #latencies = new Map<string, Latencies>();
  /** How long after the freeze it was told, by each way. */
  readonly #told = new Map<string, number[]>();
  readonly #toldNow = new Set<string>();
  #frozenMs: number | undefined;
  #isOver = false;
  #writes = 0;
  #writesStalled = 0;

  constructor(lab: DiskLab) {
    this.#lab = lab;
  }

  /** A line of the server's log. */
  logged(line: string): void {
    if (line.includes('does not answer')) this.#tell('log line');
  }

  async run(stalls: number): Promise<void> {
    const lab = this.#lab;
    await lab.client.leaseGrant(LEASE_SECONDS, 7n);
    await lab.client.put('leased', 'x', { lease: 7n });
    lab.acknowledged.set('leased', 'x');
    for (let i = 0; i < 500; i++) await lab.client.put(`r${i}`, 'x'.repeat(300));
    const work = [
      ...Array.from({ length: WRITERS }, (_, index) => this.#write(index)),
      this.#repeat('read', 2, (client) => client.get(`r${Math.floor(Math.random() * 500)}`)),
      this.#repeat('list of 500', 20, (client) => client.range({ key: Buffer.from('r'), range_end: Buffer.from('s') })),
      this.#repeat('keep-alive', 100, (client) => client.call(methods.leaseKeepAlive, { ID: 7n })),
      this.#repeat('watch from the past, first event', 50, (client) => firstEvent(client)),
      this.#pollHttp(),
    ];
    await sleep(2_000);
    for (let i = 0; i < stalls; i++) {
      await lab.mount.freeze();
      this.#toldNow.clear();
      this.#frozenMs = performance.now();
      await sleep(STALL_MS);
      this.#frozenMs = undefined;
      await lab.mount.thaw();
      await sleep(i < stalls - 1 ? PERIOD_MS - STALL_MS : 2_000);
    }
    this.#isOver = true;
    await Promise.all(work);
    this.#report(stalls);
    await lab.killAndCompare();
  }

  #report(stalls: number): void {
    const lab = this.#lab;
    let longestMs = 0;
    for (const [name, latencies] of this.#latencies) {
      lab.say(`${name}: ${latencies.text('quiet')}; while stalled ${latencies.text('stalled')}`);
      lab.check(Math.max(...latencies.stalled) < STALL_MS / 2, `${name}: goes on while the disk is stalled`);
      longestMs = Math.max(longestMs, ...latencies.stalled);
    }
    lab.goal(
      longestMs < READ_MS_MAX,
      `the longest of these while stalled ${longestMs.toFixed(1)} ms, below ${READ_MS_MAX}`,
    );
    let latestMs = 0;
    for (const way of ['log line', 'metric', 'readyz']) {
      const times = this.#told.get(way) ?? [];
      lab.say(`told by ${way} after ${times.map((ms) => ms.toFixed(0)).join(', ')} ms`);
      lab.check(times.length === stalls, `${way}: told ${times.length} of ${stalls} stalls`);
      latestMs = Math.max(latestMs, ...times);
    }
    lab.goal(
      latestMs < DETECTION_MS_MAX,
      `told after ${latestMs.toFixed(0)} ms at the latest, below ${DETECTION_MS_MAX}`,
    );
    lab.say(`writes: ${this.#writes} acknowledged, ${this.#writesStalled} of them in a stall`);
  }

  #tell(way: string): void {
    if (this.#frozenMs === undefined || this.#toldNow.has(way)) return;
    this.#toldNow.add(way);
    const times = this.#told.get(way) ?? [];
    times.push(performance.now() - this.#frozenMs);
    this.#told.set(way, times);
  }

  async #write(index: number): Promise<void> {
    const { client, acknowledged } = this.#lab;
    for (let i = 0; !this.#isOver; i++) {
      const key = `w${index}-${i % 50}`;
      const value = `${i}${'x'.repeat(300)}`;
      try {
        await client.put(key, value);
        acknowledged.set(key, value);
        this.#writes++;
        if (this.#frozenMs !== undefined) this.#writesStalled++;
      } catch (error) {
        if (!(error instanceof StatusError)) throw error;
        // It may have happened: nothing can be said of the key any more.
        acknowledged.delete(key);
      }
      await sleep(2);
    }
  }

  /** Calls again and again, on a connection of its own, and times each. */
  async #repeat(name: string, pauseMs: number, call: (client: DiskLab['client']) => Promise<unknown>): Promise<void> {
    const client = this.#lab.connect();
    const latencies = new Latencies();
    this.#latencies.set(name, latencies);
    while (!this.#isOver) {
      const isStalled = this.#frozenMs !== undefined;
      const startedMs = performance.now();
      await call(client);
      (isStalled ? latencies.stalled : latencies.quiet).push(performance.now() - startedMs);
      await sleep(pauseMs);
    }
    client.close();
  }

  async #pollHttp(): Promise<void> {
    const { endpoint } = this.#lab;
    while (!this.#isOver) {
      const ready = await fetch(`${endpoint}/readyz`);
      await ready.text();
      if (ready.status !== 200) this.#tell('readyz');
      const metrics = await (await fetch(`${endpoint}/metrics`)).text();
      if (/^k1m_disk_stalled 1$/m.test(metrics)) this.#tell('metric');
      await sleep(POLL_MS);
    }
  }
}

function firstEvent(client: DiskLab['client']): Promise<void> {
  return new Promise((resolve, reject) => {
    const watch = client.watch(
      { key: Buffer.from('r'), rangeEnd: Buffer.from('s'), startRevision: 1 },
      {
        onEvents: () => {
          resolve();
          watch.cancel();
        },
        onEnd: (error) => error !== undefined && reject(error),
      },
    );
  });
}
