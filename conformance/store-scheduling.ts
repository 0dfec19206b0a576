/**
 * How fast pods are placed where the scheduler is the limit: `k1m schedule --bind=store` on `k1m serve`, and kube-scheduler 1.36 on a real kube-apiserver with
 * `k1m serve` as its store, in turn, for the same nodes and pods of `k1m lab`, all on this machine. Nodes' leases are renewed meanwhile at a tenth of the real rate.
 *
 *   node conformance/store-scheduling.ts [--nodes 5000] [--templates plain,anti,near,zone,host,mixed] [--pods 60000] [--warm 20000] [--their-pods 1000] [--their-warm 200]
 *
 * Both have placed `warm` plain pods before, which are not counted. What is measured is from the first pod created to the last one bound. anti is for one pod a node: then it
 * is 4,700 pods of ours (of 5,000 nodes, which have taints on one in twenty), behind twice as many to warm up. near is for all in one zone: 20,000 of ours,
 * what fits there.
 */
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { openPlane } from './kubernetes/open-plane.ts';
import { type Child, Children } from './lab/child.ts';
import { freePorts } from './lab/free-port.ts';
import { requirePeers } from './lab/peer-path.ts';
import { runMain } from './lab/run-main.ts';
import { startSubject } from './lab/subject.ts';
import { until } from './lab/wait.ts';

const readyMsMax = 120_000;
const boundMsMax = 420_000;
const untaintedShare = 0.94;
/** A zone has a sixteenth of the nodes, most of which take 80 to 110 pods. */
const ofOneZonePerNode = 4;
const names = ['k1m', 'kube-scheduler'] as const;
type Name = (typeof names)[number];

interface Load {
  readonly nodes: number;
  readonly pods: number;
  readonly warm: number;
  readonly template: string;
}

interface Measured {
  readonly podsPerSecond: number;
  readonly microsPerPod: number;
}

/** The lab's commands on one store. */
class Lab {
  readonly #children: Children;
  readonly #endpoint: string;

  constructor(children: Children, endpoint: string) {
    this.#children = children;
    this.#endpoint = endpoint;
  }

  start(name: string, ...args: readonly string[]): Child {
    return this.#children.startK1m(name, args);
  }

  async makeNodes(count: number): Promise<void> {
    const options = [`--endpoint=${this.#endpoint}`, '--no-kubelets', '--renew=0.1'];
    await logged(this.start('lab-nodes', 'lab', 'nodes', String(count), ...options), 'renewing');
  }

  /** Resolves with the seconds from the first one created to the last one bound. */
  async placePods(name: string, count: number, ...options: readonly string[]): Promise<number> {
    const args = ['lab', 'pods', String(count), `--endpoint=${this.#endpoint}`, ...options, '--wait-bound', '--json'];
    const child = this.start(name, ...args);
    const text = await logged(child, '"boundSeconds"', boundMsMax);
    return Number(JSON.parse(text.slice(text.indexOf('{'))).boundSeconds);
  }
}

/** Resolves with the log once it has that text. */
async function logged(child: Child, wanted: string, timeoutMs: number = readyMsMax): Promise<string> {
  let text = '';
  await until(`${child.name} to say ${wanted}`, { timeoutMs, everyMs: 50 }, () => {
    text = readFileSync(child.logPath, 'utf8');
    if (text.includes(wanted)) return true;
    child.assertRunning();
    return 'not yet';
  });
  return text;
}

async function startK1m(
  children: Children,
  folder: string,
): Promise<{ lab: Lab; startScheduler: () => Promise<Child> }> {
  const { endpoint } = await startSubject('k1m', children, folder);
  const lab = new Lab(children, endpoint);
  const [port = 0] = await freePorts(1);
  const flags = ['--bind=store', `--endpoints=${endpoint}`, '--leader-elect=false', `--port=${port}`];
  const startScheduler = async (): Promise<Child> => {
    const child = lab.start('k1m-schedule', 'schedule', ...flags);
    await logged(child, '"msg":"scheduling"');
    return child;
  };
  return { lab, startScheduler };
}

async function startKube(
  children: Children,
  folder: string,
): Promise<{ lab: Lab; startScheduler: () => Promise<Child> }> {
  const users = [{ name: 'system:kube-scheduler' }];
  const { plane, subject } = await openPlane({ children, folder, users, scheduler: 'kube-scheduler' });
  plane.client.close();
  return { lab: new Lab(children, subject.endpoint), startScheduler: async () => plane.startUsualScheduler() };
}

async function measure(name: Name, folder: string, { nodes, pods, warm, template }: Load): Promise<Measured> {
  mkdirSync(folder, { recursive: true });
  const children = new Children(folder);
  try {
    const { lab, startScheduler } = await (name === 'k1m' ? startK1m(children, folder) : startKube(children, folder));
    await lab.makeNodes(nodes);
    const scheduler = await startScheduler();
    await lab.placePods('warm', warm);
    const cpuBefore = scheduler.cpuSeconds;
    const seconds = await lab.placePods('pods', pods, `--template=${template}`, `--start=${warm}`);
    const cpuSeconds = scheduler.cpuSeconds - cpuBefore;
    return { podsPerSecond: pods / seconds, microsPerPod: (cpuSeconds / pods) * 1e6 };
  } finally {
    const order = ['lab-nodes', 'k1m-schedule', 'kube-scheduler', 'kube-apiserver'];
    for (const problem of await children.endAll(order)) process.stdout.write(`${problem}\n`);
  }
}

/** As much of that as the nodes hold of the template. */
function loadOf(template: string, load: Omit<Load, 'template'>): Omit<Load, 'nodes' | 'template'> {
  const { nodes, pods, warm } = load;
  if (template === 'anti') return { pods: Math.min(pods, Math.floor(nodes * untaintedShare)), warm: 2 * warm };
  return { pods: template === 'near' ? Math.min(pods, ofOneZonePerNode * nodes) : pods, warm };
}

function usage(line: string): never {
  process.stderr.write(
    `${line}\nusage: node conformance/store-scheduling.ts [--nodes N] [--templates LIST] [--pods N] [--warm N] [--their-pods N] [--their-warm N]\n`,
  );
  process.exit(2);
}

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      nodes: { type: 'string', default: '5000' },
      templates: { type: 'string', default: 'plain,anti,near,zone,host,mixed' },
      pods: { type: 'string', default: '60000' },
      warm: { type: 'string', default: '20000' },
      'their-pods': { type: 'string', default: '1000' },
      'their-warm': { type: 'string', default: '200' },
    },
  });
  const [nodes, pods, warm] = [values.nodes, values.pods, values.warm].map(Number);
  const theirs = { pods: Number(values['their-pods']), warm: Number(values['their-warm']) };
  if (![nodes, pods, warm, theirs.pods, theirs.warm].every((count) => Number.isInteger(count) && count > 0)) {
    usage('--nodes, --pods, --warm, --their-pods and --their-warm are whole numbers above 0');
  }
  requirePeers(['kube-apiserver', 'kube-scheduler']);
  const folder = mkdtempSync(join(tmpdir(), 'k1m-store-scheduling-'));
  for (const template of values.templates.split(',')) {
    const ours = loadOf(template, { nodes, pods, warm });
    const found: Measured[] = [];
    for (const name of names) {
      const load = { nodes, template, ...(name === 'k1m' ? ours : theirs) };
      const measured = await measure(name, join(folder, `${template}-${name}`), load);
      found.push(measured);
      const { podsPerSecond, microsPerPod } = measured;
      process.stdout.write(
        `${template.padEnd(6)} ${name.padEnd(14)} ${podsPerSecond.toFixed(0).padStart(6)} pods/s  CPU ${microsPerPod.toFixed(0).padStart(6)} µs a pod\n`,
      );
    }
    const [mine, its] = found;
    process.stdout.write(
      `${template.padEnd(6)} rate ${(mine.podsPerSecond / its.podsPerSecond).toFixed(0)} times, CPU 1/${(its.microsPerPod / mine.microsPerPod).toFixed(0)}\n`,
    );
  }
  rmSync(folder, { recursive: true });
  return 0;
}

await runMain(main);
