// What the clients of a simulation ask for, from a seed. Every value is put once, so that it tells who put it.
//
// Keys begin with the first letter of their durability class where classes are mixed: f/…, b/…, n/….

import type { Condition, KeyRange, Pair, Request, SimpleRequest } from '../../src/testing/history.ts';
import { TO_THE_END } from '../../src/testing/history.ts';
import type { Random } from '../../src/testing/random.ts';

export interface WorkloadOptions {
  readonly random: Random;
  /** One for each durability class in use. */
  readonly prefixes: readonly string[];
  readonly keysPerPrefix: number;
  readonly hasLeases: boolean;
  /** The newest revision that compactions may name; 0: none yet. */
  readonly compactableRevision: () => number;
}

interface Lease {
  readonly id: bigint;
  readonly ttlSeconds: number;
}

const LEASE_SECONDS_MIN = 2;
const LEASE_SECONDS_MAX = 5;

export class Workload {
  readonly #options: WorkloadOptions;
  readonly #leases: Lease[] = [];
  /** As clients last saw them: for conditions that have a chance. */
  readonly #known = new Map<string, Pair>();
  #values = 0;
  #lastRevision = 1;

  constructor(options: WorkloadOptions) {
    this.#options = options;
  }

  /** Every key of the workload. */
  get everything(): KeyRange {
    return { key: TO_THE_END, end: TO_THE_END };
  }

  next(): Request {
    const { random, hasLeases } = this.#options;
    const kind = random.fraction();
    if (kind < 0.4) return this.#put();
    if (kind < 0.6) return this.#range();
    if (kind < 0.68) return { kind: 'delete', ...this.#keys(0.15) };
    if (kind < 0.88) return this.#txn();
    if (kind < 0.9) {
      const revision = this.#options.compactableRevision() - random.between(0, 20);
      if (revision > 1) return { kind: 'compact', revision };
    }
    return hasLeases ? this.#lease() : this.#range();
  }

  /** What an answer showed. */
  learn(revision: number, pairs: readonly Pair[]): void {
    this.#lastRevision = Math.max(this.#lastRevision, revision);
    for (const pair of pairs) this.#known.set(pair.key, pair);
  }

  /** A range of keys for a watch. */
  watched(): KeyRange {
    const { random, prefixes } = this.#options;
    if (random.chance(0.4)) return { key: this.#key(), end: '' };
    const prefix = random.pick(prefixes);
    return random.chance(0.5) ? { key: prefix, end: `${prefix}~` } : this.everything;
  }

  #key(): string {
    const { random, prefixes, keysPerPrefix } = this.#options;
    return `${random.pick(prefixes)}${random.between(0, keysPerPrefix - 1)}`;
  }

  #keys(rangeRate: number): KeyRange {
    const { random, prefixes } = this.#options;
    if (!random.chance(rangeRate)) return { key: this.#key(), end: '' };
    const prefix = random.pick(prefixes);
    return random.chance(0.5) ? { key: prefix, end: `${prefix}~` } : { key: this.#key(), end: `${prefix}~` };
  }

  #put(key = this.#key()): SimpleRequest {
    const { random, hasLeases } = this.#options;
    const isLeased = hasLeases && this.#leases.length > 0 && random.chance(0.25);
    const padding = random.chance(0.1) ? 'x'.repeat(random.between(1, 6000)) : '';
    const lease = isLeased ? random.pick(this.#leases).id : 0n;
    return { kind: 'put', key, value: `${++this.#values}${padding}`, lease };
  }

  #range(): SimpleRequest {
    const { random } = this.#options;
    const revision = random.chance(0.15) ? Math.max(1, this.#lastRevision - random.between(-1, 15)) : 0;
    return { kind: 'range', ...this.#keys(0.4), revision };
  }

  #txn(): Request {
    const { random } = this.#options;
    const key = this.#key();
    const other = this.#key();
    const mod = this.#known.get(key)?.mod ?? 0;
    const condition: Condition = random.chance(0.8)
      ? { key, target: 'mod', relation: '=', operand: mod }
      : {
          key,
          target: 'version',
          relation: random.pick(['>', '<', '=', '!='] as const),
          operand: random.between(0, 3),
        };
    const read: SimpleRequest = { kind: 'range', key, end: '', revision: 0 };
    const success: SimpleRequest[] = [this.#put(key)];
    if (other !== key) success.push(random.chance(0.7) ? this.#put(other) : { kind: 'delete', key: other, end: '' });
    if (random.chance(0.3)) success.push(read);
    const failure = random.chance(0.8) || other === key ? [read] : [read, this.#put(other)];
    return { kind: 'txn', conditions: [condition], success, failure };
  }

  #lease(): Request {
    const { random } = this.#options;
    const isNew = this.#leases.length === 0 || random.chance(0.2);
    if (isNew) {
      const ttlSeconds = random.between(LEASE_SECONDS_MIN, LEASE_SECONDS_MAX);
      const lease = BigInt(1000 + this.#leases.length);
      this.#leases.push({ id: lease, ttlSeconds });
      return { kind: 'grant', lease, ttlSeconds };
    }
    const { id } = random.pick(this.#leases);
    const kind = random.chance(0.75) ? 'renew' : random.pick(['timeToLive', 'revoke'] as const);
    return { kind, lease: id, ttlSeconds: 0 };
  }
}
