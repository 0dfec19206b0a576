// Follows a running server of etcd's API, change by change, into a log of ours that already has its state at one revision.
//
//   watch of everything from the next revision ─► PUT, DELETE with their revisions ─► log
//   list of leases, asked for again and again ─► LEASE_GRANT, LEASE_REVOKE       ─► log
//
// A watch tells nothing of leases. One that a key comes with is asked for before the key is logged; others are found by
// the list. What a revoked lease's keys become, the watch tells.
//
// Changes of a revision come in the order in which they were made, all of them, so that their place is their sub revision.
// Each message is durable before the next is taken; the server may send one window ahead.

import { StatusError } from '../api/errors.ts';
import { EVENT_DELETE, type Event, type KeyValue } from '../api/messages.ts';
import * as methods from '../api/methods.ts';
import { EMPTY_BYTES } from '../base/bytes.ts';
import { RefusedError } from '../base/refused-error.ts';
import type { EtcdClient } from '../client/etcd-client.ts';
import type { Watch } from '../client/watch.ts';
import { type Clock, pause, type Timer } from '../io/clock.ts';
import type { JournalFiller } from './journal-filler.ts';
import { encodeVersion } from './value-decoder.ts';

/** How often the source is asked for its revision and its leases. */
export const POLL_MS = 1_000;
/** After which a source that says nothing counts as one that does not answer. */
const POLL_TIMEOUT_MS = 5_000;
/** How long the end waits for the next change of what the source has. */
const SILENCE_MS_MAX = 10_000;
const DRAIN_STEP_MS = 20;
/** Leases asked for at a time. */
const LEASES_AT_ONCE = 64;
const EVERYTHING = Uint8Array.of(0);

/** What a follower tells of itself. */
export interface Progress {
  /** The copy has everything up to here. */
  readonly revision: number;
  /** Where the source was when it was asked last; 0: it has not answered yet. */
  readonly sourceRevision: number;
  readonly leaseCount: number;
  /** Why the source did not answer; undefined when it did. */
  readonly failure: string | undefined;
}

export interface FollowerOptions {
  readonly client: EtcdClient;
  readonly clock: Clock;
  readonly filler: JournalFiller;
  /** The log has everything up to here, */
  readonly revision: number;
  /** and these leases. */
  readonly leases: Iterable<bigint>;
  /** After each time the source was asked. */
  readonly onProgress: (progress: Progress) => void;
  /** It cannot go on. Once; nothing is reported after it. */
  readonly onFailure: (error: Error) => void;
}

export class Follower {
  readonly #options: FollowerOptions;
  readonly #leases: Set<bigint>;
  #revision: number;
  #sourceRevision = 0;
  readonly #watch: Watch;
  #timer: Timer | undefined;
  /** Work on the log under way: messages and leases, one after the other. */
  #work: Promise<void> = Promise.resolve();
  /** The asking of the source under way. */
  #polling: Promise<void> = Promise.resolve();
  /** It is not to be asked again. */
  #isLast = false;
  /** What is not taken yet stays out. */
  #isStopping = false;
  #isOver = false;

  constructor(options: FollowerOptions) {
    this.#options = options;
    this.#revision = options.revision;
    this.#leases = new Set(options.leases);
    this.#watch = options.client.watch(
      { key: EVERYTHING, rangeEnd: EVERYTHING, startRevision: options.revision + 1, fragment: true },
      {
        onEvents: (events) => this.#enqueue(() => this.#take(events)),
        onProgress: (revision) => {
          this.#revision = Math.max(this.#revision, revision);
        },
        onEnd: (error, compactRevision) => this.#ended(error, compactRevision),
      },
    );
    this.#poll();
  }

  get revision(): number {
    return this.#revision;
  }

  /** Where the source was when it was asked last. */
  get sourceRevision(): number {
    return this.#sourceRevision;
  }

  /** Takes what the source has now, unless nothing comes for `SILENCE_MS_MAX`, and ends. The log has everything up to the result. */
  async stop(): Promise<number> {
    this.#timer?.cancel();
    this.#isLast = true;
    await this.#polling;
    try {
      await this.#reach(await this.#askRevision());
      await this.#askLeases();
    } catch (error) {
      ignoreStatus(error);
    }
    this.#isStopping = true;
    this.#watch.cancel();
    await this.#work;
    this.#isOver = true;
    await this.#options.filler.flush();
    return this.#revision;
  }

  /** Resolves when nothing works on the log any more; for when it has failed. */
  settled(): Promise<void> {
    return this.#work;
  }

  #abandon(): void {
    this.#isOver = true;
    this.#timer?.cancel();
    this.#watch.cancel();
  }

  #enqueue(work: () => Promise<void>): Promise<void> {
    this.#work = this.#work.then(work).catch((error: unknown) => {
      // What was not taken before the end stays out.
      if (!this.#isStopping || !(error instanceof StatusError)) this.#fail(error);
    });
    return this.#work;
  }

  async #take(events: readonly Event[]): Promise<void> {
    if (this.#isOver) return;
    await this.#findLeases(events);
    const { filler } = this.#options;
    let main = 0;
    let sub = 0;
    for (const { type, kv } of events) {
      if (kv === undefined) throw new RefusedError('the source sent an event without a key');
      if (kv.mod_revision !== main) {
        if (kv.mod_revision <= this.#revision) throw new RefusedError('the source sent revisions out of order');
        const waits = filler.pause();
        if (waits !== undefined) await waits;
        main = kv.mod_revision;
        sub = 0;
        this.#revision = main;
        filler.onRevision(main);
      }
      if (type === EVENT_DELETE) filler.onDelete(main, sub++, kv.key, 0, kv.key.length);
      else this.#put(kv, sub++);
    }
    await filler.flush();
  }

  #put(kv: KeyValue, sub: number): void {
    const { key, create_revision: createRevision, mod_revision: modRevision, version, value, lease } = kv;
    const bytes = encodeVersion({ key, createRevision, modRevision, version, value, lease });
    this.#options.filler.onPut(sub, bytes, 0, bytes.length);
  }

  /** Grants the leases that events name for the first time, as far as they still are. */
  async #findLeases(events: readonly Event[]): Promise<void> {
    const unknown = new Set<bigint>();
    for (const { kv } of events) {
      if (kv !== undefined && kv.lease !== 0n && !this.#leases.has(kv.lease)) unknown.add(kv.lease);
    }
    await this.#grant([...unknown]);
  }

  async #grant(ids: readonly bigint[]): Promise<void> {
    for (let at = 0; at < ids.length; at += LEASES_AT_ONCE) {
      const some = ids.slice(at, at + LEASES_AT_ONCE);
      const answers = await Promise.all(some.map((id) => this.#timeToLive(id)));
      this.#granted(some, answers);
    }
  }

  #granted(ids: readonly bigint[], answers: readonly { readonly grantedTTL: number }[]): void {
    for (const [i, id] of ids.entries()) {
      const { grantedTTL } = answers[i];
      // One that is gone takes its keys with it, which the watch will tell.
      if (grantedTTL <= 0 || this.#leases.has(id)) continue;
      this.#leases.add(id);
      this.#options.filler.onLeaseGrant(id, grantedTTL);
    }
  }

  /** Asks until there is an answer: what comes with the lease cannot be logged before. */
  async #timeToLive(id: bigint): Promise<{ readonly grantedTTL: number }> {
    const { client } = this.#options;
    for (;;) {
      try {
        return await client.leaseTimeToLive(id, false, { timeoutMs: POLL_TIMEOUT_MS });
      } catch (error) {
        if (!(error instanceof StatusError) || this.#isOver || this.#isStopping) throw error;
      }
      await pause(this.#options.clock, POLL_MS);
    }
  }

  #poll(): void {
    this.#polling = this.#ask().then((failure) => {
      if (this.#isOver || this.#isLast) return;
      const { clock, onProgress } = this.#options;
      onProgress({
        revision: this.#revision,
        sourceRevision: this.#sourceRevision,
        leaseCount: this.#leases.size,
        failure,
      });
      this.#timer = clock.setTimer(POLL_MS, () => this.#poll());
    });
  }

  /** Why the source did not answer; undefined when it did. Changes are taken meanwhile. */
  async #ask(): Promise<string | undefined> {
    try {
      await this.#askRevision();
      await this.#askLeases();
      return undefined;
    } catch (error) {
      if (error instanceof StatusError) return error.message;
      this.#fail(error);
      return undefined;
    }
  }

  async #askRevision(): Promise<number> {
    const before = this.#revision;
    const request = { key: EVERYTHING, range_end: EMPTY_BYTES, count_only: true };
    const { header } = await this.#options.client.range(request, { timeoutMs: POLL_TIMEOUT_MS });
    const revision = header?.revision ?? 0;
    if (revision < before) {
      throw new RefusedError(`the source is at revision ${revision}, behind its copy at ${before}: it lost data`);
    }
    this.#sourceRevision = revision;
    return revision;
  }

  async #askLeases(): Promise<void> {
    const { client, filler } = this.#options;
    // A lease that is granted after the list was made is not in it, and is no lost one.
    const known = [...this.#leases];
    const { leases } = await client.call(methods.leaseLeases, {}, { timeoutMs: POLL_TIMEOUT_MS });
    const listed = new Set(leases.map(({ ID }) => ID));
    const fresh = [...listed].filter((id) => !this.#leases.has(id));
    const answers: { readonly grantedTTL: number }[] = [];
    for (let at = 0; at < fresh.length; at += LEASES_AT_ONCE) {
      const some = fresh.slice(at, at + LEASES_AT_ONCE);
      const ask = (id: bigint): Promise<{ readonly grantedTTL: number }> => {
        return client.leaseTimeToLive(id, false, { timeoutMs: POLL_TIMEOUT_MS });
      };
      answers.push(...(await Promise.all(some.map(ask))));
    }
    await this.#enqueue(async () => {
      if (this.#isOver) return;
      for (const id of known) {
        if (!listed.has(id) && this.#leases.delete(id)) filler.onLeaseRevoke(id);
      }
      this.#granted(fresh, answers);
      await filler.flush();
    });
  }

  async #reach(revision: number): Promise<void> {
    const { clock } = this.#options;
    let before = this.#revision;
    let untilMs = clock.nowMs() + SILENCE_MS_MAX;
    while (!this.#isOver && this.#revision < revision && clock.nowMs() < untilMs) {
      await pause(this.#options.clock, DRAIN_STEP_MS);
      if (this.#revision > before) untilMs = clock.nowMs() + SILENCE_MS_MAX;
      before = this.#revision;
    }
  }

  #ended(error: StatusError | undefined, compactRevision: number): void {
    if (error === undefined) return;
    const reason =
      compactRevision === 0
        ? `the watch of the source ended: ${error.message}`
        : `the source was compacted at ${compactRevision}, beyond revision ${this.#revision} of the copy: start again`;
    this.#fail(new RefusedError(reason));
  }

  #fail(error: unknown): void {
    if (this.#isOver) return;
    this.#abandon();
    this.#options.onFailure(error instanceof Error ? error : new Error(String(error)));
  }
}

function ignoreStatus(error: unknown): void {
  if (!(error instanceof StatusError)) throw error;
}
