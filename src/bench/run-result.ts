// The figures of one measured run, as --json prints them.

import { CODE_NAMES } from '../api/errors.ts';
import type { Flow } from './flow.ts';
import type { Percentiles } from './latency-histogram.ts';

export interface FlowResult {
  readonly name: string;
  readonly loop: 'open' | 'closed';
  /** Requests that succeeded, and of those a second. */
  readonly requests: number;
  readonly requestsPerSecond: number;
  /** From the intended time of sending. */
  readonly latency: Percentiles;
  /** From the time of sending. */
  readonly service: Percentiles;
  /** Requests that failed, by the name of their gRPC code. */
  readonly errors: Readonly<Record<string, number>>;
  /** What the load counts besides. */
  readonly counts: Readonly<Record<string, number>>;
}

export interface WatchResult {
  readonly watchers: number;
  readonly broken: number;
  readonly events: number;
  readonly eventsPerSecond: number;
  /** Over the whole run, warm-up included. */
  readonly lost: number;
  readonly repeated: number;
  readonly latency: Percentiles;
  readonly progress: Percentiles;
}

export interface RunResult {
  readonly endpoint: string;
  readonly load: string;
  readonly seconds: number;
  readonly requests: number;
  readonly requestsPerSecond: number;
  readonly flows: readonly FlowResult[];
  readonly watch: WatchResult | null;
  /** CPU time of the server for each request that ended; null where it does not tell. */
  readonly serverCpuMicrosPerRequest: number | null;
  readonly serverCpuCores: number | null;
  /** Of the time its main thread was ready to run and had no core; null where it does not tell. */
  readonly serverCoreWaitShare: number | null;
  readonly serverResidentBytes: number | null;
  readonly generatorCpuMicrosPerRequest: number;
  readonly generatorCpuCores: number;
  readonly generatorCoreWaitShare: number;
  readonly connectionsLost: number;
  /** Of a scenario's occasional tasks, over the whole run. */
  readonly tasksFailed: number;
}

export function flowResult(flow: Flow, seconds: number): FlowResult {
  const errors: Record<string, number> = {};
  for (let code = 1; code < flow.ended.length; code++) {
    if (flow.ended[code] > 0) errors[CODE_NAMES[code]] = flow.ended[code];
  }
  return {
    name: flow.name,
    loop: flow.isOpenLoop ? 'open' : 'closed',
    requests: flow.ended[0],
    requestsPerSecond: flow.ended[0] / seconds,
    latency: flow.latency.percentiles(),
    service: flow.service.percentiles(),
    errors,
    counts: { ...flow.load.counts },
  };
}
