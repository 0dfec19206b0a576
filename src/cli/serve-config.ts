// From flag values to what the server needs: addresses, identity, durability, limits. Everything that can be wrong in a
// configuration is found here, before anything is opened.

import { createHash } from 'node:crypto';
import type { BackupOptions } from '../etcd/backups.ts';
import { DURABILITY_RULES_MAX, DurabilityMap, type DurabilityRule } from '../etcd/durability.ts';
import type { ListenOptions } from '../io/network.ts';
import type { Durability, JournalIdentity } from '../journal/journal.ts';
import { type FlagValues, parseDurationMs, UsageError } from './flag-values.ts';

/** Part of the machine's memory that the store may use when no quota is given. */
const QUOTA_SHARE = 0.7;

const BACKUP_INTERVAL_MS_MIN = 1_000;

export interface AutoCompaction {
  readonly mode: 'periodic' | 'revision';
  /** Milliseconds or revisions. */
  readonly retention: number;
}

export interface ServeConfig {
  readonly name: string;
  readonly folder: string;
  readonly listen: readonly ListenOptions[];
  readonly clientUrls: readonly string[];
  readonly peerUrls: readonly string[];
  readonly listenMetrics: readonly ListenOptions[];
  readonly identity: JournalIdentity;
  readonly durability: DurabilityMap;
  readonly quotaBytes: number;
  readonly minimumLeaseTtlSeconds: number;
  readonly autoCompaction: AutoCompaction | undefined;
  readonly backups: BackupOptions | undefined;
}

export function serveConfig(values: FlagValues, memoryBytes: number): ServeConfig {
  for (const name of values.namesOf('later')) {
    if (values.string(name) !== '' && values.string(name) !== 'false') {
      throw new UsageError(`--${name} is not supported yet (see "Status" in the README)`);
    }
  }
  const name = values.string('name');
  if (name === '') throw new UsageError('--name must not be empty');
  if (values.isSet('listen-client-urls') && !values.isSet('advertise-client-urls')) {
    throw new UsageError('--advertise-client-urls is required when --listen-client-urls is set explicitly');
  }
  const listenUrls = values.list('listen-client-urls');
  if (listenUrls.length === 0) throw new UsageError('--listen-client-urls must not be empty');
  const peerUrls = values.list('initial-advertise-peer-urls');
  for (const flag of ['advertise-client-urls', 'initial-advertise-peer-urls']) {
    if (values.isSet(flag)) for (const url of values.list(flag)) checkAdvertised(url, flag);
  }
  checkInitialCluster(values.string('initial-cluster'), name);
  return {
    name,
    folder: values.string('data-dir') || `${name}.k1m`,
    listen: listenUrls.map((url) => listenOptions(url, 'listen-client-urls')),
    clientUrls: values.isSet('advertise-client-urls') ? values.list('advertise-client-urls') : listenUrls,
    peerUrls,
    listenMetrics: values.list('listen-metrics-urls').map((url) => listenOptions(url, 'listen-metrics-urls')),
    identity: identityOf(peerUrls, values.string('initial-cluster-token')),
    durability: durabilityOf(values),
    quotaBytes: quotaOf(values.number('quota-backend-bytes'), memoryBytes),
    minimumLeaseTtlSeconds: minimumTtlSeconds(values),
    autoCompaction: autoCompactionOf(values),
    backups: backupsOf(values),
  };
}

/** etcd wants at least five heartbeats in an election timeout; a lease lives at least one and a half
 * election timeouts (etcd 3.7, server/etcdserver/server.go minTTL). */
function minimumTtlSeconds(values: FlagValues): number {
  const heartbeatMs = values.number('heartbeat-interval');
  const electionMs = values.number('election-timeout');
  if (heartbeatMs <= 0) throw new UsageError(`--heartbeat-interval must be >0 (set to ${heartbeatMs}ms)`);
  if (electionMs <= 0) throw new UsageError(`--election-timeout must be >0 (set to ${electionMs}ms)`);
  if (5 * heartbeatMs > electionMs) {
    throw new UsageError(
      `--election-timeout[${electionMs}ms] should be at least as 5 times as --heartbeat-interval[${heartbeatMs}ms]`,
    );
  }
  if (electionMs > 50_000)
    throw new UsageError(`--election-timeout[${electionMs}ms] is too long, and should be set less than 50000ms`);
  const ticks = Math.floor((3 * Math.floor(electionMs / heartbeatMs)) / 2);
  return Math.ceil((ticks * heartbeatMs) / 1000);
}

function listenOptions(text: string, flag: string): ListenOptions {
  if (!URL.canParse(text)) throw new UsageError(`--${flag}: ${JSON.stringify(text)} is not a URL`);
  const url = new URL(text);
  if (url.protocol === 'https:')
    throw new UsageError(`--${flag}: TLS is not supported yet (see "Status" in the README)`);
  if (url.protocol !== 'http:') throw new UsageError(`--${flag}: URL scheme must be http or https: ${text}`);
  if ((url.pathname !== '/' && url.pathname !== '') || url.search !== '') {
    throw new UsageError(`--${flag}: URL must not contain a path: ${text}`);
  }
  const host = url.hostname.replace(/^\[(.*)\]$/, '$1');
  if (host !== 'localhost' && !/^[0-9.]+$/.test(host) && !host.includes(':')) {
    throw new UsageError(`--${flag}: expected IP in URL for binding (${text})`);
  }
  return { host, port: url.port === '' ? 80 : Number(url.port) };
}

function checkAdvertised(text: string, flag: string): void {
  const isUrl = URL.canParse(text) && /^https?:$/.test(new URL(text).protocol);
  if (!isUrl) throw new UsageError(`--${flag}: ${JSON.stringify(text)} is not an http or https URL`);
}

export function checkInitialCluster(text: string, name: string, command = 'serve'): void {
  if (text === '') return;
  const names = text.split(',').map((part) => part.split('=')[0]);
  if (names.some((other) => other !== name)) {
    throw new UsageError(
      `--initial-cluster must name this member (${JSON.stringify(name)}) alone: k1m serve is one member`,
      command,
    );
  }
}

/** As etcd makes them: SHA-1 over sorted peer URLs and token; the cluster's over the member ids. */
export function identityOf(peerUrls: readonly string[], token: string): JournalIdentity {
  const memberHash = createHash('sha1')
    .update([...peerUrls].sort().join('') + token)
    .digest();
  const memberId = memberHash.readBigInt64BE(0);
  const clusterId = createHash('sha1').update(memberHash.subarray(0, 8)).digest().readBigInt64BE(0);
  return { memberId, clusterId };
}

function backupsOf(values: FlagValues): BackupOptions | undefined {
  const folder = values.string('backup-dir');
  const intervalMs = values.durationMs('backup-interval');
  if (intervalMs < BACKUP_INTERVAL_MS_MIN) throw new UsageError('--backup-interval must be at least 1s');
  return folder === '' ? undefined : { folder, intervalMs, keptMax: values.number('backup-keep') };
}

function durabilityOf(values: FlagValues): DurabilityMap {
  const rules: DurabilityRule[] = values.list('durability-prefix').map((rule) => {
    const equals = rule.lastIndexOf('=');
    if (equals <= 0) throw new UsageError(`--durability-prefix: ${JSON.stringify(rule)} is not PREFIX=CLASS`);
    return {
      prefix: Buffer.from(rule.slice(0, equals)),
      durability: durabilityClass(rule.slice(equals + 1), 'durability-prefix'),
    };
  });
  if (rules.length > DURABILITY_RULES_MAX) {
    throw new UsageError(`--durability-prefix: more than ${DURABILITY_RULES_MAX} rules`);
  }
  return new DurabilityMap(durabilityClass(values.string('durability'), 'durability'), rules);
}

function durabilityClass(text: string, flag: string): Durability {
  if (text === 'fsync' || text === 'buffered' || text === 'none') return text;
  throw new UsageError(`--${flag}: unknown class ${JSON.stringify(text)}; use fsync, buffered or none`);
}

function quotaOf(bytes: number, memoryBytes: number): number {
  if (bytes < 0) return 0;
  return bytes === 0 ? Math.floor(memoryBytes * QUOTA_SHARE) : bytes;
}

function autoCompactionOf(values: FlagValues): AutoCompaction | undefined {
  const mode = values.string('auto-compaction-mode');
  const text = values.string('auto-compaction-retention');
  if (mode !== 'periodic' && mode !== 'revision') {
    throw new UsageError(`unknown auto-compaction-mode ${JSON.stringify(mode)}`);
  }
  const isPlain = /^\d+$/.test(text);
  const periodMs = isPlain ? Number(text) * 3_600_000 : parseDurationMs(text);
  const retention = mode === 'revision' && isPlain ? Number(text) : mode === 'periodic' ? periodMs : undefined;
  if (retention === undefined) throw new UsageError(`error parsing auto-compaction-retention: ${JSON.stringify(text)}`);
  return retention === 0 ? undefined : { mode, retention };
}
