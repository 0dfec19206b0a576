// All pods of a store: listed page by page at one revision, then watched from the next one on. Of each only what a view has is decoded; the bytes of
// those that are going to be written are kept (pods-at-hand.ts has the limit).
//
//   listing ─► watching ──compacted, cancelled, or a page that failed──► listing, after AGAIN_MS
//
// A watch that breaks is taken up by the client where it was. Pods that cannot be read here (encrypted, JSON, damaged) are counted and told once.

import { StatusError } from '../api/errors.ts';
import { WireError } from '../base/byte-reader.ts';
import type { EtcdClient } from '../client/etcd-client.ts';
import { keyBehind, prefixEnd } from '../client/key-range.ts';
import { type KvView, KvViews, RangePage } from '../client/kv-view.ts';
import type { Watch } from '../client/watch.ts';
import type { Clock, Timer } from '../io/clock.ts';
import { MessageDecoder } from '../kube/message-decoder.ts';
import { rawOf } from '../kube/message-edit.ts';
import { formOf } from '../kube/stored-object.ts';
import { keyOf } from '../kube-api/object-head.ts';
import type { RegistryKeys } from '../kube-store/registry-key.ts';
import type { PodFeed, PodFeedListener } from './pod-feed.ts';
import { podViewOf, UNVIEWED_FIELDS } from './pod-view.ts';
import type { PodsAtHand } from './pods-at-hand.ts';

const PAGE_KEYS = 500;
const PAGE_TIMEOUT_MS = 30_000;
const AGAIN_MS = 1000;

export interface StorePodFeedOptions {
  readonly client: Pick<EtcdClient, 'rangePage' | 'watch'>;
  readonly clock: Clock;
  readonly keys: RegistryKeys;
  readonly atHand: PodsAtHand;
}

export class StorePodFeed implements PodFeed {
  readonly #options: StorePodFeedOptions;
  readonly #folder: Uint8Array;
  readonly #views = new KvViews();
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
    // Of those that have gone since nobody will tell.
    this.#options.atHand.clear();
    this.#listener?.onListBegins();
    const range = { range_end: prefixEnd(this.#folder), limit: PAGE_KEYS };
    const page = new RangePage();
    let key: Uint8Array | undefined = this.#folder;
    let revision = 0;
    while (key !== undefined && this.#listener !== undefined) {
      const options = { timeoutMs: PAGE_TIMEOUT_MS };
      await this.#options.client.rangePage({ ...range, key, revision }, page, options);
      if (revision === 0) revision = page.revision;
      page.visit(this.#views, (kv) => this.#set(kv));
      key = page.hasMore && page.lastKey !== undefined ? keyBehind(page.lastKey) : undefined;
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
        onView: (kv) => {
          if (this.#watch === watch) this.#onEvent(kv);
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

  #onEvent(kv: KvView): void {
    if (!kv.isDeleted) {
      this.#set(kv);
      return;
    }
    const name = this.#nameOf(kv);
    this.#options.atHand.delete(name);
    this.#listener?.onGone(name);
  }

  #nameOf({ bytes, keyStart, keyEnd }: KvView): string {
    return bytes.toString('utf8', keyStart + this.#folder.length, keyEnd);
  }

  #set(kv: KvView): void {
    const { atHand } = this.#options;
    const { bytes, valueStart, valueEnd } = kv;
    try {
      const form = formOf(bytes, valueStart, valueEnd);
      if (form !== 'protobuf') throw new WireError(`its stored form is ${form}`);
      const { start, end } = rawOf(bytes, valueStart, valueEnd);
      const view = podViewOf(this.#decoder.decode('Pod', bytes, start, end) ?? {});
      if (this.#listener?.onPod(view) === true) atHand.set(keyOf(view), kv);
      else atHand.delete(keyOf(view));
    } catch (error) {
      if (!(error instanceof WireError)) throw error;
      if (this.#unreadable++ > 0) return;
      this.#listener?.onProblem(`pod ${this.#nameOf(kv)} is left alone, and others like it: ${error.message}`);
    }
  }
}
