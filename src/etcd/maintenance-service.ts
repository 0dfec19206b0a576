// etcdserverpb.Maintenance and Cluster, and the gRPC health service, as a single member answers them.

import { NOT_FOUND, StatusError } from '../api/errors.ts';
import {
  ALARM_ACTIVATE,
  ALARM_DEACTIVATE,
  ALARM_GET,
  ALARM_NONE,
  ALARM_NOSPACE,
  type AlarmRequest,
  type AlarmResponse,
  HEALTH_SERVING,
  type MemberListResponse,
  type StatusResponse,
} from '../api/messages.ts';
import * as methods from '../api/methods.ts';
import { ByteWriter } from '../base/byte-writer.ts';
import type { CallListener, Registry } from '../grpc/registry.ts';
import type { ServerCall } from '../grpc/server-call.ts';
import { encode, registerCold, wholeOf } from './cold-unary.ts';
import type { Committer } from './committer.ts';
import type { Engine } from './engine.ts';
import { JobLimit } from './job-limit.ts';
import { headerOf } from './lease-service.ts';
import type { MetricDefiner } from './metric-definer.ts';
import type { Slices } from './slices.ts';
import { SnapshotCall } from './snapshot-messages.ts';
import { SnapshotStream, type SnapshotTarget } from './snapshot-stream.ts';

/** The etcd version we are compatible with; clients choose features by it. */
export const ETCD_VERSION = '3.7.3';
export const ETCD_CLUSTER_VERSION = '3.7.0';
export const STORAGE_VERSION = '3.7.0';

const HASH_SLICE_UNITS = 1_000;
/** Calls at a time. Each holds 8 bytes a version, and a pin. */
const SNAPSHOTS_MAX = 4;
const HASHES_MAX = 4;

interface HashResult {
  readonly hash: number;
  readonly compact_revision: number;
  readonly hash_revision: number;
}

/** How the member calls itself. */
export interface MemberInfo {
  readonly name: string;
  readonly peerUrls: readonly string[];
  readonly clientUrls: readonly string[];
}

export interface MaintenanceServiceOptions {
  readonly engine: Engine;
  readonly committer: Committer;
  readonly slices: Slices;
  readonly member: MemberInfo;
  /** Bytes of the log on disk. */
  readonly storedBytes: () => number;
  /** Batches of the log: committed, and satisfied. */
  readonly lastSequence: () => number;
  readonly durableSequence: () => number;
}

export class MaintenanceService {
  readonly #engine: Engine;
  readonly #committer: Committer;
  readonly #slices: Slices;
  readonly #options: MaintenanceServiceOptions;
  readonly #snapshots = new JobLimit('snapshot_calls', SNAPSHOTS_MAX);
  readonly #hashes = new JobLimit('hashes', HASHES_MAX);

  constructor(options: MaintenanceServiceOptions) {
    this.#engine = options.engine;
    this.#committer = options.committer;
    this.#slices = options.slices;
    this.#options = options;
  }

  register(registry: Registry): void {
    registerCold(registry, methods.status, () => this.#status());
    registerCold(registry, methods.alarm, (request, call) => this.#alarm(request, call));
    registerCold(registry, methods.defragment, () => ({}));
    registerCold(registry, methods.hash, (_request, call) => {
      this.#hash(0, call, ({ hash }) => encode(methods.hash, { header: headerOf(this.#engine), hash }));
      return undefined;
    });
    registerCold(registry, methods.hashKv, (request, call) => {
      this.#hash(request.revision, call, (result) => {
        return encode(methods.hashKv, { header: headerOf(this.#engine), ...result });
      });
      return undefined;
    });
    registry.stream(methods.snapshot, (call) => this.#snapshot(call));
    registerCold(registry, methods.memberList, () => this.#members());
    registerCold(registry, methods.healthCheck, (request) => {
      if (request.service !== '') throw new StatusError(NOT_FOUND, 'unknown service');
      return { status: HEALTH_SERVING };
    });
    registry.stream(methods.healthWatch, (call) => ({
      onMessage: (buffer, start, end) => {
        const { service } = methods.healthWatch.request.decode(buffer, start, end);
        const writer = new ByteWriter();
        const serviceUnknown = 3;
        methods.healthWatch.response.encode({ status: service === '' ? HEALTH_SERVING : serviceUnknown }, writer);
        call.send(writer.copy(), 0, writer.position);
      },
      onHalfClose: () => {},
      onDrain: () => {},
      onCancel: () => {},
    }));
  }

  defineMetrics(definer: MetricDefiner): void {
    this.#snapshots.defineMetrics(definer);
    this.#hashes.defineMetrics(definer);
  }

  #status(): Partial<StatusResponse> {
    const engine = this.#engine;
    const { memberId, raftTerm } = engine.identity;
    const errors: string[] = [];
    for (const alarm of engine.standingAlarms)
      errors.push(`memberID:${BigInt.asUintN(64, memberId)} alarm:${alarmName(alarm)}`);
    return {
      header: headerOf(engine),
      version: ETCD_VERSION,
      dbSize: Math.max(this.#options.storedBytes(), engine.store.memoryBytes),
      leader: memberId,
      raftIndex: this.#options.lastSequence(),
      raftTerm,
      raftAppliedIndex: this.#options.durableSequence(),
      errors,
      dbSizeInUse: engine.store.memoryBytes,
      storageVersion: STORAGE_VERSION,
      dbSizeQuota: engine.limits.quotaBytes,
      downgradeInfo: { enabled: false, targetVersion: '' },
    };
  }

  #alarm(request: AlarmRequest, call: ServerCall): Partial<AlarmResponse> | undefined {
    const engine = this.#engine;
    const { memberId } = engine.identity;
    if (request.action === ALARM_GET) {
      const alarms = engine.standingAlarms.filter((alarm) => request.alarm === ALARM_NONE || alarm === request.alarm);
      return { header: headerOf(engine), alarms: alarms.map((alarm) => ({ memberID: memberId, alarm })) };
    }
    const isKnown = request.action === ALARM_ACTIVATE || request.action === ALARM_DEACTIVATE;
    const isOurs = request.memberID === memberId;
    const changes = isKnown && request.alarm !== ALARM_NONE && isOurs;
    const wasRaised = engine.alarms.has(request.alarm);
    if (changes) engine.setAlarm(request.alarm, request.action === ALARM_ACTIVATE);
    const isListed = changes && (request.action === ALARM_ACTIVATE || wasRaised);
    const alarms = isListed ? [{ memberID: memberId, alarm: request.alarm }] : [];
    this.#committer.whenVisible(() => {
      call.reply(...wholeOf(encode(methods.alarm, { header: headerOf(engine), alarms })));
    });
    return undefined;
  }

  #hash(revision: number, call: ServerCall, answer: (result: HashResult) => Uint8Array): void {
    const { store } = this.#engine;
    const at = this.#engine.readRevision(revision);
    this.#hashes.begin();
    const job = store.hashKv(at);
    store.pin();
    this.#slices.addBackground(() => {
      if (call.isOpen && !job.step(HASH_SLICE_UNITS)) return false;
      store.unpin();
      job.close();
      this.#hashes.end();
      if (!call.isOpen) return true;
      const result = { hash: job.hash, compact_revision: job.compactRevision, hash_revision: at };
      call.reply(...wholeOf(answer(result)));
      return true;
    });
  }

  #snapshot(call: ServerCall): CallListener {
    let stream: SnapshotStream | undefined;
    return {
      onMessage: () => {
        stream ??= this.#startSnapshot(call);
      },
      onHalfClose: () => {},
      onDrain: () => stream?.drained(),
      onCancel: () => stream?.close(),
    };
  }

  #startSnapshot(call: ServerCall): SnapshotStream {
    this.#snapshots.begin();
    const stream = this.snapshotTo(new SnapshotCall(call, STORAGE_VERSION), () => this.#snapshots.end());
    stream.start();
    return stream;
  }

  /** The state as it is now, as etcd's snapshot file; to be started. `onEnd` is called when it is over, complete or not. */
  snapshotTo(target: SnapshotTarget, onEnd: () => void): SnapshotStream {
    const { memberId, raftTerm } = this.#engine.identity;
    return new SnapshotStream({
      target,
      engine: this.#engine,
      member: { id: memberId, ...this.#options.member },
      meta: {
        memberId,
        consistentIndex: Math.max(1, this.#options.lastSequence()),
        term: raftTerm,
        storageVersion: STORAGE_VERSION,
      },
      clusterVersion: ETCD_CLUSTER_VERSION,
      whenVisible: (callback) => this.#committer.whenVisible(callback),
      schedule: (step) => this.#slices.addBackground(step),
      onEnd,
    });
  }

  #members(): Partial<MemberListResponse> {
    const { name, peerUrls, clientUrls } = this.#options.member;
    const header = { ...headerOf(this.#engine), revision: 0 };
    const member = { ID: this.#engine.identity.memberId, name, peerURLs: [...peerUrls], clientURLs: [...clientUrls] };
    return { header, members: [{ ...member, isLearner: false }] };
  }
}

export function alarmName(alarm: number): string {
  return alarm === ALARM_NOSPACE ? 'NOSPACE' : 'CORRUPT';
}
