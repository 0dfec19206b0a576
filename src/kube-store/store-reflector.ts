// A collection followed in the store: listed page by page at one revision, then watched from the next one on.
//
//   listing ─► watching ──(cut off: taken up again at the next revision by the client)──► watching
//      ▲           │
//      └───────────┴── compacted, cancelled, or a page that failed: listed again, after a wait that doubles
//
// Objects that the API server has encrypted cannot be read here. The first one hands the collection over to the API, for good; without
// one it is told, and that object is skipped.
//
// The handler is told as by the API (kube-api/known-objects.ts). A pod leaves a collection that its phase excludes as if it were deleted.
//
// Limits: PAGE_KEYS a page; a page is asked for while the one before is read.

import { StatusError, UNAVAILABLE } from '../api/errors.ts';
import type { EtcdClient } from '../client/etcd-client.ts';
import { keyBehind, prefixEnd } from '../client/key-range.ts';
import { type KvView, KvViews, RangePage } from '../client/kv-view.ts';
import type { Watch } from '../client/watch.ts';
import type { Clock, Timer } from '../io/clock.ts';
import { Backoff } from '../kube-api/backoff.ts';
import { KnownObjects } from '../kube-api/known-objects.ts';
import type {
  JsonObject,
  KubeApi,
  Lookalike,
  ObjectIdentity,
  ReflectHandler,
  Reflection,
  ReflectionCounts,
  ReflectOptions,
} from '../kube-api/kube-api.ts';
import { Lookalikes } from '../kube-api/lookalikes.ts';
import { headOf, isObject, type ObjectHead } from '../kube-api/object-head.ts';
import type { ResourceName } from '../kube-api/resource.ts';
import { type OngoingTrouble, Trouble } from '../kube-api/trouble.ts';
import { ObjectReader } from './object-reader.ts';
import type { PodBytes } from './pod-bytes.ts';
import type { RegistryKeys } from './registry-key.ts';
import type { StoreOutage } from './store-outage.ts';

const PAGE_KEYS = 500;
const PAGE_TIMEOUT_MS = 30_000;
/** Skipped objects told by name, of each list or watch. */
const TOLD_MAX = 20;
const NOT_PHASE = /^status\.phase!=([A-Za-z]+)$/;

export interface StoreReflectorOptions {
  readonly client: EtcdClient;
  readonly keys: RegistryKeys;
  readonly clock: Clock;
  readonly chance: () => number;
  /** Of the store, for all that is followed there. */
  readonly outage: StoreOutage;
  /** Where collections go that cannot be read in the store. */
  readonly api: KubeApi | undefined;
  readonly resource: ResourceName;
  readonly handler: ReflectHandler;
  readonly options: ReflectOptions;
  /** Of pods: what is kept of their bytes, by `slotOf`. */
  readonly podBytes: PodBytes | undefined;
}

export class StoreReflector implements Reflection {
  readonly resource: ResourceName;
  readonly #options: StoreReflectorOptions;
  readonly #folder: Uint8Array;
  readonly #views = new KvViews();
  readonly #reader = new ObjectReader();
  readonly #lookalikes: Lookalikes | undefined;
  readonly #known: KnownObjects;
  readonly #backoff: Backoff;
  readonly #excludedPhases: ReadonlySet<unknown>;
  readonly #counts = { lists: 0, watches: 0, events: 0, stale: 0, malformed: 0, failures: 0 };
  #told = 0;
  readonly #trouble: Trouble;
  #isSynced = false;
  #isClosed = false;
  #watch: Watch | undefined;
  /** Until it is listed again. */
  #pause: Timer | undefined;
  /** Once the collection is followed through the API. */
  #instead: Reflection | undefined;

  constructor(options: StoreReflectorOptions) {
    const { resource, keys, clock, chance, handler } = options;
    this.#options = options;
    this.resource = resource;
    this.#folder = Buffer.from(keys.folder(resource));
    this.#backoff = new Backoff(chance);
    this.#trouble = new Trouble(clock, `${resource}: followed again`, (text) => handler.onProblem(text));
    this.#excludedPhases = excludedPhases(options.options.fieldSelector ?? '');
    this.#lookalikes = handler.onAlike === undefined ? undefined : Lookalikes.of(resource);
    this.#known = new KnownObjects((identity, slot) => {
      options.podBytes?.forget(slot);
      if (!this.#isClosed) handler.onDeleted(identity);
    }, chance);
  }

  /** Of an object that is known now, by its namespace and name; −1: it is not. */
  slotOf(key: string): number {
    return this.#known.slotOf(key);
  }

  get isSynced(): boolean {
    return this.#isSynced;
  }

  get trouble(): OngoingTrouble | undefined {
    return this.#instead === undefined ? this.#trouble.current : this.#instead.trouble;
  }

  get size(): number {
    return this.#known.size;
  }

  get counts(): ReflectionCounts {
    const { lists = 0, watches = 0, events = 0, stale = 0, malformed = 0, failures = 0 } = this.#instead?.counts ?? {};
    const own = this.#counts;
    return {
      lists: own.lists + lists,
      watches: own.watches + watches,
      events: own.events + events,
      stale: own.stale + stale,
      malformed: own.malformed + malformed,
      failures: own.failures + failures,
    };
  }

  start(): void {
    // A handler that throws is a fault of ours: it ends the process as an unhandled rejection.
    this.#options.clock.defer(() => void this.#follow());
  }

  close(): void {
    this.#isClosed = true;
    this.#pause?.cancel();
    this.#watch?.cancel();
    this.#instead?.close();
    this.#options.outage.end(this.resource, () => {});
  }

  /** Lists, then watches; again after a wait where the list failed. */
  async #follow(): Promise<void> {
    if (this.#isClosed) return;
    try {
      const revision = await this.#list();
      if (this.#instead === undefined && !this.#isClosed) this.#watchFrom(revision + 1);
    } catch (error) {
      if (!(error instanceof StatusError)) throw error;
      this.#fail('list', error);
      this.#again();
    }
  }

  #again(): void {
    const { clock } = this.#options;
    if (!this.#isClosed) this.#pause = clock.setTimer(this.#backoff.next(clock.nowMs()), () => void this.#follow());
  }

  /** Tells the whole collection; the revision that it is of. */
  async #list(): Promise<number> {
    this.#counts.lists++;
    this.#told = 0;
    this.#known.beginList();
    // One is read while the other is filled.
    const pages = [new RangePage(), new RangePage()];
    let page = await this.#page(pages[0], this.#folder, 0);
    const { revision } = page;
    while (this.#instead === undefined && !this.#isClosed) {
      const { hasMore, lastKey } = page;
      const next =
        hasMore && lastKey !== undefined ? this.#page(other(pages, page), keyBehind(lastKey), revision) : undefined;
      if (next !== undefined) {
        // Whoever awaits it below hears of its failure.
        next.catch(() => undefined);
        // So that it is on its way while this one is read.
        await new Promise<void>((resolve) => this.#options.clock.defer(resolve));
      }
      page.visit(this.#views, (kv) => {
        // The API's list tells the rest, as it is by then.
        if (this.#instead === undefined) this.#set(kv);
      });
      if (next === undefined) break;
      page = await next;
    }
    if (this.#instead === undefined) this.#listed();
    return revision;
  }

  #page(page: RangePage, key: Uint8Array, revision: number): Promise<RangePage> {
    const request = { key, range_end: prefixEnd(this.#folder), limit: PAGE_KEYS, revision };
    return this.#options.client.rangePage(request, page, { timeoutMs: PAGE_TIMEOUT_MS });
  }

  #listed(): void {
    this.#known.endList();
    if (this.#isClosed) return;
    this.#works();
    if (this.#isSynced) return;
    this.#isSynced = true;
    this.#options.handler.onSynced();
  }

  #watchFrom(revision: number): void {
    this.#counts.watches++;
    this.#told = 0;
    const options = {
      key: this.#folder,
      rangeEnd: prefixEnd(this.#folder),
      startRevision: revision,
      // So that a quiet collection is not taken up again at a revision that has been compacted since.
      progressNotify: true,
      fragment: true,
    };
    const watch = this.#options.client.watch(options, {
      onCreated: () => this.#works(),
      onBroken: (error) => this.#fail('watch', error),
      onView: (kv) => {
        if (this.#watch === watch) this.#onEvent(kv);
      },
      onEnd: (error) => {
        if (this.#watch !== watch) return;
        this.#watch = undefined;
        if (this.#isClosed || error === undefined) return;
        this.#fail('watch', error);
        this.#again();
      },
    });
    this.#watch = watch;
  }

  #onEvent(kv: KvView): void {
    if (kv.isDeleted) this.#count(this.#known.deleteAt(this.#slotOf(kv)));
    else this.#set(kv);
  }

  #slotOf({ bytes, keyStart, keyEnd }: KvView): number {
    return this.#known.slotOfBytes(bytes, keyStart + this.#folder.length, keyEnd);
  }

  /** The key below its folder: what `keyOf` makes of the object's namespace and name. */
  #nameOf({ bytes, keyStart, keyEnd }: KvView): string {
    return bytes.toString('utf8', keyStart + this.#folder.length, keyEnd);
  }

  #set(kv: KvView): void {
    const slot = this.#slotOf(kv);
    if (slot >= 0 && this.#isOwnBinding(slot, kv)) return;
    const alike = this.#lookalikes?.findStored(kv.bytes, kv.valueStart, kv.valueEnd, kv.modRevision);
    if (alike === undefined) this.#setWhole(slot, kv);
    else this.#setAlike(slot, kv, alike);
  }

  #setAlike(slot: number, kv: KvView, alike: Lookalike): void {
    const { handler } = this.#options;
    const isNews = this.#know(slot, kv, alike, alike.nodeName !== '');
    if (!isNews || this.#isClosed || handler.onAlike?.(alike) === true) return;
    const read = this.#reader.read(kv.value(), kv.modRevision);
    if ('object' in read) handler.onSet(read.object);
    else this.#skip(kv, read.reason);
  }

  #setWhole(slot: number, kv: KvView): void {
    const read = this.#reader.read(kv.value(), kv.modRevision);
    if ('reason' in read) {
      if (read.form === 'encrypted' && this.#options.api !== undefined) this.#handOver(this.#options.api);
      else this.#skip(kv, read.reason);
      return;
    }
    const head = headOf(read.object);
    if (head === undefined) {
      this.#skip(kv, 'it has no name or uid');
      return;
    }
    if (isOfPhase(read.object, this.#excludedPhases)) {
      this.#count(this.#known.deleteAt(slot));
      return;
    }
    this.#lookalikes?.learn(read.object, head);
    const { spec } = read.object;
    const hasNode = !isObject(spec) || spec.nodeName !== undefined;
    const isNews = this.#know(slot, kv, head, hasNode);
    if (isNews && !this.#isClosed) this.#options.handler.onSet(read.object);
  }

  /** The object that was looked for last, at its slot if it has one: whether it is news. */
  #know(slot: number, kv: KvView, head: ObjectHead, hasNode: boolean): boolean {
    const { podBytes } = this.#options;
    const isNews = slot < 0 || this.#known.setAt(slot, head);
    const { bytes, keyStart, keyEnd } = kv;
    const at = slot < 0 ? this.#known.add(bytes, keyStart + this.#folder.length, keyEnd, head) : slot;
    if (hasNode) podBytes?.drop(at);
    else podBytes?.keep(at, kv, this.#lookalikes?.formedBytes());
    this.#count(isNews);
    return isNews;
  }

  /** Half of all events of a busy scheduler: they are not decoded. */
  #isOwnBinding(slot: number, kv: KvView): boolean {
    const { podBytes, handler } = this.#options;
    const sent = podBytes?.takeSent(slot, kv);
    if (sent === undefined || this.#isClosed || !this.#known.isAt(slot, sent.uid)) return false;
    if (handler.onBound?.(sent.uid, sent.nodeName) !== true) return false;
    podBytes?.drop(slot);
    this.#count(this.#known.setAt(slot, { uid: sent.uid, resourceVersion: String(kv.modRevision) }));
    return true;
  }

  #count(isNews: boolean): void {
    if (isNews) this.#counts.events++;
    else this.#counts.stale++;
  }

  /** A known object that cannot be read any more stays as it was. */
  #skip(kv: KvView, reason: string): void {
    const name = this.#nameOf(kv);
    this.#known.keepListed(name);
    this.#counts.malformed++;
    if (this.#told++ < TOLD_MAX && !this.#isClosed) {
      this.#options.handler.onProblem(`${this.resource}: skipped ${name}: ${reason}`);
    }
  }

  /** What is known stays known: the API's list is one more list of it. */
  #handOver(api: KubeApi): void {
    if (this.#instead !== undefined) return;
    const { handler, options } = this.#options;
    this.#watch?.cancel();
    this.#watch = undefined;
    handler.onProblem(`${this.resource}: encrypted in the store; followed through the API server from now on`);
    this.#known.beginList();
    const through: ReflectHandler = {
      onSet: (object: JsonObject) => {
        const head = headOf(object);
        if (head === undefined || !this.#known.set(head)) return;
        if (!this.#isClosed) handler.onSet(object);
      },
      onDeleted: (identity: ObjectIdentity) => this.#known.delete(identity),
      onSynced: () => this.#listed(),
      onProblem: (text) => handler.onProblem(text),
    };
    this.#instead = api.reflect(this.resource, through, options);
  }

  #fail(verb: 'list' | 'watch', { code, message }: StatusError): void {
    if (this.#isClosed) return;
    this.#counts.failures++;
    const isOutage = code === UNAVAILABLE;
    this.#trouble.fail(`${verb} ${this.resource}: ${message}`, !isOutage);
    const { outage, handler } = this.#options;
    if (isOutage) outage.fail(this.resource, message, (text) => handler.onProblem(text));
  }

  #works(): void {
    const { outage, handler } = this.#options;
    this.#trouble.end();
    outage.end(this.resource, (text) => handler.onProblem(text));
  }
}

function other(pages: readonly RangePage[], page: RangePage): RangePage {
  return pages[0] === page ? pages[1] : pages[0];
}

/** Throws RangeError for a selector of anything else than phases that are not wanted. */
function excludedPhases(selector: string): ReadonlySet<unknown> {
  const terms = selector === '' ? [] : selector.split(',');
  return new Set(
    terms.map((term) => {
      const phase = NOT_PHASE.exec(term)?.[1];
      if (phase === undefined) throw new RangeError(`the store cannot select by ${term}`);
      return phase;
    }),
  );
}

function isOfPhase({ status }: JsonObject, phases: ReadonlySet<unknown>): boolean {
  return phases.size > 0 && isObject(status) && phases.has(status.phase);
}
