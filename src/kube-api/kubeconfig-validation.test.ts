// What is refused of a kubeconfig, as kube-scheduler 1.36 says it.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { SimulatedClock } from '../testing/clock.ts';
import { type Credentials, CredentialsError } from './credentials.ts';
import { readKubeconfig } from './kubeconfig.ts';
import { config, execPlugin } from './kubeconfig-fixture.ts';

const BETA = 'client.authentication.k8s.io/v1beta1';

function one(user: object, cluster: object = {}): Promise<Credentials> {
  return readKubeconfig({
    path: '/c',
    environment: {},
    readText: (path) => (path === '/c' ? config(user, cluster) : path === '/empty' ? '\n' : undefined),
    clock: new SimulatedClock(),
  });
}

describe('a kubeconfig', () => {
  const exec = (fields: object): object => ({ exec: { apiVersion: BETA, command: 'x', ...fields } });
  const forPlugin = 'must be specified for u to use exec authentication plugin';
  for (const [name, user, cluster, message] of [
    [
      'two ways to log in',
      { token: 't', username: 'u', password: 'p' },
      {},
      'invalid configuration: more than one authentication method found for u; found [token basicAuth], only one is allowed',
    ],
    [
      'a password and a token in a file',
      { tokenFile: '/token', username: 'u', password: 'p' },
      {},
      'username/password or bearer token may be set, but not both',
    ],
    [
      'a token file that is empty',
      { tokenFile: '/empty' },
      {},
      'credentials of user u: read empty token from file "/empty"',
    ],
    [
      'a certificate without a key',
      { 'client-certificate-data': 'YQ==' },
      {},
      'invalid configuration: client-key-data or client-key must be specified for u to use the clientCert authentication method.',
    ],
    [
      'a certificate and a key that are not there',
      { 'client-certificate': '/no.crt', 'client-key': '/no.key' },
      {},
      'invalid configuration: [unable to read client-cert /no.crt for u due to open /no.crt: no such file or directory, unable to read client-key /no.key for u due to open /no.key: no such file or directory]',
    ],
    [
      'an authority twice',
      {},
      { 'certificate-authority': '/no', 'certificate-authority-data': 'YQ==' },
      'invalid configuration: [certificate-authority-data and certificate-authority are both specified for c. certificate-authority-data will override., unable to read certificate-authority /no for c due to open /no: no such file or directory]',
    ],
    [
      'an authority that is not asked',
      {},
      { 'insecure-skip-tls-verify': true, 'certificate-authority-data': 'YQ==' },
      'specifying a root certificates file with the insecure flag is not allowed',
    ],
    [
      'a plugin without anything',
      { exec: {} },
      {},
      `invalid configuration: [command ${forPlugin}, apiVersion ${forPlugin}, interactiveMode ${forPlugin}]`,
    ],
    [
      'a plugin that does not say how interactive it is',
      exec({ apiVersion: 'client.authentication.k8s.io/v1' }),
      {},
      `invalid configuration: interactiveMode ${forPlugin}`,
    ],
    [
      'a plugin that is interactive in a way of its own',
      exec({ interactiveMode: 'Sometimes' }),
      {},
      'invalid configuration: invalid interactiveMode for u: "Sometimes"',
    ],
    [
      'a plugin with variables that have no name',
      exec({ env: [{ value: 'a' }, { value: 'b' }] }),
      {},
      `invalid configuration: env variable name ${forPlugin}`,
    ],
    [
      'a plugin of a version that is no more',
      exec({ apiVersion: 'client.authentication.k8s.io/v1alpha1' }),
      {},
      'credentials of user u: exec plugin: invalid apiVersion "client.authentication.k8s.io/v1alpha1"',
    ],
    [
      'a plugin of another version',
      exec({ apiVersion: 'foo/v1', interactiveMode: 'Never' }),
      {},
      'credentials of user u: exec plugin: invalid apiVersion "foo/v1"',
    ],
    [
      'a plugin and a provider',
      { ...exec({}), 'auth-provider': { name: 'oidc' } },
      {},
      'invalid configuration: authProvider cannot be provided in combination with an exec plugin for u',
    ],
    [
      'groups of nobody',
      { 'as-groups': ['g'] },
      {},
      'invalid configuration: requesting uid, groups or user-extra for u without impersonating a user',
    ],
    [
      'an unknown provider',
      { 'auth-provider': { name: 'foo' } },
      {},
      'credentials of user u: no Auth Provider found for name "foo"',
    ],
    [
      'an authority that is none',
      {},
      { 'certificate-authority-data': 'YQ==' },
      'unable to load root certificates: unable to parse bytes as PEM block',
    ],
    [
      'OIDC without an issuer',
      { 'auth-provider': { name: 'oidc' } },
      {},
      'credentials of user u: Must provide idp-issuer-url',
    ],
  ] as const) {
    test(`with ${name} is refused in client-go's words`, async () => {
      await assert.rejects(one(user, cluster), new CredentialsError(message));
    });
  }

  test('with a key that may not be read is refused', async () => {
    const denied = Object.assign(new Error('EACCES'), { code: 'EACCES' });
    const user = { 'client-certificate-data': 'YQ==', 'client-key': '/secret.key' };
    const readText = (path: string): string => {
      if (path === '/c') return config(user);
      throw denied;
    };
    const clock = new SimulatedClock();
    await assert.rejects(
      readKubeconfig({ path: '/c', environment: {}, readText, clock }),
      new CredentialsError(
        'invalid configuration: unable to read client-key /secret.key for u due to open /secret.key: permission denied',
      ),
    );
  });

  test('with a provider that is no more is told what to use', async () => {
    await assert.rejects(
      one({ 'auth-provider': { name: 'gcp' } }),
      /gcp auth plugin has been removed.*gke-gcloud-auth-plugin/s,
    );
  });

  for (const [status, message] of [
    ['undefined', "exec plugin didn't return a status field"],
    ['{}', "exec plugin didn't return a token or cert/key pair"],
    ["{ clientKeyData: 'K' }", 'exec plugin returned only certificate or key, not both'],
  ]) {
    test(`whose plugin answers ${status} is refused in client-go's words`, async () => {
      await assert.rejects(
        one({ exec: execPlugin(status) }),
        new CredentialsError(`credentials of user u: ${message}`),
      );
    });
  }

  test('whose plugin speaks of another version, or not in JSON, is refused', async () => {
    const other = { ...execPlugin("{ token: 't' }"), apiVersion: BETA };
    await assert.rejects(
      one({ exec: other }),
      /is configured to use API version .*v1beta1, plugin returned version .*\/v1$/,
    );
    const silent = { ...execPlugin('{}'), args: ['-e', ''] };
    await assert.rejects(one({ exec: silent }), /credentials of user u: decoding stdout: /);
  });
});
