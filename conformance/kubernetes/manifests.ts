/** The objects that the steps make. Addresses are fixed, so that two runs leave the same. */
import type { JsonObject } from './kube-client.ts';

export interface Workload {
  readonly name: string;
  readonly replicaCount: number;
  readonly image: string;
}

function podTemplate(app: string, image: string): JsonObject {
  return {
    metadata: { labels: { app } },
    spec: {
      terminationGracePeriodSeconds: 5,
      containers: [{ name: 'main', image, resources: { requests: { cpu: '100m', memory: '64Mi' } } }],
    },
  };
}

export function namespace(name: string): JsonObject {
  return { apiVersion: 'v1', kind: 'Namespace', metadata: { name } };
}

export function configMap(name: string, data: Readonly<Record<string, string>>): JsonObject {
  return { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name }, data };
}

export function secret(name: string, data: Readonly<Record<string, string>>): JsonObject {
  return { apiVersion: 'v1', kind: 'Secret', metadata: { name }, stringData: data };
}

export function deployment({ name, replicaCount, image }: Workload): JsonObject {
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name },
    spec: { replicas: replicaCount, selector: { matchLabels: { app: name } }, template: podTemplate(name, image) },
  };
}

/** Of pods that ask for so many CPUs. */
export function largeDeployment({
  name,
  replicaCount,
  image,
  cpu,
  priorityClassName,
}: Workload & { readonly cpu: string; readonly priorityClassName?: string }): JsonObject {
  const { metadata, spec } = podTemplate(name, image) as { metadata: JsonObject; spec: JsonObject };
  const containers = [{ name: 'main', image, resources: { requests: { cpu } } }];
  const large = { ...spec, containers, ...(priorityClassName === undefined ? {} : { priorityClassName }) };
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name },
    spec: {
      replicas: replicaCount,
      selector: { matchLabels: { app: name } },
      template: { metadata, spec: large },
    },
  };
}

export function priorityClass(name: string, value: number): JsonObject {
  return { apiVersion: 'scheduling.k8s.io/v1', kind: 'PriorityClass', metadata: { name }, value };
}

/** With a claim `data` for each pod where a storage class is named. */
export function statefulSet({
  name,
  replicaCount,
  image,
  storageClassName,
}: Workload & { readonly storageClassName?: string }): JsonObject {
  const template = podTemplate(name, image);
  const selector = { matchLabels: { app: name } };
  const resources = { requests: { storage: '1Gi' } };
  const claim = { metadata: { name: 'data' }, spec: { accessModes: ['ReadWriteOnce'], resources } };
  const volumeClaimTemplates =
    storageClassName === undefined ? [] : [{ ...claim, spec: { ...claim.spec, storageClassName } }];
  return {
    apiVersion: 'apps/v1',
    kind: 'StatefulSet',
    metadata: { name },
    spec: { replicas: replicaCount, serviceName: name, selector, template, volumeClaimTemplates },
  };
}

export function daemonSet(name: string, image: string): JsonObject {
  return {
    apiVersion: 'apps/v1',
    kind: 'DaemonSet',
    metadata: { name },
    spec: { selector: { matchLabels: { app: name } }, template: podTemplate(name, image) },
  };
}

export function service(name: string, clusterAddress: string): JsonObject {
  const spec = { selector: { app: name }, clusterIP: clusterAddress, ports: [{ port: 80, targetPort: 8080 }] };
  return { apiVersion: 'v1', kind: 'Service', metadata: { name }, spec };
}

export const gadgetGroup = 'conformance.k1m.dev';

export function gadgetDefinition(): JsonObject {
  const text = { type: 'string' };
  const schema = {
    type: 'object',
    properties: {
      spec: { type: 'object', required: ['color'], properties: { color: text, size: { type: 'integer', minimum: 0 } } },
      status: { type: 'object', properties: { phase: text } },
    },
  };
  const version = {
    name: 'v1',
    served: true,
    storage: true,
    subresources: { status: {} },
    schema: { openAPIV3Schema: schema },
  };
  return {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name: `gadgets.${gadgetGroup}` },
    spec: {
      group: gadgetGroup,
      scope: 'Namespaced',
      names: { plural: 'gadgets', singular: 'gadget', kind: 'Gadget', listKind: 'GadgetList' },
      versions: [version],
    },
  };
}

export function gadget(name: string, color: string, size: number): JsonObject {
  return { apiVersion: `${gadgetGroup}/v1`, kind: 'Gadget', metadata: { name }, spec: { color, size } };
}

export function role(name: string, verbs: readonly string[], resources: readonly string[]): JsonObject {
  const rules = [{ apiGroups: [''], resources, verbs }];
  return { apiVersion: 'rbac.authorization.k8s.io/v1', kind: 'Role', metadata: { name }, rules };
}

export function roleBinding(name: string, roleName: string, user: string): JsonObject {
  const api = 'rbac.authorization.k8s.io';
  return {
    apiVersion: `${api}/v1`,
    kind: 'RoleBinding',
    metadata: { name },
    roleRef: { apiGroup: api, kind: 'Role', name: roleName },
    subjects: [{ apiGroup: api, kind: 'User', name: user }],
  };
}
