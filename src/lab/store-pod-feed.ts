// All pods of a store: listed page by page at one revision, then watched from the next one on. Of each only what a view has is decoded; the bytes of
// those that are going to be written are kept (pods-at-hand.ts has the limit).
//
//   listing ─► watching ──compacted, cancelled, or a page that failed──► listing, after AGAIN_MS
//
// A watch that breaks is taken up by the client where it was. Pods that cannot be read here (encrypted, JSON, damaged) are counted and told once.

import { StatusError } from '../api/errors.ts';
import type { Event, KeyValue } from '../api/messages.ts';
import { WireError } from '../base/byte-reader.ts';
import type { EtcdClient } from '../client/etcd-client.ts';
import { prefixEnd } from '../client/key-range.ts';
import type { Watch } from '../client/watch.ts';
import type { Clock, Timer } from '../io/clock.ts';
import { MessageDecoder } from '../kube/message-decoder.ts';
import { formOf, readEnvelope } from '../kube/stored-object.ts';
import type { RegistryKeys } from '../kube-store/registry-key.ts';
import { nameBehind } from './name-behind.ts';
import type { PodFeed, PodFeedListener } from './pod-feed.ts';
import { podViewOf, UNVIEWED_FIELDS } from './pod-view.ts';
import type { PodsAtHand } from './pods-at-hand.ts';

const PAGE_KEYS = 500;
const PAGE_TIMEOUT_MS = 30_000;
const AGAIN_MS = 1000;
const DELETE_EVENT = 1;

export interface StorePodFeedOptions {
  readonly client: EtcdClient;
  readonly clock: Clock;
  readonly keys: RegistryKeys;
  readonly atHand: PodsAtHand;
}

export class StorePodFeed implements PodFeed {
  readonly #options: StorePodFeedOptions;
  readonly #folder: Uint8Array;
  readonly #decoder = new MessageDecoder(UNVIEWED_FIELDS);
  #listener: PodFeedListener | undefined;
  #watch: Watch | undefined;
  #pause: Timer | undefined;
  #isListing = false;
  #unreadable = 0;

  constructor(options: StorePodFeedOptions) {
    this.#options = options;
    this.#folder = Buffer.from(options.keys.folder('pods'));
  }

  start(listener: PodFeedListener): void {
    this.#listener = listener;
    void this.#follow();
  }

  listAnew(): void {
    if (this.#isListing) return;
    this.#stop();
    void this.#follow();
  }

  close(): void {
    this.#listener = undefined;
    this.#stop();
  }

  #stop(): void {
    this.#pause?.cancel();
    const watch = this.#watch;
    this.#watch = undefined;
    watch?.cancel();
  }

  async #follow(): Promise<void> {
    this.#isListing = true;
    try {
      const revision = await this.#list();
      if (this.#listener !== undefined) this.#watchFrom(revision + 1);
    } catch (error) {
      if (!(error instanceof StatusError)) throw error;
      this.#again(`list pods: ${error.message}`);
    } finally {
      this.#isListing = false;
    }
  }

  #again(problem: string): void {
    if (this.#listener === undefined) return;
    this.#listener.onProblem(problem);
    this.#pause = this.#options.clock.setTimer(AGAIN_MS, () => void this.#follow());
  }

  /** The revision that the list is of. */
  async #list(): Promise<number> {
    this.#listener?.onListBegins();
    const end = prefixEnd(this.#folder);
    let key = this.#folder;
    let revision = 0;
    while (this.#listener !== undefined) {
      const request = { key, range_end: end, limit: PAGE_KEYS, revision };
      const { header, kvs, more } = await this.#options.client.range(request, { timeoutMs: PAGE_TIMEOUT_MS });
      if (revision === 0) revision = header?.revision ?? 0;
      for (const kv of kvs) this.#set(kv);
      const last = kvs.at(-1);
      if (!more || last === undefined) break;
      key = Buffer.concat([last.key, Buffer.of(0)]);
    }
    this.#listener?.onListEnds();
    return revision;
  }

  #watchFrom(startRevision: number): void {
    const range = { key: this.#folder, rangeEnd: prefixEnd(this.#folder) };
    const watch = this.#options.client.watch(
      // With progress told, a quiet watch is not taken up again at a revision that has been compacted since.
      { ...range, startRevision, progressNotify: true, fragment: true },
      {
        onEvents: (events) => {
          for (const event of events) if (this.#watch === watch) this.#onEvent(event);
        },
        onEnd: (error) => {
          if (this.#watch !== watch) return;
          this.#watch = undefined;
          this.#again(`watch pods: ${error?.message ?? 'it has ended'}`);
        },
      },
    );
    this.#watch = watch;
  }

  #onEvent({ type, kv }: Event): void {
    if (kv === undefined) return;
    if (type !== DELETE_EVENT) {
      this.#set(kv);
      return;
    }
    const name = nameBehind(kv.key, this.#folder.length);
    this.#options.atHand.delete(name);
    this.#listener?.onGone(name);
  }

  #set(kv: KeyValue): void {
    const name = nameBehind(kv.key, this.#folder.length);
    const { atHand } = this.#options;
    try {
      if (formOf(kv.value) !== 'protobuf') throw new WireError(`its stored form is ${formOf(kv.value)}`);
      const { kind, rawStart, rawEnd } = readEnvelope(kv.value);
      const view = podViewOf(this.#decoder.decode(kind, kv.value, rawStart, rawEnd) ?? {});
      if (this.#listener?.onPod(view) === true) atHand.set(name, kv);
      else atHand.delete(name);
    } catch (error) {
      if (!(error instanceof WireError)) throw error;
      if (this.#unreadable++ === 0) this.#listener?.onProblem(`pod ${name} is left alone: ${error.message}`);
    }
  }
}
