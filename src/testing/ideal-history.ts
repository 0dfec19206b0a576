// Histories that a perfect server would leave, from a seed: many clients at once, answers that come late or never, writes
// that happen long after their caller gave up or not at all, watches that start anywhere, leases, compactions. What
// the checkers must accept; broken on purpose, what they must refuse.

import type {
  Call,
  Condition,
  History,
  KeyRequest,
  Moment,
  Outcome,
  Request,
  SimpleRequest,
  WatchEvent,
  WatchRecord,
  WatchResponse,
} from './history.ts';
import { isWithin, TO_THE_END } from './history.ts';
import { Random } from './random.ts';
import { type Change, RevisionLog } from './revision-log.ts';

export interface IdealOptions {
  readonly seed: number;
  /** How many things happen: callings, takings, answers, deliveries. */
  readonly steps: number;
  readonly clients?: number;
  readonly keys?: number;
  /** Of calls whose answer is lost. */
  readonly lossRate?: number;
  readonly hasLeases?: boolean;
  /** What the server does wrong from the middle of the steps on, once. */
  readonly fault?: ServerFault | undefined;
}

/**
 * `forgets`: an acknowledged write is gone, its revision is used again. `skips`: it is gone, its revision is not used again.
 * `repeats`: a write that was carried out is carried out again. `stale`: a read is answered from the state before.
 */
export type ServerFault = 'forgets' | 'skips' | 'repeats' | 'stale';
export const SERVER_FAULTS: readonly ServerFault[] = ['forgets', 'skips', 'repeats', 'stale'];

interface Pending {
  readonly client: number;
  readonly invoked: Moment;
  readonly request: Request;
  outcome: Outcome | undefined;
  /** The client gave up; it may be carried out all the same. */
  isAbandoned: boolean;
}

interface OpenWatch {
  readonly record: Omit<WatchRecord, 'responses'> & { readonly responses: WatchResponse[] };
  next: number;
  header: number;
}

interface Lease {
  readonly ttlMs: number;
  endsMs: number;
}

const WATCHES_MAX = 20;

export function idealHistory(options: IdealOptions): History {
  return new IdealServer(options).run();
}

/** The history of a server with a fault; undefined when it found no occasion for it. */
export function faultyHistory(options: IdealOptions): History | undefined {
  const server = new IdealServer(options);
  const history = server.run();
  return server.hasFailed ? history : undefined;
}

class IdealServer {
  readonly #random: Random;
  readonly #options: Required<IdealOptions>;
  #log = new RevisionLog();
  readonly #calls: Call[] = [];
  readonly #watches: OpenWatch[] = [];
  readonly #leases = new Map<bigint, Lease>();
  #pending: Pending[] = [];
  #order = 0;
  #nowMs = 0;
  #value = 0;
  #lease = 0n;
  #compacted = 0;
  hasFailed = false;

  constructor(options: IdealOptions) {
    this.#options = { clients: 5, keys: 4, lossRate: 0.05, hasLeases: true, fault: undefined, ...options };
    this.#random = new Random(options.seed);
  }

  run(): History {
    const random = this.#random;
    this.#openWatch(0, { key: '', end: TO_THE_END }, 1, true);
    for (let step = 0; step < this.#options.steps; step++) {
      this.#nowMs += random.fraction() * 2;
      if (this.#options.fault !== undefined && step > this.#options.steps / 2 && !this.hasFailed) this.#fail();
      this.#expire();
      const kind = random.fraction();
      if (kind < 0.35) this.#invoke();
      else if (kind < 0.6) this.#carryOut();
      else if (kind < 0.85) this.#answer();
      else if (kind < 0.98) this.#deliver(random.pick(this.#watches));
      else if (this.#watches.length < WATCHES_MAX) this.#openSomeWatch();
    }
    for (const pending of this.#pending) this.#note(pending, { kind: 'unknown' });
    this.#readAll();
    for (const watch of this.#watches) {
      while (this.#deliver(watch));
      this.#progress(watch);
    }
    const watches = this.#watches.map(({ record }) => record);
    return { calls: this.#calls, watches, jumps: [] };
  }

  /** Whoever ends a run looks at everything: what was lost last is missed only so. */
  #readAll(): void {
    const request: Request = { kind: 'range', key: '', end: TO_THE_END, revision: 0 };
    const invoked = this.#moment();
    const outcome = { ...this.#apply(request), at: this.#moment() };
    this.#calls.push({ client: 0, invoked, request, outcome });
  }

  #fail(): void {
    const log = this.#log;
    const { fault } = this.#options;
    const last = this.#calls.findLast(
      ({ outcome }) => outcome.kind === 'answered' && outcome.revision === log.revision,
    );
    if (last?.request.kind !== 'put' || fault === undefined) return;
    const put = last.request;
    if (fault === 'repeats') {
      log.append(log.revision + 1, log.evaluate(put).changes);
      this.hasFailed = true;
      return;
    }
    const isSeen = this.#watches.some(({ next }) => next > log.revision);
    // A watch that saw it would tell; here it is found out by calls alone, and by watches that begin later.
    if (isSeen && fault === 'skips') return;
    const before = new RevisionLog();
    for (let at = 2; at < log.revision; at++) before.append(at, log.changesAt(at) ?? []);
    if (fault === 'stale') {
      const { result } = before.evaluate({ kind: 'range', key: put.key, end: '', revision: 0 });
      const invoked = this.#moment();
      const outcome: Outcome = { kind: 'answered', at: this.#moment(), revision: log.revision, result };
      this.#calls.push({
        client: 99,
        invoked,
        request: { kind: 'range', key: put.key, end: '', revision: 0 },
        outcome,
      });
    } else {
      if (fault === 'skips') before.append(log.revision, []);
      this.#log = before;
    }
    this.hasFailed = true;
  }

  #moment(): Moment {
    return { order: ++this.#order, ms: this.#nowMs };
  }

  #key(): string {
    return `k${this.#random.between(0, this.#options.keys - 1)}`;
  }

  #invoke(): void {
    const random = this.#random;
    const free = Array.from({ length: this.#options.clients }, (_, client) => client).filter((client) => {
      return !this.#pending.some((pending) => pending.client === client && !pending.isAbandoned);
    });
    if (free.length === 0) return;
    const client = random.pick(free);
    const request = this.#request();
    this.#pending.push({ client, invoked: this.#moment(), request, outcome: undefined, isAbandoned: false });
  }

  #request(): Request {
    const random = this.#random;
    const kind = random.fraction();
    if (kind < 0.75 || !this.#options.hasLeases) return kind < 0.6 ? this.#simple() : this.#txn();
    if (kind < 0.78) return { kind: 'compact', revision: Math.max(1, this.#log.revision - random.between(-2, 10)) };
    if (kind < 0.85) return { kind: 'grant', lease: ++this.#lease, ttlSeconds: random.between(1, 3) };
    const lease = BigInt(random.between(1, Math.max(1, Number(this.#lease))));
    return { kind: random.pick(['renew', 'revoke', 'timeToLive'] as const), lease, ttlSeconds: 0 };
  }

  #simple(): SimpleRequest {
    const random = this.#random;
    const kind = random.fraction();
    if (kind < 0.5) {
      const isLeased = this.#options.hasLeases && this.#lease > 0n && random.chance(0.2);
      const lease = isLeased ? BigInt(random.between(1, Number(this.#lease))) : 0n;
      return { kind: 'put', key: this.#key(), value: `v${++this.#value}`, lease };
    }
    const range = random.chance(0.7)
      ? { key: this.#key(), end: '' }
      : { key: 'k', end: random.pick(['l', TO_THE_END]) };
    if (kind < 0.65) return { kind: 'delete', ...range };
    return { kind: 'range', ...range, revision: random.chance(0.2) ? random.between(1, this.#log.revision + 1) : 0 };
  }

  #txn(): KeyRequest {
    const random = this.#random;
    const key = this.#key();
    const mod = this.#log.at(key, this.#log.revision)?.mod ?? 0;
    const condition: Condition = { key, target: 'mod', relation: '=', operand: random.chance(0.7) ? mod : 0 };
    const put = (name: string): SimpleRequest => ({ kind: 'put', key: name, value: `v${++this.#value}`, lease: 0n });
    const other = this.#key();
    const success = other === key ? [put(key)] : [put(key), put(other)];
    return { kind: 'txn', conditions: [condition], success, failure: [{ kind: 'range', key, end: '', revision: 0 }] };
  }

  #carryOut(): void {
    const waiting = this.#pending.filter(({ outcome }) => outcome === undefined);
    if (waiting.length === 0) return;
    const pending = this.#random.pick(waiting);
    pending.outcome = this.#apply(pending.request);
    if (pending.isAbandoned) this.#pending = this.#pending.filter((other) => other !== pending);
  }

  #answer(): void {
    const random = this.#random;
    const open = this.#pending.filter(({ isAbandoned }) => !isAbandoned);
    if (open.length === 0) return;
    const pending = random.pick(open);
    const { outcome } = pending;
    if (random.chance(this.#options.lossRate)) {
      this.#note(pending, { kind: 'unknown' });
      pending.isAbandoned = true;
      if (outcome === undefined && random.chance(0.5)) return;
    } else if (outcome === undefined || outcome.kind === 'unknown') return;
    else this.#note(pending, { ...outcome, at: this.#moment() });
    this.#pending = this.#pending.filter((other) => other !== pending);
  }

  #note({ client, invoked, request, isAbandoned }: Pending, outcome: Outcome): void {
    if (!isAbandoned) this.#calls.push({ client, invoked, request, outcome });
  }

  /** `at` is set when it is answered. */
  #apply(request: Request): Outcome {
    const at = { order: 0, ms: 0 };
    const refused = (reason: string): Outcome => ({ kind: 'refused', at, reason });
    const log = this.#log;
    switch (request.kind) {
      case 'compact':
        if (request.revision > log.revision) return refused('required revision is a future revision');
        if (request.revision <= this.#compacted) return refused('required revision has been compacted');
        this.#compacted = request.revision;
        return { kind: 'answered', at, revision: log.revision, result: { kind: 'compact' } };
      case 'grant':
      case 'renew':
      case 'revoke':
      case 'timeToLive':
        return this.#applyLease(request);
      default: {
        if (request.kind === 'range' && request.revision > log.revision) return refused('is a future revision');
        if (request.kind === 'range' && request.revision > 0 && request.revision < this.#compacted) {
          return refused('has been compacted');
        }
        if (request.kind === 'put' && request.lease !== 0n && !this.#leases.has(request.lease)) {
          return refused('requested lease not found');
        }
        const { changes, result } = log.evaluate(request);
        if (changes.length > 0) log.append(log.revision + 1, changes);
        return { kind: 'answered', at, revision: log.revision, result };
      }
    }
  }

  #applyLease({
    kind,
    lease: id,
    ttlSeconds,
  }: Request & { kind: 'grant' | 'renew' | 'revoke' | 'timeToLive' }): Outcome {
    const at = { order: 0, ms: 0 };
    const { revision } = this.#log;
    const lease = this.#leases.get(id);
    if (kind === 'grant') {
      this.#leases.set(id, { ttlMs: ttlSeconds * 1000, endsMs: this.#nowMs + ttlSeconds * 1000 });
      return { kind: 'answered', at, revision, result: { kind: 'lease', ttlSeconds } };
    }
    if (kind === 'revoke') {
      if (lease === undefined) return { kind: 'refused', at, reason: 'requested lease not found' };
      this.#end(id);
      return { kind: 'answered', at, revision: this.#log.revision, result: { kind: 'revoke' } };
    }
    if (lease !== undefined && kind === 'renew') lease.endsMs = this.#nowMs + lease.ttlMs;
    const left = lease === undefined ? -1 : Math.floor((lease.endsMs - this.#nowMs) / 1000);
    return { kind: 'answered', at, revision, result: { kind: 'lease', ttlSeconds: left } };
  }

  #expire(): void {
    for (const [id, lease] of this.#leases) if (lease.endsMs <= this.#nowMs) this.#end(id);
  }

  #end(id: bigint): void {
    this.#leases.delete(id);
    const changes = this.#log.leaseEnd(id);
    if (changes.length > 0) this.#log.append(this.#log.revision + 1, changes);
  }

  #openSomeWatch(): void {
    const random = this.#random;
    const range = random.chance(0.5) ? { key: this.#key(), end: '' } : { key: 'k', end: 'l' };
    const isFromNow = random.chance(0.3);
    this.#openWatch(random.between(1, 9), range, isFromNow ? 0 : random.between(1, this.#log.revision + 2), false);
  }

  #openWatch(client: number, range: { key: string; end: string }, startRevision: number, isWitness: boolean): void {
    const random = this.#random;
    const record = {
      client,
      ...range,
      invoked: this.#moment(),
      startRevision,
      wantsPrevious: random.chance(0.5),
      skipsPuts: !isWitness && random.chance(0.1),
      skipsDeletes: !isWitness && random.chance(0.1),
      allowsFragments: random.chance(0.3),
      responses: [],
    };
    const next = startRevision === 0 ? this.#log.revision + 1 : startRevision;
    const watch: OpenWatch = { record, next, header: this.#log.revision };
    this.#watches.push(watch);
    watch.record.responses.push({ kind: 'created', at: this.#moment(), revision: this.#log.revision });
  }

  /** The next few revisions that hold something for the watch. False: there was nothing left. */
  #deliver(watch: OpenWatch): boolean {
    const { record } = watch;
    const random = this.#random;
    const groups: WatchEvent[][] = [];
    for (let most = random.between(1, 3); watch.next <= this.#log.revision && groups.length < most; watch.next++) {
      const changes = this.#log.changesAt(watch.next) ?? [];
      const events = changes.filter((change) => isWanted(change, record)).map((change) => this.#event(change, watch));
      if (events.length > 0) groups.push(events);
    }
    if (groups.length === 0) {
      if (random.chance(0.3)) this.#progress(watch);
      return false;
    }
    const revision = this.#log.revision;
    const events = groups.flat();
    const last = groups.at(-1) ?? [];
    const cut = record.allowsFragments && last.length > 1 && random.chance(0.5) ? events.length - 1 : 0;
    const pieces = cut > 0 ? [events.slice(0, cut), events.slice(cut)] : [events];
    pieces.forEach((piece, index) => {
      const isFragment = index + 1 < pieces.length;
      record.responses.push({ kind: 'events', at: this.#moment(), revision, events: piece, isFragment });
    });
    return true;
  }

  #progress(watch: OpenWatch): void {
    // Only of what was given, and not of the future that a watch may begin in.
    if (watch.next !== this.#log.revision + 1) return;
    watch.record.responses.push({ kind: 'progress', at: this.#moment(), revision: this.#log.revision });
  }

  #event({ key, pair, previous }: Change, { record, next }: OpenWatch): WatchEvent {
    const isLost = next - 1 < this.#compacted && this.#random.chance(0.5);
    const before = record.wantsPrevious && !isLost ? previous : undefined;
    const deleted = { key, value: '', create: 0, mod: next, version: 0, lease: 0n };
    return { isDelete: pair === undefined, pair: pair ?? deleted, previous: before };
  }
}

function isWanted({ key, pair }: Change, record: Omit<WatchRecord, 'responses'>): boolean {
  return isWithin(key, record) && !(pair === undefined ? record.skipsDeletes : record.skipsPuts);
}
