/**
 * Builds the programs we are compared with, from the Go modules below `peers/`, into the peers folder (`lab/peer-path.ts`).
 *
 *   node conformance/peers.ts [etcd] [kube]      both if none is named
 *
 * A program that is there and prints the version that go.mod asks for is left alone.
 */
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { peerPath, peersFolder } from './lab/peer-path.ts';

/** One `go build`. `versionFlag` makes the built program print its version. */
interface Build {
  readonly module: string;
  readonly output: string;
  readonly target: string;
  readonly versionModule: string;
  readonly versionCommand: readonly string[];
  readonly names: readonly string[];
}

const progressEveryMs = 10_000;
const sources = join(import.meta.dirname, 'peers');
const goHint = 'install Go 1.26 or newer: https://go.dev/dl/ (or: apt-get install golang-go, brew install go)';

const builds: readonly Build[] = [
  ...[
    { output: 'etcd', target: 'go.etcd.io/etcd/server/v3', command: '--version' },
    { output: 'etcdctl', target: 'go.etcd.io/etcd/etcdctl/v3', command: 'version' },
    { output: 'etcdutl', target: 'go.etcd.io/etcd/etcdutl/v3', command: 'version' },
  ].map(({ output, target, command }) => ({
    module: 'etcd',
    output,
    target,
    versionModule: target,
    versionCommand: [command],
    names: [],
  })),
  {
    module: 'kube',
    output: 'kube',
    target: './cmd/kube',
    versionModule: 'k8s.io/kubernetes',
    versionCommand: ['--version'],
    names: ['kube-apiserver', 'kube-controller-manager', 'kube-scheduler', 'kubectl'],
  },
];

function fail(line: string): never {
  process.stderr.write(`${line}\n`);
  process.exit(1);
}

function wantedVersion(build: Build): string {
  const text = readFileSync(join(sources, build.module, 'go.mod'), 'utf8');
  const version = text.split('\n').find((line) => line.trim().startsWith(`${build.versionModule} v`));
  return version?.trim().split(' ')[1] ?? fail(`${build.module}/go.mod names no version of ${build.versionModule}`);
}

function isBuilt(build: Build, version: string): boolean {
  const program = peerPath(build.names[0] ?? build.output);
  if (!existsSync(program)) return false;
  const { stdout } = spawnSync(program, build.versionCommand, { encoding: 'utf8', timeout: 30_000 });
  return stdout?.includes(version.slice(1)) ?? false;
}

async function compile(build: Build, version: string): Promise<void> {
  const [major = '', minor = ''] = version.slice(1).split('.');
  const stamp = 'k8s.io/component-base/version';
  const flags =
    build.module === 'kube'
      ? `-X ${stamp}.gitVersion=${version} -X ${stamp}.gitMajor=${major} -X ${stamp}.gitMinor=${minor}`
      : '';
  const output = peerPath(build.output);
  const child = spawn('go', ['build', '-v', '-o', `${output}.partial`, '-ldflags', flags, build.target], {
    cwd: join(sources, build.module),
    env: { ...process.env, CGO_ENABLED: '0' },
    stdio: ['ignore', 'inherit', 'pipe'],
  });
  const startMs = Date.now();
  let packageCount = 0;
  const other: string[] = [];
  // With -v, go prints a bare import path for each package it compiles; anything with a blank in it is a message.
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    const lines = text.split('\n').filter((line) => line !== '');
    packageCount += lines.filter((line) => !line.includes(' ')).length;
    other.push(...lines.filter((line) => line.includes(' ') && !line.startsWith('go: downloading')));
  });
  const seconds = (): string => `${Math.round((Date.now() - startMs) / 1000)} s`;
  const progress = setInterval(() => {
    process.stdout.write(`${build.output}: ${packageCount} packages compiled, ${seconds()}\n`);
  }, progressEveryMs);
  const code = await new Promise<number | null>((resolve, reject) => child.on('error', reject).on('close', resolve));
  clearInterval(progress);
  if (code !== 0) fail(`${build.output}: go build failed\n${other.join('\n')}`);
  renameSync(`${output}.partial`, output);
  for (const name of build.names) {
    rmSync(peerPath(name), { force: true });
    symlinkSync(build.output, peerPath(name));
  }
  process.stdout.write(`${build.output}: ${version} built in ${seconds()}\n`);
}

const wanted = process.argv.slice(2);
for (const name of wanted)
  if (name !== 'etcd' && name !== 'kube') fail('usage: node conformance/peers.ts [etcd] [kube]');
mkdirSync(peersFolder(), { recursive: true });
for (const build of builds) {
  if (wanted.length > 0 && !wanted.includes(build.module)) continue;
  const version = wantedVersion(build);
  if (isBuilt(build, version)) {
    process.stdout.write(`${build.output}: ${version} is there\n`);
    continue;
  }
  if (spawnSync('go', ['version']).status !== 0)
    fail(`go is not on the PATH, ${build.output} cannot be built; ${goHint}`);
  await compile(build, version);
}
process.stdout.write(`${peersFolder()}\n`);
