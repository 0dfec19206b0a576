import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { LISTEN, message, run, temporaryFolder } from './binary-fixture.ts';

interface Wrong {
  readonly name: string;
  readonly args: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  readonly says: RegExp;
}

const WRONG: readonly Wrong[] = [
  { name: 'an unknown command', args: ['serv'], says: /^k1m: unknown command 'serv'\n\(Did you mean serve\?\)$/ },
  { name: 'an unknown option', args: ['--bogus'], says: /^k1m: unknown option '--bogus'$/ },
  {
    name: 'an unknown shell',
    args: ['completion', 'tcsh'],
    says: /^k1m: unknown shell "tcsh"; use bash, zsh or fish$/,
  },
  { name: 'an unknown flag', args: ['serve', '--bogus=1'], says: /^k1m: unknown flag: --bogus$/ },
  { name: 'a word that is no flag', args: ['serve', 'foo'], says: /^k1m: 'foo' is not a valid flag$/ },
  { name: 'a flag without its value', args: ['serve', '-data-dir'], says: /^k1m: flag needs an argument: --data-dir$/ },
  {
    name: 'a number that is none',
    args: ['serve', '--max-txn-ops', 'many'],
    says: /^k1m: invalid value "many" for flag --max-txn-ops: parse error$/,
  },
  {
    name: 'a number out of bounds',
    args: ['serve', '--max-request-bytes=-5'],
    says: /^k1m: invalid value "-5" for flag --max-request-bytes: it must be at least 1$/,
  },
  {
    name: 'a duration without its unit',
    args: ['serve', '--grpc-keepalive-interval', '5'],
    says: /^k1m: invalid value "5" for flag --grpc-keepalive-interval: parse error$/,
  },
  {
    name: 'an unknown durability class',
    args: ['serve', '--durability', 'raid'],
    says: /^k1m: --durability: unknown class "raid"; use fsync, buffered or none$/,
  },
  {
    name: 'a prefix rule without a class',
    args: ['serve', '--durability-prefix', '/events/'],
    says: /^k1m: --durability-prefix: "\/events\/" is not PREFIX=CLASS$/,
  },
  {
    name: 'no requests of the lab on their way',
    args: ['lab', 'nodes', '1', '--in-flight', '0'],
    says: /^k1m: option '--in-flight <n>' argument '0' is invalid\. 1 to 1000 are possible\.$/,
  },
  {
    name: 'nodes of the lab without a zone',
    args: ['lab', 'nodes', '1', '--zones', '0'],
    says: /^k1m: option '--zones <n>' argument '0' is invalid\. 1 to 1000 are possible\.$/,
  },
  {
    name: 'leases of the lab that are too small',
    args: ['lab', 'nodes', '1', '--lease-bytes', '1'],
    says: /argument '1' is invalid\. 420 to 16000 are possible\.$/,
  },
  {
    name: 'a store of the lab that is not HTTP',
    args: ['lab', 'clean', '--endpoint', 'https://127.0.0.1:1'],
    says: /: only http:\/\/ is supported$/,
  },
  {
    name: 'a namespace of the lab that is none',
    args: ['lab', 'pods', '1', '--namespace', 'a/b'],
    says: /argument 'a\/b' is invalid\. names of lower case letters, digits and - are expected, with commas between\.$/,
  },
  {
    name: 'pods of the lab beyond seven digits',
    args: ['lab', 'pods', '2', '--start', '9999999'],
    says: /^k1m: numbers of pods go up to 9999999: --start 9999999 is too much$/,
  },
  {
    name: 'pods of the lab without a number',
    args: ['lab', 'pods'],
    says: /^k1m: say how many, or give manifests$/,
  },
  {
    name: 'pods of the lab both of a template and of a manifest',
    args: ['lab', 'pods', '1', '--template', 'job', '-f', '/none'],
    says: /^k1m: give either --template or --filename$/,
  },
  {
    name: 'a manifest for the lab that is not there',
    args: ['lab', 'pods', '-f', '/none'],
    says: /^k1m: the path "\/none" does not exist$/,
  },
  {
    name: 'a lab both at a store and behind an API server',
    args: ['lab', 'nodes', '1', '--kubeconfig', '/none', '--endpoint', 'http://127.0.0.1:1'],
    says: /^k1m: --endpoint is for a store, not for --kubeconfig$/,
  },
  {
    name: 'a log level that the scheduler does not know',
    args: ['schedule', '--log-level', 'loud'],
    says: /argument 'loud' is invalid\. Allowed choices are debug, info, warn, error\.$/,
  },
  {
    name: 'a port that is none',
    args: ['schedule', '--port', '99999'],
    says: /argument '99999' is invalid\. 0 to 65535 are possible\.$/,
  },
  {
    name: 'a load that the bench does not know',
    args: ['bench', 'gets'],
    says: /'gets' is invalid for argument 'load'\. Allowed choices are put, renew, get, list, count, watch, mixed\.$/,
  },
  {
    name: 'no time for the bench',
    args: ['bench', 'get', '--duration', '0'],
    says: /^k1m: --duration must be from 1 to 86400, not 0$/,
  },
  {
    name: 'another machine for the bench',
    args: ['bench', 'get', '--endpoint', 'http://192.0.2.1:2379'],
    says: /^k1m: 192\.0\.2\.1:2379 is another machine: add --allow-remote if it is meant to get this load$/,
  },
  {
    name: 'a second server for the bench that is not HTTP',
    args: ['bench', 'get', '--against', 'ftp://127.0.0.1'],
    says: /^k1m: "ftp:\/\/127\.0\.0\.1": only http:\/\/ is supported$/,
  },
  { name: 'an unknown log level', args: ['serve', '--log-level', 'loud'], says: /^k1m: unrecognized level: "loud"$/ },
  {
    name: 'an address to listen on without one to advertise',
    args: ['serve', '--listen-client-urls', 'http://127.0.0.1:0'],
    says: /^k1m: --advertise-client-urls is required when --listen-client-urls is set explicitly$/,
  },
  {
    name: 'a name to listen on',
    args: ['serve', '--listen-client-urls=http://example.com:1', '--advertise-client-urls=http://example.com:1'],
    says: /^k1m: --listen-client-urls: expected IP in URL for binding \(http:\/\/example.com:1\)$/,
  },
  {
    name: 'an advertised URL that is none',
    args: ['serve', '--advertise-client-urls', 'here'],
    says: /^k1m: --advertise-client-urls: "here" is not an http or https URL$/,
  },
  {
    name: 'TLS',
    args: ['serve', '--listen-client-urls=https://127.0.0.1:0', '--advertise-client-urls=https://127.0.0.1:0'],
    says: /^k1m: --listen-client-urls: TLS is not supported yet \(see "Status" in the README\)$/,
  },
  {
    name: 'a flag that would leave something unprotected',
    args: ['serve', '--client-cert-auth'],
    says: /^k1m: --client-cert-auth is not supported yet \(see "Status" in the README\)$/,
  },
  {
    name: 'more than one member',
    args: ['serve', '--initial-cluster', 'a=http://127.0.0.1:1,b=http://127.0.0.1:2'],
    says: /^k1m: --initial-cluster must name this member \("default"\) alone: k1m serve is one member$/,
  },
  {
    name: 'too short an election timeout',
    args: ['serve', '--election-timeout', '300'],
    says: /^k1m: --election-timeout\[300ms\] should be at least as 5 times as --heartbeat-interval\[100ms\]$/,
  },
  {
    name: 'an unknown compaction mode',
    args: ['serve', '--auto-compaction-mode', 'daily'],
    says: /^k1m: unknown auto-compaction-mode "daily"$/,
  },
  {
    name: 'a retention that is no duration',
    args: ['serve', '--auto-compaction-retention', '5x'],
    says: /^k1m: error parsing auto-compaction-retention: "5x"$/,
  },
  {
    name: 'a flag set by environment and command line both',
    args: ['serve', '--name', 'b'],
    env: { ETCD_NAME: 'a' },
    says: /^k1m: conflicting environment variable "ETCD_NAME" is shadowed by corresponding command-line flag/,
  },
  {
    name: 'a wrong value in the environment',
    args: ['serve'],
    env: { K1M_DURABILITY: 'raid' },
    says: /^k1m: --durability: unknown class "raid"/,
  },
  {
    name: 'a config file that is not there',
    args: ['serve', '--config-file', 'no-such-file.yaml'],
    says: /^k1m: cannot read the config file: ENOENT: no such file or directory, open 'no-such-file.yaml'$/,
  },
];

const WRONG_FILES: readonly { name: string; text: string; says: RegExp }[] = [
  { name: 'a config file that is not YAML', text: 'name: [', says: /^k1m: .*wrong\.yaml: .* at line 1, column 8$/ },
  { name: 'a config file without a map', text: '- name', says: /^k1m: the config file is not a map of flags$/ },
  {
    name: 'an unknown flag in a config file',
    text: 'datadir: x',
    says: /^k1m: unknown flag in the config file: datadir$/,
  },
  {
    name: 'a value of the wrong form in a config file',
    text: 'name: {a: 1}',
    says: /^k1m: name in the config file has the wrong form: a string is wanted$/,
  },
];

describe('wrong usage is told in one line, with exit code 2:', { concurrency: 4 }, () => {
  for (const { name, args, env, says } of WRONG) {
    it(name, async () => {
      const outcome = await run(args, env === undefined ? {} : { env });
      assert.match(message(outcome), says);
      assert.equal(outcome.code, 2);
      assert.equal(outcome.stdout, '');
    });
  }
  for (const { name, text, says } of WRONG_FILES) {
    it(name, async (test) => {
      const file = join(temporaryFolder(test), 'wrong.yaml');
      writeFileSync(file, text);
      const outcome = await run(['serve', '--config-file', file, ...LISTEN]);
      assert.match(message(outcome), says);
      assert.equal(outcome.code, 2);
    });
  }
});

describe('help', { concurrency: 4 }, () => {
  for (const [args, says] of [
    [['--help'], /serve .*serve the etcd v3 API/],
    [['serve', '--help'], /--data-dir/],
    [['help', 'serve'], /--data-dir/],
    [['help', '--help'], /serve .*serve the etcd v3 API/],
    [['completion', '--help'], /bash, zsh or fish/],
    [['version', '--help'], /versions of k1m/],
  ] as const) {
    it(`of k1m ${args.join(' ')} is there`, async () => {
      const { code, stdout, stderr } = await run(args);
      assert.match(stdout, says);
      assert.deepEqual([code, stderr], [0, '']);
    });
  }

  it('names every version', async () => {
    const { code, stdout } = await run(['version']);
    assert.match(stdout, /^k1m \d+\.\d+\.\d+\netcd API 3\.7\.\d+\nNode\.js v24/);
    assert.equal(code, 0);
  });

  it('completes commands and flags in every shell', async () => {
    for (const shell of ['bash', 'zsh', 'fish']) {
      const { code, stdout } = await run(['completion', shell]);
      assert.equal(code, 0);
      for (const word of ['serve', 'completion', 'data-dir', 'durability']) assert.ok(stdout.includes(word), word);
    }
  });

  for (const [args, command] of [
    [['lab', 'nodes'], 'lab nodes'],
    [['lab', 'pods', '-f', '/there/is/none.yaml'], 'lab pods'],
    [['schedule', 'shard', '--listen', '0.0.0.0:7300'], 'schedule shard'],
    [['schedule', 'what-if', '-f', '/there/is/none.yaml'], 'schedule what-if'],
  ] as const) {
    it(`of the command itself is named when k1m ${args.join(' ')} is wrong`, async () => {
      const { code, stderr } = await run(args);
      assert.equal(stderr.trimEnd().split('\n').at(-1), `See 'k1m ${command} --help'.`);
      assert.equal(code, 2);
    });
  }
});
