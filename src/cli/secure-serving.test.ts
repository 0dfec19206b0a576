import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { Command } from 'commander';
import {
  addSecureServingOptions,
  checkDelegation,
  checkSecureServing,
  clientAuthority,
  type SecureServingFlags,
  servingPair,
} from './secure-serving.ts';

function flagsOf(...args: readonly string[]): SecureServingFlags {
  const command = addSecureServingOptions(new Command())
    .exitOverride()
    .configureOutput({ writeErr: () => {} });
  return command.parse(args, { from: 'user' }).opts();
}

/** Everything that is looked at before the port is opened. */
function check(...args: readonly string[]): void {
  const flags = flagsOf(...args);
  checkSecureServing(flags);
  checkDelegation(flags);
  servingPair(flags);
  clientAuthority(flags);
}

function folderFor(test: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'k1m-serving-'));
  test.after(() => rmSync(folder, { recursive: true }));
  return folder;
}

/** In the words of kube-scheduler 1.36. */
const REFUSED: readonly (readonly [string, string])[] = [
  ['--secure-port=-1', '--secure-port -1 must be between 0 and 65535, inclusive. 0 for turning off secure port'],
  ['--secure-port=99999', '--secure-port 99999 must be between 1 and 65535, inclusive. It cannot be turned off with 0'],
  ['--secure-port=x', 'parsing "x": invalid syntax'],
  ['--bind-address=foo', 'failed to parse IP: "foo"'],
  ['--tls-cert-file=/nowhere', 'missing filename for serving cert'],
  ['--tls-private-key-file=/nowhere', 'missing filename for serving cert'],
  ['--tls-cert-file=/nowhere --tls-private-key-file=/nowhere', 'open /nowhere: no such file or directory'],
  ['--cert-dir=/proc/nowhere', 'error creating self-signed certificates: '],
  ['--tls-min-version=x', 'unknown tls version "x"'],
  ['--tls-cipher-suites=x', "Cipher suite x not supported or doesn't exist"],
  ['--client-ca-file=/nowhere', 'unable to load client CA provider: open /nowhere: no such file or directory'],
  ['--authorization-always-allow-paths=/*/x', 'only trailing * allowed in "*/x"'],
  [
    '--authorization-kubeconfig=/nowhere',
    'failed to get delegated authorization kubeconfig: stat /nowhere: no such file or directory',
  ],
  [
    '--authentication-kubeconfig=/nowhere',
    'failed to get delegated authentication kubeconfig: failed to get delegated authentication kubeconfig: stat /nowhere: no such file or directory',
  ],
];

describe('the flags of the secure port', () => {
  for (const [args, says] of REFUSED) {
    it(`are refused: ${args}`, () => {
      assert.throws(
        () => check(...args.split(' ')),
        (error: Error) => error.message.includes(says),
      );
    });
  }

  it('make a manifest of kube-scheduler work as it is', () => {
    check(
      '--bind-address=127.0.0.1',
      '--secure-port=10259',
      '--tls-min-version=VersionTLS12',
      '--tls-cipher-suites=TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,TLS_AES_128_GCM_SHA256',
    );
    assert.deepEqual(flagsOf().authorizationAlwaysAllowPaths, ['/healthz', '/readyz', '/livez']);
    assert.deepEqual([flagsOf().bindAddress, flagsOf().securePort], ['0.0.0.0', 10_259]);
    assert.equal(
      checkSecureServing(flagsOf('--tls-cipher-suites=TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256')).ciphers,
      'TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256:ECDHE-RSA-AES128-GCM-SHA256',
    );
  });

  it('keep the certificate of a folder, and make it where it is not there', (test) => {
    const folder = join(folderFor(test), 'made');
    const made = servingPair(flagsOf(`--cert-dir=${folder}`));
    assert.equal(statSync(join(folder, 'kube-scheduler.key')).mode & 0o777, 0o600);
    assert.deepEqual(servingPair(flagsOf(`--cert-dir=${folder}`)), made);
    assert.notEqual(servingPair(flagsOf()).key, made.key);
  });

  it('take the certificate of files', (test) => {
    const folder = folderFor(test);
    const [certificate, key] = ['c', 'k'].map((name) => join(folder, name));
    writeFileSync(certificate, 'certificate');
    writeFileSync(key, 'key');
    const flags = flagsOf(`--tls-cert-file=${certificate}`, `--tls-private-key-file=${key}`);
    assert.deepEqual(servingPair(flags), { certificate: 'certificate', key: 'key' });
  });
});
