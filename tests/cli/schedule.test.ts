import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { request } from 'node:https';
import { type AddressInfo, createServer } from 'node:net';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { selfSigned } from '../../src/io/self-signed-certificate.ts';
import { TcpNetwork } from '../../src/io/tcp-network.ts';
import { TlsNetwork } from '../../src/io/tls-network.ts';
import { socketOpening } from '../../src/scheduler/shard-links/shard-server.ts';
import { collect, message, run, start, temporaryFolder } from './binary-fixture.ts';

const CLUSTER = `
kind: List
items:
- {kind: Node, metadata: {name: n1, labels: {zone: a}}, status: {allocatable: {cpu: 4, memory: 8Gi, pods: 110}}}
- {kind: Node, metadata: {name: n2, labels: {zone: b}}, status: {allocatable: {cpu: 2, memory: 8Gi, pods: 110}}}
- {kind: Pod, metadata: {name: web, namespace: ns}, spec: {nodeName: n1, containers: [{resources: {requests: {cpu: 3}}}]}}
`;

interface Files {
  readonly cluster: string;
  readonly file: (name: string, text: string) => string;
}

function filesFor(test: TestContext): Files {
  const folder = temporaryFolder(test);
  const file = (name: string, text: string): string => {
    const path = join(folder, name);
    writeFileSync(path, text);
    return path;
  };
  return { cluster: file('cluster.yaml', CLUSTER), file };
}

describe('k1m schedule', () => {
  it('ends when its port is taken', async (test) => {
    const other = createServer().listen(0, '127.0.0.1');
    test.after(() => other.close());
    await once(other, 'listening');
    // A server that listens on a port has such an address.
    const { port } = other.address() as AddressInfo;
    const api = ['--master', 'http://127.0.0.1:1', '--leader-elect=false', '--secure-port', '0'];
    const outcome = await run(['schedule', ...api, '--port', String(port)]);
    assert.equal(outcome.code, 1);
    assert.equal(message(outcome), `k1m: listen tcp 127.0.0.1:${port}: bind: address already in use`);
  });
});

describe('k1m schedule with shards', () => {
  it('refuses what contradicts itself, and addresses that are none', async () => {
    const both = await run(['schedule', '--shards', '2', '--shards-at', '127.0.0.1:7300']);
    assert.deepEqual([both.code, message(both)], [2, 'k1m: --shards and --shards-at cannot be used together']);
    const address = await run(['schedule', '--shards-at', '127.0.0.1:7300,nowhere']);
    assert.equal(address.code, 2);
    assert.match(address.stderr, /an address like 127\.0\.0\.1:7300 is expected\./);
    assert.equal((await run(['schedule', '--shards', '65'])).code, 2);
  });

  it('does not listen for schedulers on an open network unless told so', async () => {
    const outcome = await run(['schedule', 'shard', '--listen', '0.0.0.0:0']);
    assert.equal(outcome.code, 2);
    assert.match(
      message(outcome),
      /^k1m: 0\.0\.0\.0 is not loopback, and nothing protects the connection: --cert-file, or /,
    );
  });

  it('listens on loopback until it is told to end', async (test) => {
    const child = start(['schedule', 'shard', '--listen', '127.0.0.1:0'], {});
    test.after(() => child.kill('SIGKILL'));
    const texts = collect(child);
    while (!texts.stderr.includes('listening')) await once(child.stderr ?? child, 'data');
    child.kill('SIGTERM');
    const [code] = await once(child, 'close');
    assert.equal(code, 0, texts.stderr);
  });
});

describe('k1m schedule shard over TLS', () => {
  const day = { nowMs: Date.now(), validMs: 86_400_000 };
  const pair = selfSigned({ hostname: 'shard', addresses: ['127.0.0.1'], isClients: true, ...day });

  it('speaks with whom the authority vouches for, and tells of all others', async (test) => {
    const folder = temporaryFolder(test);
    const [certificate, key] = ['crt', 'key'].map((name) => join(folder, name));
    writeFileSync(certificate, pair.certificate);
    writeFileSync(key, pair.key);
    const files = ['--cert-file', certificate, '--key-file', key, '--trusted-ca-file', certificate];
    // Also where it could be reached from elsewhere.
    const child = start(['schedule', 'shard', '--listen', '0.0.0.0:0', ...files], {});
    test.after(() => child.kill('SIGKILL'));
    const texts = collect(child);
    while (!texts.stderr.includes('listening')) await once(child.stderr ?? child, 'data');
    const port = Number(/"port":(\d+)/.exec(texts.stderr)?.[1]);
    const at = { host: '127.0.0.1', port };

    const identity = { ...pair, authority: pair.certificate };
    const known = socketOpening(new TlsNetwork({ identity: () => identity, onProblem: assert.fail }), at)();
    const said = await new Promise<Uint8Array>((resolve, reject) => {
      known.start({ onMessage: resolve, onClose: (reason) => reject(new Error(reason)) });
    });
    assert.ok(said.length > 0);
    known.close();

    const stranger = socketOpening(new TcpNetwork(), at)();
    await new Promise<void>((resolve) => {
      stranger.start({ onMessage: () => assert.fail('nothing is said'), onClose: () => resolve() });
      stranger.send(Uint8Array.of(1));
    });
    while (!texts.stderr.includes('is refused')) await once(child.stderr ?? child, 'data');
  });

  for (const [name, args, wanted] of [
    [
      'a part of what it takes',
      ['shard', '--cert-file', 'x'],
      /--cert-file, --key-file, --trusted-ca-file go together$/,
    ],
    [
      'a part of what it takes, at the other end',
      ['--master', 'http://127.0.0.1:1', '--shards-at', '127.0.0.1:1', '--shards-key-file', 'x'],
      /--shards-cert-file, --shards-key-file, --shards-trusted-ca-file go together$/,
    ],
    ['certificates and no shards elsewhere', ['--shards-key-file', 'x'], /are for --shards-at$/],
    [
      'files that are not there',
      ['shard', '--cert-file', '/nowhere', '--key-file', '/nowhere', '--trusted-ca-file', '/nowhere'],
      /open \/nowhere: no such file or directory$/,
    ],
  ] as const) {
    it(`is not begun with ${name}`, async () => {
      const outcome = await run(['schedule', ...args]);
      assert.equal(outcome.code, 2);
      assert.match(message(outcome), wanted);
    });
  }
});

describe('k1m schedule explain', () => {
  it('explains a pod of a cluster in a file, in words and as JSON', async (test) => {
    const { cluster } = filesFor(test);
    const words = await run(['schedule', 'explain', 'pod/web', '-n', 'ns', '--cluster', cluster]);
    assert.equal(words.code, 0, words.stderr);
    assert.match(words.stdout, /^pod ns\/web, scheduler default-scheduler, priority 0, asks for cpu 3$/m);
    assert.match(words.stdout, /^fits on 1 of 2 nodes: n1, taken without scoring$/m);
    assert.match(words.stdout, /1 {2}NodeResourcesFit: Insufficient cpu \(cpu: asks for 3, most is left on n2: 2\)/);
    const json = await run(['schedule', 'explain', 'web', '--namespace=ns', '-o', 'json', '--cluster', cluster]);
    const report = JSON.parse(json.stdout);
    assert.deepEqual([report.outcome, report.best.nodes, report.pod.boundNode], ['fits', ['n1'], 'n1']);
  });

  it('explains a pod of a manifest, by the profiles of a configuration that is named before the sub-command', async (test) => {
    const { cluster, file } = filesFor(test);
    const pod = file('pod.yaml', 'kind: Pod\nmetadata: {name: new}\nspec: {schedulerName: other, containers: []}\n');
    const config = file(
      'config.yaml',
      'apiVersion: kubescheduler.config.k8s.io/v1\nkind: KubeSchedulerConfiguration\nprofiles: [{schedulerName: other}]\n',
    );
    const explain = ['explain', '-f', pod, '--cluster', cluster];
    assert.match((await run(['schedule', '--config', config, ...explain])).stdout, /^fits on 2 of 2 nodes/m);
    const outcome = await run(['schedule', ...explain]);
    assert.equal(outcome.code, 1);
    assert.match(
      message(outcome),
      /^k1m: pod default\/new is for scheduler "other", which is none of the profiles here/,
    );
  });

  const WRONG: readonly (readonly [string, readonly string[], number, RegExp])[] = [
    ['no pod', [], 2, /^k1m: name a pod, or give one with -f$/],
    ['a pod that is not there', ['nope', '--cluster', 'CLUSTER'], 1, /^k1m: .*\(NotFound\): pods "nope" not found$/],
    ['a file that is not there', ['-f', '/nowhere'], 2, /^k1m: the path "\/nowhere" does not exist$/],
    ['a file without a pod', ['-f', 'CLUSTER', '--cluster', 'CLUSTER'], 2, /has 0 pods; one is wanted$/],
    [
      'an API server that is away',
      ['x', '--master', 'http://127.0.0.1:9', '--kubeconfig', 'CONFIG'],
      1,
      /ECONNREFUSED/,
    ],
  ];
  for (const [name, args, code, says] of WRONG) {
    it(`says what is wrong with ${name}`, async (test) => {
      const { cluster, file } = filesFor(test);
      const config = file('kubeconfig', KUBECONFIG);
      const empty = file('empty.yaml', 'kind: Node\nmetadata: {name: n}\n');
      const filled = args.map((arg, index) =>
        arg === 'CONFIG' ? config : arg !== 'CLUSTER' ? arg : args[index - 1] === '-f' ? empty : cluster,
      );
      const outcome = await run(['schedule', 'explain', ...filled]);
      assert.equal(outcome.code, code, outcome.stderr);
      assert.match(message(outcome), says);
    });
  }
});

const DEPLOYMENT = `
kind: Deployment
metadata: {name: web}
spec:
  replicas: 3
  selector: {matchLabels: {app: web}}
  template: {metadata: {labels: {app: web}}, spec: {containers: [{resources: {requests: {cpu: 1}}}]}}
`;

describe('k1m schedule what-if', () => {
  it('tells where pods would go, and by its exit code whether they all fit', async (test) => {
    const { cluster, file } = filesFor(test);
    const ask = ['schedule', 'what-if', '-f', file('web.yaml', DEPLOYMENT), '--cluster', cluster, '--by', 'zone'];
    const fits = await run(ask);
    assert.equal(fits.code, 0, fits.stderr);
    assert.match(fits.stdout, /^Deployment default\/web, 3 pods: all fit\n +2 {2}b\n +1 {2}a$/m);
    const short = await run([...ask, '--replicas', '5', '-o', 'json']);
    assert.equal(short.code, 3);
    const [{ placed, unplaced, remedies }] = JSON.parse(short.stdout).outcomes;
    assert.deepEqual([placed, unplaced, remedies[0].nodesNeeded], [3, 2, 1]);
    const node = file(
      'more.yaml',
      'kind: Node\nmetadata: {name: n3}\nstatus: {allocatable: {cpu: 1, memory: 1Gi, pods: 9}}\n',
    );
    const more = ['--replicas', '6', '--nodes', node, '--like', 'n2=1', '--all'];
    assert.match((await run([...ask, ...more])).stdout, /^ {4}default\/web-what-if-\d n2-more-0$/m);
    assert.equal((await run([...ask, '--cordon', 'n2'])).code, 3);
    assert.match(message(await run([...ask, '--like', 'n2'])), /^k1m: --like: "n2" is not NODE=N$/);
    assert.match(message(await run(['schedule', 'what-if'])), /^k1m: give pods with -f, or nodes with --drain$/);
  });
});

const KUBECONFIG = `
clusters: [{name: c, cluster: {server: "http://127.0.0.1:9"}}]
users: []
contexts: [{name: x, context: {cluster: c}}]
current-context: x
`;

describe('k1m schedule', () => {
  it('writes the configuration with all its defaults, which reads as itself', async (test) => {
    const { file } = filesFor(test);
    const [first, second] = [file('first.yaml', ''), file('second.yaml', '')];
    assert.equal((await run(['schedule', '--scheduler-name', 'mine', '--write-config-to', first])).code, 0);
    assert.match(readFileSync(first, 'utf8'), /^ *(?:- )?schedulerName: mine$/m);
    assert.equal((await run(['schedule', '--config', first, '--write-config-to', second])).code, 0);
    assert.equal(readFileSync(second, 'utf8'), readFileSync(first, 'utf8'));
  });

  it('answers probes over HTTPS while the API server is away, and lets nobody else in', async (test) => {
    const { file } = filesFor(test);
    const port = await freePort();
    const args = [
      'schedule',
      '--kubeconfig',
      file('kubeconfig', KUBECONFIG),
      '--bind-address=127.0.0.1',
      `--secure-port=${port}`,
    ];
    const child = start(args, {});
    test.after(() => child.kill('SIGKILL'));
    const closed = once(child, 'close');
    const texts = collect(child);
    while (!texts.stderr.includes('waiting to lead')) await once(child.stderr ?? assert.fail(), 'data');
    assert.deepEqual(await get(port, '/healthz'), [200, 'ok']);
    assert.deepEqual(await get(port, '/readyz'), [200, 'ok']);
    assert.equal((await get(port, '/metrics'))[0], 500);
    assert.equal((await get(port, '/livez', 'Bearer x'))[0], 401);
    child.kill('SIGTERM');
    assert.deepEqual(await closed, [0, null]);
  });
});

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  return port;
}

function get(port: number, path: string, authorization = ''): Promise<[number, string]> {
  const { promise, resolve, reject } = Promise.withResolvers<[number, string]>();
  const headers = authorization === '' ? {} : { authorization };
  request({ host: '127.0.0.1', port, path, headers, rejectUnauthorized: false, agent: false }, (response) => {
    let body = '';
    response.setEncoding('utf8');
    response.on('data', (chunk: string) => {
      body += chunk;
    });
    response.on('end', () => resolve([response.statusCode ?? 0, body]));
  })
    .on('error', reject)
    .end();
  return promise;
}
