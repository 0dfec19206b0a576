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
  readonly kind: string;
  /** '' is the core group. */
  readonly group: string;
  readonly version: string;
  readonly isNamespaced: boolean;
}

function resource(kind: string, group: string, isNamespaced: boolean, version = 'v1'): Resource {
  return { kind, group, version, isNamespaced };
}

export const RESOURCES: Readonly<Record<ResourceName, Resource>> = {
  pods: resource('Pod', '', true),
  nodes: resource('Node', '', false),
  namespaces: resource('Namespace', '', false),
  services: resource('Service', '', true),
  replicationcontrollers: resource('ReplicationController', '', true),
  replicasets: resource('ReplicaSet', 'apps', true),
  statefulsets: resource('StatefulSet', 'apps', true),
  persistentvolumeclaims: resource('PersistentVolumeClaim', '', true),
  persistentvolumes: resource('PersistentVolume', '', false),
  storageclasses: resource('StorageClass', 'storage.k8s.io', false),
  csinodes: resource('CSINode', 'storage.k8s.io', false),
  csidrivers: resource('CSIDriver', 'storage.k8s.io', false),
  csistoragecapacities: resource('CSIStorageCapacity', 'storage.k8s.io', true),
  volumeattachments: resource('VolumeAttachment', 'storage.k8s.io', false),
  poddisruptionbudgets: resource('PodDisruptionBudget', 'policy', true),
  events: resource('Event', 'events.k8s.io', true),
  leases: resource('Lease', 'coordination.k8s.io', true),
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
