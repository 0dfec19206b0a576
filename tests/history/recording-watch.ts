// A watch whose every response goes into the history as it came from the server, begun again where it broke: each
// stream is a record of its own.

import { StatusError } from '../../src/api/errors.ts';
import * as m from '../../src/api/messages.ts';
import * as methods from '../../src/api/methods.ts';
import type { Clock } from '../../src/io/clock.ts';
import type { KeyRange, WatchEvent, WatchResponse } from '../../src/testing/history.ts';
import type { CompatClient, CompatStream } from '../compat/compat-client.ts';
import type { HistoryRecorder } from './recorder.ts';
import { bytesOf, pairOf } from './recording-client.ts';

export interface RecordingWatchOptions extends KeyRange {
  readonly client: number;
  /** 0: from now on. */
  readonly startRevision: number;
  readonly wantsPrevious: boolean;
  readonly skipsPuts: boolean;
  readonly skipsDeletes: boolean;
  readonly allowsFragments: boolean;
  /** The revisions are compacted: where to go on, undefined: nowhere. */
  readonly onCompacted: () => Promise<number | undefined>;
}

const RESUME_MS = 15;

type WatchStream = CompatStream<m.WatchRequest, m.WatchResponse>;

export class RecordingWatch {
  readonly #options: RecordingWatchOptions;
  readonly #connection: Pick<CompatClient, 'stream'>;
  readonly #clock: Clock;
  readonly #recorder: HistoryRecorder;
  #stream: WatchStream | undefined;
  /** Ends the wait for the next message of the stream. */
  #drop: () => void = () => {};
  #isStopped = false;
  /** Every event up to the revision before was given. */
  nextRevision: number;
  /** Resolves after stop(). */
  readonly ended: Promise<void>;

  constructor(
    options: RecordingWatchOptions,
    connection: Pick<CompatClient, 'stream'>,
    clock: Clock,
    recorder: HistoryRecorder,
  ) {
    this.#options = options;
    this.#connection = connection;
    this.#clock = clock;
    this.#recorder = recorder;
    this.nextRevision = options.startRevision;
    this.ended = this.#run();
  }

  requestProgress(): void {
    this.#stream?.send({ progress_request: {} });
  }

  stop(): void {
    this.#isStopped = true;
    this.drop();
  }

  /** Gives the stream up; what it would still bring is not looked at. */
  drop(): void {
    this.#stream?.cancel();
    this.#drop();
  }

  async #run(): Promise<void> {
    while (!this.#isStopped) {
      let goesOn = true;
      try {
        goesOn = await this.#watchOnce();
      } catch (error) {
        if (!(error instanceof StatusError)) throw error;
      }
      this.#stream = undefined;
      if (!goesOn) {
        const next = await this.#options.onCompacted();
        if (next === undefined) return;
        this.nextRevision = next;
      }
      await new Promise<void>((resolve) => this.#clock.setTimer(RESUME_MS, resolve));
    }
  }

  /** One stream to its end; false when it ended by a compaction. */
  async #watchOnce(): Promise<boolean> {
    const { key, end, client, wantsPrevious, skipsPuts, skipsDeletes, allowsFragments } = this.#options;
    const responses: WatchResponse[] = [];
    const startRevision = this.nextRevision;
    const flags = { wantsPrevious, skipsPuts, skipsDeletes, allowsFragments };
    const invoked = this.#recorder.moment();
    const stream: WatchStream = await this.#connection.stream(methods.watch);
    // No call: the connection was lost meanwhile.
    if (this.#isStopped || stream.call === null) {
      stream.cancel();
      return true;
    }
    const dropped = new Promise<'dropped'>((resolve) => {
      this.#drop = (): void => resolve('dropped');
    });
    this.#stream = stream;
    this.#recorder.watches.push({ client, key, end, invoked, startRevision, ...flags, responses });
    const filters = [...(skipsPuts ? [m.FILTER_NOPUT] : []), ...(skipsDeletes ? [m.FILTER_NODELETE] : [])];
    const create = m.WatchCreateRequest.create({
      key: bytesOf(key),
      range_end: bytesOf(end),
      start_revision: startRevision,
      prev_kv: wantsPrevious,
      progress_notify: true,
      fragment: allowsFragments,
      filters,
    });
    stream.send({ create_request: create });
    for (;;) {
      const item = await Promise.race([stream.next(), dropped]);
      if (item === 'dropped' || 'end' in item) return true;
      const response = this.#take(item.message);
      if (response === undefined) return true;
      responses.push(response);
      if (response.kind === 'compacted') return false;
    }
  }

  #take(message: m.WatchResponse): WatchResponse | undefined {
    const at = this.#recorder.moment();
    const revision = message.header?.revision ?? 0;
    if (message.canceled) {
      if (message.compact_revision === 0) return undefined;
      return { kind: 'compacted', at, revision, compactRevision: message.compact_revision };
    }
    if (message.created) {
      if (this.nextRevision === 0) this.nextRevision = revision + 1;
      return { kind: 'created', at, revision };
    }
    if (message.events.length === 0) {
      this.nextRevision = Math.max(this.nextRevision, revision + 1);
      return { kind: 'progress', at, revision };
    }
    const events = message.events.map(eventOf);
    const last = events.at(-1)?.pair.mod ?? 0;
    // After part of a revision it has to come again whole.
    this.nextRevision = Math.max(this.nextRevision, message.fragment ? last : last + 1);
    return { kind: 'events', at, revision, events, isFragment: message.fragment };
  }
}

function eventOf({ type, kv, prev_kv: previous }: m.Event): WatchEvent {
  const isDelete = type === m.EVENT_DELETE;
  const pair = pairOf(kv ?? m.KeyValue.create({}));
  return { isDelete, pair, previous: previous === undefined ? undefined : pairOf(previous) };
}
