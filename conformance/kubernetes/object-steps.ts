/** Steps on single objects: what people and operators do through the API, without pods. */
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { peerPath } from '../lab/peer-path.ts';
import { until, within } from '../lab/wait.ts';
import { KubeError, type KubeList } from './kube-client.ts';
import * as manifests from './manifests.ts';
import { assertRefused, assertThat, kubectl, kubectlArgs, type Lab, type Step } from './step.ts';

const space = '/api/v1/namespaces/objects';
const pageTotal = 250;
const pageLimit = 60;

async function isGone(lab: Lab, path: string): Promise<true | string> {
  try {
    await lab.client.get(path);
    return 'it is there';
  } catch (error) {
    return error instanceof KubeError && error.status === 404 ? true : String(error);
  }
}

async function namespaces(lab: Lab): Promise<string> {
  const { client } = lab;
  await client.create('/api/v1/namespaces', manifests.namespace('objects'));
  await client.create('/api/v1/namespaces', manifests.namespace('short-lived'));
  const path = '/api/v1/namespaces/short-lived';
  for (let index = 0; index < 20; index++) {
    await client.create(`${path}/configmaps`, manifests.configMap(`map-${index}`, { index: String(index) }));
    await client.create(`${path}/secrets`, manifests.secret(`secret-${index}`, { index: String(index) }));
  }
  const wait = { timeoutMs: 60_000 };
  await until('the default service account', wait, async () => {
    await client.get(`${path}/serviceaccounts/default`);
    return true;
  });
  await client.delete(path);
  await assertRefused(
    403,
    'an object in a terminating namespace',
    client.create(`${path}/configmaps`, manifests.configMap('late', {})),
  );
  await until('the namespace to be finalised', wait, () => isGone(lab, path));
  const { items } = await client.list('/api/v1/configmaps');
  assertThat(!items.some((item) => item.metadata.namespace === 'short-lived'), 'its objects are left');
  return '';
}

async function customResources(lab: Lab): Promise<string> {
  const { client } = lab;
  const definitions = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions';
  await client.create(definitions, manifests.gadgetDefinition());
  const gadgets = `/apis/${manifests.gadgetGroup}/v1/namespaces/objects/gadgets`;
  await until('gadgets to be served', { timeoutMs: 30_000 }, async () => {
    await client.list(gadgets);
    return true;
  });
  for (let index = 0; index < 20; index++)
    await client.create(gadgets, manifests.gadget(`gadget-${index}`, 'red', index));
  await assertRefused(422, 'a gadget against its schema', client.create(gadgets, manifests.gadget('bad', 'red', -1)));
  const first = await client.get(`${gadgets}/gadget-0`);
  const { resourceVersion } = first.metadata;
  const update = (color: string): Promise<unknown> => {
    const { metadata, ...rest } = manifests.gadget('gadget-0', color, 1);
    return client.send('PUT', `${gadgets}/gadget-0`, {
      body: { ...rest, metadata: { name: 'gadget-0', resourceVersion } },
    });
  };
  await update('green');
  await assertRefused(409, 'an update at an old revision', update('blue'));
  const withStatus = await client.patch(`${gadgets}/gadget-0/status`, { status: { phase: 'Ready' } });
  assertThat(
    withStatus.status?.phase === 'Ready' && withStatus.metadata.generation === 2,
    'the status is not as patched',
  );
  for (let index = 5; index < 20; index++) await client.delete(`${gadgets}/gadget-${index}`);
  const { items } = await client.list(gadgets);
  assertThat(items.length === 5, `${items.length} gadgets left, not 5`);
  return '';
}

async function accessRules(lab: Lab): Promise<string> {
  const { client, tokens } = lab;
  const rules = '/apis/rbac.authorization.k8s.io/v1/namespaces/objects';
  await client.create(`${rules}/roles`, manifests.role('reader', ['get', 'list', 'watch'], ['configmaps']));
  await client.create(`${rules}/rolebindings`, manifests.roleBinding('auditor-reads', 'reader', 'auditor'));
  const token = tokens.get('auditor') ?? '';
  await until('the role to be in force', { timeoutMs: 10_000 }, async () => {
    await client.send('GET', `${space}/configmaps`, { token });
    return true;
  });
  await assertRefused(
    403,
    'a delete by the auditor',
    client.send('DELETE', `${space}/configmaps/kube-root-ca.crt`, { token }),
  );
  await assertRefused(403, 'secrets for the auditor', client.send('GET', `${space}/secrets`, { token }));
  const canI = async (verb: string, resource: string): Promise<string> =>
    (await kubectl(lab, 'auth', 'can-i', verb, resource, '--as=auditor', '--namespace=objects')).stdout.trim();
  assertThat((await canI('get', 'configmaps')) === 'yes', 'kubectl auth can-i get configmaps is not yes');
  assertThat((await canI('delete', 'configmaps')) === 'no', 'kubectl auth can-i delete configmaps is not no');
  return '';
}

async function configuration(lab: Lab): Promise<string> {
  const { client } = lab;
  await client.create(`${space}/configmaps`, manifests.configMap('settings', { mode: 'a', level: '1' }));
  await client.patch(`${space}/configmaps/settings`, { data: { mode: 'b', level: null } });
  const settings = await client.get(`${space}/configmaps/settings`);
  assertThat(settings.data?.mode === 'b' && settings.data.level === undefined, 'the patch is not there');
  await assertRefused(
    409,
    'a second create',
    client.create(`${space}/configmaps`, manifests.configMap('settings', {})),
  );
  await client.create(`${space}/configmaps`, { ...manifests.configMap('frozen', { a: '1' }), immutable: true });
  await assertRefused(
    422,
    'a change of an immutable object',
    client.patch(`${space}/configmaps/frozen`, { data: { a: '2' } }),
  );
  await client.create(`${space}/secrets`, manifests.secret('password', { value: 'geheim' }));
  const secret = await client.get(`${space}/secrets/password`);
  assertThat(Buffer.from(secret.data?.value ?? '', 'base64').toString() === 'geheim', 'the secret is not as written');
  // As large as the API server lets an object be: 1 MiB of data in one write.
  await client.create(`${space}/configmaps`, manifests.configMap('large', { text: 'x'.repeat(1_000_000) }));
  const large = await client.get(`${space}/configmaps/large`);
  assertThat(large.data?.text.length === 1_000_000, 'the large object is cut');
  await client.delete(`${space}/configmaps/large`);
  return '';
}

async function kubectlWatch(lab: Lab): Promise<string> {
  const { client } = lab;
  const args = [
    'get',
    'configmaps',
    '--namespace=objects',
    '--selector=watched=yes',
    '--watch',
    '--output-watch-events',
    '--no-headers',
  ];
  const child = spawn(peerPath('kubectl'), [...kubectlArgs(lab), ...args], { stdio: ['ignore', 'pipe', 'inherit'] });
  const lines: string[] = [];
  createInterface({ input: child.stdout }).on('line', (line) => lines.push(line.split(/\s+/).slice(0, 2).join(' ')));
  const exited = new Promise<void>((resolve) => child.once('close', () => resolve()));
  try {
    const name = 'watched';
    // kubectl says nothing when its watch stands, so a first object is there before and shown by its list.
    const first = manifests.configMap('first', {});
    await client.create(`${space}/configmaps`, { ...first, metadata: { name: 'first', labels: { watched: 'yes' } } });
    await until('kubectl to list', { timeoutMs: 20_000 }, () => lines.includes('ADDED first') || 'nothing');
    const body = manifests.configMap(name, { a: '1' });
    await client.create(`${space}/configmaps`, { ...body, metadata: { name, labels: { watched: 'yes' } } });
    await client.patch(`${space}/configmaps/${name}`, { data: { a: '2' } });
    // An object that no longer fits the selector leaves the watch, as if deleted.
    await client.patch(`${space}/configmaps/${name}`, { metadata: { labels: { watched: null } } });
    await client.delete(`${space}/configmaps/first`);
    const expected = ['ADDED first', 'ADDED watched', 'MODIFIED watched', 'DELETED watched', 'DELETED first'];
    await until('the events at kubectl', { timeoutMs: 20_000 }, () => {
      return lines.join() === expected.join() || lines.join(', ');
    });
  } finally {
    child.kill('SIGTERM');
    await within('kubectl to end', 10_000, exited);
  }
  return '';
}

async function pages(lab: Lab): Promise<string> {
  const { client } = lab;
  const paged = `${space}/configmaps`;
  const query = `${paged}?labelSelector=part%3Dpages`;
  const name = (index: number): string => `page-${String(index).padStart(3, '0')}`;
  for (let index = 0; index < pageTotal; index++) {
    const metadata = { name: name(index), labels: { part: 'pages' } };
    await client.create(paged, { ...manifests.configMap(name(index), {}), metadata });
  }
  const names: string[] = [];
  const revisions = new Set<string>();
  let page: KubeList = await client.list(`${query}&limit=${pageLimit}`);
  // What is written or deleted while the pages are read is not on them: they are all of one revision.
  await client.create(paged, {
    ...manifests.configMap('page-zzz', {}),
    metadata: { name: 'page-zzz', labels: { part: 'pages' } },
  });
  await client.delete(`${paged}/${name(pageTotal - 1)}`);
  while (true) {
    names.push(...page.items.map((item) => item.metadata.name));
    revisions.add(page.metadata.resourceVersion);
    const next = page.metadata.continue ?? '';
    if (next === '') break;
    page = await client.list(`${query}&limit=${pageLimit}&continue=${encodeURIComponent(next)}`);
  }
  const expected = Array.from({ length: pageTotal }, (_, index) => name(index));
  assertThat(
    names.join() === expected.join(),
    `the pages hold ${names.length} objects, not the ${pageTotal} of the first`,
  );
  assertThat(revisions.size === 1, `pages of ${revisions.size} revisions`);
  const [revision = ''] = revisions;
  const exact = await client.list(`${query}&resourceVersion=${revision}&resourceVersionMatch=Exact`);
  assertThat(exact.items.length === pageTotal, `${exact.items.length} objects at exactly that revision`);
  const now = await client.list(query);
  assertThat(now.items.at(-1)?.metadata.name === 'page-zzz', 'a list now does not hold the newest');
  await client.delete(query);
  return `${pageTotal} objects on ${Math.ceil(pageTotal / pageLimit)} pages`;
}

async function consistentLists(lab: Lab): Promise<string> {
  const { client } = lab;
  const rounds = 50;
  for (let index = 0; index < rounds; index++) {
    const name = `seen-${index}`;
    const metadata = { name, labels: { part: 'seen' } };
    await client.create(`${space}/configmaps`, { ...manifests.configMap(name, {}), metadata });
    const { items } = await client.list(`${space}/configmaps?labelSelector=part%3Dseen`);
    assertThat(items.length === index + 1, `a list right after write ${index + 1} holds ${items.length}`);
  }
  await client.delete(`${space}/configmaps?labelSelector=part%3Dseen`);
  const { items } = await client.list(`${space}/configmaps?labelSelector=part%3Dseen`);
  assertThat(items.length === 0, 'a list right after the delete is not empty');
  return `${rounds} lists, each right after a write`;
}

export const objectSteps: readonly Step[] = [
  { name: 'namespaces are made, and finalised when deleted', run: namespaces },
  { name: 'a custom resource and its objects', run: customResources },
  { name: 'roles allow and refuse', run: accessRules },
  { name: 'ConfigMaps and Secrets', run: configuration },
  { name: 'kubectl get --watch sees its events', run: kubectlWatch },
  { name: 'a list in pages is of one revision', run: pages },
  { name: 'a list sees the write before it', run: consistentLists },
];
