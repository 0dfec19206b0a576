/**
 * What a renewal costs the store when renewals come as kube-apiserver sends them, without one: in bursts, on one connection that also
 * watches them, with a PING behind what was received, as grpc-go sends it. Prints CPU of all threads of the server, by kind.
 *
 *   node bench/bursts.ts [--against CHECKOUT] [--together 9] [--every-ms 2.5] [--windows 20] [--warmup 8] [--folder /tmp]
 *
 * With another checkout both servers run, and the load goes to one and the other in windows of a second: what else the machine does slows
 * both alike, so that the ratio of windows next to each other tells a few percent on a busy machine too. Asserts nothing.
 */
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import {
  COMPARE_EQUAL,
  Compare,
  RequestOp,
  TARGET_MOD,
  TxnRequest,
  WatchCreateRequest,
  WatchRequest,
} from '../src/api/messages.ts';
import * as methods from '../src/api/methods.ts';
import { ByteWriter } from '../src/base/byte-writer.ts';
import { headerRevision } from '../src/bench/reply-fields.ts';
import { requestFields } from '../src/client/request-fields.ts';
import { Connection } from '../src/h2/connection.ts';
import type { ConnectionHandler } from '../src/h2/connection-handler.ts';
import { CLIENT_DEFAULTS } from '../src/h2/connection-options.ts';
import { Driver } from '../src/h2/driver.ts';
import { MESSAGE_PREFIX_BYTES } from '../src/h2/frame.ts';
import { PreparedHeaders } from '../src/h2/prepared-headers.ts';
import type { Stream } from '../src/h2/stream.ts';
import { RealClock } from '../src/io/clock.ts';
import { TcpNetwork } from '../src/io/tcp-network.ts';
import { Command, freePort } from './command.ts';

const HOST = '127.0.0.1';
const LEASES = 1_000;
const VALUE = Buffer.alloc(300, 7);
const PREFIX = '/registry/leases/';
const WINDOW_MS = 1_000;
/** Behind this much the load does not run after its schedule. */
const LATE_MS_MAX = 20;

function keyOf(lease: number): Uint8Array {
  return Buffer.from(`${PREFIX}kube-system/renewed-${String(lease).padStart(5, '0')}`);
}

/** A kube-apiserver's update: if the revision is still that, put, else get. */
function renewal(lease: number, revision: number): Uint8Array {
  const key = keyOf(lease);
  const put = { key, value: VALUE, lease: 0n, prev_kv: false, ignore_value: false, ignore_lease: false };
  const writer = new ByteWriter();
  TxnRequest.encode(
    {
      compare: [Compare.create({ result: COMPARE_EQUAL, target: TARGET_MOD, key, mod_revision: revision })],
      success: [RequestOp.create({ request_put: put })],
      failure: [RequestOp.create({ request_range: methods.range.request.create({ key }) })],
    },
    writer,
  );
  return writer.copy();
}

/** The one connection of an API server that concerns leases. `stream.userData` is the number of the lease, of the watch -1. */
class ApiServer implements ConnectionHandler {
  answers = 0;
  readonly #connection = new Connection('client', CLIENT_DEFAULTS, this);
  readonly #driver: Driver;
  readonly #txn: PreparedHeaders;
  /** Those that no renewal is under way for, the longest renewed first. */
  readonly #idle: number[] = Array.from({ length: LEASES }, (_, lease) => lease);
  readonly #revisions = new Float64Array(LEASES);
  #isPinging = false;

  constructor(port: number) {
    const authority = `${HOST}:${port}`;
    this.#txn = new PreparedHeaders(requestFields(authority, methods.txn.path));
    const transport = new TcpNetwork().connect({ host: HOST, port });
    this.#driver = new Driver(this.#connection, transport, new RealClock(), () => {});
    this.#driver.start();
    const watch = this.#connection.openStream(requestFields(authority, methods.watch.path), null, false);
    if (watch === null) throw new Error('the watch was not opened');
    watch.userData = -1;
    const writer = new ByteWriter();
    const create = { key: Buffer.from(PREFIX), range_end: Buffer.from(PREFIX.replace(/.$/, '0')) };
    WatchRequest.encode(WatchRequest.create({ create_request: WatchCreateRequest.create(create) }), writer);
    const message = writer.copy();
    this.#connection.sendMessage(watch, message, 0, message.length, false);
    this.#driver.flush();
  }

  /** Sends up to so many renewals at once. */
  renew(count: number): void {
    for (const lease of this.#idle.splice(0, count)) {
      const stream = this.#connection.openStream(this.#txn, null, false);
      if (stream === null) throw new Error('the server takes no more streams');
      stream.userData = lease;
      const message = renewal(lease, this.#revisions[lease]);
      this.#connection.sendMessage(stream, message, 0, message.length, true);
    }
    this.#driver.flush();
  }

  close(): void {
    this.#driver.transport.destroy();
  }

  onData(stream: Stream, buffer: Uint8Array, start: number, end: number): void {
    const lease = stream.userData as number;
    if (lease >= 0) this.#revisions[lease] = headerRevision(buffer, start + MESSAGE_PREFIX_BYTES, end);
    if (this.#isPinging) return;
    this.#isPinging = true;
    this.#connection.ping(1);
  }

  onPingAck(): void {
    this.#isPinging = false;
  }

  onTrailers(stream: Stream): void {
    this.answers++;
    this.#idle.push(stream.userData as number);
  }

  onHeaders(): void {}
  onBatchEnd(): void {}
  onReset(): void {}
  onDrain(): void {}
  onSettings(): void {}
  onGoaway(): void {}
  onClose(): void {}
}

/** A server on a new folder, and who renews on it. */
class Subject {
  readonly name: string;
  /** µs of CPU a renewal in each window: of all threads, and by their names. */
  readonly windows: number[] = [];
  readonly byThread = new Map<string, number[]>();
  readonly #command: Command;
  readonly #client: ApiServer;

  private constructor(name: string, command: Command, port: number) {
    this.name = name;
    this.#command = command;
    this.#client = new ApiServer(port);
  }

  static async start(name: string, checkout: string | undefined, folder: string): Promise<Subject> {
    const port = await freePort();
    const url = `http://${HOST}:${port}`;
    const urls = ['--listen-client-urls', url, '--advertise-client-urls', url];
    const command = new Command(['serve', '--data-dir', join(folder, name), ...urls], checkout);
    await command.line('k1m serves');
    return new Subject(name, command, port);
  }

  /** A second of load. Bursts of half to one and a half of `together`, in two parts, at intervals that vary likewise. */
  async window(together: number, everyMs: number, isCounted: boolean): Promise<void> {
    const client = this.#client;
    const before = threadMicros(this.#command.pid);
    const answersBefore = client.answers;
    const endMs = performance.now() + WINDOW_MS;
    for (let dueMs = performance.now(); performance.now() < endMs; ) {
      const count = Math.max(2, Math.round(together * (0.5 + Math.random())));
      client.renew(count >> 1);
      await pause(0);
      client.renew(count - (count >> 1));
      dueMs = Math.max(dueMs + everyMs * (0.5 + Math.random()), performance.now() - LATE_MS_MAX);
      await pause(Math.max(1, dueMs - performance.now()));
    }
    const answers = client.answers - answersBefore;
    if (answers === 0) throw new Error(`${this.name} does not answer`);
    if (isCounted) this.#count(before, answers);
  }

  #count(before: ReadonlyMap<string, number>, answers: number): void {
    let sum = 0;
    for (const [name, micros] of threadMicros(this.#command.pid)) {
      const each = (micros - (before.get(name) ?? 0)) / answers;
      sum += each;
      this.byThread.set(name, [...(this.byThread.get(name) ?? []), each]);
    }
    this.windows.push(sum);
  }

  async end(): Promise<void> {
    this.#client.close();
    await this.#command.end();
  }
}

/** CPU so far of the threads of each name, in µs. */
function threadMicros(pid: number): Map<string, number> {
  const micros = new Map<string, number>();
  for (const thread of readdirSync(`/proc/${pid}/task`)) {
    const folder = `/proc/${pid}/task/${thread}`;
    const name = readFileSync(`${folder}/comm`, 'utf8').trim();
    const [ns] = readFileSync(`${folder}/schedstat`, 'utf8').split(' ');
    micros.set(name, (micros.get(name) ?? 0) + Number(ns) / 1_000);
  }
  return micros;
}

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[values.length >> 1];
}

const { values } = parseArgs({
  options: {
    against: { type: 'string' },
    together: { type: 'string', default: '9' },
    'every-ms': { type: 'string', default: '2.5' },
    windows: { type: 'string', default: '20' },
    warmup: { type: 'string', default: '8' },
    folder: { type: 'string', default: '/tmp' },
  },
});
const folder = mkdtempSync(join(values.folder, 'k1m-bursts-'));
const subjects: Subject[] = [];
try {
  subjects.push(await Subject.start('this', undefined, folder));
  if (values.against !== undefined) subjects.push(await Subject.start('against', values.against, folder));
  const [warmup, windows] = [Number(values.warmup), Number(values.windows)];
  for (let round = 0; round < warmup + windows; round++) {
    // Each goes first in turn.
    const order = round % 2 === 0 ? subjects : subjects.toReversed();
    for (const subject of order) {
      await subject.window(Number(values.together), Number(values['every-ms']), round >= warmup);
    }
  }
  for (const subject of subjects) {
    const ratio = median(subject.windows.map((micros, at) => micros / subjects[0].windows[at]));
    const threads = [...subject.byThread].map(([name, micros]) => [name, median(micros).toFixed(1)] as const);
    const parts = threads.filter(([, micros]) => micros !== '0.0').map(([name, micros]) => `${name} ${micros}`);
    const what = `${median(subject.windows).toFixed(1)} µs of CPU a renewal, ${ratio.toFixed(3)} of this`;
    console.log(`${subject.name}: ${what} (${parts.join(', ')})`);
  }
} finally {
  for (const subject of subjects) await subject.end();
  rmSync(folder, { recursive: true });
}
