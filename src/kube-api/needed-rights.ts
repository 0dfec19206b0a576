// What a scheduler has to be allowed to do (RBAC), as `resourceAttributes` of a SelfSubjectAccessReview.

import { RESOURCES, type ResourceName } from './resource.ts';

export interface Right {
  readonly verb: string;
  readonly group: string;
  readonly resource: ResourceName;
  /** '' for the object itself. */
  readonly subresource: string;
}

const FOLLOWED: readonly ResourceName[] = [
  'pods',
  'nodes',
  'namespaces',
  'services',
  'replicationcontrollers',
  'replicasets',
  'statefulsets',
  'persistentvolumeclaims',
  'persistentvolumes',
  'storageclasses',
  'csinodes',
  'csidrivers',
  'csistoragecapacities',
  'volumeattachments',
  'poddisruptionbudgets',
];

const WRITTEN: readonly (readonly [verb: string, resource: ResourceName, subresource: string])[] = [
  ['create', 'pods', 'binding'],
  ['patch', 'pods', 'status'],
  ['get', 'pods', ''],
  ['delete', 'pods', ''],
  ['create', 'events', ''],
  ['patch', 'events', ''],
  // As the role system:volume-scheduler grants them.
  ['get', 'persistentvolumeclaims', ''],
  ['patch', 'persistentvolumeclaims', ''],
  ['get', 'persistentvolumes', ''],
  ['patch', 'persistentvolumes', ''],
];

function right(verb: string, resource: ResourceName, subresource = ''): Right {
  return { verb, group: RESOURCES[resource].group, resource, subresource };
}

/** Leases are granted by name, which is the operator's to choose: leader election finds out for itself. */
export const NEEDED_RIGHTS: readonly Right[] = [
  ...FOLLOWED.flatMap((resource) => [right('list', resource), right('watch', resource)]),
  ...WRITTEN.map(([verb, resource, subresource]) => right(verb, resource, subresource)),
];
