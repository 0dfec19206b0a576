/**
 * The store is killed again and again under a working control plane: by kill -9, by kill -9 after it was stopped and continued, and
 * by itself at a failpoint around one of its durable steps. Deployments are scaled meanwhile, and a ledger is written.
 *
 * After each start the store's revision must not be lower than before, and every deployment must be as the last acknowledged change left
 * it, unless an unanswered one may have followed. At the end the controllers must bring about what is asked for, and informers,
 * ledger and API server must agree.
 */
import { Random } from '../../src/testing/random.ts';
import { sleep, until } from '../lab/wait.ts';
import * as manifests from './manifests.ts';
import { finalAgreement } from './restart-steps.ts';
import { assertThat, type Lab, type Step, storeRevision } from './step.ts';
import { registerNodes, rolledOut, workloads } from './workload-steps.ts';

export interface KillOptions {
  readonly kills: number;
  readonly seed: number;
}

const deploymentCount = 5;
const replicasMax = 8;
const aliveMsMax = 2_000;
const awayMsMax = 400;
const stoppedMsMax = 1_500;
const scaleEveryMs = 60;
/** Backoff of kube-apiserver's etcd client included. */
const reconnectMsMax = 60_000;
const failpointMsMax = 5_000;
const deaths = ['kill', 'kill', 'stop', 'failpoint', 'failpoint'] as const;
const failpoints: readonly string[] = [
  'journal/before-durable-write=exit(0.01)',
  'journal/during-durable-write=exit(0.01)',
  'journal/after-durable-write=exit(0.01)',
  'journal/before-rename=exit',
  'journal/after-sync-folder=exit',
  'snapshot/during-durable-write=exit',
  'snapshot/before-rename=exit',
  'snapshot/after-rename=exit',
];
/** So that segments and snapshots come and go in so short a time. */
const storeFlags: readonly string[] = ['--snapshot-log-bytes=400000', '--snapshot-log-percent=20'];

/** A deployment as its last acknowledged scaling left it. */
interface Scaled {
  readonly path: string;
  replicas: number;
  revision: number;
  /** Another scaling was sent since, and not answered. */
  isUncertain: boolean;
}

class Killing {
  readonly #lab: Lab;
  readonly #random: Random;
  readonly #deployments: Scaled[] = [];
  readonly #counts = new Map<string, number>();
  #isOver = false;
  #scalings = 0;
  #revision = 0;

  constructor(lab: Lab, seed: number) {
    this.#lab = lab;
    this.#random = new Random(seed);
  }

  async run(kills: number): Promise<string> {
    await this.#deploy();
    const scaling = this.#scaleOn();
    try {
      for (let i = 0; i < kills; i++) await this.#kill();
    } finally {
      this.#isOver = true;
    }
    await this.#restart('');
    await scaling;
    await this.#check();
    await this.#converge();
    const kinds = [...this.#counts].map(([kind, count]) => `${count} ${kind}`);
    return `${kinds.join(', ')}; ${this.#scalings} scalings acknowledged, revision ${this.#revision}`;
  }

  async #deploy(): Promise<void> {
    const { client } = this.#lab;
    await client.create('/api/v1/namespaces', manifests.namespace('work'));
    for (let i = 0; i < deploymentCount; i++) {
      const name = `scaled-${i}`;
      const object = await client.create(
        workloads,
        manifests.deployment({ name, replicaCount: 2, image: 'registry.invalid/app:1' }),
      );
      const revision = Number(object.metadata.resourceVersion);
      this.#deployments.push({ path: `${workloads}/${name}`, replicas: 2, revision, isUncertain: false });
    }
  }

  async #scaleOn(): Promise<void> {
    while (!this.#isOver) {
      const deployment = this.#random.pick(this.#deployments);
      await this.#scale(deployment, this.#random.between(0, replicasMax)).catch(() => {});
      await sleep(scaleEveryMs);
    }
  }

  async #scale(deployment: Scaled, replicas: number): Promise<void> {
    deployment.isUncertain = true;
    const answer = await this.#lab.client.patch(`${deployment.path}/scale`, { spec: { replicas } });
    const revision = Number(answer.metadata.resourceVersion);
    assertThat(revision >= deployment.revision, `${deployment.path} at ${revision} after ${deployment.revision}`);
    Object.assign(deployment, { replicas, revision, isUncertain: false });
    this.#scalings++;
  }

  /** One life: until the API takes writes again, and some time more; then its death. */
  async #kill(): Promise<void> {
    const { ledger, subject } = this.#lab;
    const { server } = subject;
    if (server === undefined) throw new Error('the store is not ours to kill');
    const death = this.#random.pick(deaths);
    await this.#restart(death === 'failpoint' ? this.#random.pick(failpoints) : '');
    const sinceMs = Date.now();
    await until('the API to take writes', { timeoutMs: reconnectMsMax, everyMs: 20 }, () => {
      return ledger.lastMs > sinceMs || !server.isRunning || 'no write';
    });
    if (server.isRunning) await this.#check();
    await sleep(this.#random.between(0, aliveMsMax));
    if (death === 'stop') {
      server.signal('SIGSTOP');
      await sleep(this.#random.between(0, stoppedMsMax));
      server.signal('SIGCONT');
      await sleep(this.#random.between(0, 50));
    }
    const untilMs = Date.now() + failpointMsMax;
    while (death === 'failpoint' && server.isRunning && Date.now() < untilMs) await sleep(10);
    const how = server.isRunning ? `by kill -9${death === 'stop' ? ' after SIGSTOP' : ''}` : 'by failpoint';
    this.#counts.set(how, (this.#counts.get(how) ?? 0) + 1);
    await server.stop('SIGKILL');
    await sleep(this.#random.between(0, awayMsMax));
  }

  /** A store that ended at a failpoint before it served is started again without one. */
  async #restart(failpoint: string): Promise<void> {
    const { server } = this.#lab.subject;
    await server?.stop('SIGKILL');
    const env = failpoint === '' ? {} : { K1M_FAILPOINTS: failpoint };
    if ((await server?.tryStart(env, storeFlags)) === false) {
      this.#counts.set('before it served', (this.#counts.get('before it served') ?? 0) + 1);
      await this.#restart('');
      return;
    }
    // It may be gone again already.
    const revision = await storeRevision(this.#lab).catch(() => this.#revision);
    assertThat(revision >= this.#revision, `the store's revision was ${this.#revision} and is ${revision}`);
    this.#revision = revision;
  }

  async #check(): Promise<void> {
    for (const deployment of this.#deployments) {
      const { path, replicas, revision, isUncertain } = deployment;
      const object = await this.#lab.client.get(path).catch(() => undefined);
      // The store is gone again, or it has been scaled meanwhile.
      if (object === undefined || deployment.revision !== revision || deployment.isUncertain || isUncertain) continue;
      const found = Number(object.metadata.resourceVersion);
      assertThat(found >= revision, `${path} at ${found} after ${revision}`);
      const text = `${path} has ${object.spec?.replicas} replicas, ${replicas} were acknowledged at ${revision}`;
      assertThat(object.spec?.replicas === replicas, text);
    }
  }

  async #converge(): Promise<void> {
    const { plane } = this.#lab;
    for (const [index, deployment] of this.#deployments.entries()) {
      const replicas = index + 1;
      await until('the API to take writes', { timeoutMs: reconnectMsMax }, async () => {
        await this.#scale(deployment, replicas);
        return true;
      });
      await rolledOut(this.#lab, deployment.path, replicas);
    }
    await until('the pods that are asked for', { timeoutMs: reconnectMsMax }, async () => {
      const { items } = await this.#lab.client.list('/api/v1/namespaces/work/pods');
      const asked = this.#deployments.reduce((sum, { replicas }) => sum + replicas, 0);
      return items.length === asked || `${items.length} of ${asked}`;
    });
    plane.assertRunning();
  }
}

export function killSteps({ kills, seed }: KillOptions): readonly Step[] {
  return [
    { name: 'nodes register and renew their leases', run: registerNodes },
    { name: `the store is killed ${kills} times, seed ${seed}`, run: (lab) => new Killing(lab, seed).run(kills) },
    { name: 'informers, ledger and API server agree', run: finalAgreement },
  ];
}
