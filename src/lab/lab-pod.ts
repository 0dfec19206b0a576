// Pods as an API server stores them: what a ReplicaSet's controller has asked for, with all defaults set, the tolerations and the token's volume that
// admission adds, and managedFields. A template is named by what its pods want of the scheduler.

import type { PlainObject } from '../kube/message-decoder.ts';
import { INDEX, SUFFIX } from './numbered-bytes.ts';

const HOSTNAME = 'kubernetes.io/hostname';
const ZONE = 'topology.kubernetes.io/zone';

export const POD_TEMPLATES = ['plain', 'anti', 'near', 'zone', 'host', 'mixed', 'huge'] as const;
export type PodTemplate = (typeof POD_TEMPLATES)[number];

export const TEMPLATE_HELP: Readonly<Record<PodTemplate, string>> = {
  plain: 'requests alone',
  anti: 'required anti-affinity to their kind on the hostname',
  near: 'required affinity to their kind in the zone',
  zone: 'hard spread over zones',
  host: 'hard spread over hostnames',
  mixed: 'preferences: away from their kind by hostname, near it by zone, soft spread',
  huge: 'more memory than any node has: they stay pending',
};

export function isPodTemplate(name: string): name is PodTemplate {
  return POD_TEMPLATES.some((known) => known === name);
}

export interface PodOptions {
  /** Names are this and seven digits. */
  readonly prefix: string;
  readonly namespace: string;
  readonly schedulerName: string;
  readonly createdMs: number;
}

function constraintsOf(template: PodTemplate, labels: PlainObject): PlainObject {
  const labelSelector = { matchLabels: labels };
  const term = (topologyKey: string): PlainObject => ({ topologyKey, labelSelector });
  const spread = (topologyKey: string, whenUnsatisfiable: string): PlainObject => ({
    maxSkew: 1,
    topologyKey,
    whenUnsatisfiable,
    labelSelector,
  });
  switch (template) {
    case 'plain':
    case 'huge':
      return {};
    case 'anti':
      return { affinity: { podAntiAffinity: { requiredDuringSchedulingIgnoredDuringExecution: [term(HOSTNAME)] } } };
    case 'near':
      return { affinity: { podAffinity: { requiredDuringSchedulingIgnoredDuringExecution: [term(ZONE)] } } };
    case 'zone':
      return { topologySpreadConstraints: [spread(ZONE, 'DoNotSchedule')] };
    case 'host':
      return { topologySpreadConstraints: [spread(HOSTNAME, 'DoNotSchedule')] };
    case 'mixed':
      return {
        affinity: {
          podAntiAffinity: {
            preferredDuringSchedulingIgnoredDuringExecution: [{ weight: 50, podAffinityTerm: term(HOSTNAME) }],
          },
          podAffinity: {
            preferredDuringSchedulingIgnoredDuringExecution: [{ weight: 30, podAffinityTerm: term(ZONE) }],
          },
        },
        topologySpreadConstraints: [spread(ZONE, 'ScheduleAnyway')],
      };
  }
}

/** A pod with marks for what is its own, as its JSON. */
export function labPod(template: PodTemplate, options: PodOptions): PlainObject {
  const app = `lab-${template}`;
  const labels = { app, 'pod-template-hash': '5d8f7c9b6' };
  return {
    metadata: {
      name: `${options.prefix}${INDEX}`,
      generateName: `${app}-`,
      namespace: options.namespace,
      uid: `c4a1e5b0-3f27-4d68-9b1c-00000${INDEX}`,
      generation: 1,
      creationTimestamp: new Date(options.createdMs).toISOString(),
      labels,
      ownerReferences: [
        {
          apiVersion: 'apps/v1',
          kind: 'ReplicaSet',
          name: `${app}-5d8f7c9b6`,
          uid: '3d2b8f14-90ac-4be7-a6f5-000000000001',
          controller: true,
          blockOwnerDeletion: true,
        },
      ],
      managedFields: [managedFields(options.createdMs)],
    },
    spec: { ...podDefaults(options), ...constraintsOf(template, labels), containers: [container(template)] },
    status: { phase: 'Pending', qosClass: 'Burstable' },
  };
}

function managedFields(createdMs: number): PlainObject {
  return {
    manager: 'kube-controller-manager',
    operation: 'Update',
    apiVersion: 'v1',
    time: new Date(createdMs).toISOString(),
    fieldsType: 'FieldsV1',
    fieldsV1: {
      'f:metadata': { 'f:generateName': {}, 'f:labels': { '.': {}, 'f:app': {}, 'f:pod-template-hash': {} } },
      'f:spec': {
        'f:containers': { 'k:{"name":"main"}': { '.': {}, 'f:image': {}, 'f:name': {}, 'f:resources': {} } },
      },
    },
  };
}

function podDefaults({ schedulerName }: PodOptions): PlainObject {
  return {
    restartPolicy: 'Always',
    terminationGracePeriodSeconds: 30,
    dnsPolicy: 'ClusterFirst',
    serviceAccountName: 'default',
    serviceAccount: 'default',
    securityContext: {},
    schedulerName,
    priority: 0,
    enableServiceLinks: true,
    preemptionPolicy: 'PreemptLowerPriority',
    tolerations: ['not-ready', 'unreachable'].map((state) => ({
      key: `node.kubernetes.io/${state}`,
      operator: 'Exists',
      effect: 'NoExecute',
      tolerationSeconds: 300,
    })),
    volumes: [{ name: `kube-api-access-${SUFFIX}`, projected: tokenVolume() }],
  };
}

/** As the ServiceAccount admission makes it. */
function tokenVolume(): PlainObject {
  const namespace = { path: 'namespace', fieldRef: { apiVersion: 'v1', fieldPath: 'metadata.namespace' } };
  return {
    defaultMode: 420,
    sources: [
      { serviceAccountToken: { expirationSeconds: 3607, path: 'token' } },
      { configMap: { name: 'kube-root-ca.crt', items: [{ key: 'ca.crt', path: 'ca.crt' }] } },
      { downwardAPI: { items: [namespace] } },
    ],
  };
}

function container(template: PodTemplate): PlainObject {
  const memory = template === 'huge' ? '4Ti' : '128Mi';
  return {
    name: 'main',
    image: 'registry.lab/general-8/image-0:v1',
    resources: { requests: { cpu: '100m', memory } },
    volumeMounts: [
      {
        name: `kube-api-access-${SUFFIX}`,
        readOnly: true,
        mountPath: '/var/run/secrets/kubernetes.io/serviceaccount',
      },
    ],
    terminationMessagePath: '/dev/termination-log',
    terminationMessagePolicy: 'File',
    imagePullPolicy: 'IfNotPresent',
  };
}
