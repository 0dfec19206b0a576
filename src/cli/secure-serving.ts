// kube-scheduler's flags for its HTTPS port, their refusals in its words, and the certificate that it serves with.
//
//   --tls-cert-file and --tls-private-key-file      read again once a minute, so that renewed files are used
//   --cert-dir D                                    D/kube-scheduler.crt and .key, made there when they are not there
//   neither                                         made in memory, new with each start

import { chmodSync, existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { isIP } from 'node:net';
import { dirname, join } from 'node:path';
import { type Command, InvalidArgumentError } from 'commander';
import { errorText } from '../base/error-text.ts';
import type { HttpsOptions } from '../io/https-server.ts';
import { type KeyPair, selfSigned } from '../io/self-signed-certificate.ts';
import { readTextFile } from '../io/text-file.ts';
import { checkAllowedPaths } from '../kube-api/delegated-access.ts';
import { UsageError } from './flag-values.ts';
import { readNamedFile } from './named-file.ts';

const COMMAND = 'schedule';
const PAIR_NAME = 'kube-scheduler';
const SELF_SIGNED_MS = 365 * 86_400_000;
export const PORT_MAX: number = 65_535;

/** commander's names of the options. */
export interface SecureServingFlags {
  readonly bindAddress: string;
  readonly securePort: number;
  readonly certDir: string;
  readonly tlsCertFile: string;
  readonly tlsPrivateKeyFile: string;
  readonly tlsMinVersion: string;
  readonly tlsCipherSuites: readonly string[];
  readonly clientCaFile: string;
  readonly authenticationKubeconfig: string;
  readonly authenticationSkipLookup: boolean;
  readonly authorizationKubeconfig: string;
  readonly authorizationAlwaysAllowPaths: readonly string[];
}

export function addSecureServingOptions(command: Command): Command {
  return command
    .option('--bind-address <ip>', 'to listen on for the secure port', address, '0.0.0.0')
    .option(
      '--secure-port <n>',
      'HTTPS port of /healthz, /livez, /readyz, /metrics and /configz; 0: none',
      securePort,
      10_259,
    )
    .option('--cert-dir <folder>', `where ${PAIR_NAME}.crt and .key are, or are put when they are not there`, '')
    .option('--tls-cert-file <file>', 'the certificate of the secure port; one is made without it', '')
    .option('--tls-private-key-file <file>', 'its key', '')
    .option('--tls-min-version <version>', 'VersionTLS10, VersionTLS11, VersionTLS12 or VersionTLS13', '')
    .option('--tls-cipher-suites <names>', "comma-separated, by Go's names", list, [])
    .option('--client-ca-file <file>', "who vouches for clients' certificates; else what the API server says", '')
    .option('--authentication-kubeconfig <file>', "to ask for TokenReviews; else the scheduler's own credentials", '')
    .option('--authentication-skip-lookup [yes]', 'do not ask the API server who vouches for clients', flag, false)
    .option(
      '--authorization-kubeconfig <file>',
      "to ask for SubjectAccessReviews; else the scheduler's own credentials",
      '',
    )
    .option('--authorization-always-allow-paths <paths>', 'comma-separated, open to all', list, [
      '/healthz',
      '/readyz',
      '/livez',
    ]);
}

function address(text: string): string {
  if (isIP(text) === 0) throw new InvalidArgumentError(`failed to parse IP: ${JSON.stringify(text)}`);
  return text;
}

function securePort(text: string): number {
  const port = Number(text);
  if (!/^[-+]?\d+$/.test(text)) throw new InvalidArgumentError(`parsing ${JSON.stringify(text)}: invalid syntax`);
  if (port < 0) {
    throw new InvalidArgumentError(
      `--secure-port ${port} must be between 0 and 65535, inclusive. 0 for turning off secure port`,
    );
  }
  if (port > PORT_MAX) {
    throw new InvalidArgumentError(
      `--secure-port ${port} must be between 1 and 65535, inclusive. It cannot be turned off with 0`,
    );
  }
  return port;
}

function list(text: string): string[] {
  return text === '' ? [] : text.split(',');
}

function flag(text: string): boolean {
  if (text === 'true' || text === 'false') return text === 'true';
  throw new InvalidArgumentError('true or false is expected.');
}

const MIN_VERSIONS: ReadonlyMap<string, HttpsOptions['minVersion']> = new Map([
  ['', undefined],
  ['VersionTLS10', 'TLSv1'],
  ['VersionTLS11', 'TLSv1.1'],
  ['VersionTLS12', 'TLSv1.2'],
  ['VersionTLS13', 'TLSv1.3'],
]);

/** Go's names to OpenSSL's; those of TLS 1.3 are the same, and always on as in Go. */
const CIPHERS: ReadonlyMap<string, string> = new Map([
  ['TLS_AES_128_GCM_SHA256', 'TLS_AES_128_GCM_SHA256'],
  ['TLS_AES_256_GCM_SHA384', 'TLS_AES_256_GCM_SHA384'],
  ['TLS_CHACHA20_POLY1305_SHA256', 'TLS_CHACHA20_POLY1305_SHA256'],
  ['TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA', 'ECDHE-ECDSA-AES128-SHA'],
  ['TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA', 'ECDHE-ECDSA-AES256-SHA'],
  ['TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA', 'ECDHE-RSA-AES128-SHA'],
  ['TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA', 'ECDHE-RSA-AES256-SHA'],
  ['TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256', 'ECDHE-ECDSA-AES128-GCM-SHA256'],
  ['TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384', 'ECDHE-ECDSA-AES256-GCM-SHA384'],
  ['TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256', 'ECDHE-RSA-AES128-GCM-SHA256'],
  ['TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384', 'ECDHE-RSA-AES256-GCM-SHA384'],
  ['TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256', 'ECDHE-RSA-CHACHA20-POLY1305'],
  ['TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305', 'ECDHE-RSA-CHACHA20-POLY1305'],
  ['TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256', 'ECDHE-ECDSA-CHACHA20-POLY1305'],
  ['TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305', 'ECDHE-ECDSA-CHACHA20-POLY1305'],
]);
const OF_TLS_13 = [...CIPHERS.keys()].filter((name) => !name.includes('_WITH_'));

/** What does not depend on files. Throws UsageError. */
export function checkSecureServing(flags: SecureServingFlags): Pick<HttpsOptions, 'minVersion' | 'ciphers'> {
  const { tlsMinVersion, tlsCipherSuites, tlsCertFile, tlsPrivateKeyFile } = flags;
  if (!MIN_VERSIONS.has(tlsMinVersion)) throw refused(`unknown tls version ${JSON.stringify(tlsMinVersion)}`);
  const ciphers = tlsCipherSuites.map((name) => {
    const cipher = CIPHERS.get(name);
    if (cipher === undefined) throw refused(`Cipher suite ${name} not supported or doesn't exist`);
    return cipher;
  });
  if ((tlsCertFile === '') !== (tlsPrivateKeyFile === '')) throw refused('missing filename for serving cert');
  try {
    checkAllowedPaths(flags.authorizationAlwaysAllowPaths);
  } catch (error) {
    if (error instanceof RangeError) throw refused(error.message);
    throw error;
  }
  const chosen = ciphers.length === 0 ? undefined : [...new Set([...OF_TLS_13, ...ciphers])].join(':');
  return { minVersion: MIN_VERSIONS.get(tlsMinVersion), ciphers: chosen };
}

function refused(text: string): UsageError {
  return new UsageError(text, COMMAND);
}

/** From the files that are named; else from cert-dir; else new. Throws UsageError. */
export function servingPair({ tlsCertFile, tlsPrivateKeyFile, certDir, bindAddress }: SecureServingFlags): KeyPair {
  if (tlsCertFile !== '')
    return { certificate: readNamedFile(tlsCertFile, COMMAND), key: readNamedFile(tlsPrivateKeyFile, COMMAND) };
  const made = (): KeyPair => {
    const addresses = [...new Set(['127.0.0.1', ...(isIP(bindAddress) === 4 ? [bindAddress] : [])])];
    return selfSigned({ hostname: 'localhost', addresses, nowMs: Date.now(), validMs: SELF_SIGNED_MS });
  };
  if (certDir === '') return made();
  const [certificatePath, keyPath] = ['crt', 'key'].map((extension) => join(certDir, `${PAIR_NAME}.${extension}`));
  const [certificate, key] = [readTextFile(certificatePath), readTextFile(keyPath)];
  if (certificate !== undefined && key !== undefined) return { certificate, key };
  const pair = made();
  try {
    makeFolder(certDir);
    writeFileSync(certificatePath, pair.certificate);
    writeFileSync(keyPath, pair.key, { mode: 0o600 });
    // Also where it was there already.
    chmodSync(keyPath, 0o600);
  } catch (error) {
    throw refused(`error creating self-signed certificates: ${errorText(error)}`);
  }
  return pair;
}

/** With those above it. (Node's own way of it does not come back from places like /proc.) */
function makeFolder(path: string): void {
  if (existsSync(path)) return;
  makeFolder(dirname(path));
  mkdirSync(path);
}

/** Undefined when none is named. Throws UsageError. */
export function clientAuthority({ clientCaFile }: SecureServingFlags): string | undefined {
  if (clientCaFile === '') return undefined;
  const text = readTextFile(clientCaFile);
  if (text === undefined) {
    throw refused(`unable to load client CA provider: open ${clientCaFile}: no such file or directory`);
  }
  return text;
}

/** A kubeconfig that is named has to be there. Throws UsageError. */
export function checkDelegation({ authenticationKubeconfig, authorizationKubeconfig }: SecureServingFlags): void {
  for (const [path, what] of [
    [
      authenticationKubeconfig,
      'failed to get delegated authentication kubeconfig: failed to get delegated authentication',
    ],
    [authorizationKubeconfig, 'failed to get delegated authorization'],
  ]) {
    if (path !== '' && readTextFile(path) === undefined) {
      throw refused(`${what} kubeconfig: stat ${path}: no such file or directory`);
    }
  }
}
