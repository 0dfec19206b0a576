// Ways in which a server could break the promises of a watch, as `history-mutations.ts` has them for calls.

import type { Pair, WatchEvent, WatchRecord, WatchResponse } from './history.ts';
import type { Mutation } from './history-mutations.ts';
import type { Random } from './random.ts';

type Events = WatchResponse & { readonly kind: 'events' };

/** Changes the responses of one watch, not the first, which sees all; `change` gives undefined where it does not fit. */
function changeWatch(
  change: (responses: readonly WatchResponse[], watch: WatchRecord, random: Random) => WatchResponse[] | undefined,
): Mutation['apply'] {
  return (history, random) => {
    for (const watch of random.shuffle(history.watches.slice(1))) {
      const responses = change(watch.responses, watch, random);
      if (responses === undefined) continue;
      const changed = (one: WatchRecord): WatchRecord => (one === watch ? { ...one, responses } : one);
      return { ...history, watches: history.watches.map(changed) };
    }
    return undefined;
  };
}

/** Changes one response with events. */
function changeEvents(
  isFit: (response: Events, watch: WatchRecord, index: number) => boolean,
  change: (response: Events, watch: WatchRecord, random: Random) => Partial<Events>,
): Mutation['apply'] {
  return changeWatch((responses, watch, random) => {
    const fit = responses.flatMap((response, index) => {
      return response.kind === 'events' && isFit(response, watch, index) ? [index] : [];
    });
    if (fit.length === 0) return undefined;
    const at = random.pick(fit);
    return responses.map((response, index) => {
      return index === at && response.kind === 'events'
        ? { ...response, ...change(response, watch, random) }
        : response;
    });
  });
}

const hasSeveralRevisions = ({ events }: Events): boolean => events[0].pair.mod !== events.at(-1)?.pair.mod;

function withoutPlace<T>(items: readonly T[], place: number): T[] {
  return items.filter((_, index) => index !== place);
}

export const WATCH_MUTATIONS: readonly Mutation[] = [
  {
    name: 'events of two revisions change places',
    promises: ['ordered'],
    apply: changeEvents(hasSeveralRevisions, ({ events }) => ({ events: [...events].reverse() })),
  },
  {
    name: 'events within a revision change places',
    promises: ['ordered'],
    apply: changeEvents(
      (response, watch) => {
        const [first, second] = response.events;
        return response.events.length === 2 && first.pair.mod === second.pair.mod && !watch.allowsFragments;
      },
      ({ events }) => ({ events: [...events].reverse() }),
    ),
  },
  {
    name: 'an event comes twice',
    promises: ['unique'],
    apply: changeEvents(
      () => true,
      ({ events }) => ({ events: [events[0], ...events] }),
    ),
  },
  {
    name: 'a response comes twice',
    promises: ['unique'],
    apply: changeWatch((responses, _watch, random) => {
      const fit = responses.flatMap((response, index) => (response.kind === 'events' ? [index] : []));
      if (fit.length === 0) return undefined;
      const at = random.pick(fit);
      return [...responses.slice(0, at + 1), responses[at], ...responses.slice(at + 1)];
    }),
  },
  {
    name: 'a revision is split over two responses',
    promises: ['atomic'],
    apply: changeWatch((responses, watch, random) => {
      const fit = responses.flatMap((response, index) => {
        if (response.kind !== 'events' || response.events.length < 2 || watch.allowsFragments) return [];
        return response.events.at(-1)?.pair.mod === response.events.at(-2)?.pair.mod ? [index] : [];
      });
      if (fit.length === 0) return undefined;
      const at = random.pick(fit);
      const response = responses[at] as Events;
      const pieces = [response.events.slice(0, -1), response.events.slice(-1)];
      return [
        ...responses.slice(0, at),
        ...pieces.map((events) => ({ ...response, events })),
        ...responses.slice(at + 1),
      ];
    }),
  },
  {
    name: 'half of a revision is missing',
    promises: ['atomic'],
    apply: changeEvents(
      ({ events }) => events.length > 1 && events[0].pair.mod === events[1].pair.mod,
      ({ events }) => ({ events: withoutPlace(events, 0) }),
    ),
  },
  {
    name: 'a resumed watch begins too late',
    promises: ['resumable'],
    apply: changeWatch((responses, watch) => {
      const at = responses.findIndex(({ kind }) => kind === 'events');
      const first = responses[at];
      if (watch.startRevision === 0 || first?.kind !== 'events' || !hasSeveralRevisions(first)) return undefined;
      const { mod } = first.events[0].pair;
      const events = first.events.filter(({ pair }) => pair.mod !== mod);
      return [...responses.slice(0, at), { ...first, events }, ...responses.slice(at + 1)];
    }),
  },
  {
    name: 'a resumed watch begins too early',
    promises: ['resumable'],
    apply: (history, random) => {
      const fit = history.watches.slice(1).filter(({ responses }) => responses.some(({ kind }) => kind === 'events'));
      if (fit.length === 0) return undefined;
      const watch = random.pick(fit);
      const first = watch.responses.find((response) => response.kind === 'events');
      const startRevision = (first?.kind === 'events' ? first.events[0].pair.mod : 0) + 1;
      return { ...history, watches: history.watches.map((one) => (one === watch ? { ...one, startRevision } : one)) };
    },
  },
  {
    name: 'an event is left out',
    promises: ['reliable', 'resumable', 'atomic'],
    apply: changeEvents(
      ({ events }) => events.length > 1,
      ({ events }, _watch, random) => ({ events: withoutPlace(events, random.between(0, events.length - 2)) }),
    ),
  },
  {
    name: 'a response is left out',
    promises: ['reliable', 'resumable', 'atomic'],
    apply: changeWatch((responses) => {
      const at = responses.findIndex(({ kind }, index) => kind === 'events' && index + 1 < responses.length);
      const isTold = responses.slice(at + 1).some(({ kind }) => kind === 'events' || kind === 'progress');
      return at < 0 || !isTold ? undefined : withoutPlace(responses, at);
    }),
  },
  {
    name: 'an event has another value',
    promises: ['reliable', 'same-events'],
    apply: changeEvents(
      ({ events }) => !events[0].isDelete,
      ({ events: [first, ...rest] }) => ({ events: [{ ...first, pair: { ...first.pair, value: 'wrong' } }, ...rest] }),
    ),
  },
  {
    name: 'an event says deletion for a put',
    promises: ['reliable', 'same-events'],
    apply: changeEvents(
      ({ events }) => !events[0].isDelete,
      ({ events: [first, ...rest] }) => ({ events: [{ ...first, isDelete: true }, ...rest] }),
    ),
  },
  {
    name: 'an event follows the progress that covers it',
    promises: ['bookmarkable'],
    apply: changeWatch((responses) => {
      const at = responses.findIndex((response) => response.kind === 'events' && response.events.length === 1);
      const response = responses[at];
      if (response?.kind !== 'events') return undefined;
      const [{ pair }] = response.events;
      const progress = { kind: 'progress' as const, at: response.at, revision: pair.mod };
      return [...responses.slice(0, at), progress, ...responses.slice(at)];
    }),
  },
  {
    name: 'the header goes back',
    promises: ['bookmarkable'],
    apply: changeWatch((responses) => {
      const at = responses.findLastIndex(({ kind }) => kind === 'progress');
      if (at < 1 || responses[at].revision <= 1) return undefined;
      const before = responses[at - 1].revision;
      return responses.map((one, index) =>
        index === at && one.kind === 'progress' ? { ...one, revision: before - 1 } : one,
      );
    }),
  },
  {
    name: 'prev_kv is another version',
    promises: ['prev-kv'],
    apply: changePrevious((previous) => ({ ...previous, version: previous.version + 1 })),
  },
  {
    name: 'prev_kv is the value itself',
    promises: ['prev-kv'],
    apply: changePrevious((_previous, pair) => ({ ...pair, value: 'x' })),
  },
  {
    name: 'prev_kv comes unasked',
    promises: ['prev-kv'],
    apply: changeEvents(
      (_response, watch) => !watch.wantsPrevious,
      ({ events: [first, ...rest] }) => ({ events: [{ ...first, previous: first.pair }, ...rest] }),
    ),
  },
  {
    name: 'an event of a key that is not watched',
    promises: ['filtered'],
    apply: changeEvents(
      (_response, watch) => watch.end === '',
      ({ events: [first, ...rest] }) => ({ events: [{ ...first, pair: { ...first.pair, key: 'other' } }, ...rest] }),
    ),
  },
  {
    name: 'an event of a kind that is filtered out',
    promises: ['filtered'],
    apply: (history, random) => {
      const fit = history.watches.filter(({ responses }, index) => {
        return (
          index > 0 &&
          responses.some((response) => response.kind === 'events' && response.events.some((event) => !event.isDelete))
        );
      });
      if (fit.length === 0) return undefined;
      const watch = random.pick(fit);
      return { ...history, watches: history.watches.map((one) => (one === watch ? { ...one, skipsPuts: true } : one)) };
    },
  },
  {
    name: 'an event is beyond the revision of its header',
    promises: ['never-ahead'],
    apply: changeEvents(
      () => true,
      ({ events }) => ({ revision: (events.at(-1)?.pair.mod ?? 0) - 1 }),
    ),
  },
  {
    name: 'an event comes before its put was sent',
    promises: ['never-ahead', 'real-time'],
    apply: (history, random) => {
      const watch = history.watches[0];
      const responses = watch.responses.filter((response) => response.kind === 'events');
      if (responses.length === 0) return undefined;
      const response = random.pick(responses);
      const puts = history.calls.filter(({ request, outcome }) => {
        const revision = outcome.kind === 'answered' ? outcome.revision : 0;
        return request.kind === 'put' && response.events.some(({ pair }) => pair.mod === revision);
      });
      if (puts.length === 0) return undefined;
      const call = random.pick(puts);
      const invoked = { ...call.invoked, order: response.at.order + 0.5 };
      return { ...history, calls: history.calls.map((one) => (one === call ? { ...one, invoked } : one)) };
    },
  },
];

function changePrevious(change: (previous: Pair, pair: Pair) => Pair): Mutation['apply'] {
  const place = (events: readonly WatchEvent[]): number => {
    return events.findIndex(({ previous, isDelete }) => previous !== undefined && !isDelete);
  };
  return changeEvents(
    ({ events }) => place(events) >= 0,
    ({ events }) => {
      const at = place(events);
      return {
        events: events.map((event, index) => {
          if (index !== at || event.previous === undefined) return event;
          return { ...event, previous: change(event.previous, event.pair) };
        }),
      };
    },
  );
}
