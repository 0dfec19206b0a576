// `k1m schedule --bind=store`: which client of the cluster a scheduler gets.

import { type Command, InvalidArgumentError } from 'commander';
import { EtcdClient } from '../client/etcd-client.ts';
import { RealClock } from '../io/clock.ts';
import { TcpNetwork } from '../io/tcp-network.ts';
import type { HttpKubeApi } from '../kube-api/http-kube-api.ts';
import type { KubeApi } from '../kube-api/kube-api.ts';
import { REGISTRY_PREFIX_DEFAULT } from '../kube-store/registry-key.ts';
import { StoreKubeApi } from '../kube-store/store-kube-api.ts';
import type { SchedulerProfile } from '../scheduler/model/scheduler-profile.ts';
import { endpointUrl } from './endpoint-flag.ts';
import { UsageError } from './flag-values.ts';
import { type ClusterFlags, openApi } from './schedule-settings.ts';

/** Bindings at the store on their way at a time. */
const STORE_BINDINGS_MAX = 4096;

const ALONE: readonly string[] = [
  'no --kubeconfig: conditions of pods are written at the store, events are left out, pods with volumes to bind wait',
  'no --kubeconfig: nothing is preempted: victims are deleted through the API server',
  'no --kubeconfig: the secure port is closed, since nobody can be asked who may see it; --port has the same pages',
];

/** commander's names of the options. */
export interface BindFlags {
  readonly bind: 'api' | 'store';
  readonly endpoints?: readonly string[];
  readonly etcdPrefix: string;
}

export function addBindOptions(command: Command): Command {
  return command
    .option(
      '--bind <where>',
      'watch and bind through the API server (api), or at the store itself (store)',
      where,
      'api',
    )
    .option('--endpoints <urls>', 'of the store, separated by commas; for --bind=store', urls)
    .option('--etcd-prefix <path>', "kube-apiserver's flag of that name; for --bind=store", REGISTRY_PREFIX_DEFAULT);
}

function where(text: string): string {
  if (text === 'api' || text === 'store') return text;
  throw new InvalidArgumentError('api or store is expected.');
}

function urls(text: string): readonly string[] {
  return text.split(',').map(endpointUrl);
}

export interface OpenedCluster {
  readonly api: KubeApi;
  /** Undefined where the store is all there is. */
  readonly apiServer: HttpKubeApi | undefined;
  readonly bindingsMax: number | undefined;
  readonly remarks: readonly string[];
}

/** What the cluster allows of them. Victims are marked and deleted through an API server: without one none is chosen, and no room is set aside. */
export function profilesAt(
  { apiServer }: Pick<OpenedCluster, 'apiServer'>,
  profiles: readonly SchedulerProfile[],
): readonly SchedulerProfile[] {
  return apiServer === undefined ? profiles.map((profile) => ({ ...profile, preempts: false })) : profiles;
}

interface Wanted extends ClusterFlags, BindFlags {
  readonly leaderElect: boolean;
}

/** Throws UsageError and CredentialsError. */
export async function openCluster(flags: Wanted, kubeconfig: string | undefined): Promise<OpenedCluster> {
  if (flags.bind === 'api') {
    if (flags.endpoints !== undefined) throw new UsageError('--endpoints is for --bind=store', 'schedule');
    const apiServer = await openApi(flags, kubeconfig);
    return { api: apiServer, apiServer, bindingsMax: undefined, remarks: [] };
  }
  const { endpoints } = flags;
  if (endpoints === undefined) throw new UsageError('--bind=store needs --endpoints', 'schedule');
  const isWithApi = kubeconfig !== undefined || flags.master !== undefined;
  if (!isWithApi && flags.leaderElect) {
    const text =
      'the Lease of the leader is written through the API server: give --kubeconfig, or --leader-elect=false for a lone scheduler';
    throw new UsageError(text, 'schedule');
  }
  const clock = new RealClock();
  const apiServer = isWithApi ? await openApi(flags, kubeconfig) : undefined;
  const client = new EtcdClient({ network: new TcpNetwork(), clock, endpoints });
  const api = new StoreKubeApi({
    client,
    clock,
    prefix: flags.etcdPrefix,
    chance: Math.random,
    ...(apiServer === undefined ? {} : { api: apiServer }),
  });
  return { api, apiServer, bindingsMax: STORE_BINDINGS_MAX, remarks: isWithApi ? [] : ALONE };
}
