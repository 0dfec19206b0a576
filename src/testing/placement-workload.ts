// Pods and nodes for runs that try to make a scheduler place wrongly: requests that nearly fill the nodes, host ports, and
// required constraints of every kind, of few values so that they collide. In the API's JSON, without identity.

import type { Random } from './random.ts';

export const ZONE_KEY = 'topology.kubernetes.io/zone';
export const HOST_KEY = 'kubernetes.io/hostname';
export const ZONES: readonly string[] = ['zone-a', 'zone-b', 'zone-c'];
/** What a pod may have: the first is that of most. */
export const PRIORITIES: readonly number[] = [0, 0, 0, 10, 100];

const KINDS = ['plain', 'plain', 'plain', 'port', 'apart', 'together', 'spread'] as const;
const MILLI_CPUS: readonly number[] = [300, 500, 700, 1100, 1900, 2500];
const PORTS: readonly number[] = [8080, 9090];
const GROUPS = 2;

interface Fields {
  readonly [field: string]: unknown;
}

export interface PodWish {
  readonly kind: (typeof KINDS)[number];
  readonly labels: Readonly<Record<string, string>>;
  /** Without a priority. */
  readonly spec: Fields;
  readonly priority: number;
}

export function drawPod(random: Random): PodWish {
  const kind = random.pick(KINDS);
  const app = `${kind}-${random.between(1, GROUPS)}`;
  const port = random.pick(PORTS);
  const ports = kind === 'port' ? [{ containerPort: port, hostPort: port }] : [];
  const milliCpu = random.pick(MILLI_CPUS);
  const requests = { cpu: `${milliCpu}m`, memory: '16Mi' };
  return {
    kind,
    labels: { app },
    spec: {
      containers: [{ name: 'main', image: 'registry.invalid/app:1', resources: { requests }, ports }],
      ...constraintOf(kind, app),
    },
    priority: random.pick(PRIORITIES),
  };
}

function constraintOf(kind: PodWish['kind'], app: string): Fields {
  const labelSelector = { matchLabels: { app } };
  const required = (topologyKey: string): Fields => {
    return { requiredDuringSchedulingIgnoredDuringExecution: [{ labelSelector, topologyKey }] };
  };
  switch (kind) {
    case 'apart':
      return { affinity: { podAntiAffinity: required(HOST_KEY) } };
    case 'together':
      return { affinity: { podAffinity: required(ZONE_KEY) } };
    case 'spread': {
      const rule = { maxSkew: 1, topologyKey: ZONE_KEY, whenUnsatisfiable: 'DoNotSchedule', labelSelector };
      return { topologySpreadConstraints: [rule] };
    }
    default:
      return {};
  }
}

/** What is done to a node that stays. */
export const NODE_STATES = ['open', 'cordoned', 'tainted'] as const;
export type NodeState = (typeof NODE_STATES)[number];

export function nodeSpec(state: NodeState): Fields {
  if (state === 'cordoned') return { unschedulable: true };
  return state === 'tainted' ? { taints: [{ key: 'chaos', value: 'true', effect: 'NoSchedule' }] } : {};
}
