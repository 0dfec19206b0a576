// The resources that a scheduler follows or writes, and their paths (Kubernetes API concepts, "Resource URIs").

export type ResourceName =
  | 'pods'
  | 'nodes'
  | 'namespaces'
  | 'services'
  | 'replicationcontrollers'
  | 'replicasets'
  | 'statefulsets'
  | 'persistentvolumeclaims'
  | 'persistentvolumes'
  | 'storageclasses'
  | 'csinodes'
  | 'csidrivers'
  | 'csistoragecapacities'
  | 'volumeattachments'
  | 'poddisruptionbudgets'
  | 'events'
  | 'leases';

interface Resource {
  /** '' is the core group. */
  readonly group: string;
  readonly version: string;
  readonly isNamespaced: boolean;
}

function resource(group: string, isNamespaced: boolean, version = 'v1'): Resource {
  return { group, version, isNamespaced };
}

export const RESOURCES: Readonly<Record<ResourceName, Resource>> = {
  pods: resource('', true),
  nodes: resource('', false),
  namespaces: resource('', false),
  services: resource('', true),
  replicationcontrollers: resource('', true),
  replicasets: resource('apps', true),
  statefulsets: resource('apps', true),
  persistentvolumeclaims: resource('', true),
  persistentvolumes: resource('', false),
  storageclasses: resource('storage.k8s.io', false),
  csinodes: resource('storage.k8s.io', false),
  csidrivers: resource('storage.k8s.io', false),
  csistoragecapacities: resource('storage.k8s.io', true),
  volumeattachments: resource('storage.k8s.io', false),
  poddisruptionbudgets: resource('policy', true),
  events: resource('events.k8s.io', true),
  leases: resource('coordination.k8s.io', true),
};

function rootOf({ group, version }: Resource): string {
  return group === '' ? `/api/${version}` : `/apis/${group}/${version}`;
}

/** The whole collection, over all namespaces. */
export function collectionPath(name: ResourceName): string {
  return `${rootOf(RESOURCES[name])}/${name}`;
}

/** Where objects of the resource are created. */
export function namespacePath(name: ResourceName, namespace: string): string {
  const resource = RESOURCES[name];
  return resource.isNamespaced
    ? `${rootOf(resource)}/namespaces/${encodeURIComponent(namespace)}/${name}`
    : `${rootOf(resource)}/${name}`;
}

export function objectPath(
  name: ResourceName,
  { namespace, name: object }: { readonly namespace: string; readonly name: string },
  subresource = '',
): string {
  const path = `${namespacePath(name, namespace)}/${encodeURIComponent(object)}`;
  return subresource === '' ? path : `${path}/${subresource}`;
}

/** As RBAC's messages write it: "pods", "csinodes.storage.k8s.io". */
export function qualifiedName(name: ResourceName): string {
  const { group } = RESOURCES[name];
  return group === '' ? name : `${name}.${group}`;
}
