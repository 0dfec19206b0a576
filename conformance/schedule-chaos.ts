/**
 * The proof by chaos of `k1m schedule`: two of them with leader election and shards in two other processes, a real kube-apiserver on `k1m serve`, pods and nodes that come
 * and go, and kills and stalls of every part. The store's history then says whether each binding was one that may have been
 * decided (src/testing/placement-checker.ts), and in the end everything that fits must be bound.
 *
 *   node conformance/schedule-chaos.ts --seconds 120 --seed 1 --nodes 30 --out FOLDER
 *
 * Exits with 0 when everything holds, 1 when something does not, 2 when the command is wrong. The seed gives what is done; when what
 * comes of it happens is the machines'.
 */
import { mkdirSync, mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { checkPlacements } from '../src/testing/placement-checker.ts';
import { Random } from '../src/testing/random.ts';
import type { ControlPlane } from './kubernetes/control-plane.ts';
import { openPlane } from './kubernetes/open-plane.ts';
import { Children } from './lab/child.ts';
import { freePorts } from './lab/free-port.ts';
import { requirePeers } from './lab/peer-path.ts';
import { runMain } from './lab/run-main.ts';
import { until } from './lab/wait.ts';
import { Disturbance, SHARD_COUNT } from './schedule-chaos/disturbance.ts';
import { settlementOf } from './schedule-chaos/settlement.ts';
import { Witness } from './schedule-chaos/witness.ts';
import { ChaosWorkload } from './schedule-chaos/workload.ts';

const endOrder: readonly string[] = ['k1m-schedule-a', 'k1m-schedule-b', 'kube-apiserver'];
/** No controllers run: there are no service accounts, and nothing takes the first taint from a node. */
const apiServerArgs: readonly string[] = ['--disable-admission-plugins=ServiceAccount,TaintNodesByCondition'];
/** A watch that failed is tried again after 30 s at most; and the API server takes its time to be back. */
const nodeLagMs = 45_000;
/** A list that is being read. */
const podLagMs = 2_000;
const settledMsMax = 90_000;
const violationsShown = 10;

interface RunOptions {
  readonly seconds: number;
  readonly seed: number;
  readonly nodeCount: number;
  readonly folder: string;
}

async function run({ seconds, seed, nodeCount, folder }: RunOptions): Promise<number> {
  mkdirSync(folder, { recursive: true });
  const children = new Children(folder);
  let witness: Witness | undefined;
  let plane: ControlPlane | undefined;
  let disturbance: Disturbance | undefined;
  try {
    const opened = await openPlane({ children, folder, users: [{ name: 'system:kube-scheduler' }], apiServerArgs });
    plane = opened.plane;
    const store = opened.subject.server;
    if (store === undefined) throw new Error('the store is not ours to kill');
    witness = new Witness(opened.subject.endpoint);
    const { client } = plane;
    // One for each, so that neither takes the other's draws.
    const workload = new ChaosWorkload(client, new Random(2 * seed), nodeCount);
    await workload.prepare();
    await witness.catchUp();
    const knownFrom = witness.revision;
    const shardPorts = await freePorts(SHARD_COUNT);
    const random = new Random(2 * seed + 1);
    disturbance = new Disturbance({ plane, client, store, workload, witness, random, shardPorts });
    disturbance.start();
    workload.start();
    process.stdout.write(`${seconds} s of chaos from seed ${seed}, logs in ${folder}\n`);
    for (const endMs = Date.now() + 1000 * seconds; Date.now() < endMs; ) await disturbance.disturb();
    await workload.calm();
    let settlement = await settlementOf(client);
    await until(
      'every pod that fits to be bound, and the others told',
      { timeoutMs: settledMsMax, everyMs: 500 },
      async () => {
        settlement = await settlementOf(client);
        return settlement.problems.length === 0 || settlement.problems.slice(0, 3).join('; ');
      },
    );
    await witness.catchUp();
    process.stdout.write(`${disturbance.counts}\n${workload.counts}\n`);
    process.stdout.write(
      `in the end ${settlement.bound} pods are bound, ${settlement.waiting} fit nowhere and are told\n`,
    );
    const { violations, counts } = checkPlacements(witness.changes, { nodeLagMs, podLagMs, knownFrom });
    process.stdout.write(`${witness.changes.length} changes of pods and nodes; ${JSON.stringify(counts)}\n`);
    for (const { rule, revision, text } of violations.slice(0, violationsShown)) {
      process.stdout.write(`${rule} at revision ${revision}: ${text}\n`);
    }
    process.stdout.write(`${violations.length} violations\n`);
    if (!disturbance.hadShards) process.stdout.write('the shards were never up\n');
    return violations.length === 0 && disturbance.hadShards ? 0 : 1;
  } finally {
    await disturbance?.end();
    witness?.close();
    plane?.client.close();
    for (const problem of await children.endAll(endOrder)) process.stdout.write(`${problem}\n`);
  }
}

function usage(line: string): never {
  process.stderr.write(
    `${line}\nusage: node conformance/schedule-chaos.ts [--seconds N] [--seed N] [--nodes N] [--out FOLDER]\n`,
  );
  process.exit(2);
}

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      seconds: { type: 'string', default: '60' },
      seed: { type: 'string', default: '1' },
      nodes: { type: 'string', default: '30' },
      out: { type: 'string' },
    },
  });
  const options = { seconds: Number(values.seconds), seed: Number(values.seed), nodeCount: Number(values.nodes) };
  if (!(options.seconds > 0 && options.seed >= 0)) usage('--seconds and --seed are numbers');
  if (!(options.nodeCount > 3)) usage('--nodes is a number above 3');
  requirePeers(['kube-apiserver']);
  return run({ ...options, folder: resolve(values.out ?? mkdtempSync(join(tmpdir(), 'k1m-schedule-chaos-'))) });
}

await runMain(main);
