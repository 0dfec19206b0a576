// Many clients on one server at once, everything that they see recorded: on our simulated server, or on any that listens.

import { EtcdClient } from '../../src/client/etcd-client.ts';
import type { Clock } from '../../src/io/clock.ts';
import type { Network } from '../../src/io/network.ts';
import type { History } from '../../src/testing/history.ts';
import { Random } from '../../src/testing/random.ts';
import { CompatClient } from '../compat/compat-client.ts';
import { HistoryRecorder } from '../history/recorder.ts';
import { RecordingClient } from '../history/recording-client.ts';
import { RecordingWatch } from '../history/recording-watch.ts';
import { Workload } from '../sim/workload.ts';

export interface ServerHistoryOptions {
  readonly seed: number;
  readonly network: Network;
  readonly clock: Clock;
  readonly endpoint: string;
  /** Begins every key, so that a server's own keys are left alone; not used by others. */
  readonly prefix: string;
  readonly clients: number;
  readonly callsPerClient: number;
}

const CALL_MS_MAX = 10_000;
const TRIES_MAX = 200;
const TRY_MS = 50;

/** The server must be new: the history is taken to begin at revision 1. */
export async function recordServer(options: ServerHistoryOptions): Promise<History> {
  const { network, clock, endpoint } = options;
  const random = new Random(options.seed);
  const recorder = new HistoryRecorder(clock);
  const streams = new CompatClient({ network, clock, endpoint });
  const open: { close(): void }[] = [streams];
  const connect = (): EtcdClient => {
    const client = new EtcdClient({
      network,
      clock,
      endpoints: [endpoint],
      timeoutMs: CALL_MS_MAX,
      random: () => random.fraction(),
    });
    open.push(client);
    return client;
  };
  const watches: RecordingWatch[] = [];
  const watch = (startRevision: number, isWitness: boolean): RecordingWatch => {
    const one = new RecordingWatch(
      {
        client: watches.length,
        ...(isWitness ? workload.everything : workload.watched()),
        startRevision,
        wantsPrevious: random.chance(0.5),
        skipsPuts: !isWitness && random.chance(0.1),
        skipsDeletes: !isWitness && random.chance(0.1),
        allowsFragments: random.chance(0.3),
        onCompacted: async () => undefined,
      },
      streams,
      clock,
      recorder,
    );
    watches.push(one);
    return one;
  };
  const workload = new Workload({
    random,
    prefixes: [options.prefix],
    keysPerPrefix: 6,
    hasLeases: true,
    compactableRevision: () => (witness?.nextRevision ?? 0) - 1,
  });
  const witness: RecordingWatch | undefined = watch(1, true);
  const work = async (id: number): Promise<void> => {
    const client = new RecordingClient(id, connect(), recorder);
    for (let call = 0; call < options.callsPerClient; call++) {
      const outcome = await client.perform(workload.next());
      if (outcome.kind === 'answered' && outcome.result.kind === 'range') {
        workload.learn(outcome.revision, outcome.result.pairs);
      }
      if (random.chance(0.02)) watch(Math.max(0, witness.nextRevision - random.between(0, 40)), false);
    }
  };
  await Promise.all(Array.from({ length: options.clients }, (_, index) => work(index + 1)));
  const reader = new RecordingClient(0, connect(), recorder);
  const last = await reader.perform({ kind: 'range', ...workload.everything, revision: 0 });
  const revision = last.kind === 'answered' ? last.revision : Number.POSITIVE_INFINITY;
  for (let tries = 0; witness.nextRevision <= revision && tries < TRIES_MAX; tries++) {
    for (const one of watches) one.requestProgress();
    await new Promise<void>((resolve) => clock.setTimer(TRY_MS, resolve));
  }
  if (witness.nextRevision <= revision) throw new Error(`the witness does not get to revision ${revision}`);
  for (const one of watches) one.stop();
  for (const one of open) one.close();
  return recorder;
}
