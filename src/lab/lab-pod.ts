// Templates of pods, named by what their pods want of the scheduler.

import type { PodTemplateSpec } from './pod-template.ts';

const HOSTNAME = 'kubernetes.io/hostname';
const ZONE = 'topology.kubernetes.io/zone';

export const POD_TEMPLATES = ['plain', 'anti', 'near', 'zone', 'host', 'mixed', 'huge', 'job'] as const;
export type PodTemplate = (typeof POD_TEMPLATES)[number];

export const TEMPLATE_HELP: Readonly<Record<PodTemplate, string>> = {
  plain: 'requests alone',
  anti: 'required anti-affinity to their kind on the hostname',
  near: 'required affinity to their kind in the zone',
  zone: 'hard spread over zones',
  host: 'hard spread over hostnames',
  mixed: 'preferences: away from their kind by hostname, near it by zone, soft spread',
  huge: 'more memory than any node has: they stay pending',
  job: 'as plain, and not started again: they end',
};

export function isPodTemplate(name: string): name is PodTemplate {
  return POD_TEMPLATES.some((known) => known === name);
}

function constraintsOf(template: PodTemplate, labels: PodTemplateSpec['labels']): PodTemplateSpec['spec'] {
  const labelSelector = { matchLabels: labels };
  const term = (topologyKey: string): PodTemplateSpec['spec'] => ({ topologyKey, labelSelector });
  const spread = (topologyKey: string, whenUnsatisfiable: string): PodTemplateSpec['spec'] => ({
    maxSkew: 1,
    topologyKey,
    whenUnsatisfiable,
    labelSelector,
  });
  switch (template) {
    case 'plain':
    case 'huge':
      return {};
    case 'job':
      return { restartPolicy: 'Never' };
    case 'anti':
      return { affinity: { podAntiAffinity: { requiredDuringSchedulingIgnoredDuringExecution: [term(HOSTNAME)] } } };
    case 'near':
      return { affinity: { podAffinity: { requiredDuringSchedulingIgnoredDuringExecution: [term(ZONE)] } } };
    case 'zone':
      return { topologySpreadConstraints: [spread(ZONE, 'DoNotSchedule')] };
    case 'host':
      // Nodes with a taint that keeps them away count for nothing: none of them would get the pod that lets others get a second one.
      return { topologySpreadConstraints: [{ ...spread(HOSTNAME, 'DoNotSchedule'), nodeTaintsPolicy: 'Honor' }] };
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

export function labTemplate(template: PodTemplate): PodTemplateSpec {
  const app = `lab-${template}`;
  const labels = { app, 'pod-template-hash': '5d8f7c9b6' };
  const memory = template === 'huge' ? '4Ti' : '128Mi';
  const container = {
    name: 'main',
    image: 'registry.lab/general-8/image-0:v1',
    resources: { requests: { cpu: '100m', memory } },
  };
  return { labels, annotations: {}, spec: { ...constraintsOf(template, labels), containers: [container] } };
}
