/**
 * Keys, certificates and tokens of one control plane, made with openssl.
 *
 *   ca.crt ca.key          signs the API server's certificate; what all clients trust
 *   api.crt api.key        the API server's
 *   shards.crt shards.key  what k1m schedule and its shards show each other, by the same authority
 *   sa.key sa.pub          signs and checks service account tokens
 *   tokens.csv             token,user,uid,"group": people and components by static token
 */
import { spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';

const validDays = '30';

export interface Credentials {
  readonly folder: string;
  readonly caPath: string;
  /** Token by user name. */
  readonly tokens: ReadonlyMap<string, string>;
}

export interface User {
  readonly name: string;
  readonly group?: string;
}

function openssl(folder: string, args: readonly string[]): void {
  const { status, stderr, error } = spawnSync('openssl', args, { cwd: folder, encoding: 'utf8' });
  if (error !== undefined) {
    throw new Error('openssl is not on the PATH; install it (apt-get install openssl, brew install openssl)');
  }
  if (status !== 0) throw new Error(`openssl ${args[0]} failed: ${stderr}`);
}

const curve: readonly string[] = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];

/** NAME.crt and NAME.key, signed by the authority. */
function makePair(folder: string, name: string, extensions: string): void {
  writeFileSync(join(folder, `${name}.ext`), extensions);
  openssl(folder, ['req', ...curve, '-keyout', `${name}.key`, '-out', `${name}.csr`, '-subj', `/CN=k1m-${name}`]);
  const sign = ['-in', `${name}.csr`, '-CA', 'ca.crt', '-CAkey', 'ca.key', '-CAcreateserial', '-out', `${name}.crt`];
  openssl(folder, ['x509', '-req', ...sign, '-days', validDays, '-extfile', `${name}.ext`]);
}

export function makeCredentials(folder: string, users: readonly User[]): Credentials {
  const names =
    'IP:127.0.0.1,IP:10.96.0.1,DNS:localhost,DNS:kubernetes,DNS:kubernetes.default,DNS:kubernetes.default.svc';
  openssl(folder, [
    'req',
    '-x509',
    ...curve,
    '-keyout',
    'ca.key',
    '-out',
    'ca.crt',
    '-subj',
    '/CN=k1m-conformance',
    '-days',
    validDays,
  ]);
  makePair(folder, 'api', `subjectAltName=${names}\nextendedKeyUsage=serverAuth\n`);
  makePair(folder, 'shards', 'subjectAltName=IP:127.0.0.1\nextendedKeyUsage=serverAuth,clientAuth\n');
  openssl(folder, ['genrsa', '-out', 'sa.key', '2048']);
  openssl(folder, ['rsa', '-in', 'sa.key', '-pubout', '-out', 'sa.pub']);

  const tokens = new Map(users.map(({ name }) => [name, randomBytes(16).toString('hex')]));
  const rows = users.map(
    ({ name, group }) => `${tokens.get(name)},${name},${name}${group === undefined ? '' : `,"${group}"`}\n`,
  );
  writeFileSync(join(folder, 'tokens.csv'), rows.join(''), { mode: 0o600 });
  return { folder, caPath: join(folder, 'ca.crt'), tokens };
}
