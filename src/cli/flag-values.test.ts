import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { addEnvironment, FlagValues, parseArguments, UsageError, valuesOfConfig } from './flag-values.ts';
import { SERVE_FLAGS } from './flags.ts';

/** All that `etcd --help` of 3.7.3 names. */
const ETCD_FLAGS: readonly string[] = (
  'advertise-client-urls auth-token auth-token-ttl auto-compaction-mode auto-compaction-retention auto-tls ' +
  'backend-batch-interval backend-batch-limit backend-bbolt-freelist-type bcrypt-cost ' +
  'bootstrap-defrag-threshold-megabytes cert-file cipher-suites client-cert-allowed-hostname client-cert-auth ' +
  'client-cert-file client-crl-file client-key-file compact-hash-check-time compaction-batch-limit ' +
  'compaction-sleep-interval corrupt-check-time cors data-dir discovery discovery-cacert discovery-cert ' +
  'discovery-dial-timeout discovery-endpoints discovery-fallback discovery-insecure-skip-tls-verify ' +
  'discovery-insecure-transport discovery-keepalive-time discovery-keepalive-timeout discovery-key ' +
  'discovery-password discovery-proxy discovery-request-timeout discovery-srv discovery-srv-name ' +
  'discovery-token discovery-user distributed-tracing-address distributed-tracing-instance-id ' +
  'distributed-tracing-sampling-rate distributed-tracing-service-name downgrade-check-time election-timeout ' +
  'enable-distributed-tracing enable-grpc-gateway enable-log-rotation enable-pprof feature-gates ' +
  'force-new-cluster grpc-keepalive-interval grpc-keepalive-min-time grpc-keepalive-timeout heartbeat-interval ' +
  'host-whitelist initial-advertise-peer-urls initial-cluster initial-cluster-state initial-cluster-token ' +
  'initial-election-tick-advance key-file listen-client-http-urls listen-client-urls listen-metrics-urls ' +
  'listen-peer-urls log-format log-level log-outputs log-rotation-config-json logger max-concurrent-streams ' +
  'max-learners max-request-bytes max-snapshots max-txn-ops max-wals memory-mlock metrics name peer-auto-tls ' +
  'peer-cert-allowed-cn peer-cert-allowed-hostname peer-cert-file peer-client-cert-auth peer-client-cert-file ' +
  'peer-client-key-file peer-crl-file peer-key-file peer-skip-client-san-verification peer-trusted-ca-file ' +
  'pre-vote quota-backend-bytes raft-read-timeout raft-write-timeout self-signed-cert-validity ' +
  'snapshot-catchup-entries snapshot-count socket-reuse-address socket-reuse-port strict-reconfig-check ' +
  'tls-max-version tls-min-version trusted-ca-file unsafe-no-fsync v2-deprecation wal-dir ' +
  'warning-apply-duration warning-unary-request-duration watch-progress-notify-interval'
).split(' ');

const ALIAS = 'experimental-watch-progress-notify-interval';
const PROGRESS = 'watch-progress-notify-interval';

function config(text: object): Record<string, string> {
  return Object.fromEntries(valuesOfConfig(SERVE_FLAGS, text));
}

describe('the flags of k1m serve', () => {
  it('are all of etcd, and each is in the environment and the config file too', () => {
    for (const name of ETCD_FLAGS) {
      const values = parseArguments(SERVE_FLAGS, [`--${name}=x`]);
      assert.deepEqual([...values], [[name, 'x']]);
      const fromEnvironment = new Map<string, string>();
      const warn = (text: string): void => assert.fail(text);
      addEnvironment(SERVE_FLAGS, fromEnvironment, { [`ETCD_${name.toUpperCase().replaceAll('-', '_')}`]: 'x' }, warn);
      assert.deepEqual(fromEnvironment, values);
      assert.deepEqual(config({ [name]: 'x' }), { [name]: 'x' });
    }
  });

  it('are spelled with one dash or two, and with = or a space before the value', () => {
    for (const argv of [['--name=a'], ['-name=a'], ['--name', 'a'], ['-name', 'a']]) {
      assert.deepEqual([...parseArguments(SERVE_FLAGS, argv)], [['name', 'a']]);
    }
    const values = new FlagValues(SERVE_FLAGS, parseArguments(SERVE_FLAGS, ['-pre-vote', '--strict-reconfig-check=F']));
    assert.deepEqual([values.boolean('pre-vote'), values.boolean('strict-reconfig-check')], [true, false]);
    assert.throws(() => parseArguments(SERVE_FLAGS, ['---name=a']), UsageError);
  });

  it('have their older spellings on the command line, in the environment and in the config file', () => {
    const expected = new Map([[PROGRESS, '5s']]);
    assert.deepEqual(parseArguments(SERVE_FLAGS, [`--${ALIAS}=5s`]), expected);
    const values = new Map<string, string>();
    addEnvironment(SERVE_FLAGS, values, { ETCD_EXPERIMENTAL_WATCH_PROGRESS_NOTIFY_INTERVAL: '5s' }, assert.fail);
    assert.deepEqual(values, expected);
    assert.deepEqual(config({ [ALIAS]: '5s' }), { [PROGRESS]: '5s' });
  });

  it('stand in the sections of a config file under names of their own', () => {
    const sections = {
      'client-transport-security': {
        'cert-file': 'a',
        'client-cert-auth': true,
        'allowed-hostname': 'h',
        'key-file': null,
      },
      'peer-transport-security': { 'cert-file': 'b', 'allowed-cn': ['c', 'd'], 'skip-client-san-verification': false },
      'socket-options': { 'reuse-port': true },
      'auto-compaction-retention': '1',
      'watch-progress-notify-interval': 5_000_000_000,
      'log-outputs': ['stderr', 'x'],
      cors: null,
    };
    assert.deepEqual(config(sections), {
      'cert-file': 'a',
      'client-cert-auth': 'true',
      'client-cert-allowed-hostname': 'h',
      'peer-cert-file': 'b',
      'peer-cert-allowed-cn': 'c,d',
      'peer-skip-client-san-verification': 'false',
      'socket-reuse-port': 'true',
      'auto-compaction-retention': '1',
      'watch-progress-notify-interval': '5000000000ns',
      'log-outputs': 'stderr,x',
    });
  });

  for (const [text, says] of [
    [
      { 'peer-transport-security': { 'cert-fil': 'a' } },
      'unknown flag in the config file: peer-transport-security.cert-fil',
    ],
    [{ 'client-transport-security': 'a' }, 'client-transport-security in the config file is not a map'],
    [
      { 'client-transport-security': { 'cert-file': { a: 1 } } },
      'client-transport-security.cert-file in the config file has the wrong form: a string is wanted',
    ],
    [{ datadir: 'a' }, 'unknown flag in the config file: datadir'],
  ] as const) {
    it(`a config file is refused with ${JSON.stringify(says)}`, () => {
      assert.throws(() => config(text), { name: 'UsageError', message: says });
    });
  }
});
