// A certificate, its key and who vouches for the other end, out of files that are looked at again once a minute.

import type { Clock } from '../io/clock.ts';
import type { MutualIdentity } from '../io/tls-network.ts';
import { UsageError } from './flag-values.ts';
import { readNamedFile } from './named-file.ts';

const RENEW_MS = 60_000;

export interface IdentityFiles {
  readonly certFile: string | undefined;
  readonly keyFile: string | undefined;
  readonly trustedCaFile: string | undefined;
}

/**
 * Undefined: none of the files is named. `prefix`: of the flags, which have to be given together. The first look is at once. Throws UsageError;
 * what it returns throws one too.
 */
export function identityOf(
  { certFile, keyFile, trustedCaFile }: IdentityFiles,
  { prefix, command, clock }: { readonly prefix: string; readonly command: string; readonly clock: Clock },
): (() => MutualIdentity) | undefined {
  const paths = [certFile, keyFile, trustedCaFile].filter((path) => path !== undefined);
  if (paths.length === 0) return undefined;
  if (paths.length < 3) {
    const flags = ['cert-file', 'key-file', 'trusted-ca-file'].map((name) => `--${prefix}${name}`);
    throw new UsageError(`${flags.join(', ')} go together`, command);
  }
  const read = (): MutualIdentity => {
    const [certificate, key, authority] = paths.map((path) => readNamedFile(path, command));
    return { certificate, key, authority };
  };
  let current = read();
  let readMs = clock.nowMs();
  return () => {
    if (clock.nowMs() - readMs < RENEW_MS) return current;
    const next = read();
    readMs = clock.nowMs();
    if (JSON.stringify(next) !== JSON.stringify(current)) current = next;
    return current;
  };
}
