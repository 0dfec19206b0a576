// A whole control plane's load without an API server: `k1m serve` with fsync, `k1m lab` and `k1m schedule --bind=store`, each a process, on this machine.
//   node bench/cluster.ts --help
// Nodes and leases are made, leases renewed at a fraction of the real rate, then pods are made, all at once or at a rate. Printed: from the first pod
// created to the last one bound, latency from created to bound (a sample), CPU a pod of scheduler and store, memory; every pod is looked up in the
// store afterwards.
// A run of less than 60,000 pods is mostly that of processes which have just begun to compile.

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { MessageDecoder } from '../src/kube/message-decoder.ts';
import { readEnvelope } from '../src/kube/stored-object.ts';
import { podViewOf, UNVIEWED_FIELDS } from '../src/lab/pod-view.ts';
import { Command, freePort } from './command.ts';
import { countPods, DecidedPods, storeClient } from './decided-pods.ts';
import { NodeChanges } from './node-changes.ts';

const { values } = parseArgs({
  options: {
    nodes: { type: 'string', default: '10000' },
    pods: { type: 'string', default: '20000' },
    template: { type: 'string', default: 'plain' },
    deployments: { type: 'string', default: '0' },
    unschedulable: { type: 'string', default: '0' },
    'node-changes': { type: 'string', default: '0' },
    renew: { type: 'string', default: '0.1' },
    rate: { type: 'string', default: '0' },
    warm: { type: 'string', default: '0' },
    kubelets: { type: 'boolean', default: false },
    half: { type: 'boolean', default: false },
    restart: { type: 'boolean', default: false },
    folder: { type: 'string', default: tmpdir() },
    help: { type: 'boolean', default: false },
  },
});
const HELP = `node bench/cluster.ts [options]
  --nodes N          nodes, each with its lease (10000)
  --pods N           pods (20000)
  --template NAME    what they want: plain, anti (at most as many as nodes without taints), near (what fits into one zone), zone, host, mixed (plain)
  --deployments N    instead of a template: pods of so many Deployments in turn, of 35 sizes (0)
  --unschedulable N  of a hundred of these pods so many ask for more than any node has. The run lasts until they are told so;
                     rates and CPU count the others alone (0)
  --node-changes N   changes of nodes a second while pods are placed: labels, heartbeats, room (0)
  --warm N           plain pods that are bound before, and not counted, so that all processes have compiled what they run (0)
  --renew SHARE      of the leases' real rate, a renewal every 10 s (0.1)
  --rate N           pods made a second; 0: all at once (0)
  --kubelets         the nodes run their pods, as fast as the store takes it; also printed is when all run, and CPU a pod of the nodes' process
  --half             then once more, with a new cluster, at half of the rate that they were bound at
  --restart          then how long a new scheduler takes with that state to its first decision
  --folder DIR       where the store's data folder is made (${tmpdir()})
`;
const SIZES = 35;
const HUNDRED = 100;
const TOLD_POLL_MS = 100;
const TOLD_MS_MAX = 60_000;
const unschedulable = wholeNumber('unschedulable', 99);
const changesASecond = wholeNumber('node-changes', 100_000);
if (unschedulable > 0 && Number(values.deployments) === 0) usageError('--unschedulable needs --deployments');
if (unschedulable > 0 && values.kubelets) usageError('--unschedulable: with --kubelets all pods have to run');

function usageError(text: string): never {
  process.stderr.write(`${text}\n`);
  process.exit(2);
}

function wholeNumber(option: 'unschedulable' | 'node-changes', max: number): number {
  const value = Number(values[option]);
  if (!/^\d+$/.test(values[option]) || value > max)
    usageError(`--${option}: a whole number from 0 to ${max} is expected`);
  return value;
}

/** Spread evenly over the numbers of pods. */
function fitsNowhere(number: number): boolean {
  return ((number + 1) * unschedulable) % HUNDRED < unschedulable;
}

function say(name: string, value: string): void {
  process.stdout.write(`${name.padEnd(34)} ${value}\n`);
}

const running: Command[] = [];

function start(...args: string[]): Command {
  const command = new Command(args);
  running.push(command);
  return command;
}

/** Looks at a pod in a hundred until the last one runs; how long it took. */
async function untilRunning(endpoint: string, pods: number, startMs: number): Promise<string> {
  const client = storeClient(endpoint);
  const decoder = new MessageDecoder(UNVIEWED_FIELDS);
  for (let index = 0; index < pods; ) {
    const pair = await client.get(`/registry/pods/default/lab-pod-${String(index).padStart(7, '0')}`);
    const value = pair?.value ?? new Uint8Array();
    const { kind, rawStart, rawEnd } = readEnvelope(value);
    const { phase } = podViewOf(decoder.decode(kind, value, rawStart, rawEnd) ?? {});
    if (phase === 'Running') index = index === pods - 1 ? pods : Math.min(pods - 1, index + 100);
    else await new Promise((resolve) => setTimeout(resolve, 50));
  }
  client.close();
  const seconds = (performance.now() - startMs) / 1000;
  return `${seconds.toFixed(1)} s, ${Math.round(pods / seconds)}/s`;
}

async function startScheduler(endpoint: string): Promise<{ scheduler: Command; seconds: number }> {
  const startMs = performance.now();
  const port = await freePort();
  const flags = ['--bind=store', `--endpoints=${endpoint}`, '--leader-elect=false', `--port=${port}`];
  const scheduler = start('schedule', ...flags);
  await scheduler.line('"msg":"scheduling"');
  return { scheduler, seconds: (performance.now() - startMs) / 1000 };
}

/** What pods to make, as flags of `k1m lab pods`. */
function kindsOfPods(folder: string): string[] {
  const count = Number(values.deployments);
  if (count === 0) return [`--template=${values.template}`];
  const path = join(folder, 'deployments.json');
  const length = unschedulable === 0 ? count : Math.ceil(count / HUNDRED) * HUNDRED;
  const manifests = Array.from({ length }, (_, index) => {
    const deployment = index % count;
    const labels = { app: `app-${deployment}` };
    const cpu = fitsNowhere(index) ? '1000' : `${10 * (1 + (deployment % SIZES))}m`;
    const requests = { cpu, memory: '64Mi' };
    const spec = { containers: [{ name: 'main', image: 'app:v1', resources: { requests } }] };
    const metadata = { name: `app-${deployment}` };
    return { apiVersion: 'apps/v1', kind: 'Deployment', metadata, spec: { template: { metadata: { labels }, spec } } };
  });
  writeFileSync(path, JSON.stringify({ apiVersion: 'v1', kind: 'List', items: manifests }));
  return ['-f', path];
}

interface Placed {
  /** Until all were created. */
  readonly seconds: number;
  /** From the first one created to the last one bound. */
  readonly boundSeconds: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly maxMs: number;
}

/** Makes the pods; resolves when they have been decided about. */
async function place(endpoint: string, folder: string, podsASecond: number): Promise<Placed> {
  const flags = [...kindsOfPods(folder), `--rate=${podsASecond}`, `--start=${values.warm}`, '--json'];
  const make = (...more: string[]): Command =>
    start('lab', 'pods', values.pods, `--endpoint=${endpoint}`, ...flags, ...more);
  if (unschedulable === 0) return JSON.parse(await make('--wait-bound').line('"boundSeconds"'));
  const warm = Number(values.warm);
  const pods = new DecidedPods(endpoint, { start: warm, end: warm + Number(values.pods), fitsNowhere });
  await pods.watch();
  const { seconds } = JSON.parse(await make().line('"seconds"'));
  await pods.whole();
  const { firstCreatedMs, lastBoundMs, lastToldMs } = pods;
  const { p50Micros, p99Micros, maxMicros } = pods.latency.percentiles();
  // None in a run of few pods.
  if (lastToldMs > 0)
    say('first created to last refusal told', `${((lastToldMs - firstCreatedMs) / 1000).toFixed(1)} s`);
  return {
    seconds,
    boundSeconds: (lastBoundMs - firstCreatedMs) / 1000,
    p50Ms: p50Micros / 1000,
    p99Ms: p99Micros / 1000,
    maxMs: maxMicros / 1000,
  };
}

/** How many of the pods made have a place somewhere. */
function fitting(): number {
  const start = Number(values.warm);
  return Array.from({ length: Number(values.pods) }, (_, index) => start + index).filter((n) => !fitsNowhere(n)).length;
}

/** What the store has in the end. All that fit nowhere may take a moment longer to be told so than those of the sample. */
async function sayWhatIsStored(endpoint: string): Promise<void> {
  const toBind = Number(values.warm) + fitting();
  const toTell = Number(values.pods) - fitting();
  const endMs = performance.now() + TOLD_MS_MAX;
  let counted = await countPods(endpoint);
  while (counted.unschedulable < toTell && performance.now() < endMs) {
    await new Promise((resolve) => setTimeout(resolve, TOLD_POLL_MS));
    counted = await countPods(endpoint);
  }
  const told = toTell > 0 ? `, ${counted.unschedulable} of ${toTell} told that they are unschedulable` : '';
  say('in the store', `${counted.pods} pods of ${values.nodes} nodes' cluster, ${counted.bound} on a node${told}`);
  if (counted.bound !== toBind || counted.unschedulable !== toTell) process.exitCode = 1;
}

/** How many pods a second were bound. */
async function run(folder: string, podsASecond: number): Promise<number> {
  const nodes = Number(values.nodes);
  const pods = Number(values.pods);
  const endpoint = `http://127.0.0.1:${await freePort()}`;
  const urls = [`--listen-client-urls=${endpoint}`, `--advertise-client-urls=${endpoint}`];
  const store = start('serve', `--data-dir=${join(folder, 'data')}`, ...urls);
  await store.line('ready');
  const labNodes = start(
    'lab',
    'nodes',
    values.nodes,
    `--endpoint=${endpoint}`,
    `--renew=${values.renew}`,
    ...(values.kubelets ? ['--pod-rate=0'] : ['--no-kubelets']),
  );
  say('nodes', await labNodes.line('nodes made in'));
  if (Number(values.renew) > 0) say('leases', await labNodes.line('renewing'));
  const { scheduler, seconds } = await startScheduler(endpoint);
  const ready = `${seconds.toFixed(1)} s, CPU ${scheduler.cpuSeconds.toFixed(1)} s, ${scheduler.residentMib} MiB`;
  say('scheduler ready', ready);
  const warm = Number(values.warm);
  if (warm > 0)
    await start('lab', 'pods', values.warm, `--endpoint=${endpoint}`, '--wait-bound', '--json').line('"boundSeconds"');
  const changes = changesASecond > 0 ? await NodeChanges.prepare(endpoint, nodes, changesASecond) : undefined;
  const before = [scheduler.cpuSeconds, store.cpuSeconds, labNodes.cpuSeconds];
  const startMs = performance.now();
  changes?.start();
  const figures = await place(endpoint, folder, podsASecond);
  if (changes !== undefined) say('nodes changed', await changes.stop());
  if (values.kubelets) say('first created to last running', await untilRunning(endpoint, warm + pods, startMs));
  const after = [scheduler.cpuSeconds, store.cpuSeconds, labNodes.cpuSeconds];
  const [ofScheduler, ofStore, ofNodes] = after.map((cpu, i) => Math.round(((cpu - before[i]) / fitting()) * 1e6));
  say('pods created', `${pods} in ${figures.seconds.toFixed(1)} s, ${Math.round(pods / figures.seconds)}/s`);
  say(
    'first created to last bound',
    `${figures.boundSeconds.toFixed(1)} s, ${Math.round(fitting() / figures.boundSeconds)}/s`,
  );
  const { p50Ms, p99Ms, maxMs } = figures;
  say('created to bound, a sample', `p50 ${p50Ms.toFixed(0)}, p99 ${p99Ms.toFixed(0)}, max ${maxMs.toFixed(0)} ms`);
  say('CPU a pod', `scheduler ${ofScheduler} µs, store ${ofStore} µs, nodes ${ofNodes} µs (with leases)`);
  say(
    'resident',
    `scheduler ${scheduler.residentMib} MiB, store ${store.residentMib} MiB, nodes ${labNodes.residentMib} MiB`,
  );
  await labNodes.end();
  await sayWhatIsStored(endpoint);
  await scheduler.end();
  if (values.restart) {
    const again = await startScheduler(endpoint);
    const { residentMib, cpuSeconds } = again.scheduler;
    const what = `${again.seconds.toFixed(1)} s, CPU ${cpuSeconds.toFixed(1)} s, ${residentMib} MiB`;
    say('a new scheduler, to its first decision', what);
  }
  return fitting() / figures.boundSeconds;
}

async function endAll(): Promise<void> {
  for (const command of running.splice(0).reverse()) await command.end();
}

const folder = mkdtempSync(join(values.folder, 'k1m-cluster-'));
// Nothing outlives this process, whatever ends it.
process.on('exit', () => {
  for (const command of running) command.kill();
  rmSync(folder, { recursive: true, force: true });
});
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(1));
try {
  if (values.help) process.stdout.write(HELP);
  else {
    const bound = await run(join(folder, 'full'), Number(values.rate));
    await endAll();
    if (values.half) {
      const half = Math.round(bound / 2);
      say('at half of that rate', `${half}/s`);
      await run(join(folder, 'half'), half);
    }
  }
} finally {
  await endAll();
  rmSync(folder, { recursive: true, force: true });
}
