// When what the engine computed may leave: the one place that orders durability, visibility and replies.
//
//   engine applies ─► open batch ─► in flight ─► satisfied ─► visible: replies, watch events, reads
//                     (this turn)    journal       in order
//
// A batch is satisfied when the strictest class in it is: written (`buffered`) or durable (`fsync`). Batches become
// visible strictly in order, and with them everything computed up to their commit. So a revision of a relaxed class that
// follows one of the class fsync waits for it: what is visible is always all revisions up to one number.
//
// Invariants: replies held under a sequence leave after it is satisfied; `visibleRevision` never goes back; with nothing
// pending it equals the current revision.
//
// Limits: `openBytesMax` bounds the open batch; beyond it writes are refused with etcd's "too many requests" until the
// disk has caught up, while reads and watches go on.

import { RESOURCE_EXHAUSTED, StatusError, tooManyRequests } from '../api/errors.ts';
import { assert } from '../base/assert.ts';
import { copyBytes } from '../base/bytes.ts';
import type { ServerCall } from '../grpc/server-call.ts';
import type { BatchWriter } from '../journal/batch-writer.ts';
import type { Journal, JournalHandler } from '../journal/journal.ts';
import type { RevisionReserve } from '../journal/revision-reserve.ts';
import type { CommitPace } from './commit-pace.ts';
import { CLASS_FSYNC, CLASS_NONE, type DurabilityClass } from './durability.ts';
import type { EffectLog } from './engine.ts';

export interface CommitterLimits {
  /** A batch this large is sent although another one is under way. */
  readonly pipelineBytesMin: number;
  readonly openBytesMax: number;
}

export const COMMITTER_LIMITS: CommitterLimits = { pipelineBytesMin: 64 << 10, openBytesMax: 32 << 20 };

export interface CommitterOptions {
  readonly limits: CommitterLimits;
  readonly pace: CommitPace;
  readonly nowMs: () => number;
  /** Stops this thread for so many milliseconds: requests gather in the sockets meanwhile. */
  readonly rest: (ms: number) => void;
  /** Undefined when every class is fsync: no revision can be shown and lost. */
  readonly reserve: RevisionReserve | undefined;
  /** The current revision. */
  readonly currentRevision: () => number;
  /** Replies and events are about to be handed out; `onReleased` follows in the same turn. */
  readonly onReleasing: () => void;
  /** Everything up to `revision` may be shown now; called before the replies leave. */
  readonly onVisible: (revision: number) => void;
  /** Replies have been handed out: connections have something to flush. */
  readonly onReleased: () => void;
  /** Calls back once at the end of this turn of the event loop. */
  readonly defer: (callback: () => void) => void;
  readonly onFatal: (error: Error) => void;
}

interface InFlight {
  readonly sequence: number;
  readonly isFsync: boolean;
  /** Newest revision that becomes visible with it. */
  revision: number;
  readonly held: HeldReplies;
}

const SLAB_BYTES = 64 << 10;
/** Replies from this size on are kept as buffers of their own, which the connection may reference. */
const SLAB_REPLY_BYTES_MAX = 4095;

/** Replies of one batch, in order: message i is messages[i][starts[i], ends[i]). Small ones lie in slabs. */
class HeldReplies {
  // Grown and never shrunk: the arrays are used again for every batch.
  readonly #calls: (ServerCall | undefined)[] = [];
  readonly #messages: Uint8Array[] = [];
  readonly #starts: number[] = [];
  readonly #ends: number[] = [];
  readonly #callbacks: (() => void)[] = [];
  #slab: Uint8Array = Buffer.allocUnsafeSlow(SLAB_BYTES);
  #used = 0;
  count = 0;

  add(call: ServerCall, message: Uint8Array, bytes: number): void {
    const place = this.count++;
    this.#calls[place] = call;
    if (bytes > SLAB_REPLY_BYTES_MAX) {
      this.#messages[place] = Uint8Array.prototype.slice.call(message, 0, bytes);
      this.#starts[place] = 0;
      this.#ends[place] = bytes;
      return;
    }
    if (this.#used + bytes > SLAB_BYTES) {
      this.#slab = Buffer.allocUnsafeSlow(SLAB_BYTES);
      this.#used = 0;
    }
    copyBytes(this.#slab, this.#used, message, 0, bytes);
    this.#messages[place] = this.#slab;
    this.#starts[place] = this.#used;
    this.#used += bytes;
    this.#ends[place] = this.#used;
  }

  addCallback(callback: () => void): void {
    this.#callbacks.push(callback);
  }

  /** Callbacks first: they make true what the replies say. Empties the list for its next use. */
  release(): void {
    if (this.#callbacks.length > 0) for (const callback of this.#callbacks.splice(0)) callback();
    for (let i = 0; i < this.count; i++) {
      this.#calls[i]?.reply(this.#messages[i], this.#starts[i], this.#ends[i]);
      // The call and a large message are garbage from here on.
      this.#calls[i] = undefined;
      this.#messages[i] = this.#slab;
    }
    this.count = 0;
    this.#used = 0;
  }
}

export class Committer implements EffectLog, JournalHandler {
  readonly #options: CommitterOptions;
  #journal: Journal | undefined;
  readonly #inFlight: InFlight[] = [];
  readonly #spare: HeldReplies[] = [];
  #held = new HeldReplies();
  /** The open batch holds something that has to be waited for. */
  #isOpenPending = false;
  #isScheduled = false;
  #isResting = false;
  readonly #committedCallbacks: (() => void)[] = [];
  /** Replies that wait for the disk. */
  pendingReplies = 0;

  constructor(options: CommitterOptions) {
    this.#options = options;
  }

  /** The journal is there from before the first request on. */
  attach(journal: Journal): void {
    this.#journal = journal;
  }

  get batch(): BatchWriter {
    return this.#journalNow.batch;
  }

  /** Something computed so far may not be shown yet. */
  get isPending(): boolean {
    return this.#isOpenPending || this.#inFlight.length > 0;
  }

  /** The disk is so far behind that no more writes are taken. */
  get isOverloaded(): boolean {
    return this.#journalNow.batch.bytes > this.#options.limits.openBytesMax;
  }

  /** Before a write: throws "too many requests" when overloaded. */
  admit(): void {
    if (this.isOverloaded) throw tooManyRequests();
  }

  /**
   * Carries out the change that a call asks for; false: it was refused. A refusal waits as an answer would, since what it rests on may
   * not be durable. One that tells of want of room leaves at once: it would wait for just that.
   */
  attempt(call: ServerCall, change: () => void): boolean {
    try {
      change();
      return true;
    } catch (error) {
      if (!this.isPending || !(error instanceof StatusError) || error.code === RESOURCE_EXHAUSTED) throw error;
      this.whenVisible(() => call.fail(error));
      return false;
    }
  }

  noteRevision(durability: DurabilityClass): void {
    if (durability !== CLASS_NONE) this.#notePending();
    if (durability !== CLASS_FSYNC) this.#reserve();
    // An unlogged revision behind a batch in flight becomes visible with that batch, whose replies it joins.
    if (!this.#isOpenPending && this.#inFlight.length > 0) {
      this.#inFlight[this.#inFlight.length - 1].revision = this.#options.currentRevision();
    }
    if (!this.isPending) this.#options.onVisible(this.#options.currentRevision());
  }

  noteEffect(): void {
    this.#notePending();
  }

  /** Answers a call with message[0, bytes) once all that was computed so far may be shown. */
  reply(call: ServerCall, message: Uint8Array, bytes: number): void {
    if (this.isPending) {
      this.#holder.add(call, message, bytes);
      this.pendingReplies++;
    } else if (bytes > SLAB_REPLY_BYTES_MAX) call.reply(Uint8Array.prototype.slice.call(message, 0, bytes), 0, bytes);
    else call.reply(message, 0, bytes);
  }

  /** Calls back once all that was computed so far may be shown; at once when that is now. */
  whenVisible(callback: () => void): void {
    if (this.isPending) this.#holder.addCallback(callback);
    else callback();
  }

  /** Calls back once, in the instant when all that was computed so far is committed; at once when that is now. */
  whenCommitted(callback: () => void): void {
    if (this.#journalNow.batch.isEmpty) callback();
    else {
      this.#committedCallbacks.push(callback);
      this.#notePending();
    }
  }

  onWritten(sequence: number): void {
    this.#release(sequence, false);
  }

  onDurable(sequence: number): void {
    this.#options.reserve?.durable(sequence);
    this.#release(sequence, true);
  }

  onFatal(error: Error): void {
    this.#options.onFatal(error);
  }

  /** Commits the open batch although nobody waits for it; before a shutdown. */
  flush(): void {
    if (!this.#journalNow.batch.isEmpty && this.#journalNow.hasRoom) this.#commit();
  }

  get #journalNow(): Journal {
    assert(this.#journal !== undefined, 'the journal is attached before the first request');
    return this.#journal;
  }

  /** Where what was just computed waits: with the open batch, or with the last one in flight. */
  get #holder(): HeldReplies {
    if (this.#isOpenPending) return this.#held;
    return this.#inFlight[this.#inFlight.length - 1].held;
  }

  #notePending(): void {
    this.#isOpenPending = true;
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    this.#options.defer(() => {
      this.#isScheduled = false;
      this.#commitIfDue();
    });
  }

  /** A relaxed revision needs a mark ahead of it in the log; the batch with the mark is then waited for. */
  #reserve(): void {
    const { reserve } = this.#options;
    if (reserve === undefined) return;
    const mark = reserve.markFor(this.#options.currentRevision());
    if (mark === 0) return;
    this.#journalNow.batch.appendMark(mark);
    reserve.appended(mark, this.#journalNow.lastSequence + 1);
    this.#notePending();
  }

  #commitIfDue(): void {
    const journal = this.#journalNow;
    const { batch } = journal;
    if (batch.isEmpty || !journal.hasRoom) return;
    if (batch.bytes < this.#options.limits.pipelineBytesMin) {
      if (this.#inFlight.length > 0) return;
      if (this.#waitsForCompany()) return;
    }
    this.#commit();
  }

  #waitsForCompany(): boolean {
    if (this.#isResting) return true;
    const { pace, nowMs, defer } = this.#options;
    if (pace.waitMs(this.#held.count, nowMs()) === 0) return false;
    this.#isResting = true;
    // What is to be flushed in this turn is flushed first.
    defer(() => this.#rest());
    return true;
  }

  #rest(): void {
    const { pace, nowMs, rest, defer } = this.#options;
    // A batch that was full has been committed meanwhile: nothing waits for company.
    const isWaiting = this.#inFlight.length === 0 && !this.#journalNow.batch.isEmpty;
    const waitMs = isWaiting ? pace.waitMs(this.#held.count, nowMs()) : 0;
    if (waitMs > 0) {
      rest(waitMs);
      // Behind the requests that came meanwhile.
      defer(() => this.#rest());
      return;
    }
    this.#isResting = false;
    this.#commitIfDue();
  }

  #commit(): void {
    const journal = this.#journalNow;
    const isFsync = journal.batch.durability === 'fsync';
    const held = this.#held;
    this.#held = this.#spare.pop() ?? new HeldReplies();
    this.#isOpenPending = false;
    this.#options.pace.committed(held.count, this.#options.nowMs());
    const sequence = journal.commit();
    this.#inFlight.push({ sequence, isFsync, revision: this.#options.currentRevision(), held });
    if (this.#committedCallbacks.length > 0) for (const callback of this.#committedCallbacks.splice(0)) callback();
  }

  #release(sequence: number, isDurable: boolean): void {
    const inFlight = this.#inFlight;
    let released = 0;
    let revision = 0;
    while (released < inFlight.length) {
      const first = inFlight[released];
      if (first.sequence > sequence || (first.isFsync && !isDurable)) break;
      revision = first.revision;
      released++;
    }
    if (released > 0) {
      const satisfied = inFlight.splice(0, released);
      this.#options.onReleasing();
      this.#options.onVisible(this.isPending ? revision : this.#options.currentRevision());
      for (const { held } of satisfied) {
        this.pendingReplies -= held.count;
        held.release();
        this.#spare.push(held);
      }
      this.#options.onReleased();
    }
    this.#commitIfDue();
  }
}
