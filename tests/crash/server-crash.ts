// A whole server against every state that a power cut may leave: what clients were told before the cut is there after it. All
// that the server writes is covered, whatever files it keeps.

import * as m from '../../src/api/messages.ts';
import * as methods from '../../src/api/methods.ts';
import type { Server } from '../../src/etcd/server.ts';
import { SimulatedClock } from '../../src/testing/clock.ts';
import { type FileStates, TracingDisk } from '../../src/testing/crash-states.ts';
import { SimulatedDisk } from '../../src/testing/disk.ts';
import { SimulatedNetwork } from '../../src/testing/network.ts';
import { Random } from '../../src/testing/random.ts';
import { CompatClient } from '../compat/compat-client.ts';
import { put, range, remove } from '../compat/requests.ts';
import { openOn } from '../compat/server-fixture.ts';
import { type Claim, type Found, tellLeaseStories } from './lease-stories.ts';

export interface ServerCrashOptions {
  readonly seed: number;
  readonly statesMax: number;
}

export interface ServerCrashCounts {
  points: number;
  states: number;
}

/** An acknowledged change, and where the trace was then. */
interface Acknowledged {
  readonly point: number;
  readonly key: string;
  /** Undefined: deleted. */
  readonly value: string | undefined;
  readonly revision: number;
}

const FOLDER = '/data';
const WRITES = 25;
/** Small, so that segments and snapshots come and go. */
const SIZES = { segmentBytesMax: 6000, snapshots: { logBytesMin: 3000, logShare: 0.1 } };

/** Throws an Error that tells what is wrong with which state. */
export async function crashServer({ seed, statesMax }: ServerCrashOptions): Promise<ServerCrashCounts> {
  const random = new Random(seed);
  const { trace, acknowledged, claims } = await work(random);
  const counts: ServerCrashCounts = { points: 0, states: 0 };
  for (let point = 0; point <= trace.point; point++) {
    counts.points++;
    const newest = new Map<string, Acknowledged>();
    let revision = 1;
    for (const one of acknowledged) {
      if (one.point > point) continue;
      revision = Math.max(revision, one.revision);
      const other = newest.get(one.key);
      if (other === undefined || other.revision < one.revision) newest.set(one.key, one);
    }
    for (const state of trace.states(point, statesMax, random)) {
      counts.states++;
      const found = await read(state);
      const where = `seed ${seed}, point ${point} of ${trace.point}, state ${counts.states}`;
      if (found.revision < revision) throw new Error(`${where}: revision ${found.revision} after ${revision}`);
      for (const { key, value, revision: written } of newest.values()) {
        const kv = found.pairs.get(key);
        // A change that nobody was told of may have followed, at a later revision.
        if (kv === undefined ? value === undefined || found.revision > revision : kv.mod_revision > written) continue;
        const text = kv === undefined ? undefined : Buffer.from(kv.value).toString();
        if (text !== value) throw new Error(`${where}: ${key} is ${text?.slice(0, 20)}, was ${value?.slice(0, 20)}`);
      }
      const broken = claims.find((claim) => claim.point <= point && !claim.holds(found, point));
      if (broken !== undefined) throw new Error(`${where}: ${broken.text}`);
    }
  }
  return counts;
}

interface Worked {
  readonly trace: TracingDisk;
  readonly acknowledged: readonly Acknowledged[];
  readonly claims: readonly Claim[];
}

async function work(random: Random): Promise<Worked> {
  const clock = new SimulatedClock();
  const trace = new TracingDisk(
    new SimulatedDisk({ clock, random, latencyMsMax: 3, directBlock: random.pick([0, 512]) }),
  );
  const acknowledged: Acknowledged[] = [];
  const claims: Claim[] = [];
  const { server, client } = await start(clock, trace, random);
  const stories = tellLeaseStories({ clock, random, client, point: () => trace.point, claims });
  const calls = Array.from({ length: WRITES }, async (_, index) => {
    await new Promise<void>((resolve) => clock.setTimer(random.between(0, 60), resolve));
    const key = `k${random.between(0, 4)}`;
    if (random.chance(0.8)) {
      const value = `${index}${'x'.repeat(random.pick([0, 100, 5000]))}`;
      const { header } = await client.unary(methods.put, put(key, value));
      acknowledged.push({ point: trace.point, key, value, revision: header?.revision ?? 0 });
    } else {
      const { header } = await client.unary(methods.deleteRange, remove(key));
      acknowledged.push({ point: trace.point, key, value: undefined, revision: header?.revision ?? 0 });
    }
  });
  await clock.runUntil(Promise.all([stories, ...calls]));
  client.close();
  if (random.chance(0.5)) await clock.runUntil(server.close());
  return { trace, acknowledged, claims };
}

interface Started {
  readonly server: Server;
  readonly client: CompatClient;
}

async function start(clock: SimulatedClock, disk: TracingDisk | SimulatedDisk, random: Random): Promise<Started> {
  const network = new SimulatedNetwork({ clock, random });
  const server = await clock.runUntil(openOn({ clock, disk, network, folder: FOLDER, random }, SIZES));
  const client = new CompatClient({ network, clock, endpoint: `http://127.0.0.1:${server.ports[0]}` });
  return { server, client };
}

interface FoundState extends Found {
  readonly revision: number;
  readonly pairs: Map<string, m.KeyValue>;
}

async function read(state: FileStates): Promise<FoundState> {
  const clock = new SimulatedClock();
  const random = new Random(1);
  const disk = new SimulatedDisk({ clock, random });
  for (const [path, bytes] of state) {
    await disk.ensureDirectory(path.slice(0, path.lastIndexOf('/')));
    disk.place(path, bytes);
  }
  const { client, server } = await start(clock, disk, random);
  const { header, kvs } = await clock.runUntil(client.unary(methods.range, range({ key: '\0', end: '\0' })));
  const pairs = kvs.map((kv): [string, m.KeyValue] => [Buffer.from(kv.key).toString(), m.KeyValue.create(kv)]);
  const { leases } = await clock.runUntil(client.unary(methods.leaseLeases, {}));
  return {
    revision: header?.revision ?? 0,
    pairs: new Map(pairs),
    leases: new Set(leases.map(({ ID }) => ID)),
    compactedRevision: server.engine.store.compactedRevision,
  };
}
