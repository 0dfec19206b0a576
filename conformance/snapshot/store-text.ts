/** All that clients can see of a store, as text: two stores with the same text are copies of each other. */
import { createHash } from 'node:crypto';
import type { KeyValue } from '../../src/api/messages.ts';
import * as methods from '../../src/api/methods.ts';
import type { EtcdClient } from '../../src/client/etcd-client.ts';

const everything = { key: Uint8Array.of(0), range_end: Uint8Array.of(0) };
/** Revisions of the past that are listed as well. */
const pastCount = 8;

function lineOf({ key, create_revision, mod_revision, version, value, lease }: KeyValue): string {
  const digest = createHash('sha256').update(value).digest('hex').slice(0, 12);
  const name = Buffer.from(key).toString();
  return `${name} create ${create_revision} mod ${mod_revision} version ${version} lease ${lease} ${value.length} bytes ${digest}`;
}

async function linesAt(client: EtcdClient, revision: number): Promise<string[]> {
  const { kvs, count } = await client.range({ ...everything, revision });
  return [`at ${revision}: ${count} keys`, ...kvs.map(lineOf)];
}

async function leaseLines(client: EtcdClient, isAtRest: boolean): Promise<string[]> {
  const { leases } = await client.call(methods.leaseLeases, {});
  const lines: string[] = [];
  for (const { ID } of leases) {
    const { grantedTTL, keys } = await client.leaseTimeToLive(ID, isAtRest);
    const names = keys.map((key) => Buffer.from(key).toString()).sort();
    lines.push(`lease ${BigInt.asUintN(64, ID).toString(16)} of ${grantedTTL} s: ${names.join(' ')}`);
  }
  return lines.sort();
}

/**
 * At `revision`, with `pastCount` revisions between the compacted one and it; and the hash of all versions. Which keys a lease has is
 * only known of now: it is left out unless the store is at rest at `revision`.
 */
export async function textOfStore(client: EtcdClient, revision: number, isAtRest = true): Promise<string> {
  const hash = await client.call(methods.hashKv, { revision });
  const compacted = Math.max(1, hash.compact_revision);
  const step = Math.max(1, Math.floor((revision - compacted) / pastCount));
  const lines = [`hash ${hash.hash} compacted at ${hash.compact_revision}`];
  for (let past = compacted; past < revision; past += step) lines.push(...(await linesAt(client, past)));
  lines.push(...(await linesAt(client, revision)), ...(await leaseLines(client, isAtRest)));
  return lines.join('\n');
}

export async function revisionOf(client: EtcdClient): Promise<number> {
  const { header } = await client.range({ key: Uint8Array.of(0), count_only: true });
  return header?.revision ?? 0;
}
