/**
 * The way out and the way in, with a real etcd on the other side.
 *
 *   node conformance/snapshot.ts [--seed N] [--writes N] [--step out|in|folder|migrate]
 *
 *   out      k1m under load ─ etcdctl snapshot save ─► etcdutl status, restore ─► etcd: the same as k1m at that revision
 *   in       etcd ─ etcdctl and k1m snapshot save ─► k1m snapshot status, restore ─► k1m: the same as etcd
 *   folder   etcd killed in the middle of writes ─ k1m snapshot restore FOLDER ─► k1m: the same as that etcd started again
 *   migrate  k1m migrate follows an etcd under load, which is killed and started again ─► k1m: the same as that etcd
 *
 * Exits with 0 when all copies are the same, 1 when one differs, 2 when the command is wrong.
 */
import { execFile } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs, promisify } from 'node:util';
import { StatusError } from '../src/api/errors.ts';
import { Children, k1mProgram } from './lab/child.ts';
import { freePorts } from './lab/free-port.ts';
import { peerPath, requirePeers } from './lab/peer-path.ts';
import { runMain } from './lab/run-main.ts';
import { StoreServer, type SubjectName } from './lab/subject.ts';
import { diffLines } from './lab/text-diff.ts';
import { sleep, until } from './lab/wait.ts';
import { revisionOf, textOfStore } from './snapshot/store-text.ts';
import { connect, fillStore, type Workload } from './snapshot/workload.ts';

const run = promisify(execFile);

/** One run: its folder, its programs, what was found. */
class Lab {
  readonly folder: string = mkdtempSync(join(tmpdir(), 'k1m-snapshot-'));
  readonly children: Children = new Children(this.folder);
  readonly seed: number;
  readonly writes: number;
  problems = 0;

  constructor(seed: number, writes: number) {
    this.seed = seed;
    this.writes = writes;
  }

  path(name: string): string {
    return join(this.folder, name);
  }

  async tool(name: 'etcdctl' | 'etcdutl', ...args: string[]): Promise<string> {
    const { stdout } = await run(peerPath(name), args, { encoding: 'utf8' });
    return stdout.trim();
  }

  async k1m(...args: string[]): Promise<string> {
    const { stdout } = await run(process.execPath, [k1mProgram, ...args], { encoding: 'utf8' });
    return stdout.trim();
  }

  /** A store on a folder, new or restored. */
  async store(name: SubjectName, folder: string, ports?: readonly [number, number]): Promise<StoreServer> {
    const [client = 0, peer = 0] = ports ?? (await freePorts(2));
    const server = new StoreServer(name, this.children, [client, peer], this.path(folder));
    await server.start();
    return server;
  }

  same(what: string, left: string, right: string): void {
    const lines = diffLines(left, right);
    process.stdout.write(`${lines.length === 0 ? 'same' : 'DIFFERENT'}: ${what}\n`);
    if (lines.length === 0) return;
    this.problems++;
    for (const line of lines.slice(0, 60)) process.stdout.write(`  ${line}\n`);
  }
}

async function wayOut(lab: Lab): Promise<void> {
  const k1m = await lab.store('k1m', 'out-k1m');
  const client = connect(k1m.endpoint);
  const workload = await fillStore(client, lab.seed, lab.writes);
  // Writes go on while the snapshot is taken.
  const signal = { isOver: false };
  const writing = (async (): Promise<void> => {
    while (!signal.isOver) await workload.writeOne();
  })();
  const file = lab.path('out.db');
  await lab.tool('etcdctl', `--endpoints=${k1m.endpoint}`, 'snapshot', 'save', file);
  signal.isOver = true;
  await writing;
  const etcd = await restoreWithEtcdutl(lab, 'out-etcd', file);
  const etcdClient = connect(etcd.endpoint);
  const revision = await revisionOf(etcdClient);
  process.stdout.write(`out: saved at ${revision}, k1m went on to ${workload.revision} meanwhile\n`);
  const expected = await textOfStore(client, revision, false);
  lab.same('k1m under load, and the etcd restored from it', expected, await textOfStore(etcdClient, revision, false));
  etcdClient.close();
  await etcd.stop('SIGTERM');

  const restFile = lab.path('rest.db');
  await lab.tool('etcdctl', `--endpoints=${k1m.endpoint}`, 'snapshot', 'save', restFile);
  const rested = await restoreWithEtcdutl(lab, 'rest-etcd', restFile);
  const restedClient = connect(rested.endpoint);
  const restedText = await textOfStore(restedClient, workload.revision);
  lab.same('k1m at rest, and the etcd restored from it', await textOfStore(client, workload.revision), restedText);
  restedClient.close();
  client.close();
  await rested.stop('SIGTERM');
  await k1m.stop('SIGTERM');
}

/** A running etcd made from a snapshot file of ours. */
async function restoreWithEtcdutl(lab: Lab, folder: string, file: string): Promise<StoreServer> {
  const status = await lab.tool('etcdutl', 'snapshot', 'status', file, '-w', 'json');
  lab.same('etcdutl and k1m snapshot status', status, await lab.k1m('snapshot', 'status', file, '-w', 'json'));
  const [clientPort = 0, peerPort = 0] = await freePorts(2);
  const peerUrl = `http://127.0.0.1:${peerPort}`;
  const member = [`--initial-cluster=default=${peerUrl}`, `--initial-advertise-peer-urls=${peerUrl}`];
  await lab.tool('etcdutl', 'snapshot', 'restore', file, `--data-dir=${lab.path(folder)}`, ...member);
  return lab.store('etcd', folder, [clientPort, peerPort]);
}

async function wayIn(lab: Lab): Promise<void> {
  const etcd = await lab.store('etcd', 'in-etcd');
  const client = connect(etcd.endpoint);
  const workload = await fillStore(client, lab.seed, lab.writes);
  const [theirs, ours] = [lab.path('in-etcdctl.db'), lab.path('in-k1m.db')];
  await lab.tool('etcdctl', `--endpoints=${etcd.endpoint}`, 'snapshot', 'save', theirs);
  const said = await lab.k1m('snapshot', 'save', ours, '--endpoint', etcd.endpoint);
  lab.same('what k1m snapshot save says', `Snapshot saved at ${ours}\nServer version 3.7.0`, said);
  for (const format of ['simple', 'json', 'fields', 'table']) {
    const expected = await lab.tool('etcdutl', 'snapshot', 'status', theirs, '-w', format);
    lab.same(`snapshot status -w ${format}`, expected, await lab.k1m('snapshot', 'status', ours, '-w', format));
  }
  await lab.k1m('snapshot', 'restore', ours, '--data-dir', lab.path('in-k1m'));
  const k1m = await lab.store('k1m', 'in-k1m');
  const k1mClient = connect(k1m.endpoint);
  const expected = await textOfStore(client, workload.revision);
  lab.same('etcd, and the k1m restored from its snapshot', expected, await textOfStore(k1mClient, workload.revision));
  client.close();
  k1mClient.close();
  await etcd.stop('SIGTERM');
  await k1m.stop('SIGTERM');
}

async function wayInFromFolder(lab: Lab): Promise<void> {
  const ports = await freePorts(2);
  const etcd = await lab.store('etcd', 'folder-etcd', [ports[0] ?? 0, ports[1] ?? 0]);
  const client = connect(etcd.endpoint);
  const workload = await fillStore(client, lab.seed, lab.writes);
  // Its database is behind its log now: it commits ten times a second.
  await workload.write(50);
  await etcd.stop('SIGKILL');
  client.close();
  cpSync(lab.path('folder-etcd'), lab.path('folder-copy'), { recursive: true });
  const said = await lab.k1m('snapshot', 'restore', lab.path('folder-copy'), '--data-dir', lab.path('folder-k1m'));
  process.stdout.write(`folder: ${said.replace(lab.folder, '').replace(lab.folder, '')}\n`);
  const k1m = await lab.store('k1m', 'folder-k1m');
  const again = await lab.store('etcd', 'folder-etcd', [ports[0] ?? 0, ports[1] ?? 0]);
  const [etcdClient, k1mClient] = [connect(again.endpoint), connect(k1m.endpoint)];
  const expected = await textOfStore(etcdClient, workload.revision);
  lab.same('a killed etcd, and the k1m made of its folder', expected, await textOfStore(k1mClient, workload.revision));
  etcdClient.close();
  k1mClient.close();
  await again.stop('SIGTERM');
  await k1m.stop('SIGTERM');
}

/** Writes until told to stop, over the deaths of the store: what was not answered may be there or not. */
async function writeOn(workload: Workload, signal: { isOver: boolean }): Promise<void> {
  while (!signal.isOver) {
    try {
      await workload.writeOne();
    } catch (error) {
      if (!(error instanceof StatusError)) throw error;
      await sleep(20);
    }
  }
}

async function migration(lab: Lab): Promise<void> {
  const [clientPort = 0, peerPort = 0] = await freePorts(2);
  const etcd = await lab.store('etcd', 'from-etcd', [clientPort, peerPort]);
  const client = connect(etcd.endpoint);
  const workload = await fillStore(client, lab.seed, lab.writes);
  const signal = { isOver: false };
  const writing = writeOn(workload, signal);
  const folder = lab.path('to-k1m');
  const args = ['migrate', '--from', etcd.endpoint, '--data-dir', folder];
  const migrating = lab.children.startK1m('migrate', args);
  const says = (text: string): Promise<void> =>
    until(`migrate says "${text}"`, { timeoutMs: 30_000 }, () => {
      migrating.assertRunning();
      return readFileSync(migrating.logPath, 'utf8').includes(text);
    });
  await says('caught up');
  for (let kills = 0; kills < 2; kills++) {
    await sleep(500);
    await etcd.stop('SIGKILL');
    await sleep(1_200);
    await etcd.start();
  }
  await sleep(1_000);
  await workload.revokeLease();
  // A copy that is further behind than that has to begin again.
  await workload.compact(3_000);
  signal.isOver = true;
  await writing;
  const revision = await revisionOf(client);
  await migrating.end('SIGTERM');
  const lines = readFileSync(migrating.logPath, 'utf8').trim().split('\n');
  for (const line of lines) process.stdout.write(`migrate: ${line.replaceAll(lab.folder, '')}\n`);
  if (!lines.at(-1)?.includes(`stopped at revision ${revision};`) || !lines.at(-1)?.includes('verified'))
    lab.problems++;
  const k1m = await lab.store('k1m', 'to-k1m');
  const k1mClient = connect(k1m.endpoint);
  const expected = await textOfStore(client, revision);
  lab.same('etcd, and the k1m that followed it', expected, await textOfStore(k1mClient, revision));
  client.close();
  k1mClient.close();
  await etcd.stop('SIGTERM');
  await k1m.stop('SIGTERM');
}

const steps = new Map([
  ['out', wayOut],
  ['in', wayIn],
  ['folder', wayInFromFolder],
  ['migrate', migration],
]);

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      seed: { type: 'string', default: '1' },
      writes: { type: 'string', default: '2000' },
      step: { type: 'string' },
    },
  });
  const chosen = values.step === undefined ? [...steps.keys()] : [values.step];
  if (chosen.some((name) => !steps.has(name))) {
    process.stderr.write(`no step "${values.step}"; there are ${[...steps.keys()].join(', ')}\n`);
    return 2;
  }
  requirePeers(['etcd', 'etcdctl', 'etcdutl']);
  const lab = new Lab(Number(values.seed), Number(values.writes));
  mkdirSync(lab.folder, { recursive: true });
  try {
    for (const name of chosen) await steps.get(name)?.(lab);
  } finally {
    await lab.children.endAll([]);
  }
  if (lab.problems === 0) rmSync(lab.folder, { recursive: true });
  else process.stdout.write(`${lab.problems} different; the files are in ${lab.folder}\n`);
  return lab.problems === 0 ? 0 : 1;
}

await runMain(main);
