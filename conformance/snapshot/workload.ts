/** What is written into a store before it is copied: everything that a copy could lose, chosen from a seed. */
import * as m from '../../src/api/messages.ts';
import { EtcdClient } from '../../src/client/etcd-client.ts';
import { keyBytes } from '../../src/client/key-range.ts';
import { RealClock } from '../../src/io/clock.ts';
import { TcpNetwork } from '../../src/io/tcp-network.ts';

const keyCount = 400;
const leaseCount = 12;

export function connect(endpoint: string): EtcdClient {
  return new EtcdClient({
    network: new TcpNetwork(),
    clock: new RealClock(),
    endpoints: [endpoint],
    timeoutMs: 20_000,
  });
}

/** Numbers from a seed: mulberry32. */
function numbersFrom(seed: number): (below: number) => number {
  let state = seed >>> 0;
  return (below) => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below;
  };
}

export class Workload {
  readonly #client: EtcdClient;
  readonly #next: (below: number) => number;
  readonly #leases: bigint[] = [];
  /** The newest revision that was answered. */
  revision = 0;

  constructor(client: EtcdClient, seed: number) {
    this.#client = client;
    this.#next = numbersFrom(seed);
  }

  async grantLeases(): Promise<void> {
    for (let i = 0; i < leaseCount; i++) {
      const { ID } = await this.#client.leaseGrant(3_600 + i);
      this.#leases.push(ID);
    }
  }

  /** So many writes, one after the other. */
  async write(count: number): Promise<void> {
    for (let i = 0; i < count; i++) await this.writeOne();
  }

  async writeOne(): Promise<void> {
    const kind = this.#next(20);
    if (kind < 12) await this.#took(this.#client.put(this.#key(), this.#value(), { lease: this.#lease() }));
    else if (kind < 15) await this.#took(this.#client.deleteRange({ key: keyBytes(this.#key()) }));
    else if (kind === 15) {
      const start = this.#next(keyCount);
      const range = { key: keyBytes(nameOf(start)), range_end: keyBytes(nameOf(start + 5)) };
      await this.#took(this.#client.deleteRange(range));
    } else await this.#took(this.#client.txn({ success: this.#operations() }));
  }

  async revokeLease(): Promise<void> {
    const id = this.#leases.pop();
    if (id !== undefined) await this.#client.leaseRevoke(id);
  }

  /** Keeps so many revisions of the history. */
  async compact(kept = 200): Promise<void> {
    await this.#client.compact(Math.max(1, this.revision - kept), true);
  }

  async #took(answer: Promise<{ header: m.ResponseHeader | undefined }>): Promise<void> {
    this.revision = Math.max(this.revision, (await answer).header?.revision ?? 0);
  }

  /** Puts of different keys, and a deletion of others. */
  #operations(): m.RequestOp[] {
    const first = this.#next(keyCount - 10);
    const puts = Array.from({ length: 1 + this.#next(6) }, (_, i) =>
      m.RequestOp.create({
        request_put: { ...noPutFields, key: keyBytes(nameOf(first + i)), value: this.#value(), lease: this.#lease() },
      }),
    );
    const gone = { key: keyBytes(nameOf(first + 7)), range_end: keyBytes(nameOf(first + 9)), prev_kv: false };
    return [...puts, m.RequestOp.create({ request_delete_range: gone })];
  }

  #key(): string {
    return nameOf(this.#next(keyCount));
  }

  /** Mostly small, at times nothing, at times more than a page of the database. */
  #value(): Uint8Array {
    const kind = this.#next(30);
    const bytes = kind === 0 ? 0 : kind === 1 ? 5_000 + this.#next(90_000) : this.#next(400);
    return Buffer.alloc(bytes, this.#next(256));
  }

  #lease(): bigint {
    return this.#next(4) === 0 && this.#leases.length > 0 ? this.#leases[this.#next(this.#leases.length)] : 0n;
  }
}

const noPutFields = { prev_kv: false, ignore_value: false, ignore_lease: false };

function nameOf(number: number): string {
  return `/copied/${String(number).padStart(4, '0')}`;
}

/** Leases, many writes, a compaction, more writes: a store with a past. */
export async function fillStore(client: EtcdClient, seed: number, writes: number): Promise<Workload> {
  const workload = new Workload(client, seed);
  await workload.grantLeases();
  await workload.write(writes);
  await workload.revokeLease();
  await workload.compact();
  await workload.write(Math.ceil(writes / 4));
  return workload;
}
