// A watch that outlives its connection: a stream of its own, opened again from the next revision when it breaks.
//
// `#nextRevision` is where it would start: one above the last event, progress report or, for a watch from "now", the
// revision at which the server made it. Events are given out once each, in order.
// Back-pressure: while the promise that onEvents returned is pending nothing more is given out, and the server may send
// no more than one stream window on top.

import { compacted, INTERNAL, StatusError, UNAVAILABLE, UNKNOWN, watchCanceled } from '../api/errors.ts';
import {
  type Event,
  WatchCreateRequest,
  WatchRequest,
  type WatchResponse,
  WatchResponseHead,
} from '../api/messages.ts';
import * as methods from '../api/methods.ts';
import { WireError } from '../base/byte-reader.ts';
import { ByteWriter } from '../base/byte-writer.ts';
import { EMPTY_BYTES } from '../base/bytes.ts';
import type { Clock, Timer } from '../io/clock.ts';
import type { Channel, Waiter } from './channel.ts';
import type { CallListener, ClientCall } from './client-call.ts';
import type { ClientConnection } from './client-connection.ts';
import { type KvView, KvViews } from './kv-view.ts';
import { HAS_LEADER } from './request-fields.ts';

const RESUME_MS_MIN = 10;
const RESUME_MS_MAX = 1_000;

export interface WatchOptions {
  readonly key: Uint8Array;
  /** Empty: the one key. */
  readonly rangeEnd?: Uint8Array;
  /** The first revision wanted; 0: from now on. */
  readonly startRevision?: number;
  readonly prevKv?: boolean;
  readonly progressNotify?: boolean;
  /** FILTER_NOPUT, FILTER_NODELETE. */
  readonly filters?: readonly number[];
  /** Lets the server cut large answers; they are joined here. */
  readonly fragment?: boolean;
}

interface StateListener {
  /** The server has it. `revision`: everything after it will be reported. Again after each resumption. */
  onCreated?(revision: number): void;
  /** Its stream has ended, or could not be opened; it is taken up again until it is over. */
  onBroken?(error: StatusError): void;
  /** All events up to `revision` have been reported. */
  onProgress?(revision: number): void;
  /**
   * The watch is over. `compactRevision` is not 0 when the events from the next revision on are gone; undefined
   * error after cancel().
   */
  onEnd(error: StatusError | undefined, compactRevision: number): void;
}

export interface WatchListener extends StateListener {
  /** All events of one or more whole revisions. `revision`: the server's when it sent them. */
  onEvents(events: Event[], revision: number): void | Promise<void>;
}

/** For whoever can keep up. */
export interface ViewListener extends StateListener {
  /** One event after another, valid during the call. When the stream breaks within a large revision, what was told of that comes again. */
  onView(kv: KvView): void;
}

interface Pending {
  readonly response: WatchResponse;
  readonly bytes: number;
}

export class Watch implements Waiter, CallListener {
  readonly #channel: Channel;
  readonly #clock: Clock;
  readonly #options: WatchOptions;
  readonly #listener: WatchListener | ViewListener;
  readonly #views = new KvViews();
  #nextRevision: number;
  #call: ClientCall | undefined;
  #isCreated = false;
  #wantsProgress = false;
  /** Events of fragments whose last part is still to come. */
  #fragments: Event[] = [];
  readonly #pending: Pending[] = [];
  #isListenerBusy = false;
  #resumeMs = RESUME_MS_MIN;
  #timer: Timer | undefined;
  #isOver = false;

  /** For EtcdClient.watch. */
  constructor(channel: Channel, clock: Clock, options: WatchOptions, listener: WatchListener | ViewListener) {
    this.#channel = channel;
    this.#clock = clock;
    this.#options = options;
    this.#listener = listener;
    this.#nextRevision = options.startRevision ?? 0;
    clock.defer(() => this.#open());
  }

  /** Where it would go on after a break; 0 while a watch from now on has not been made. */
  get nextRevision(): number {
    return this.#nextRevision;
  }

  /** Asks for onProgress soon; several requests may be answered by one. Asked again when the stream breaks. */
  requestProgress(): void {
    this.#wantsProgress = true;
    if (this.#isCreated) this.#send({ progress_request: {} });
  }

  cancel(): void {
    this.#end(undefined, 0);
  }

  onConnection(connection: ClientConnection): void {
    const { path } = methods.watch;
    const call = connection.stream({ path, extra: [HAS_LEADER], listener: this, isAutoConsumed: false });
    if (call === null) {
      this.#resumeLater(new StatusError(UNAVAILABLE, 'the connection takes no more calls'));
      return;
    }
    this.#call = call;
    const { key, rangeEnd = EMPTY_BYTES, prevKv = false, progressNotify = false } = this.#options;
    this.#send({
      create_request: WatchCreateRequest.create({
        key,
        range_end: rangeEnd,
        start_revision: this.#nextRevision,
        prev_kv: prevKv,
        progress_notify: progressNotify,
        filters: [...(this.#options.filters ?? [])],
        fragment: this.#options.fragment ?? false,
      }),
    });
  }

  onFailure(error: StatusError): void {
    this.#resumeLater(error);
  }

  onMessage(buffer: Uint8Array, start: number, end: number): void {
    // The prefix of the message counts as well.
    const bytes = end - start + 5;
    try {
      if ('onView' in this.#listener) {
        this.#giveViews(this.#listener, buffer, start, end);
        this.#call?.consumed(bytes);
        return;
      }
      this.#pending.push({ response: methods.watch.response.decode(buffer, start, end), bytes });
    } catch (error) {
      if (!(error instanceof WireError)) throw error;
      this.#end(new StatusError(INTERNAL, 'malformed watch response'), 0);
    }
    this.#deliver();
  }

  #giveViews(listener: ViewListener, buffer: Uint8Array, start: number, end: number): void {
    const head = WatchResponseHead.decode(buffer, start, end);
    const revision = head.header?.revision ?? 0;
    if (head.created && !head.canceled) this.#created(revision);
    else if (head.canceled) this.#canceled(head);
    else {
      const from = this.#nextRevision;
      let last = 0;
      const count = this.#views.events(buffer, start, end, (kv) => {
        last = kv.modRevision;
        if (last >= from && !this.#isOver) listener.onView(kv);
      });
      // More of the last revision may follow in the next part.
      if (count > 0) this.#nextRevision = Math.max(from, head.fragment ? last : last + 1);
      else if (!head.fragment) this.#progress(revision);
    }
  }

  onEnd(error: StatusError | undefined, _isUnprocessed: boolean): void {
    this.#call = undefined;
    const reason = error ?? new StatusError(UNAVAILABLE, 'the server has ended the stream');
    // As clientv3: what is neither of these will not get better.
    if (reason.code === UNAVAILABLE || reason.code === INTERNAL) this.#resumeLater(reason);
    else this.#end(error, 0);
  }

  #open(): void {
    this.#timer = undefined;
    if (!this.#isOver) this.#channel.acquire(this);
  }

  /** What was received but not given out is asked for again: it is dropped. */
  #resumeLater(error: StatusError): void {
    if (this.#isOver) return;
    if (this.#channel.isClosed) {
      this.#end(new StatusError(UNAVAILABLE, 'the client is closed'), 0);
      return;
    }
    this.#isCreated = false;
    this.#fragments = [];
    this.#pending.length = 0;
    this.#timer?.cancel();
    this.#timer = this.#clock.setTimer(this.#resumeMs, () => this.#open());
    this.#resumeMs = Math.min(2 * this.#resumeMs, RESUME_MS_MAX);
    this.#listener.onBroken?.(error);
  }

  #send(request: Partial<WatchRequest>): void {
    const writer = new ByteWriter();
    WatchRequest.encode(request, writer);
    const message = writer.copy();
    this.#call?.send(message, 0, message.length);
  }

  /** Gives out what is pending until the listener asks for time. */
  #deliver(): void {
    while (!this.#isListenerBusy && !this.#isOver) {
      const pending = this.#pending.shift();
      if (pending === undefined) return;
      const promise = this.#take(pending.response, pending.bytes);
      if (promise === undefined) continue;
      this.#isListenerBusy = true;
      const call = this.#call;
      const bytes = pending.bytes;
      promise.then(
        () => this.#listenerReady(call, bytes),
        (error: unknown) => this.#end(new StatusError(UNKNOWN, `the watch's listener failed: ${String(error)}`), 0),
      );
    }
  }

  #listenerReady(call: ClientCall | undefined, bytes: number): void {
    this.#isListenerBusy = false;
    call?.consumed(bytes);
    this.#deliver();
  }

  #take(response: WatchResponse, bytes: number): Promise<void> | undefined {
    const revision = response.header?.revision ?? 0;
    let promise: Promise<void> | undefined;
    if (response.created && !response.canceled) this.#created(revision);
    else if (response.canceled) this.#canceled(response);
    else if (response.events.length > 0 || this.#fragments.length > 0) promise = this.#events(response, revision);
    else this.#progress(revision);
    if (promise === undefined) this.#call?.consumed(bytes);
    return promise;
  }

  #created(revision: number): void {
    this.#isCreated = true;
    this.#resumeMs = RESUME_MS_MIN;
    if (this.#nextRevision === 0) this.#nextRevision = revision + 1;
    this.#listener.onCreated?.(revision);
    if (this.#wantsProgress) this.#send({ progress_request: {} });
  }

  #events(response: WatchResponse, revision: number): Promise<void> | undefined {
    this.#fragments.push(...response.events);
    if (response.fragment) return undefined;
    const events = this.#fragments.filter((event) => (event.kv?.mod_revision ?? 0) >= this.#nextRevision);
    this.#fragments = [];
    const last = events.at(-1)?.kv;
    if (last === undefined) return undefined;
    this.#nextRevision = last.mod_revision + 1;
    return 'onEvents' in this.#listener ? (this.#listener.onEvents(events, revision) ?? undefined) : undefined;
  }

  #progress(revision: number): void {
    this.#wantsProgress = false;
    this.#nextRevision = Math.max(this.#nextRevision, revision + 1);
    this.#listener.onProgress?.(revision);
  }

  #canceled(response: WatchResponseHead): void {
    const { compact_revision: compactRevision, cancel_reason: reason } = response;
    if (compactRevision !== 0) this.#end(compacted(), compactRevision);
    else this.#end(reason === '' ? watchCanceled() : new StatusError(UNKNOWN, reason), 0);
  }

  #end(error: StatusError | undefined, compactRevision: number): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#timer?.cancel();
    this.#channel.abandon(this);
    this.#call?.cancel();
    this.#call = undefined;
    this.#listener.onEnd(error, compactRevision);
  }
}
