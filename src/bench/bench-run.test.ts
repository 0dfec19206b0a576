// Flows, watchers and whole runs on simulated time, against a server that answers every call alike; and, where
// K1M_TEST_ENDPOINT is given, a short run of every load against a real one.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as m from '../api/messages.ts';
import * as methods from '../api/methods.ts';
import { ByteWriter } from '../base/byte-writer.ts';
import { parseEndpoint } from '../client/endpoint.ts';
import { OK_FIELDS, RESPONSE_FIELDS } from '../grpc/status-fields.ts';
import { Connection } from '../h2/connection.ts';
import type { ConnectionHandler } from '../h2/connection-handler.ts';
import { CLIENT_H2_OPTIONS, SERVER_DEFAULTS } from '../h2/connection-options.ts';
import { Driver } from '../h2/driver.ts';
import type { Stream } from '../h2/stream.ts';
import { pause, RealClock } from '../io/clock.ts';
import { processUsage } from '../io/process-usage.ts';
import { TcpNetwork } from '../io/tcp-network.ts';
import { SimulatedClock } from '../testing/clock.ts';
import { SimulatedNetwork } from '../testing/network.ts';
import { Random } from '../testing/random.ts';
import { ArrivalSchedule } from './arrival-schedule.ts';
import { type BenchOptions, LOAD_NAMES, type LoadName } from './bench-options.ts';
import { runBench } from './bench-run.ts';
import type { BenchWorld } from './bench-subject.ts';
import { ConnectionPool } from './connection-pool.ts';
import { encodeRequest, FixedLoad } from './fixed-load.ts';
import { Flow } from './flow.ts';
import type { RunResult } from './run-result.ts';
import { WriteLog } from './write-log.ts';

function optionsOf(load: LoadName, part: Partial<BenchOptions> = {}): BenchOptions {
  return {
    load,
    endpoint: 'http://127.0.0.1:2379',
    against: '',
    connections: 2,
    inFlight: 3,
    keys: 50,
    valueBytes: 300,
    rate: 0,
    durationSeconds: 2,
    warmupSeconds: 1,
    rounds: 1,
    prefix: '/k1m-test',
    seed: process.pid,
    limit: 20,
    watchers: 3,
    nodes: 40,
    keepsKeys: false,
    allowsRemote: false,
    ...part,
  };
}

/** Answers every call, after a delay, with the header and the flag of a transaction that succeeded. */
class EchoConnection implements ConnectionHandler {
  readonly h2: Connection = new Connection('server', SERVER_DEFAULTS, this);
  readonly driver: Driver;
  readonly #delayMs: () => number;
  readonly #clock: SimulatedClock;

  constructor(
    clock: SimulatedClock,
    network: Parameters<Parameters<SimulatedNetwork['listen']>[1]>[0],
    delayMs: () => number,
  ) {
    this.#clock = clock;
    this.#delayMs = delayMs;
    this.driver = new Driver(this.h2, network, clock, () => undefined);
    this.driver.start();
  }

  onData(stream: Stream, _buffer: Uint8Array, _start: number, _end: number, endStream: boolean): void {
    if (!endStream) return;
    const { id } = stream;
    this.#clock.setTimer(this.#delayMs(), () => {
      if (stream.id !== id) return;
      const writer = new ByteWriter();
      const header = { cluster_id: 1n, member_id: 2n, revision: 3, raft_term: 4 };
      m.TxnResponse.encode({ header, succeeded: true }, writer);
      this.h2.sendHeaders(stream, RESPONSE_FIELDS, null, false);
      this.h2.sendMessage(stream, writer.copy(), 0, writer.position, false);
      this.h2.sendHeaders(stream, OK_FIELDS, null, true);
      this.driver.flush();
    });
  }

  onHeaders(): void {}
  onTrailers(): void {}
  onReset(): void {}
  onDrain(): void {}
  onSettings(): void {}
  onGoaway(): void {}
  onBatchEnd(): void {}
  onPingAck(): void {}
  onClose(): void {}
}

/** With a server at each port. */
async function simulatedNetwork(clock: SimulatedClock, delayMs: (nowMs: number) => number): Promise<SimulatedNetwork> {
  const network = new SimulatedNetwork({ clock, random: new Random(1), latencyMsMax: 0 });
  for (const port of [2379, 2380]) {
    await network.listen({ host: '', port }, (stream) => {
      new EchoConnection(clock, stream, () => delayMs(clock.nowMs()));
    });
  }
  return network;
}

async function simulate(options: BenchOptions, delayMs: (nowMs: number) => number): Promise<RunResult[][]> {
  const clock = new SimulatedClock();
  const network = await simulatedNetwork(clock, delayMs);
  let scrapes = 0;
  const world: BenchWorld = {
    network,
    clock,
    usage: () => ({ cpuSeconds: clock.nowMs() / 10_000, coreWaitSeconds: clock.nowMs() / 4_000 }),
    fetchText: async () => `process_cpu_seconds_total ${++scrapes * 0.3}\nprocess_resident_memory_bytes 1000\n`,
    signal: new AbortController().signal,
  };
  const nothing = (): void => undefined;
  return clock.runUntil(runBench(world, options, { onStage: nothing, onResult: nothing }));
}

test('a closed loop sends as fast as it is answered', async () => {
  const [[result]] = await simulate(optionsOf('renew'), () => 10);
  const [flow] = result.flows;
  // Six in flight, ten milliseconds each.
  assert(Math.abs(flow.requestsPerSecond - 600) < 20, `${flow.requestsPerSecond}/s`);
  assert(flow.latency.p50Micros >= 9_900 && flow.latency.p99Micros < 12_000);
  assert.deepEqual(flow.errors, {});
  assert.equal(result.serverResidentBytes, 1000);
  assert(Math.abs((result.serverCpuMicrosPerRequest ?? 0) - 3e5 / result.requests) < 1);
  assert(Math.abs(result.generatorCpuCores - 0.1) < 0.001);
  assert(Math.abs(result.generatorCoreWaitShare - 0.25) < 0.001);
});

test('in an open loop a stall is in the latency of all requests that it held up', async () => {
  // Nothing is answered between the seconds 2 and 2.5.
  const stall = (nowMs: number): number => (nowMs > 2000 && nowMs < 2500 ? 2500 - nowMs : 1);
  const [[result]] = await simulate(optionsOf('get', { rate: 200, keys: 10 }), stall);
  const [flow] = result.flows;
  assert(Math.abs(flow.requestsPerSecond - 200) < 5);
  // A quarter of the requests fell due during the stall, evenly over its half second.
  assert(flow.latency.p90Micros > 200_000 && flow.latency.maxMicros > 480_000, JSON.stringify(flow.latency));
  // Only six could be on their way in that time: counted from their sending it would hardly show.
  assert(flow.service.p90Micros < 5_000, JSON.stringify(flow.service));
});

test('a connection that has no stream ids left is made again, and no request fails', async () => {
  const clock = new SimulatedClock();
  const network = await simulatedNetwork(clock, () => 5);
  const h2 = { ...CLIENT_H2_OPTIONS, streamIdMax: 9 };
  const pool = new ConnectionPool(network, clock, parseEndpoint('http://127.0.0.1:2379'), h2);
  await clock.runUntil(pool.open(1));
  const load = new FixedLoad(methods.range.path, encodeRequest(methods.range, {}), () => Promise.resolve());
  const flow = new Flow('count', load);
  flow.addSlots(pool.connections[0], 2);
  flow.start(clock.nowMs());
  pool.flush();
  await clock.runUntil(pause(clock, 1000));
  // Five requests a connection, and a tenth of a second before the next.
  assert(flow.ended[0] > 30, `${flow.ended[0]} requests`);
  assert.deepEqual([flow.requests - flow.ended[0], pool.lost], [0, 0]);
  pool.close();
});

test('two servers are measured in turn and both give a result for each round', async () => {
  const options = optionsOf('put', { against: 'http://127.0.0.1:2380', rounds: 2, durationSeconds: 1 });
  const results = await simulate(options, () => 5);
  assert.deepEqual(
    results.map((runs) => runs.map(({ endpoint }) => endpoint)),
    [
      ['127.0.0.1:2379', '127.0.0.1:2379'],
      ['127.0.0.1:2380', '127.0.0.1:2380'],
    ],
  );
});

test('a schedule gives requests out at their rate, and keeps what was not taken', () => {
  const schedule = new ArrivalSchedule(100);
  schedule.start(1000);
  assert.equal(schedule.due(1000), 1);
  assert.equal(schedule.take(), 1000);
  assert.equal(schedule.due(1009.9), 0);
  assert.equal(schedule.due(1035), 3);
  assert.deepEqual([schedule.take(), schedule.take()], [1010, 1020]);
  assert.equal(schedule.due(1035), 1);
});

test('a write is expected once it was acknowledged or seen', () => {
  const log = new WriteLog();
  for (let number = 0; number < 4; number++) log.onWrite(number, 10 * number);
  log.onWritten(0, 0);
  log.onWritten(1, 14);
  assert.equal(log.expected, 1);
  assert.equal(log.onSeen(1), 10);
  assert.equal(log.onSeen(0), 0);
  assert.equal(log.onSeen(9), undefined);
  assert.equal(log.expected, 2);
});

const endpoint = process.env.K1M_TEST_ENDPOINT ?? '';
const skip: string | false = endpoint === '' ? 'K1M_TEST_ENDPOINT is not set' : false;

for (const load of LOAD_NAMES) {
  test(`${load} runs against a real server without an error`, { skip }, async () => {
    const rate = load === 'watch' ? 500 : 0;
    const options = optionsOf(load, { endpoint, rate, durationSeconds: 1, warmupSeconds: 0 });
    const world: BenchWorld = {
      network: new TcpNetwork(),
      clock: new RealClock(),
      usage: processUsage,
      fetchText: async (url) => (await fetch(url)).text(),
      signal: new AbortController().signal,
    };
    const nothing = (): void => undefined;
    const [[result]] = await runBench(world, options, { onStage: nothing, onResult: nothing });
    assert(result.requests > 0);
    for (const { errors, counts } of result.flows) {
      assert.deepEqual(errors, {});
      assert.equal(counts.conflicts ?? 0, 0);
      assert.equal(counts.missing ?? 0, 0);
    }
    if (result.watch !== null)
      assert.deepEqual([result.watch.lost, result.watch.repeated, result.watch.broken], [0, 0, 0]);
    assert.equal(result.connectionsLost + result.tasksFailed, 0);
    assert((result.serverCpuMicrosPerRequest ?? -1) >= 0);
  });
}
