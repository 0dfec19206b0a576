// etcdserverpb.Watch: the protocol of one stream over the watch hub. Half-close by the client does not end the stream.

import { FILTER_NODELETE, FILTER_NOPUT, type WatchCreateRequest, WatchRequest } from '../api/messages.ts';
import * as methods from '../api/methods.ts';
import type { CallListener, Registry } from '../grpc/registry.ts';
import type { ServerCall } from '../grpc/server-call.ts';
import type { WatchHub } from '../watch/hub.ts';
import type { WatchSpec } from '../watch/watcher.ts';
import type { Slices } from './slices.ts';

/** History entries read for lagging watchers in one piece of work: about a millisecond. */
const CATCH_UP_UNITS = 2_000;

export interface WatchServiceOptions {
  readonly hub: WatchHub;
  readonly slices: Slices;
  readonly nowMs: () => number;
}

export class WatchService {
  readonly #hub: WatchHub;
  readonly #slices: Slices;
  readonly #nowMs: () => number;
  readonly #calls = new Set<ServerCall>();
  #isCatchingUp = false;

  constructor(options: WatchServiceOptions) {
    this.#hub = options.hub;
    this.#slices = options.slices;
    this.#nowMs = options.nowMs;
  }

  register(registry: Registry): void {
    registry.stream(methods.watch, (call) => this.#open(call));
  }

  /** The open streams, to be ended at shutdown. */
  get calls(): ReadonlySet<ServerCall> {
    return this.#calls;
  }

  /** Lagging watchers go on when there is something for them to do. */
  resume(): void {
    if (this.#isCatchingUp || !this.#hub.hasWork) return;
    this.#isCatchingUp = true;
    this.#slices.add(() => {
      this.#hub.step(CATCH_UP_UNITS);
      this.#isCatchingUp = this.#hub.hasWork;
      return !this.#isCatchingUp;
    });
  }

  #open(call: ServerCall): CallListener {
    const stream = this.#hub.openStream(call, this.#nowMs());
    this.#calls.add(call);
    call.open();
    return {
      onMessage: (buffer, start, end) => {
        const request = WatchRequest.decode(buffer, start, end);
        const { create_request: create, cancel_request: cancel } = request;
        if (create !== undefined) this.#hub.create(stream, create.watch_id, specOf(create));
        else if (cancel !== undefined) this.#hub.cancel(stream, cancel.watch_id);
        else if (request.progress_request !== undefined) this.#hub.requestProgress(stream);
        this.resume();
      },
      onHalfClose: () => {},
      onDrain: () => {
        this.#hub.drained(stream);
        this.resume();
      },
      onCancel: () => {
        this.#calls.delete(call);
        this.#hub.closeStream(stream);
      },
    };
  }
}

function specOf(request: WatchCreateRequest): WatchSpec {
  const { key, range_end: end } = request;
  const isUnbounded = end.length === 1 && end[0] === 0;
  return {
    // An empty key stands for the first possible one.
    key: key.length === 0 ? new Uint8Array(1) : key,
    end: end.length === 0 ? undefined : isUnbounded ? null : end,
    startRevision: request.start_revision,
    isPrevWanted: request.prev_kv,
    isProgressWanted: request.progress_notify,
    isFragmented: request.fragment,
    skipsPuts: request.filters.includes(FILTER_NOPUT),
    skipsDeletes: request.filters.includes(FILTER_NODELETE),
  };
}
