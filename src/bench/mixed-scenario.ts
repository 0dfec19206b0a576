// The steady state of a Kubernetes cluster of N nodes as its API server lays it on the store. All flows are open loops.

import { COMPARE_EQUAL, Compare, RequestOp, TARGET_VERSION } from '../api/messages.ts';
import * as methods from '../api/methods.ts';
import type { EtcdClient } from '../client/etcd-client.ts';
import { keyBytes } from '../client/key-range.ts';
import { ArrivalSchedule } from './arrival-schedule.ts';
import type { BenchOptions } from './bench-options.ts';
import { CreateLoad } from './create-load.ts';
import { encodeRequest, FixedLoad } from './fixed-load.ts';
import { Flow } from './flow.ts';
import { KeySet } from './key-set.ts';
import { ListLoad } from './list-load.ts';
import type { Load } from './load.ts';
import { countRequest, type FlowPlan, keyPrefix, nodeLeases, type Scenario, type Task } from './scenario-parts.ts';
import type { SeededChance } from './seeded-chance.ts';
import { UpdateLoad } from './update-load.ts';
import { OpaqueValue } from './update-values.ts';

const HEARTBEAT_SECONDS = 10;
/** A pod a node changes its status this often, and reports an Event twice as often. */
const POD_STATUS_SECONDS = 60;
const EVENT_SECONDS = 30;
const POD_BYTES = 4096;
const EVENT_BYTES = 700;
const PAGE_KEYS = 500;
const LISTS_PER_SECOND = 1;
const HEALTH_PER_SECOND = 1;
/** Each of three resources is counted once a minute. */
const COUNTS_PER_SECOND = 3 / 60;
const PROGRESS_MS = 100;
const LEASE_MS = 60_000;
const COMPACTION_MS_MAX = 300_000;
const RESOURCES = 3;

export function mixedScenario(options: BenchOptions, seconds: number, chance: SeededChance): Scenario {
  const { nodes } = options;
  const leases = nodeLeases(options, nodes, seconds);
  const pods = new KeySet(keyPrefix(options, 'pods/default'), nodes);
  const podValue = new OpaqueValue(POD_BYTES, chance);
  const eventPrefix = keyPrefix(options, 'events/default');
  const events = new CreateLoad(eventPrefix, EVENT_BYTES, chance);
  // Leases and pods are made for the flows that update them.
  const nothing = (): Promise<void> => Promise.resolve();
  const count = new FixedLoad(methods.range.path, countRequest(leases.keys.prefix), nothing);
  const healthKey = { key: keyBytes(`${options.prefix}/health`) };
  const health = new FixedLoad(methods.range.path, encodeRequest(methods.range, healthKey), nothing);
  const list = new ListLoad(pods, nothing, PAGE_KEYS);
  const flows: FlowPlan[] = [
    flow(options, 'renew', new UpdateLoad(leases.keys, leases.value), nodes / HEARTBEAT_SECONDS),
    flow(options, 'pod list', list, LISTS_PER_SECOND),
    flow(options, 'pod status', new UpdateLoad(pods, podValue), nodes / POD_STATUS_SECONDS),
    flow(options, 'event', events, nodes / EVENT_SECONDS),
    flow(options, 'count', count, COUNTS_PER_SECOND),
    flow(options, 'health', health, HEALTH_PER_SECOND),
  ];
  return {
    flows,
    watch: {
      prefixes: [leases.keys.prefix, pods.prefix, eventPrefix],
      watchers: RESOURCES,
      connections: RESOURCES,
      progressEveryMs: PROGRESS_MS,
      log: undefined,
    },
    tasks: [{ name: 'event lease', everyMs: LEASE_MS, run: () => events.renewLease() }, compaction(options)],
    remove: async (client) => {
      await leases.keys.remove(client);
      await pods.remove(client);
      await events.remove(client);
    },
  };
}

function flow(options: BenchOptions, name: string, load: Load, ratePerSecond: number): FlowPlan {
  const slots = options.connections * options.inFlight;
  // Updates need more keys than slots.
  const inFlight = Math.max(1, Math.floor(Math.min(slots, options.nodes - 1) / options.connections));
  return { flow: new Flow(name, load, new ArrivalSchedule(ratePerSecond)), inFlightPerConnection: inFlight };
}

/** kube-apiserver's compaction: agreed on by a transaction, to the revision of the last time. */
function compaction(options: BenchOptions): Task {
  const key = keyBytes(`${options.prefix}/k1m-bench-compact_rev_key`);
  let version = 0;
  let revision = 0;
  return {
    name: 'compaction',
    everyMs: Math.min(COMPACTION_MS_MAX, options.durationSeconds * 500),
    async run(client: EtcdClient): Promise<void> {
      const value = keyBytes(String(revision));
      const put = { key, value, lease: 0n, prev_kv: false, ignore_value: false, ignore_lease: false };
      const response = await client.txn({
        compare: [Compare.create({ result: COMPARE_EQUAL, target: TARGET_VERSION, key, version })],
        success: [RequestOp.create({ request_put: put })],
        failure: [RequestOp.create({ request_range: methods.range.request.create({ key }) })],
      });
      const kv = response.responses.at(0)?.response_range?.kvs.at(0);
      const lastRevision = revision;
      revision = response.header?.revision ?? 0;
      version = response.succeeded ? version + 1 : (kv?.version ?? 0);
      if (response.succeeded && lastRevision > 0) await client.compact(lastRevision);
    },
  };
}
