/**
 * A control plane on 127.0.0.1: kube-apiserver on the store under test, kube-controller-manager and kube-scheduler, as they
 * are. They log in as the users that RBAC's own roles are made for, elect leaders, and keep their ports over a restart.
 *
 * Not as by default: the API server compacts every 30 s (else a run would see no compaction) and lets events live 60 s (else it
 * would see no lease expire); leaders have longer to renew than a store is away with all that reconnects to it (else they give up
 * on a busy machine, on etcd too); and it ends watches when it is stopped (else it waits for them for a minute); its advertised address is one of TEST-NET-1, since a loopback one is refused for endpoints.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Child, Children } from '../lab/child.ts';
import { peerPath } from '../lab/peer-path.ts';
import { until } from '../lab/wait.ts';
import type { Credentials } from './credentials.ts';
import { KubeClient } from './kube-client.ts';

const ACCESS_FLAGS: readonly string[] = ['kubeconfig', 'authentication-kubeconfig', 'authorization-kubeconfig'];
const readyTimeoutMs = 90_000;

export const compactionIntervalSeconds = 30;
export const eventTtlSeconds = 60;

/** `k1m-store`: k1m schedule that watches and binds at the store. */
export type SchedulerName = 'kube-scheduler' | 'k1m' | 'k1m-store';

export function isSchedulerName(text: string): text is SchedulerName {
  return text === 'kube-scheduler' || text === 'k1m' || text === 'k1m-store';
}

export interface ControlPlaneOptions {
  readonly children: Children;
  readonly folder: string;
  readonly credentials: Credentials;
  readonly storeEndpoint: string;
  readonly ports: { readonly api: number; readonly controllers: number; readonly scheduler: number };
  /** Whose scheduler places the pods: kube-scheduler, unless another is named. */
  readonly scheduler?: SchedulerName;
  /** Further flags of kube-apiserver. */
  readonly apiServerArgs?: readonly string[];
}

const patience: readonly string[] = ['--leader-elect-lease-duration=60s', '--leader-elect-renew-deadline=40s'];

export class ControlPlane {
  readonly client: KubeClient;
  readonly adminConfigPath: string;
  readonly #options: ControlPlaneOptions;
  #apiServer: Child | undefined;
  readonly #controllers: Child[] = [];

  constructor(options: ControlPlaneOptions) {
    this.#options = options;
    const { credentials, ports } = options;
    this.client = new KubeClient(ports.api, readFileSync(credentials.caPath), credentials.tokens.get('admin') ?? '');
    this.adminConfigPath = this.#writeConfig('admin');
  }

  #writeConfig(user: string): string {
    const { folder, credentials, ports } = this.#options;
    const config = {
      apiVersion: 'v1',
      kind: 'Config',
      clusters: [
        {
          name: 'k1m',
          cluster: { server: `https://127.0.0.1:${ports.api}`, 'certificate-authority': credentials.caPath },
        },
      ],
      users: [{ name: user, user: { token: credentials.tokens.get(user) ?? '' } }],
      contexts: [{ name: 'k1m', context: { cluster: 'k1m', user } }],
      'current-context': 'k1m',
    };
    const path = join(folder, `${user.replaceAll(':', '-')}.kubeconfig`);
    writeFileSync(path, JSON.stringify(config), { mode: 0o600 });
    return path;
  }

  /** A kubeconfig that logs in as the scheduler does. */
  schedulerConfig(): string {
    return this.#writeConfig('system:kube-scheduler');
  }

  async startApiServer(): Promise<void> {
    const { children, credentials, storeEndpoint, ports, apiServerArgs = [] } = this.#options;
    const file = (name: string): string => join(credentials.folder, name);
    const child = children.start({
      name: 'kube-apiserver',
      program: peerPath('kube-apiserver'),
      args: [
        `--etcd-servers=${storeEndpoint}`,
        `--etcd-compaction-interval=${compactionIntervalSeconds}s`,
        `--event-ttl=${eventTtlSeconds}s`,
        '--shutdown-watch-termination-grace-period=2s',
        '--bind-address=127.0.0.1',
        '--advertise-address=192.0.2.1',
        `--secure-port=${ports.api}`,
        `--tls-cert-file=${file('api.crt')}`,
        `--tls-private-key-file=${file('api.key')}`,
        `--client-ca-file=${file('ca.crt')}`,
        `--token-auth-file=${file('tokens.csv')}`,
        '--authorization-mode=Node,RBAC',
        '--enable-admission-plugins=NodeRestriction',
        '--service-account-issuer=https://kubernetes.default.svc',
        `--service-account-key-file=${file('sa.pub')}`,
        `--service-account-signing-key-file=${file('sa.key')}`,
        '--service-cluster-ip-range=10.96.0.0/16',
        ...apiServerArgs,
      ],
    });
    this.#apiServer = child;
    await until('kube-apiserver to be ready', { timeoutMs: readyTimeoutMs, everyMs: 50 }, async () => {
      if (!child.isRunning) return true;
      return (await this.client.send<string>('GET', '/readyz')) === 'ok' ? true : 'not ok';
    });
    child.assertRunning();
  }

  async stopApiServer(signal: 'SIGTERM' | 'SIGKILL' = 'SIGTERM'): Promise<void> {
    await this.#apiServer?.end(signal);
  }

  /** To stand still, and go on. */
  signalApiServer(signal: 'SIGSTOP' | 'SIGCONT'): void {
    this.#apiServer?.signal(signal);
  }

  startControllers(): void {
    const { children, credentials, ports } = this.#options;
    const file = (name: string): string => join(credentials.folder, name);
    const access = (user: string): string[] => {
      const config = this.#writeConfig(user);
      return [...ACCESS_FLAGS.map((flag) => `--${flag}=${config}`), '--bind-address=127.0.0.1'];
    };
    this.#controllers.push(
      children.start({
        name: 'kube-controller-manager',
        program: peerPath('kube-controller-manager'),
        args: [
          ...access('system:kube-controller-manager'),
          `--secure-port=${ports.controllers}`,
          `--root-ca-file=${file('ca.crt')}`,
          `--service-account-private-key-file=${file('sa.key')}`,
          '--use-service-account-credentials=true',
          '--kube-api-qps=1000',
          '--kube-api-burst=2000',
          ...patience,
        ],
      }),
    );
    this.startUsualScheduler();
  }

  /** The scheduler that the options name, as it is. Its process is in the answer. */
  startUsualScheduler(): Child {
    const { children, ports, scheduler, storeEndpoint } = this.#options;
    const config = this.#writeConfig('system:kube-scheduler');
    // One takes the other's place: the same flags, as a manifest has them.
    const args = [
      ...ACCESS_FLAGS.map((flag) => `--${flag}=${config}`),
      '--bind-address=127.0.0.1',
      `--secure-port=${ports.scheduler}`,
      '--kube-api-qps=10000',
      '--kube-api-burst=20000',
      ...patience,
    ];
    const atStore = scheduler === 'k1m-store' ? ['--bind=store', `--endpoints=${storeEndpoint}`] : [];
    const child =
      scheduler === 'k1m' || scheduler === 'k1m-store'
        ? children.startK1m('k1m-schedule', ['schedule', ...args, ...atStore])
        : children.start({ name: 'kube-scheduler', program: peerPath('kube-scheduler'), args });
    this.#controllers.push(child);
    return child;
  }

  /** One k1m schedule of perhaps several, by its name. */
  startK1mScheduler(name: string, args: readonly string[]): Child {
    const config = this.#writeConfig('system:kube-scheduler');
    return this.#options.children.startK1m(name, ['schedule', `--kubeconfig=${config}`, ...args]);
  }

  /** A process that is a shard of each k1m schedule whose arguments name it: `shardArgs`. */
  startShard(name: string, port: number): Child {
    const at = ['schedule', 'shard', '--listen', `127.0.0.1:${port}`];
    return this.#options.children.startK1m(name, [...at, ...this.#shardFiles('')]);
  }

  /** Of a k1m schedule with shards on these ports. */
  shardArgs(ports: readonly number[]): readonly string[] {
    return [`--shards-at=${ports.map((port) => `127.0.0.1:${port}`).join(',')}`, ...this.#shardFiles('shards-')];
  }

  #shardFiles(prefix: string): readonly string[] {
    const { folder } = this.#options.credentials;
    return [
      ['cert-file', 'shards.crt'],
      ['key-file', 'shards.key'],
      ['trusted-ca-file', 'ca.crt'],
    ].map(([flag, file]) => `--${prefix}${flag}=${join(folder, file)}`);
  }

  /** kube-scheduler alone. `configOf` is given the path of its kubeconfig and answers its configuration. */
  startScheduler(args: readonly string[], configOf: (kubeconfig: string) => object): Child {
    const { children, folder, ports } = this.#options;
    const path = join(folder, 'scheduler-configuration.json');
    writeFileSync(path, JSON.stringify(configOf(this.#writeConfig('system:kube-scheduler'))));
    const child = children.start({
      name: 'kube-scheduler',
      program: peerPath('kube-scheduler'),
      args: [`--config=${path}`, '--bind-address=127.0.0.1', `--secure-port=${ports.scheduler}`, ...args],
    });
    this.#controllers.push(child);
    return child;
  }

  /** Throws when the controller manager or the scheduler has given up. */
  assertRunning(): void {
    this.#apiServer?.assertRunning();
    for (const child of this.#controllers) child.assertRunning();
  }
}
