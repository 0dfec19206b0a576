// Leases that are granted, asked about and revoked, and what clients were told of them: each a claim that has to hold after a power cut.
// Compactions as well, of which refusals tell.

import { StatusError } from '../../src/api/errors.ts';
import * as methods from '../../src/api/methods.ts';
import type { SimulatedClock } from '../../src/testing/clock.ts';
import type { Random } from '../../src/testing/random.ts';
import type { CompatClient } from '../compat/compat-client.ts';
import { put } from '../compat/requests.ts';

/** What a server shows after a cut. */
export interface Found {
  readonly pairs: { has(key: string): boolean };
  readonly leases: ReadonlySet<bigint>;
  readonly compactedRevision: number;
}

/** Something that a client was told. */
export interface Claim {
  /** Where the trace was then. */
  readonly point: number;
  readonly text: string;
  /** Whether it can be so after a cut at `point`. */
  readonly holds: (found: Found, point: number) => boolean;
}

const LEASES = 5;
const QUESTIONS = 4;
/** Longer than anything here takes: no lease ends by itself. */
const TTL_SECONDS = 1_000;

export interface StorySurroundings {
  readonly clock: SimulatedClock;
  readonly random: Random;
  readonly client: CompatClient;
  readonly point: () => number;
  readonly claims: Claim[];
}

/** Resolves when all of them are over. */
export async function tellLeaseStories(surroundings: StorySurroundings): Promise<void> {
  await Promise.all(
    Array.from({ length: LEASES }, (_, index) => new LeaseStory(surroundings, BigInt(100 + index)).tell()),
  );
}

class LeaseStory {
  readonly #surroundings: StorySurroundings;
  readonly #id: bigint;
  readonly #key: string;
  /** Where the trace was when its end was asked for. */
  #revokedPoint = Number.POSITIVE_INFINITY;

  constructor(surroundings: StorySurroundings, id: bigint) {
    this.#surroundings = surroundings;
    this.#id = id;
    this.#key = `l${id}`;
  }

  async tell(): Promise<void> {
    const { client, random } = this.#surroundings;
    const id = this.#id;
    await this.#sleep(40);
    await client.unary(methods.leaseGrant, { ID: id, TTL: TTL_SECONDS });
    this.#isThere('granted');
    const { header } = await client.unary(methods.put, put(this.#key, 'x', { lease: id }));
    this.#claim('its key is put', ({ pairs, leases }) => !leases.has(id) || pairs.has(this.#key));
    const revision = header?.revision ?? 0;
    const questions = Array.from({ length: QUESTIONS }, async () => {
      await this.#sleep(6);
      await this.#ask();
    });
    if (random.chance(0.8)) questions.push(this.#revoke());
    if (random.chance(0.5)) questions.push(this.#compact(revision), this.#compact(revision));
    await Promise.all(questions);
  }

  async #revoke(): Promise<void> {
    await this.#sleep(3);
    this.#revokedPoint = this.#surroundings.point();
    await this.#surroundings.client.unary(methods.leaseRevoke, { ID: this.#id });
    this.#isGone('revoked');
  }

  async #compact(revision: number): Promise<void> {
    await this.#sleep(6);
    const refusal = await this.#refusal(this.#surroundings.client.unary(methods.compact, { revision }));
    this.#claim(refusal ?? `compacted at ${revision}`, ({ compactedRevision }) => compactedRevision >= revision);
  }

  async #ask(): Promise<void> {
    const { client, random } = this.#surroundings;
    const ID = this.#id;
    const question = random.pick(['time to live', 'keep-alive', 'list', 'put'] as const);
    if (question === 'put') {
      const refusal = await this.#refusal(client.unary(methods.put, put(`${this.#key}x`, '', { lease: ID })));
      if (refusal !== undefined) this.#isGone(refusal);
      return;
    }
    let isThere: boolean;
    if (question === 'list') {
      const { leases } = await client.unary(methods.leaseLeases, {});
      isThere = leases.some((lease) => lease.ID === ID);
    } else if (question === 'keep-alive') isThere = (await client.unary(methods.leaseKeepAlive, { ID })).TTL > 0;
    else isThere = (await client.unary(methods.leaseTimeToLive, { ID })).TTL > 0;
    if (isThere) this.#isThere(question);
    else this.#isGone(question);
  }

  /** The text of the refusal; undefined: it was answered. */
  async #refusal(call: Promise<unknown>): Promise<string | undefined> {
    try {
      await call;
      return undefined;
    } catch (error) {
      if (!(error instanceof StatusError)) throw error;
      return error.message;
    }
  }

  #isThere(told: string): void {
    const id = this.#id;
    this.#claim(`${told}: is there`, ({ leases }, point) => point >= this.#revokedPoint || leases.has(id));
  }

  #isGone(told: string): void {
    const id = this.#id;
    this.#claim(`${told}: is gone`, ({ leases, pairs }) => !leases.has(id) && !pairs.has(this.#key));
  }

  #claim(text: string, holds: Claim['holds']): void {
    const { claims, point } = this.#surroundings;
    claims.push({ point: point(), text: `lease ${this.#id}, ${text}`, holds });
  }

  #sleep(msMax: number): Promise<void> {
    const { clock, random } = this.#surroundings;
    return new Promise((resolve) => clock.setTimer(random.fraction() * msMax, resolve));
  }
}
