// etcd's flags of a single member (etcd 3.7, server/embed), and ours: name, type, default, help. `use` says what becomes of
// it: `used`; `accepted`, which means it is understood and has no effect here; or `later`, which is refused when set,
// because ignoring it would leave something unprotected, or a member alone.

export type FlagType = 'string' | 'boolean' | 'number' | 'duration' | 'list';

export interface Flag {
  readonly name: string;
  readonly type: FlagType;
  readonly default: string;
  readonly use: 'used' | 'accepted' | 'later';
  readonly help: string;
  /** Numbers: bounds of what is taken. */
  readonly min?: number;
  readonly max?: number;
  /** Older spellings. */
  readonly aliases?: readonly string[];
  /** Prefix of its environment variable; ETCD_ for etcd's, K1M_ for ours. */
  readonly environment: 'ETCD_' | 'K1M_';
}

function flag(name: string, type: FlagType, value: string, help: string, aliases: readonly string[] = []): Flag {
  return { name, type, default: value, use: 'used', help, aliases, environment: 'ETCD_' };
}

function count(name: string, value: string, help: string, min: number, max: number = Number.MAX_SAFE_INTEGER): Flag {
  return { ...flag(name, 'number', value, help), min, max };
}

function own(name: string, type: FlagType, value: string, help: string, min: number = 0): Flag {
  return { name, type, default: value, use: 'used', help, min, environment: 'K1M_' };
}

function accepted(type: FlagType, names: string): Flag[] {
  return names.split(' ').map((name) => {
    return { name, type, default: '', use: 'accepted', help: 'etcd flag; no effect here', environment: 'ETCD_' };
  });
}

function later(type: FlagType, names: string): Flag[] {
  return names.split(' ').map((name) => {
    return { name, type, default: '', use: 'later', help: 'etcd flag; not supported yet', environment: 'ETCD_' };
  });
}

export const SERVE_FLAGS: readonly Flag[] = [
  flag('name', 'string', 'default', 'human-readable name of this member'),
  flag('data-dir', 'string', '', 'folder of the data; without it NAME.k1m here'),
  flag('listen-client-urls', 'list', 'http://127.0.0.1:2379', 'URLs to listen on for clients'),
  flag('advertise-client-urls', 'list', 'the listen URLs', "this member's client URLs, told to clients"),
  flag('listen-metrics-urls', 'list', '', 'URLs that serve only /metrics, /health, /livez and /readyz'),
  flag(
    'config-file',
    'string',
    '',
    'YAML or JSON file with flags by name; other flags and environment are then ignored',
  ),
  flag('quota-backend-bytes', 'number', '0', 'memory the store may use; 0: 70 % of the machine, negative: no quota'),
  count('max-request-bytes', '1572864', 'largest client request', 1, 2 ** 30),
  count('max-txn-ops', '128', 'most operations in a transaction', 1),
  count('max-concurrent-streams', '4294967295', 'most streams a connection may have open', 1, 2 ** 32 - 1),
  flag('grpc-keepalive-min-time', 'duration', '5s', 'least time between pings of a client'),
  flag('grpc-keepalive-interval', 'duration', '2h0m0s', 'silence after which a client is pinged; 0: never'),
  flag('grpc-keepalive-timeout', 'duration', '20s', 'time a client has to answer a ping'),
  flag('heartbeat-interval', 'number', '100', 'milliseconds; checked against election-timeout only'),
  flag('election-timeout', 'number', '1000', 'milliseconds; sets the least lease TTL'),
  flag('watch-progress-notify-interval', 'duration', '10m0s', 'time between progress notifications', [
    'experimental-watch-progress-notify-interval',
  ]),
  flag('auto-compaction-mode', 'string', 'periodic', "'periodic' or 'revision'"),
  flag(
    'auto-compaction-retention',
    'string',
    '0',
    'history to keep: a duration (hours without unit) or revisions; 0: off',
  ),
  flag(
    'initial-advertise-peer-urls',
    'list',
    'http://localhost:2380',
    'peer URLs; decide the member id of a new folder',
  ),
  flag('initial-cluster', 'string', '', 'must name this member alone'),
  flag('initial-cluster-token', 'string', 'etcd-cluster', 'decides member and cluster id of a new folder'),
  flag('log-level', 'string', 'info', 'debug, info, warn, error, panic or fatal'),
  own('durability', 'string', 'fsync', "class of keys without a prefix rule: 'fsync', 'buffered' or 'none'"),
  own('durability-prefix', 'list', '', 'PREFIX=CLASS, comma-separated: the class of keys below a prefix'),
  {
    ...own('commit-delay-us', 'number', '400', 'while writes are frequent, commits are so many microseconds apart', 0),
    max: 10_000,
  },
  own('buffered-loss-ms', 'number', '200', 'most milliseconds of buffered writes a power cut may take', 1),
  own('buffered-loss-bytes', 'number', '33554432', 'most bytes of buffered writes a power cut may take', 1),
  own('reply-bytes-max', 'number', '268435456', 'bytes of large replies in flight; more of them wait', 1),
  {
    ...own('snapshot-log-percent', 'number', '75', 'log since the last snapshot, in % of the state, for the next', 10),
    max: 10_000,
  },
  own('snapshot-log-bytes', 'number', '268435456', 'no snapshot for less log than this, in bytes', 1),
  own(
    'disk-reserve-bytes',
    'number',
    '268435456',
    'with less free on the disk of the data, writes that add are refused',
    1,
  ),
  own('disk-stall-ms', 'number', '500', 'a write of the log that takes longer makes the disk a stalled one', 1),
  own('backup-dir', 'string', '', "folder for backups by the clock, as etcd's snapshot files; without it none"),
  own('backup-interval', 'duration', '1h0m0s', 'time from one backup to the next'),
  own('backup-keep', 'number', '24', 'backups kept; older ones are removed', 1),
  ...accepted(
    'string',
    'listen-peer-urls initial-cluster-state wal-dir logger log-format log-outputs log-rotation-config-json metrics host-whitelist cors ' +
      'cipher-suites tls-min-version tls-max-version backend-bbolt-freelist-type bcrypt-cost auth-token auth-token-ttl ' +
      'discovery-fallback discovery-proxy discovery-srv-name discovery-cacert discovery-cert discovery-key discovery-user discovery-password ' +
      'feature-gates experimental-feature-gates v2-deprecation distributed-tracing-address distributed-tracing-service-name ' +
      'distributed-tracing-instance-id',
  ),
  ...accepted(
    'number',
    'snapshot-count max-snapshots max-wals snapshot-catchup-entries backend-batch-limit compaction-batch-limit ' +
      'bootstrap-defrag-threshold-megabytes max-learners self-signed-cert-validity distributed-tracing-sampling-rate',
  ),
  ...accepted(
    'duration',
    'backend-batch-interval warning-apply-duration warning-unary-request-duration corrupt-check-time ' +
      'compact-hash-check-time compaction-sleep-interval raft-read-timeout raft-write-timeout downgrade-check-time ' +
      'discovery-dial-timeout discovery-request-timeout discovery-keepalive-time discovery-keepalive-timeout',
  ),
  ...accepted(
    'boolean',
    'strict-reconfig-check pre-vote enable-grpc-gateway enable-pprof enable-log-rotation socket-reuse-port ' +
      'socket-reuse-address memory-mlock initial-election-tick-advance experimental-initial-corrupt-check ' +
      'experimental-compact-hash-check-enabled enable-distributed-tracing peer-skip-client-san-verification ' +
      'discovery-insecure-transport discovery-insecure-skip-tls-verify',
  ),
  ...later(
    'string',
    'cert-file key-file trusted-ca-file client-crl-file client-cert-allowed-hostname peer-cert-file peer-key-file ' +
      'peer-trusted-ca-file peer-crl-file peer-cert-allowed-cn peer-cert-allowed-hostname listen-client-http-urls ' +
      'client-cert-file client-key-file peer-client-cert-file peer-client-key-file discovery discovery-srv discovery-endpoints discovery-token',
  ),
  ...later(
    'boolean',
    'client-cert-auth auto-tls peer-client-cert-auth peer-auto-tls unsafe-no-fsync force-new-cluster',
  ),
];
