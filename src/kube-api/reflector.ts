// A collection followed: listed by pages, then watched from there, for as long as it takes (client-go, tools/cache/reflector.go).
//
//   list at 0 ──→ watch from the list's version ──ended──→ watch from the last version seen
//      ↑              │ 410: the version is compacted
//      └── list at the newest, compared with what is known ←┘
//
// The first list may be answered from a cache of the API server, somewhat old; the watch makes it good. With `isNewest` it is asked for at the newest, too. Each failure waits by the backoff; a
// watch that ended in order is taken up at once, unless it was short and empty. What the handler has heard is in KnownObjects.
//
// Limits: OBJECT_BYTES_MAX an object, longer ones are skipped; LIST_SILENCE_MS_MAX and the watch's own time for a peer that is mute;
// TOLD_MAX unreadable objects are told of each list or watch, all are counted.

import type { Clock } from '../io/clock.ts';
import { HttpError, type HttpStream } from '../io/http-client.ts';
import type { MessageDecoder } from '../kube/message-decoder.ts';
import { type ApiCaller, readReason } from './api-caller.ts';
import type { Backoff } from './backoff.ts';
import {
  JsonList,
  JsonWatch,
  type ListPiece,
  type ListStream,
  type WatchPiece,
  type WatchStream,
} from './collection-stream.ts';
import { KnownObjects } from './known-objects.ts';
import type { JsonObject, Lookalike, ReflectHandler, Reflection, ReflectionCounts } from './kube-api.ts';
import { ListError } from './list-scanner.ts';
import { Lookalikes } from './lookalikes.ts';
import { headOf, isObject, isOlder, keyOf, type ObjectHead } from './object-head.ts';
import { readRetryAfter, refusalText } from './outcome.ts';
import { isProtobuf, PROTOBUF_OR_JSON, ProtobufList, ProtobufWatch } from './protobuf-stream.ts';
import { collectionPath, qualifiedName, RESOURCES, type ResourceName } from './resource.ts';
import { SilenceWatch } from './silence-watch.ts';
import { type OngoingTrouble, Trouble } from './trouble.ts';

const PAGE_ITEMS = 500;
const OBJECT_BYTES_MAX = 33_554_432;
const LIST_SILENCE_MS_MAX = 60_000;
/** The API server ends a watch after this and up to as much again, so that watches do not all end together. */
const WATCH_SECONDS = 300;
const WATCH_GRACE_MS = 30_000;
/** A watch that ends sooner without a word is a failure. */
const SHORT_WATCH_MS = 1_000;
const TOLD_MAX = 20;

export interface ReflectorOptions {
  readonly resource: ResourceName;
  readonly fieldSelector: string;
  readonly isNewest: boolean;
  readonly handler: ReflectHandler;
  readonly caller: ApiCaller;
  readonly decoder: MessageDecoder;
  readonly clock: Clock;
  readonly backoff: Backoff;
  /** 0 <= chance() < 1. */
  readonly chance: () => number;
}

/** A list or watch that has to be tried again, after `leastMs` or more. */
class AttemptError extends Error {
  override readonly name = 'AttemptError';
  readonly leastMs: number;
  /** The version asked for is no more, or not yet: list without one. */
  readonly isExpired: boolean;

  constructor(message: string, { leastMs = 0, isExpired = false }: { leastMs?: number; isExpired?: boolean } = {}) {
    super(message);
    this.leastMs = leastMs;
    this.isExpired = isExpired;
  }
}

export class Reflector implements Reflection {
  readonly resource: ResourceName;
  readonly #selector: string;
  readonly #isNewest: boolean;
  readonly #handler: ReflectHandler;
  readonly #caller: ApiCaller;
  readonly #decoder: MessageDecoder;
  readonly #clock: Clock;
  readonly #backoff: Backoff;
  readonly #chance: () => number;
  readonly #known: KnownObjects;
  readonly #lookalikes: Lookalikes | undefined;
  readonly #counts = { lists: 0, watches: 0, events: 0, stale: 0, malformed: 0, failures: 0 };
  /** Of the attempt that is under way. */
  #controller = new AbortController();
  /** Of the newest list, bookmark or event; '' before the first list. */
  #version = '';
  readonly #trouble: Trouble;
  /** When the watch that goes on was opened. */
  #openedMs: number | undefined;
  #told = 0;
  #isSynced = false;
  #isClosed = false;
  /** Ends the wait between attempts. */
  #wake: (() => void) | undefined;

  constructor(options: ReflectorOptions) {
    const { resource, fieldSelector, isNewest, handler, caller, decoder, clock, backoff, chance } = options;
    this.resource = resource;
    this.#selector = fieldSelector === '' ? '' : `&fieldSelector=${encodeURIComponent(fieldSelector)}`;
    this.#isNewest = isNewest;
    this.#handler = handler;
    this.#caller = caller;
    this.#decoder = decoder;
    this.#clock = clock;
    this.#backoff = backoff;
    this.#chance = chance;
    this.#trouble = new Trouble(clock, `${resource}: followed again`, (text) => handler.onProblem(text));
    this.#lookalikes = handler.onAlike === undefined ? undefined : Lookalikes.of(resource);
    this.#known = new KnownObjects((identity) => this.#isClosed || handler.onDeleted(identity), chance);
  }

  get isSynced(): boolean {
    return this.#isSynced;
  }

  get size(): number {
    return this.#known.size;
  }

  get trouble(): OngoingTrouble | undefined {
    // A watch without an event says only by lasting that all is well.
    return this.#openedMs !== undefined && this.#clock.nowMs() - this.#openedMs >= SHORT_WATCH_MS
      ? undefined
      : this.#trouble.current;
  }

  get counts(): ReflectionCounts {
    return { ...this.#counts };
  }

  start(): void {
    // A handler that throws is a fault of ours: it ends the process as an unhandled rejection.
    this.#clock.defer(() => void this.#run());
  }

  close(): void {
    this.#isClosed = true;
    this.#controller.abort();
    this.#wake?.();
  }

  async #run(): Promise<void> {
    let listAt = this.#isNewest ? '' : '0';
    let isListed = false;
    while (!this.#isClosed) {
      try {
        if (!isListed) await this.#list(listAt);
        isListed = true;
        if (!this.#isClosed) await this.#watch();
      } catch (error) {
        if (this.#isClosed) return;
        if (!(error instanceof AttemptError)) throw error;
        const wasListed = isListed;
        const asked = listAt;
        if (error.isExpired) {
          // A watch that is too old lists at least what it has seen; a list that may not, lists the newest.
          listAt = isListed ? this.#version : '';
          isListed = false;
        }
        // A list at a version that is no more is made again at once, without one, as client-go does.
        if (error.isExpired && !wasListed && asked !== '') continue;
        this.#counts.failures++;
        this.#trouble.fail(error.message);
        await this.#pause(this.#backoff.next(this.#clock.nowMs(), error.leastMs));
      }
    }
  }

  /** All pages of one list. `version` as the API has it: '0' whatever is at hand, '' the newest, else one at least as new. */
  async #list(version: string): Promise<void> {
    this.#counts.lists++;
    this.#known.beginList();
    this.#told = 0;
    let token = '';
    let listVersion = '';
    do {
      const envelope = await this.#page(`${token === '' ? firstPage(version) : nextPage(token)}${this.#selector}`);
      const metadata = isObject(envelope.metadata) ? envelope.metadata : {};
      if (typeof metadata.resourceVersion !== 'string' || metadata.resourceVersion === '') {
        throw new AttemptError(`list ${this.resource}: the list has no resourceVersion`);
      }
      listVersion = metadata.resourceVersion;
      token = typeof metadata.continue === 'string' ? metadata.continue : '';
    } while (token !== '');
    this.#known.endList();
    this.#version = listVersion;
    this.#recover();
    if (this.#isSynced || this.#isClosed) return;
    this.#isSynced = true;
    this.#handler.onSynced();
  }

  async #page(query: string): Promise<JsonObject> {
    return this.#attempt('list', { query, silenceMsMax: LIST_SILENCE_MS_MAX }, async (response, hear) => {
      const list = this.#listStream(response);
      await response.read((chunk) => {
        hear();
        for (const piece of list.push(chunk)) this.#onItem(piece);
      });
      return list.end();
    });
  }

  #listStream(response: HttpStream): ListStream {
    return isProtobuf(response.header('content-type'))
      ? new ProtobufList(this.#decoder, RESOURCES[this.resource].kind, OBJECT_BYTES_MAX)
      : new JsonList(OBJECT_BYTES_MAX);
  }

  #watchStream(response: HttpStream): WatchStream {
    return isProtobuf(response.header('content-type'))
      ? new ProtobufWatch(this.#decoder, OBJECT_BYTES_MAX)
      : new JsonWatch(OBJECT_BYTES_MAX);
  }

  #onItem(piece: ListPiece): void {
    const head = this.#headOf(piece);
    if (head === undefined) {
      const key = piece.guess();
      this.#known.keepListed(key);
      this.#skip(key, piece.isCut);
      return;
    }
    this.#counts.events++;
    this.#set(head, piece);
  }

  /** Undefined for what cannot be read. An object that is like another one is not decoded for it. */
  #headOf(piece: ListPiece): ObjectHead | Lookalike | undefined {
    const { message } = piece;
    if (message !== undefined) {
      const alike = this.#lookalikes?.findMessage(message.bytes, message.start, message.end);
      if (alike !== undefined) return alike;
    }
    const { object } = piece;
    const head = object === undefined ? undefined : headOf(object);
    if (object !== undefined && head !== undefined && message !== undefined) this.#lookalikes?.learn(object, head);
    return head;
  }

  /** Whether it is news. */
  #set(head: ObjectHead | Lookalike, piece: ListPiece): boolean {
    if (!this.#known.set(head)) return false;
    if (this.#isClosed || ('like' in head && this.#handler.onAlike?.(head) === true)) return true;
    const { object } = piece;
    if (object !== undefined) this.#handler.onSet(object);
    else this.#skip(keyOf(head), false);
    return true;
  }

  /** Watches until it ends; returns when it did in order. */
  async #watch(): Promise<void> {
    this.#counts.watches++;
    this.#told = 0;
    const seconds = WATCH_SECONDS + Math.floor(this.#chance() * WATCH_SECONDS);
    const startedMs = this.#clock.nowMs();
    const eventsBefore = this.#counts.events;
    const query = `watch=true&allowWatchBookmarks=true&timeoutSeconds=${seconds}&resourceVersion=${encodeURIComponent(this.#version)}${this.#selector}`;
    await this.#attempt('watch', { query, silenceMsMax: seconds * 1000 + WATCH_GRACE_MS }, async (response, hear) => {
      this.#openedMs = this.#clock.nowMs();
      const watch = this.#watchStream(response);
      await response.read((chunk) => {
        hear();
        for (const piece of watch.push(chunk)) this.#onEvent(piece);
      });
    });
    if (this.#counts.events === eventsBefore && this.#clock.nowMs() - startedMs < SHORT_WATCH_MS) {
      throw new AttemptError(`watch ${this.resource}: it ended at once without an event`);
    }
  }

  #onEvent(piece: WatchPiece): void {
    const { type } = piece;
    if (type === 'ERROR' || type === 'BOOKMARK') {
      this.#onNotice(piece);
      return;
    }
    const head = EVENT_TYPES.has(type) ? this.#headOf(piece) : undefined;
    if (head === undefined) {
      this.#skip(piece.guess(), piece.isCut);
      return;
    }
    // A stream goes forward: what is older than it has been told, or was deleted since.
    const isNews =
      !isOlder(head.resourceVersion, this.#version) &&
      (type === 'DELETED' ? this.#known.delete(head) : this.#set(head, piece));
    if (isNews) this.#counts.events++;
    else this.#counts.stale++;
    this.#advance(head.resourceVersion);
    this.#recover();
  }

  /** What is of no object: that the watch cannot go on, or how far it has come. */
  #onNotice({ type, object, guess, isCut }: WatchPiece): void {
    if (object === undefined) {
      this.#skip(guess(), isCut);
      return;
    }
    if (type === 'ERROR') {
      const message = typeof object.message === 'string' ? object.message.slice(0, 1000) : 'without a message';
      throw new AttemptError(`watch ${this.resource}: ${message}`, { isExpired: object.code === 410 });
    }
    const metadata = isObject(object.metadata) ? object.metadata : {};
    if (typeof metadata.resourceVersion === 'string') this.#advance(metadata.resourceVersion);
    this.#counts.events++;
    this.#recover();
  }

  #advance(version: string): void {
    if (version !== '' && !isOlder(version, this.#version)) this.#version = version;
  }

  /** One request, read by `read` to its end. Throws AttemptError for all that peers and networks do. */
  async #attempt<T>(
    verb: 'list' | 'watch',
    { query, silenceMsMax }: { readonly query: string; readonly silenceMsMax: number },
    read: (response: HttpStream, hear: () => void) => Promise<T>,
  ): Promise<T> {
    const controller = new AbortController();
    this.#controller = controller;
    if (this.#isClosed) controller.abort();
    let isSilent = false;
    const silence = new SilenceWatch(this.#clock, silenceMsMax, () => {
      isSilent = true;
      controller.abort();
    });
    try {
      const path = `${collectionPath(this.resource)}?${query}`;
      const response = await this.#caller.open(path, PROTOBUF_OR_JSON, controller.signal);
      if (response.status !== 200) throw await this.#refusal(verb, response);
      return await read(response, () => silence.hear());
    } catch (error) {
      if (!(error instanceof HttpError) && !(error instanceof ListError)) throw error;
      throw new AttemptError(`${verb} ${this.resource}: ${isSilent ? `silent for ${silenceMsMax} ms` : error.message}`);
    } finally {
      silence.end();
      controller.abort();
      // What has lasted is out of trouble.
      if (this.trouble === undefined) this.#recover();
      this.#openedMs = undefined;
    }
  }

  async #refusal(verb: string, response: HttpStream): Promise<AttemptError> {
    const { status } = response;
    const text = await readReason(response, this.#decoder);
    // 504: the API server's cache has not got to this version in time, or the store was put back and never will.
    const isExpired = status === 410 || (status === 504 && this.#version !== '');
    return new AttemptError(refusalText(status, text, { verb, resource: qualifiedName(this.resource) }), {
      leastMs: readRetryAfter(response.header('retry-after')) ?? 0,
      isExpired,
    });
  }

  #skip(key: string, isTooLong: boolean): void {
    this.#counts.malformed++;
    if (this.#told++ >= TOLD_MAX || this.#isClosed) return;
    const reason = isTooLong ? `has more than ${OBJECT_BYTES_MAX} bytes` : 'is not an object of the API';
    this.#handler.onProblem(`${this.resource}: skipped ${key}: it ${reason}`);
  }

  #recover(): void {
    if (!this.#isClosed) this.#trouble.end(this.#openedMs);
  }

  async #pause(ms: number): Promise<void> {
    await new Promise<void>((resolve) => {
      const timer = this.#clock.setTimer(ms, resolve);
      this.#wake = () => {
        timer.cancel();
        resolve();
      };
    });
    this.#wake = undefined;
  }
}

const EVENT_TYPES: ReadonlySet<unknown> = new Set(['ADDED', 'MODIFIED', 'DELETED']);

/** With a limit, a version other than 0 would mean exactly that one, not one at least as new (API concepts, "Semantics for get and list"). */
function firstPage(version: string): string {
  if (version === '') return `limit=${PAGE_ITEMS}`;
  return version === '0' ? `limit=${PAGE_ITEMS}&resourceVersion=0` : `resourceVersion=${encodeURIComponent(version)}`;
}

function nextPage(token: string): string {
  return `limit=${PAGE_ITEMS}&continue=${encodeURIComponent(token)}`;
}
