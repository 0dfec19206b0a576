/**
 * Where the built peers are: `$K1M_PEERS`, else `.peers` at the root of the repository. `conformance/peers.ts` fills it.
 */
import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';

export function peersFolder(): string {
  return resolve(process.env.K1M_PEERS ?? join(import.meta.dirname, '..', '..', '.peers'));
}

export function peerPath(name: string): string {
  return join(peersFolder(), name);
}

/** Throws, naming the command that builds them, unless all the named programs are there. */
export function requirePeers(names: readonly string[]): void {
  const missing = names.filter((name) => !existsSync(peerPath(name)));
  if (missing.length === 0) return;
  throw new Error(`${missing.join(', ')} not in ${peersFolder()}; build them with: node conformance/peers.ts`);
}
