/** Manifests with much of what a pod may have, and little of what an API server fills in. */
import type { JsonObject } from './kube-client.ts';

const containers: readonly JsonObject[] = [
  {
    name: 'web',
    image: 'registry.invalid:5000/web',
    ports: [{ containerPort: 80 }, { name: 'dns', containerPort: 53, protocol: 'UDP' }],
    env: [
      { name: 'PLAIN', value: 'x' },
      { name: 'NODE', valueFrom: { fieldRef: { fieldPath: 'spec.nodeName' } } },
      { name: 'CPU', valueFrom: { resourceFieldRef: { resource: 'limits.cpu' } } },
      { name: 'KEY', valueFrom: { configMapKeyRef: { name: 'c', key: 'k', optional: true } } },
    ],
    resources: { limits: { cpu: '1', memory: '64Mi' } },
    readinessProbe: { httpGet: { port: 80 } },
    livenessProbe: { tcpSocket: { port: 'dns' }, periodSeconds: 3 },
    startupProbe: { grpc: { port: 9000 } },
    lifecycle: { preStop: { httpGet: { port: 80 } }, postStart: { exec: { command: ['true'] } } },
    volumeMounts: [{ name: 'scratch', mountPath: '/scratch' }],
    securityContext: { runAsNonRoot: true },
  },
  { name: 'latest', image: 'web:latest', command: ['run'], resources: { requests: { cpu: '10m' } } },
  { name: 'digest', image: `web@sha256:${'a'.repeat(64)}` },
];

const volumes: readonly JsonObject[] = [
  { name: 'scratch' },
  { name: 'config', configMap: { name: 'c', optional: true } },
  { name: 'secret', secret: { secretName: 's', optional: true } },
  { name: 'host', hostPath: { path: '/tmp' } },
  { name: 'down', downwardAPI: { items: [{ path: 'l', fieldRef: { fieldPath: 'metadata.labels' } }] } },
  { name: 'all', projected: { sources: [{ serviceAccountToken: { path: 't' } }, { configMap: { name: 'c' } }] } },
];

const affinity: JsonObject = {
  nodeAffinity: {
    preferredDuringSchedulingIgnoredDuringExecution: [
      { weight: 1, preference: { matchExpressions: [{ key: 'zone', operator: 'Exists' }] } },
    ],
  },
  podAntiAffinity: {
    preferredDuringSchedulingIgnoredDuringExecution: [
      {
        weight: 5,
        podAffinityTerm: {
          topologyKey: 'kubernetes.io/hostname',
          labelSelector: { matchLabels: { a: 'b' } },
          matchLabelKeys: ['rich', 'absent'],
        },
      },
    ],
  },
};

const initContainers: readonly JsonObject[] = [
  { name: 'first', image: 'init:1' },
  { name: 'beside', image: 'sidecar:1', restartPolicy: 'Always', readinessProbe: { exec: { command: ['true'] } } },
];

function pod(name: string, spec: JsonObject): JsonObject {
  return { apiVersion: 'v1', kind: 'Pod', metadata: { name, labels: { rich: name }, annotations: { of: name } }, spec };
}

export const richPods: readonly JsonObject[] = [
  pod('rich', {
    containers,
    initContainers,
    volumes,
    affinity,
    tolerations: [{ key: 'k1m.dev/capacity', operator: 'Exists' }],
    topologySpreadConstraints: [
      { maxSkew: 1, topologyKey: 'topology.kubernetes.io/zone', whenUnsatisfiable: 'ScheduleAnyway' },
    ],
    terminationGracePeriodSeconds: 7,
    securityContext: { fsGroup: 1000 },
    dnsConfig: { options: [{ name: 'ndots', value: '2' }] },
  }),
  pod('host', {
    hostNetwork: true,
    containers: [{ name: 'a', image: 'a:1', ports: [{ containerPort: 7777 }] }],
    tolerations: [{ operator: 'Exists' }],
    priorityClassName: 'system-cluster-critical',
  }),
  pod('exact', {
    automountServiceAccountToken: false,
    restartPolicy: 'OnFailure',
    containers: [
      {
        name: 'a',
        image: 'a:1',
        resources: { limits: { cpu: '10m', memory: '1Mi' }, requests: { cpu: '10m', memory: '1Mi' } },
      },
    ],
  }),
];
