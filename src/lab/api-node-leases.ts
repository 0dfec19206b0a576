// The leases of the lab's nodes through the API server, as kubelets write them: created with their node as owner, then replaced in turn with the version
// that was last answered. One that somebody else has written is read and renewed at its next turn. A renewal that its node's next one has overtaken is left
// out, as kubelets do.

import { ArrivalSchedule } from '../bench/arrival-schedule.ts';
import { LatencyHistogram } from '../bench/latency-histogram.ts';
import type { Clock, Timer } from '../io/clock.ts';
import { NODE_LEASE_NAMESPACE } from '../kube/node-lease.ts';
import type { JsonObject, KubeApi, WriteOutcome } from '../kube-api/kube-api.ts';
import type { ObjectApi } from '../kube-api/object-api.ts';
import { fieldsOf, textOf } from '../kube-api/object-head.ts';
import { failureText } from '../kube-api/outcome.ts';
import { microTime } from '../kube-api/request-bodies.ts';
import { Trouble } from '../kube-api/trouble.ts';
import { type LeaseRenewal, RENEW_SECONDS } from './lab-target.ts';

const LEASE_SECONDS = 40;
const TICK_MS = 10;
const CREATED_AT_ONCE = 64;

export interface ApiNodeLeasesOptions {
  readonly api: KubeApi;
  readonly objects: ObjectApi;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  /** By number. */
  readonly nameOf: (index: number) => string;
  readonly count: number;
  /** By name, as they are now. */
  readonly nodeUids: () => Promise<ReadonlyMap<string, string>>;
  /** For a log. */
  readonly onProblem: (text: string) => void;
}

export class ApiNodeLeases implements LeaseRenewal {
  renewed = 0;
  failed = 0;
  readonly #options: ApiNodeLeasesOptions;
  readonly #latency = new LatencyHistogram();
  readonly #trouble: Trouble;
  /** By number; '' when it is to be read first. */
  readonly #versions: string[];
  #nodeUids: ReadonlyMap<string, string> = new Map();
  #timer: Timer | undefined;
  #schedule: ArrivalSchedule | undefined;
  #next = 0;
  #inFlight = 0;

  constructor(options: ApiNodeLeasesOptions) {
    this.#options = options;
    this.#versions = new Array<string>(options.count).fill('');
    this.#trouble = new Trouble(options.clock, 'leases: renewed again', options.onProblem);
  }

  get late(): number {
    return this.#schedule?.due(this.#options.clock.nowMs()) ?? 0;
  }

  get p99Micros(): number {
    return this.#latency.percentiles().p99Micros;
  }

  async create(): Promise<void> {
    const { count, signal, nodeUids } = this.#options;
    this.#nodeUids = await nodeUids();
    let next = 0;
    const work = async (): Promise<void> => {
      while (next < count && !signal.aborted) await this.#create(next++);
    };
    await Promise.all(Array.from({ length: Math.min(CREATED_AT_ONCE, count) }, work));
  }

  start(fraction: number, inFlight: number): void {
    const { clock, count } = this.#options;
    const schedule = new ArrivalSchedule((count / RENEW_SECONDS) * fraction, count);
    schedule.start(clock.nowMs());
    this.#schedule = schedule;
    this.#tick(schedule, Math.max(1, Math.min(inFlight, Math.floor(count / 2))));
  }

  stop(): void {
    this.#timer?.cancel();
  }

  #tick(schedule: ArrivalSchedule, inFlightMax: number): void {
    const { clock, count } = this.#options;
    for (let due = schedule.due(clock.nowMs()); due > 0 && this.#inFlight < inFlightMax; due--) {
      void this.#renew(this.#next, schedule.take());
      this.#next = (this.#next + 1) % count;
    }
    this.#timer = clock.setTimer(TICK_MS, () => this.#tick(schedule, inFlightMax));
  }

  /** One that is there already, or is not answered, is read at its first turn. */
  async #create(index: number): Promise<void> {
    const outcome = await this.#options.objects.create('leases', NODE_LEASE_NAMESPACE, this.#lease(index));
    if (outcome.kind === 'done') this.#versions[index] = versionOf(outcome.object);
    else if (outcome.kind !== 'conflict') this.#trouble.fail(`create lease: ${failureText(outcome)}`);
  }

  async #renew(index: number, intendedMs: number): Promise<void> {
    this.#inFlight++;
    const outcome = await this.#write(index);
    this.#inFlight--;
    if (outcome.kind === 'done') {
      this.#versions[index] = versionOf(outcome.object);
      this.renewed++;
      this.#latency.record(this.#options.clock.nowMs() - intendedMs);
      this.#trouble.end();
    } else {
      this.#versions[index] = '';
      this.failed++;
      this.#trouble.fail(`renew lease ${this.#options.nameOf(index)}: ${failureText(outcome)}`);
    }
  }

  async #write(index: number): Promise<WriteOutcome> {
    const { api, objects, nameOf } = this.#options;
    const place = { namespace: NODE_LEASE_NAMESPACE, name: nameOf(index) };
    if (this.#versions[index] === '') {
      const found = await api.read('leases', place);
      if (found.kind === 'gone') return objects.create('leases', NODE_LEASE_NAMESPACE, this.#lease(index));
      if (found.kind !== 'found') return found;
      this.#versions[index] = versionOf(found.object);
    }
    return objects.replace('leases', place, this.#lease(index));
  }

  #lease(index: number): JsonObject {
    const { nameOf, clock } = this.#options;
    const name = nameOf(index);
    const uid = this.#nodeUids.get(name);
    const resourceVersion = this.#versions[index];
    return {
      apiVersion: 'coordination.k8s.io/v1',
      kind: 'Lease',
      metadata: {
        name,
        namespace: NODE_LEASE_NAMESPACE,
        ...(resourceVersion === '' ? {} : { resourceVersion }),
        ...(uid === undefined ? {} : { ownerReferences: [{ apiVersion: 'v1', kind: 'Node', name, uid }] }),
      },
      spec: {
        holderIdentity: name,
        leaseDurationSeconds: LEASE_SECONDS,
        renewTime: microTime(clock.wallMs()),
      },
    };
  }
}

function versionOf(object: JsonObject): string {
  return textOf(fieldsOf(object.metadata).resourceVersion);
}
