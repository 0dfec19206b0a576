/**
 * Random requests, the same on two stores, reply by reply. A run is a stream of requests over few keys; at its end both
 * must have the same hash of all their history. Both stores are written to by nobody else from the start on.
 */
import * as m from '../../src/api/messages.ts';
import * as methods from '../../src/api/methods.ts';
import { Random } from '../../src/testing/random.ts';
import { bytesOf, watchKeys } from '../../tests/compat/requests.ts';
import type { RemoteSubject } from '../../tests/compat/server-fixture.ts';
import { Session } from '../../tests/compat/session.ts';
import { diffLines } from '../lab/text-diff.ts';

const requestsPerRun = 200;
const leaseIds = [0n, 0n, 0n, 11n, 12n, -13n, 14n];

type Step = (session: Session) => Promise<unknown>;

/** Makes requests; revisions are drawn around the one the store is at. */
class RequestMaker {
  readonly #random: Random;
  #revision: number;
  readonly #compactions = new Set<number>();

  constructor(random: Random, revision: number) {
    this.#random = random;
    this.#revision = revision;
  }

  next(revision: number): Step {
    this.#revision = revision;
    const random = this.#random;
    const kind = random.between(0, 99);
    if (kind < 25) return this.#call(methods.put, this.put());
    if (kind < 50) return this.#call(methods.range, this.range());
    if (kind < 60) return this.#call(methods.deleteRange, this.remove());
    if (kind < 88) return this.#call(methods.txn, this.txn(0));
    if (kind < 90) return this.#compact();
    if (kind < 94) return this.#call(methods.leaseGrant, { ID: random.pick(leaseIds.slice(3)), TTL: 1000 });
    if (kind < 96) return this.#call(methods.leaseRevoke, { ID: random.pick(leaseIds) });
    if (kind < 98) {
      const request = this.range();
      return (s) => s.rangeStream(request);
    }
    return this.#hash();
  }

  #compact(): Step {
    const compaction = { revision: this.#someRevision(), physical: this.#random.chance(0.5) };
    this.#compactions.add(compaction.revision);
    return this.#call(methods.compact, compaction);
  }

  /** At a compacted revision etcd answers with what the compaction noted, which only members compare. */
  #hash(): Step {
    if (this.#compactions.has(this.#revision)) return this.#call(methods.range, this.range());
    return this.#call(methods.hashKv, { revision: this.#revision });
  }

  put(): m.PutRequest {
    const random = this.#random;
    return m.PutRequest.create({
      key: this.#key(),
      value: bytesOf('xyz'.slice(0, random.between(0, 3))),
      lease: random.pick(leaseIds),
      prev_kv: random.chance(0.4),
      ignore_value: random.chance(0.1),
      ignore_lease: random.chance(0.1),
    });
  }

  range(): m.RangeRequest {
    const random = this.#random;
    const bound = (): number => (random.chance(0.1) ? this.#someRevision() : 0);
    return m.RangeRequest.create({
      key: this.#key(),
      range_end: this.#end(),
      limit: random.pick([0, 0, 0, 1, 2, 3, 10]),
      revision: random.chance(0.4) ? this.#someRevision() : 0,
      // Ties have no order in etcd's sort: only what has none is sorted.
      ...random.pick([
        { sort_order: 0, sort_target: 0 },
        { sort_order: 0, sort_target: 0 },
        { sort_order: 1, sort_target: 0 },
        { sort_order: 2, sort_target: 0 },
        { sort_order: 3, sort_target: 0 },
      ]),
      serializable: random.chance(0.3),
      keys_only: random.chance(0.2),
      count_only: random.chance(0.15),
      min_mod_revision: bound(),
      max_mod_revision: bound(),
      min_create_revision: bound(),
      max_create_revision: bound(),
    });
  }

  remove(): m.DeleteRangeRequest {
    return m.DeleteRangeRequest.create({ key: this.#key(), range_end: this.#end(), prev_kv: this.#random.chance(0.5) });
  }

  txn(depth: number): m.TxnRequest {
    const random = this.#random;
    const ops = (): m.RequestOp[] => Array.from({ length: random.between(0, 3) }, () => this.#op(depth));
    return m.TxnRequest.create({
      compare: Array.from({ length: random.pick([0, 0, 1, 1, 2]) }, () => this.#compare()),
      success: ops(),
      failure: ops(),
    });
  }

  #op(depth: number): m.RequestOp {
    const kind = this.#random.between(0, 19);
    if (kind < 8) return m.RequestOp.create({ request_put: this.put() });
    if (kind < 12) return m.RequestOp.create({ request_range: this.range() });
    if (kind < 15) {
      const request = this.remove();
      // etcd 3.7.3 ends itself over a delete without an end beside a put with ignore_value.
      if (request.range_end[0] === 0) request.range_end = bytesOf('e');
      return m.RequestOp.create({ request_delete_range: request });
    }
    if (kind < 19 && depth < 3) return m.RequestOp.create({ request_txn: this.txn(depth + 1) });
    return kind === 19 && this.#random.chance(0.1)
      ? m.RequestOp.create()
      : m.RequestOp.create({ request_range: this.range() });
  }

  #compare(): m.Compare {
    const random = this.#random;
    const union = random.pick([
      { target: 0, version: random.between(0, 3) },
      { target: 1, create_revision: random.chance(0.5) ? 0 : this.#someRevision() },
      { target: 2, mod_revision: this.#someRevision() },
      { target: 3, value: bytesOf('xyz'.slice(0, random.between(0, 3))) },
      { target: 4, lease: random.pick(leaseIds) },
      { target: random.between(0, 5) },
    ]);
    const range_end = random.chance(0.2) ? this.#end() : bytesOf('');
    return m.Compare.create({ result: random.between(0, 3), key: this.#key(), range_end, ...union });
  }

  #key(): Uint8Array {
    const random = this.#random;
    if (random.chance(0.01)) return bytesOf('');
    return bytesOf(random.pick(['a', 'b', 'c', 'd', 'e', 'aa', 'b\0', '\0', '\xff']));
  }

  #end(): Uint8Array {
    return bytesOf(this.#random.pick(['', '', '', '\0', 'b', 'c', 'd', 'f', 'b\0', '\xff', 'a']));
  }

  #someRevision(): number {
    const random = this.#random;
    if (random.chance(0.05)) return random.pick([-1, 0, 1]);
    return Math.max(this.#revision + random.between(-12, 1), -1);
  }

  #call<Request extends object, Response extends object>(
    method: methods.TypedMethod<Request, Response>,
    request: Partial<Request>,
  ): Step {
    return (session) => session.call(method, request);
  }
}

async function revisionOf(subject: RemoteSubject): Promise<number> {
  const { header } = await subject.client.unary(methods.range, { key: bytesOf('a') });
  return header?.revision ?? 0;
}

/** Prints the first difference of each run; returns 1 when there was one. */
export async function compareRandomly(
  left: RemoteSubject,
  right: RemoteSubject,
  options: { readonly runs: number; readonly seed: number },
): Promise<number> {
  let requests = 0;
  for (let run = 0; run < options.runs; run++) {
    const seed = options.seed + run;
    const random = new Random(seed);
    const sessions = [new Session(left.client), new Session(right.client)];
    const start = await revisionOf(left);
    const watches = await Promise.all(sessions.map((session) => session.watch()));
    const all = watchKeys({ key: '\0', end: '\0', prev_kv: true, start_revision: start + 1 });
    await Promise.all(watches.map((watch) => watch.create(all)));
    const maker = new RequestMaker(random, start);
    for (let index = 0; index < requestsPerRun; index++) {
      const step = maker.next(await revisionOf(left));
      await Promise.all(sessions.map((session) => step(session)));
      requests++;
      const [a, b] = sessions.map(({ transcript }) => transcript.lines.splice(0).join('\n'));
      if (a !== b) {
        process.stdout.write(`seed ${seed}, request ${index}:\n- ${a}\n+ ${b}\n`);
        return 1;
      }
    }
    const hashes = await Promise.all(
      [left, right].map(async ({ client }) => {
        const { hash, compact_revision, hash_revision } = await client.unary(methods.hashKv, {});
        return `hash ${hash} compacted ${compact_revision} at ${hash_revision}`;
      }),
    );
    const [revision] = await Promise.all([revisionOf(left)]);
    const events = await Promise.all(watches.map((watch) => eventsUpTo(watch.stream.waiting, revision)));
    const isSame = hashes[0] === hashes[1] && events[0] === events[1];
    if (!isSame) {
      const lines = diffLines(`${hashes[0]}\n${events[0]}`, `${hashes[1]}\n${events[1]}`);
      process.stdout.write(`seed ${seed}, at its end:\n${lines.join('\n')}\n`);
      return 1;
    }
    for (const session of sessions) session.end();
  }
  process.stdout.write(`${options.runs} runs of ${requestsPerRun} requests: ${requests} requests, no difference\n`);
  return 0;
}

/** Events as text once they have come; the last ones may be on their way. */
async function eventsUpTo(items: readonly object[], revision: number): Promise<string> {
  for (let tries = 0; tries < 20; tries++) {
    await new Promise((resolve) => setTimeout(resolve, 10));
    const last = items.at(-1);
    if (last !== undefined && 'message' in last) {
      const message = last.message as m.WatchResponse;
      if ((message.events.at(-1)?.kv?.mod_revision ?? 0) >= revision) break;
    }
  }
  return items
    .flatMap((item) => ('message' in item ? (item.message as m.WatchResponse).events : []))
    .map((event) => JSON.stringify(event, (_, value) => (typeof value === 'bigint' ? String(value) : value)))
    .join('\n');
}
