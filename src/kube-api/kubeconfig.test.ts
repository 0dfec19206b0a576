import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { KubeConfig } from '@kubernetes/client-node';
import { readTextFile } from '../io/text-file.ts';
import { SimulatedClock } from '../testing/clock.ts';
import { type Credentials, CredentialsError } from './credentials.ts';
import { type KubeconfigOptions, readKubeconfig } from './kubeconfig.ts';
import { config, execPlugin } from './kubeconfig-fixture.ts';

const BETA = 'client.authentication.k8s.io/v1beta1';
const CA = '-----BEGIN CERTIFICATE-----\nAA==\n-----END CERTIFICATE-----\n';
const base64 = (text: string): string => Buffer.from(text).toString('base64');

describe('a kubeconfig', () => {
  let folder = '';
  before(() => {
    folder = mkdtempSync(join(tmpdir(), 'k1m-kubeconfig-'));
  });
  after(() => rmSync(folder, { recursive: true }));

  function read(files: Record<string, string>, options: Partial<KubeconfigOptions> = {}): Promise<Credentials> {
    return readKubeconfig({
      environment: { HOME: '/home/me' },
      readText: (path) => files[path] ?? readTextFile(path),
      clock: new SimulatedClock(),
      ...options,
    });
  }

  const one = (user: object, cluster: object = {}, options: Partial<KubeconfigOptions> = {}): Promise<Credentials> =>
    read({ '/etc/k/config': config(user, cluster) }, { path: '/etc/k/config', ...options });

  test('gives server, path, authority and token', async () => {
    const authority = { 'certificate-authority-data': base64(CA), server: 'https://10.0.0.1:6443/clusters/one/' };
    const credentials = await one({ token: 'secret' }, { ...authority, 'tls-server-name': 'api.example' });
    assert.equal(credentials.origin, 'https://10.0.0.1:6443');
    assert.equal(credentials.pathPrefix, '/clusters/one');
    assert.deepEqual(credentials.tls(), { isUnchecked: false, ca: Buffer.from(CA), serverName: 'api.example' });
    assert.deepEqual(await credentials.headers(), { authorization: 'Bearer secret' });
  });

  test('gives a client certificate', async () => {
    const user = { 'client-certificate-data': base64('CERT'), 'client-key-data': base64('KEY') };
    const credentials = await one(user, { 'insecure-skip-tls-verify': true });
    const { certificate, key, isUnchecked } = credentials.tls();
    assert.deepEqual([String(certificate), String(key), isUnchecked], ['CERT', 'KEY', true]);
    assert.deepEqual(await credentials.headers(), {});
  });

  test('reads a token file again when it has changed, also instead of a token', async () => {
    writeFileSync(join(folder, 'token'), 'first\n');
    const path = join(folder, 'config');
    const files = { [path]: config({ tokenFile: 'token', token: 'ignored' }) };
    const credentials = await read(files, { path });
    assert.deepEqual(await credentials.headers(), { authorization: 'Bearer first' });
    writeFileSync(join(folder, 'token'), 'second\n');
    await credentials.renew();
    assert.deepEqual(await credentials.headers(), { authorization: 'Bearer second' });
  });

  test('says once at a renewal that the client certificate is another one, also when its files were read again before', async () => {
    const path = join(folder, 'config');
    const files = { [path]: config({ 'client-certificate': 'client.pem', 'client-key': 'client.pem' }) };
    writeFileSync(join(folder, 'client.pem'), 'old');
    const clock = new SimulatedClock();
    const credentials = await read(files, { path, clock });
    assert.equal(await credentials.renew(), false);
    writeFileSync(join(folder, 'client.pem'), 'new');
    clock.rest(10_000);
    await credentials.headers();
    assert.equal(String(credentials.tls().certificate), 'new');
    assert.equal(await credentials.renew(), true);
    assert.equal(await credentials.renew(), false);
  });

  test('runs an exec plugin, with what such plugins are told', async () => {
    const told = 'JSON.parse(process.env.KUBERNETES_EXEC_INFO)';
    const exec = execPlugin(`{ token: JSON.stringify(${told}) + process.env.MORE }`, {
      env: [{ name: 'MORE', value: '!' }],
    });
    const apiVersion = 'client.authentication.k8s.io/v1';
    const spec = { interactive: false };
    assert.deepEqual(await (await one({ exec })).headers(), {
      authorization: `Bearer ${JSON.stringify({ kind: 'ExecCredential', apiVersion, spec })}!`,
    });
    const about = execPlugin(`{ token: JSON.stringify(${told}.spec.cluster) }`, { provideClusterInfo: true });
    const extensions = [{ name: 'client.authentication.k8s.io/exec', extension: { audience: 'a' } }];
    const cluster = { 'certificate-authority-data': base64(CA), 'tls-server-name': 'api.example', extensions };
    const answer = {
      server: 'https://10.0.0.1:6443',
      'tls-server-name': 'api.example',
      'certificate-authority-data': base64(CA),
      config: { audience: 'a' },
    };
    assert.deepEqual(await (await one({ exec: about }, cluster)).headers(), {
      authorization: `Bearer ${JSON.stringify(answer)}`,
    });
  });

  test('asks an exec plugin again when its answer has expired, and not where the user has something to show', async () => {
    const clock = new SimulatedClock();
    const counter = join(folder, 'runs');
    writeFileSync(counter, '');
    const count = `require('fs').appendFileSync(${JSON.stringify(counter)}, '.')`;
    const expirationTimestamp = new Date(clock.wallMs() + 60_000).toISOString();
    const exec = execPlugin(`(${count}, { token: 't', expirationTimestamp: ${JSON.stringify(expirationTimestamp)} })`);
    const credentials = await one({ exec }, {}, { clock });
    await clock.pass(50_000);
    await credentials.headers();
    assert.equal(readTextFile(counter), '.');
    await clock.pass(20_000);
    await credentials.headers();
    assert.equal(readTextFile(counter), '..');
    const own = await one({ exec, token: 'own' }, {}, { clock });
    assert.deepEqual(await own.headers(), { authorization: 'Bearer own' });
    assert.equal(readTextFile(counter), '..');
  });

  test('keeps what a file said before while it cannot be read, until the API server refuses that', async () => {
    const clock = new SimulatedClock();
    const files: Record<string, string> = { '/token': 'one', '/c': config({ tokenFile: '/token' }) };
    const credentials = await read(files, { path: '/c', clock });
    delete files['/token'];
    await clock.pass(20_000);
    assert.deepEqual(await credentials.headers(), { authorization: 'Bearer one' });
    await assert.rejects(credentials.renew(), /credentials of user u: ENOENT/);
    files['/token'] = 'two';
    assert.deepEqual(await credentials.headers(), { authorization: 'Bearer two' });
  });

  test('keeps the token of a file that is emptied, as when it is about to be written', async () => {
    const clock = new SimulatedClock();
    const files: Record<string, string> = { '/token': 'one', '/c': config({ tokenFile: '/token', token: 'other' }) };
    const credentials = await read(files, { path: '/c', clock });
    files['/token'] = '';
    await clock.pass(20_000);
    assert.deepEqual(await credentials.headers(), { authorization: 'Bearer one' });
    files['/token'] = 'two';
    await clock.pass(20_000);
    assert.deepEqual(await credentials.headers(), { authorization: 'Bearer two' });
  });

  test('shows its token while the file of another one is not there', async () => {
    const clock = new SimulatedClock();
    const files: Record<string, string> = { '/c': config({ tokenFile: '/token', token: 'given' }) };
    const credentials = await read(files, { path: '/c', clock });
    assert.deepEqual(await credentials.headers(), { authorization: 'Bearer given' });
    files['/token'] = 'one';
    await clock.pass(20_000);
    assert.deepEqual(await credentials.headers(), { authorization: 'Bearer one' });
  });

  test('shows no key without its certificate', async () => {
    const { key } = (await one({ 'client-key-data': 'YQ==' })).tls();
    assert.equal(key, undefined);
  });

  test('is read again by a renewal while a plugin still logs in for what it said before', async () => {
    const exec = execPlugin("{ token: 'old' }");
    const files = { '/c': config({ exec }) };
    const credentials = await read(files, { path: '/c' });
    const before = credentials.renew();
    files['/c'] = config({ token: 'new' });
    await credentials.renew();
    assert.deepEqual(await credentials.headers(), { authorization: 'Bearer new' });
    await before;
  });

  test('tells what a failing plugin says', async () => {
    const exec = { ...execPlugin('{}'), args: ['-e', 'console.error("log in first"); process.exit(1)'] };
    const text = `credentials of user u: exec: executable ${process.execPath} failed with exit code 1: log in first`;
    await assert.rejects(one({ exec }), new CredentialsError(text));
  });

  test('sends a password, and whom to impersonate', async () => {
    assert.deepEqual(await (await one({ username: 'me', password: 'pw' })).headers(), {
      authorization: `Basic ${base64('me:pw')}`,
    });
    assert.deepEqual(await (await one({ token: 't', as: 'other' })).headers(), {
      authorization: 'Bearer t',
      'impersonate-user': 'other',
    });
    const other = {
      as: 'jane',
      'as-uid': '7',
      'as-groups': ['g', 'h'],
      'as-user-extra': { 'A/b%': ['1', '2'], c: ['3'] },
    };
    assert.deepEqual(await (await one({ token: 't', ...other })).headers(), {
      authorization: 'Bearer t',
      'impersonate-user': 'jane',
      'impersonate-uid': '7',
      'impersonate-group': ['g', 'h'],
      'impersonate-extra-a%2fb%25': ['1', '2'],
      'impersonate-extra-c': ['3'],
    });
  });

  test('is found in the home folder, or as the files of KUBECONFIG, of which the first counts', async () => {
    const files = {
      '/home/me/.kube/config': config({ token: 'home' }),
      '/a': config({ token: 'a' }).replace('"current-context":"x"', '"current-context":""'),
      '/b': config({ token: 'b' }, { server: 'https://b:1' }),
    };
    assert.deepEqual(await (await read(files)).headers(), { authorization: 'Bearer home' });
    const both = await read(files, { environment: { KUBECONFIG: '/missing:/a:/b', HOME: '/home/me' } });
    assert.deepEqual(await both.headers(), { authorization: 'Bearer a' });
    assert.equal(both.origin, 'https://10.0.0.1:6443');
  });

  test('gives way to --master for the address, or to it alone', async () => {
    const credentials = await one({ token: 't' }, {}, { master: 'http://127.0.0.1:8001' });
    assert.equal(credentials.origin, 'http://127.0.0.1:8001');
    assert.deepEqual(await credentials.headers(), { authorization: 'Bearer t' });
    assert.equal((await read({}, { master: 'http://127.0.0.1:8001' })).origin, 'http://127.0.0.1:8001');
  });

  test('is the service account where the program runs in a pod', async () => {
    const account = '/var/run/secrets/kubernetes.io/serviceaccount';
    const files = { [`${account}/token`]: 'pod-token\n', [`${account}/ca.crt`]: CA };
    for (const [host, port, origin] of [
      ['10.96.0.1', '443', 'https://10.96.0.1'],
      ['fd00::1', '6443', 'https://[fd00::1]:6443'],
      ['10.96.0.1', '8080', 'http://10.96.0.1:8080'],
    ]) {
      const environment = { KUBERNETES_SERVICE_HOST: host, KUBERNETES_SERVICE_PORT: port };
      const credentials = await read(files, { environment });
      assert.equal(credentials.origin, origin);
      assert.deepEqual(credentials.tls(), { isUnchecked: false, ca: CA });
      assert.deepEqual(await credentials.headers(), { authorization: 'Bearer pod-token' });
    }
  });

  test('gives the same headers object as long as they say the same', async () => {
    const clock = new SimulatedClock();
    const files: Record<string, string> = { '/token': 'one', '/c': config({ tokenFile: '/token' }) };
    const credentials = await read(files, { path: '/c', clock });
    const first = await credentials.headers();
    await clock.pass(20_000);
    assert.equal(await credentials.headers(), first);
    files['/token'] = 'two';
    assert.equal(await credentials.headers(), first, 'kept for a while');
    await clock.pass(20_000);
    assert.deepEqual(await credentials.headers(), { authorization: 'Bearer two' });
  });

  test('is what @kubernetes/client-node makes of it', async () => {
    writeFileSync(join(folder, 'cert.pem'), 'CERT');
    writeFileSync(join(folder, 'key.pem'), 'KEY');
    writeFileSync(join(folder, 'ca.pem'), CA);
    const files = { 'client-certificate': 'cert.pem', 'client-key': join(folder, 'key.pem') };
    const exec = execPlugin("{ token: 'fresh', clientCertificateData: 'C', clientKeyData: 'K' }");
    for (const user of [
      {},
      { token: 'secret' },
      files,
      { ...files, token: 'secret', as: 'jürgen' },
      { username: 'me', password: 'pw:with' },
      { exec },
    ]) {
      const path = join(folder, 'config');
      const text = config(user, { 'certificate-authority': 'ca.pem', 'tls-server-name': 'api.example' });
      const theirs = new KubeConfig();
      theirs.loadFromString(text);
      theirs.makePathsAbsolute(folder);
      const options: Parameters<KubeConfig['applyToHTTPSOptions']>[0] = { headers: {} };
      await theirs.applyToHTTPSOptions(options);
      const credentials = await read({ [path]: text }, { path });
      const { certificate, key, ca, serverName } = credentials.tls();
      assert.deepEqual(
        [certificate, key, ca].map((pem) => pem?.toString()),
        [options.cert, options.key, options.ca].map((pem) => pem?.toString()),
      );
      assert.equal(serverName, options.servername);
      const basic = options.auth == null ? {} : { authorization: `Basic ${base64(options.auth)}` };
      const headers = Object.entries({ ...options.headers }).map(([name, value]) => [name.toLowerCase(), value]);
      assert.deepEqual(await credentials.headers(), { ...Object.fromEntries(headers), ...basic }, JSON.stringify(user));
    }
  });

  for (const [name, files, options, message] of [
    ['nothing', {}, {}, /^no kubeconfig: use --kubeconfig, KUBECONFIG or ~\/.kube\/config, or run in a pod$/],
    ['a missing file', {}, { path: '/none' }, /^\/none: there is no such kubeconfig$/],
    ['text that is not YAML', { '/c': '{"a": [' }, { path: '/c' }, /^\/c: /],
    ['an empty file', { '/c': '' }, { path: '/c' }, /^\/c: |names no current-context/],
    ['a list', { '/c': '[1, 2]' }, { path: '/c' }, /names no current-context/],
    [
      'an unknown context',
      { '/c': config({}) },
      { path: '/c', context: 'y' },
      /^context was not found for specified context: y$/,
    ],
    [
      'a server that is none',
      { '/c': config({}, { server: 'nonsense' }) },
      { path: '/c' },
      /not an http or https address/,
    ],
    [
      'a cluster without a server',
      { '/c': config({}, { server: '' }) },
      { path: '/c' },
      /^invalid configuration: no server found for cluster "c"$/,
    ],
    [
      'a user without a name',
      { '/c': '{"users":[{"user":{}}]}' },
      { path: '/c' },
      /^\/c: users\[0\]\.name is missing$/,
    ],
    [
      'a context without a cluster',
      { '/c': '{"contexts":[{"name":"x","context":{}}]}' },
      { path: '/c' },
      /contexts\[0\]\.context\.cluster is missing$/,
    ],
    ['a proxy', { '/c': config({}, { 'proxy-url': 'http://p' }) }, { path: '/c' }, /proxy-url is not supported/],
    [
      'a missing authority',
      { '/c': config({}, { 'certificate-authority': '/no.crt' }) },
      { path: '/c' },
      /^invalid configuration: unable to read certificate-authority \/no.crt for c due to open \/no.crt: no such file or directory$/,
    ],
    [
      'a missing token file',
      { '/c': config({ tokenFile: '/no/token' }) },
      { path: '/c' },
      /credentials of user u: ENOENT/,
    ],
    [
      'a missing plugin',
      { '/c': config({ exec: { apiVersion: BETA, command: '/no/plugin' } }) },
      { path: '/c' },
      /credentials of user u: spawn/,
    ],
  ] as const) {
    test(`that is ${name} is refused with what is wrong`, async () => {
      await assert.rejects(read(files, options), (error) => {
        assert.ok(error instanceof CredentialsError, String(error));
        assert.match(error.message, message);
        return true;
      });
    });
  }
});
