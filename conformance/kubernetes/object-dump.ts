/**
 * All objects that the API server has, in a form that two runs on equal stores have in common.
 *
 * Left out: Events, and what is random or a time by nature: uids, resource versions, timestamps, random name
 * suffixes, keys and certificates, which node and address a pod has. Objects are sorted by kind, namespace, name.
 */
import type { Json, JsonObject, KubeClient } from './kube-client.ts';

interface ResourceList {
  readonly groupVersion: string;
  readonly resources: readonly { readonly name: string; readonly kind: string; readonly verbs: readonly string[] }[];
}

const leftOutKinds: ReadonlySet<string> = new Set(['Event', 'ComponentStatus', 'PodMetrics', 'NodeMetrics']);
/** Fields with a value of the moment, wherever they stand. */
const momentFields: ReadonlySet<string> = new Set([
  'uid',
  'resourceVersion',
  'managedFields',
  'nodeName',
  'podIP',
  'podIPs',
  'hostIP',
  'hostIPs',
  'containerID',
  'collisionCount',
  'leaseTransitions',
  'lastHeartbeatTime',
  'targetRef',
  'addresses',
  'topology.kubernetes.io/zone',
]);
const rewrites: readonly (readonly [RegExp, string])[] = [
  [/\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z/g, 'TIME'],
  [/[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/g, 'UUID'],
  [/-----BEGIN [A-Z ]+-----[^-]+-----END [A-Z ]+-----\n?/g, 'PEM'],
  [/\bkube-api-access-[0-9a-z]{5}\b/g, 'kube-api-access-RANDOM'],
  // Names made from a template's hash keep the hash, which depends on the template alone.
  [/\b((?:resting|ordered|web)-[0-9a-z]{8,10})-[0-9a-z]{5}\b/g, '$1-RANDOM'],
  [/\b(resting|ordered|web)-[bcdfghjklmnpqrstvwxz2456789]{5}\b/g, '$1-RANDOM'],
];

/** The API server's port stands in its own Service, endpoints and lease. */
interface Moment {
  readonly apiPort: number;
}

function normalText(text: string, { apiPort }: Moment): string {
  const rewritten = rewrites.reduce((result, [pattern, replacement]) => result.replace(pattern, replacement), text);
  return rewritten.replaceAll(`:${apiPort}`, ':PORT');
}

function normal(value: Json, moment: Moment): Json {
  if (typeof value === 'string') return normalText(value, moment);
  if (value === moment.apiPort) return 'PORT';
  if (value === null || typeof value !== 'object') return value;
  if (isList(value)) return value.map((inner) => normal(inner, moment));
  // An EndpointSlice counts how often its controller wrote it, which depends on how many changes it took together.
  const isSlice = value.kind === 'EndpointSlice' || value.addressType !== undefined;
  const entries = Object.entries(value).filter(([name]) => !momentFields.has(name));
  return Object.fromEntries(
    entries
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([name, inner]) => [
        normalText(name, moment),
        normal(name === 'metadata' && isSlice ? withoutGeneration(inner) : inner, moment),
      ]),
  );
}

function withoutGeneration(metadata: Json): Json {
  if (metadata === null || typeof metadata !== 'object' || isList(metadata)) return metadata;
  const { generation: _, ...rest } = metadata;
  return rest;
}

/** `Array.isArray` does not narrow a readonly array. */
function isList(value: Json): value is readonly Json[] {
  return Array.isArray(value);
}

/** The path of each collection by its kind and group; one version of each, the one that the API server prefers. */
async function collections(client: KubeClient): Promise<Map<string, string>> {
  const groups = await client.send<{ groups: { preferredVersion: { groupVersion: string } }[] }>('GET', '/apis');
  const roots = ['/api/v1', ...groups.groups.map(({ preferredVersion }) => `/apis/${preferredVersion.groupVersion}`)];
  const paths = new Map<string, string>();
  for (const root of roots) {
    const { resources } = await client.send<ResourceList>('GET', root);
    for (const { name, kind, verbs } of resources) {
      const isCollection = verbs.includes('list') && !name.includes('/') && !leftOutKinds.has(kind);
      if (isCollection) paths.set(`${kind} ${root}`, `${root}/${name}`);
    }
  }
  return paths;
}

/** One text of an indented JSON object per object, after a line with its kind and name. */
export async function dumpObjects(client: KubeClient): Promise<Map<string, string>> {
  const found: { title: string; text: string }[] = [];
  for (const [kind, path] of await collections(client)) {
    const { items } = await client.send<{ items: JsonObject[] | null }>('GET', path);
    for (const item of items ?? []) {
      const object = normal(item, { apiPort: client.port });
      const { name, namespace } = JSON.parse(JSON.stringify(object)).metadata;
      found.push({ title: `${kind} ${namespace ?? ''}/${name}`, text: JSON.stringify(object, null, 1) });
    }
  }
  const objects = new Map<string, string>();
  found.sort((a, b) => (a.title + a.text < b.title + b.text ? -1 : 1));
  for (const { title, text } of found) {
    // Several pods of one owner have one normal name: they are told apart by their number.
    let unique = title;
    for (let number = 2; objects.has(unique); number++) unique = `${title} #${number}`;
    objects.set(unique, text);
  }
  return objects;
}
