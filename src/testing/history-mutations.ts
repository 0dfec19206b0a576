// Ways in which a server could break its promises, done to a good history: each names the promise it breaks and makes one
// change, at a place chosen at random where it is certain to be a lie. Undefined: this history has no such place.

import type { Call, History, Outcome, Pair } from './history.ts';
import type { Random } from './random.ts';
import { RevisionLog } from './revision-log.ts';

export interface Mutation {
  readonly name: string;
  /** One of these must be reported. */
  readonly promises: readonly string[];
  readonly apply: (history: History, random: Random) => History | undefined;
}

type Answered = Call & { readonly outcome: Outcome & { readonly kind: 'answered' } };

function pickCall(history: History, random: Random, isFit: (call: Answered) => boolean): Answered | undefined {
  const fit = history.calls.filter(
    (call): call is Answered => call.outcome.kind === 'answered' && isFit(call as Answered),
  );
  return fit.length === 0 ? undefined : random.pick(fit);
}

function withCall(history: History, old: Call, change: Partial<Answered['outcome']>): History {
  const changed = (call: Call): Call => {
    return call === old ? { ...call, outcome: { ...call.outcome, ...change } as Outcome } : call;
  };
  return { ...history, calls: history.calls.map(changed) };
}

function changeCall(
  isFit: (call: Answered, history: History) => boolean,
  change: (call: Answered, random: Random) => Partial<Answered['outcome']>,
): Mutation['apply'] {
  return (history, random) => {
    const call = pickCall(history, random, (one) => isFit(one, history));
    return call === undefined ? undefined : withCall(history, call, change(call, random));
  };
}

const isRead = ({ request, outcome }: Answered): boolean => {
  return request.kind === 'range' && outcome.result.kind === 'range' && outcome.result.pairs.length > 0;
};

function pairsOf({ outcome }: Answered): readonly Pair[] {
  return outcome.result.kind === 'range' ? outcome.result.pairs : [];
}

function readChange(change: (pair: Pair) => Pair): Mutation['apply'] {
  return changeCall(isRead, (call) => {
    const [first, ...rest] = pairsOf(call);
    return { result: { kind: 'range', pairs: [change(first), ...rest] } };
  });
}

/** Calls sent after another call's answer with this or a later revision. */
function isLate(call: Answered, history: History, distance: number): boolean {
  return history.calls.some(({ outcome }) => {
    if (outcome.kind !== 'answered' || outcome.at.order >= call.invoked.order) return false;
    return outcome.revision > call.outcome.revision - distance;
  });
}

/** What happened according to the first watch, which sees all: the newest revision of each value. */
function stateBefore(history: History, key: string, revision: number): Pair | undefined {
  const log = new RevisionLog();
  for (const response of history.watches[0].responses) {
    if (response.kind !== 'events') continue;
    for (const { pair, isDelete } of response.events) {
      if (pair.mod >= revision || pair.key !== key) continue;
      log.append(pair.mod, [{ key, pair: isDelete ? undefined : pair, previous: undefined }]);
    }
  }
  return log.at(key, log.revision);
}

export const CALL_MUTATIONS: readonly Mutation[] = [
  {
    name: 'a read gives another value',
    promises: ['right-answer'],
    apply: readChange((pair) => ({ ...pair, value: 'wrong' })),
  },
  {
    name: 'a read gives another version',
    promises: ['right-answer'],
    apply: readChange((pair) => ({ ...pair, version: pair.version + 1 })),
  },
  {
    name: 'a read gives another create revision',
    promises: ['right-answer'],
    apply: readChange((pair) => ({ ...pair, create: pair.create - 1 })),
  },
  {
    name: 'a read gives another mod revision',
    promises: ['right-answer'],
    apply: readChange((pair) => ({ ...pair, mod: pair.mod + 1 })),
  },
  {
    name: 'a read gives another lease',
    promises: ['right-answer'],
    apply: readChange((pair) => ({ ...pair, lease: pair.lease + 9n })),
  },
  {
    name: 'a read leaves out a key',
    promises: ['right-answer'],
    apply: changeCall(isRead, (call) => ({ result: { kind: 'range', pairs: pairsOf(call).slice(1) } })),
  },
  {
    name: 'a read shows the value before the newest',
    promises: ['right-answer'],
    apply: (history, random) => {
      const call = pickCall(
        history,
        random,
        (one) => isRead(one) && stateBefore(history, pairsOf(one)[0].key, pairsOf(one)[0].mod) !== undefined,
      );
      if (call === undefined) return undefined;
      const [first, ...rest] = pairsOf(call);
      const old = stateBefore(history, first.key, first.mod) ?? first;
      return withCall(history, call, { result: { kind: 'range', pairs: [old, ...rest] } });
    },
  },
  {
    name: 'an answer comes from the past',
    promises: ['real-time'],
    apply: changeCall(
      (call, history) => isLate(call, history, 1),
      ({ outcome }, random) => ({ revision: outcome.revision - random.between(1, 3) }),
    ),
  },
  {
    name: 'a read is older than what its client had seen',
    promises: ['real-time'],
    apply: changeCall(
      (call, history) => call.request.kind === 'range' && isLate(call, history, 1),
      ({ outcome }) => ({ revision: outcome.revision - 1 }),
    ),
  },
  {
    name: 'two writes take one revision',
    promises: ['one-write-per-revision', 'real-time'],
    apply: (history, random) => {
      const call = pickCall(history, random, ({ request }) => request.kind === 'put');
      const other = pickCall(history, random, (one) => one.request.kind === 'put' && one !== call);
      if (call === undefined || other === undefined) return undefined;
      return withCall(history, call, { revision: other.outcome.revision });
    },
  },
  {
    name: 'a delete counts wrong',
    promises: ['right-answer'],
    apply: changeCall(
      ({ outcome }) => outcome.result.kind === 'delete' && outcome.result.deleted > 0,
      ({ outcome }) => {
        return {
          result: { kind: 'delete', deleted: (outcome.result.kind === 'delete' ? outcome.result.deleted : 0) + 1 },
        };
      },
    ),
  },
  {
    name: 'a transaction takes the other branch',
    promises: ['right-answer', 'one-write-per-revision', 'real-time'],
    apply: changeCall(
      ({ outcome }) => outcome.result.kind === 'txn' && outcome.result.isSuccess,
      () => ({ result: { kind: 'txn', isSuccess: false, results: [{ kind: 'range', pairs: [] }] } }),
    ),
  },
  {
    name: 'a refused write happens',
    promises: ['asked-for'],
    apply: (history, random) => {
      const call = pickCall(history, random, ({ request }) => request.kind === 'put');
      if (call === undefined) return undefined;
      const outcome: Outcome = { kind: 'refused', at: call.outcome.at, reason: 'too many requests' };
      return { ...history, calls: history.calls.map((one) => (one === call ? { ...one, outcome } : one)) };
    },
  },
  {
    name: 'a write happens before it is sent',
    promises: ['asked-for', 'real-time', 'never-ahead'],
    apply: (history, random) => {
      const call = pickCall(history, random, ({ request, outcome }) => {
        return request.kind === 'put' && seenOrder(history, outcome.revision) < Number.POSITIVE_INFINITY;
      });
      if (call === undefined) return undefined;
      const order = Math.max(seenOrder(history, call.outcome.revision), call.outcome.at.order) + 0.5;
      const late: Call = { ...call, invoked: { ...call.invoked, order }, outcome: { kind: 'unknown' } };
      return { ...history, calls: history.calls.map((one) => (one === call ? late : one)) };
    },
  },
  {
    name: 'one write happens twice',
    promises: ['asked-for', 'same-events'],
    apply: (history) => {
      const responses = [...history.watches[0].responses];
      const at = responses.findLastIndex((response) => response.kind === 'progress');
      if (at < 0) return undefined;
      const { revision } = responses[at];
      const put = history.calls.find(({ request, outcome }) => request.kind === 'put' && outcome.kind === 'answered');
      if (put?.request.kind !== 'put') return undefined;
      const { key, value, lease } = put.request;
      const pair: Pair = { key, value, lease, create: revision + 1, mod: revision + 1, version: 1 };
      const moment = { order: responses[at].at.order + 0.25, ms: responses[at].at.ms };
      const event = { isDelete: false, pair, previous: undefined };
      responses.push({ kind: 'events', at: moment, revision: revision + 1, events: [event], isFragment: false });
      const [witness, ...rest] = history.watches;
      return { ...history, watches: [{ ...witness, responses }, ...rest] };
    },
  },
  {
    name: 'a lease ends before its time',
    promises: ['lease-too-early'],
    apply: (history, random) => {
      const call = pickCall(history, random, ({ request, outcome, invoked: sent }) => {
        if (request.kind !== 'renew' || outcome.result.kind !== 'lease' || outcome.result.ttlSeconds <= 0) return false;
        const { lease } = request;
        if (history.calls.some((other) => other.request.kind === 'revoke' && other.request.lease === lease))
          return false;
        return history.calls.some(({ request: other, outcome: granted, invoked }) => {
          if (other.kind !== 'grant' || other.lease !== lease || granted.kind !== 'answered') return false;
          return granted.at.order < sent.order && invoked.ms + other.ttlSeconds * 1000 > outcome.at.ms;
        });
      });
      if (call === undefined) return undefined;
      return withCall(history, call, { result: { kind: 'lease', ttlSeconds: -1 } });
    },
  },
];

function seenOrder(history: History, revision: number): number {
  for (const response of history.watches[0].responses) {
    if (response.kind === 'events' && response.events.some(({ pair }) => pair.mod === revision))
      return response.at.order;
  }
  return Number.POSITIVE_INFINITY;
}
