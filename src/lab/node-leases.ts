// The leases of the lab's nodes: made together, then renewed in turn as kubelets do by way of an API server, each once in ten seconds.

import { ArrivalSchedule } from '../bench/arrival-schedule.ts';
import { KeySet } from '../bench/key-set.ts';
import { UpdateLoad } from '../bench/update-load.ts';
import { NodeLeaseValue } from '../bench/update-values.ts';
import type { EtcdClient } from '../client/etcd-client.ts';
import type { Clock } from '../io/clock.ts';
import { RENEW_SECONDS } from './lab-target.ts';

export interface NodeLeasesOptions {
  readonly clock: Clock;
  /** Where leases lie. */
  readonly folder: string;
  /** Of the nodes' names. */
  readonly prefix: string;
  readonly count: number;
  readonly bytes: number;
}

export class NodeLeases {
  readonly load: UpdateLoad;
  readonly #keys: KeySet;
  readonly #value: NodeLeaseValue;

  constructor({ clock, folder, prefix, count, bytes }: NodeLeasesOptions) {
    this.#keys = new KeySet(folder + prefix, count);
    const now = (): number => Math.floor(clock.wallMs() / 1000);
    this.#value = new NodeLeaseValue(prefix, bytes, now(), now);
    this.load = new UpdateLoad(this.#keys, this.#value);
  }

  /** When renewals are due, at a fraction of the kubelets' rate. A renewal that its node's next one has overtaken is left out, as kubelets do. */
  schedule(fraction: number): ArrivalSchedule {
    const { count } = this.#keys;
    return new ArrivalSchedule((count / RENEW_SECONDS) * fraction, count);
  }

  /** A lease has one renewal on its way at a time. */
  inFlightMax(wanted: number): number {
    return Math.max(1, Math.min(wanted, Math.floor(this.#keys.count / 2)));
  }

  /** Those that are there already are renewed. */
  create(client: EtcdClient): Promise<void> {
    return this.#keys.create(client, (index) => this.#value.makeValue(index));
  }
}
