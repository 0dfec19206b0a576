// Nodes of a large cluster as their kubelets, their cloud and the API server have them: a few machine types over zones and regions, one in
// twenty with GPUs and a taint that keeps others away, one in five on spare capacity with a taint that scores, images that are on all nodes of a type.
//
// Nodes of one shape differ in name, uid and addresses only (numbered-bytes.ts). The shape of a node follows from its number.

import { NODE_UID_START } from '../bench/update-values.ts';
import type { PlainObject } from '../kube/message-decoder.ts';
import type { JsonObject } from '../kube-api/kube-api.ts';
import { ADDRESS, INDEX, NETWORK } from './numbered-bytes.ts';
import { transitionTime } from './transition-time.ts';

export interface NodeOptions {
  /** Names are this and seven digits. */
  readonly prefix: string;
  readonly zones: number;
  /** On each node. */
  readonly images: number;
  readonly createdMs: number;
}

interface MachineType {
  readonly name: string;
  readonly cpu: number;
  readonly memoryGi: number;
  readonly gpus: number;
  /** Nodes of a hundred. */
  readonly share: number;
}

const MACHINES: readonly MachineType[] = [
  { name: 'general-8', cpu: 8, memoryGi: 32, gpus: 0, share: 40 },
  { name: 'general-32', cpu: 32, memoryGi: 128, gpus: 0, share: 35 },
  { name: 'memory-32', cpu: 32, memoryGi: 256, gpus: 0, share: 20 },
  { name: 'gpu-96', cpu: 96, memoryGi: 768, gpus: 8, share: 5 },
];
const HUNDRED = 100;
const ZONES_A_REGION = 4;
/** One of five. */
const SPARE_EVERY = 5;
/** Scatters types and spare nodes over zones: coprime to a hundred. */
const SCATTER = 37;
const KUBELET = 'v1.36.3';
const RESERVED_CPU_MILLIS = 120;
const RESERVED_MEMORY_GI = 1;
const IMAGE_BYTES = 87_654_321;
const HEALTHY: readonly (readonly [string, string, string])[] = [
  ['MemoryPressure', 'False', 'KubeletHasSufficientMemory'],
  ['DiskPressure', 'False', 'KubeletHasNoDiskPressure'],
  ['PIDPressure', 'False', 'KubeletHasSufficientPID'],
  ['Ready', 'True', 'KubeletReady'],
];

/** Which nodes share their bytes but for the marks: a small number. */
export function nodeShape(index: number, { zones }: NodeOptions): number {
  const place = (index * SCATTER) % HUNDRED;
  return (index % zones) * HUNDRED + place;
}

function machineOf(place: number): MachineType {
  let rest = place;
  for (const machine of MACHINES) {
    if (rest < machine.share) return machine;
    rest -= machine.share;
  }
  return MACHINES[0];
}

/** A node of the shape, with marks for what is its own; as its JSON. */
export function labNode(shape: number, options: NodeOptions): PlainObject {
  const zone = Math.floor(shape / HUNDRED);
  const place = shape % HUNDRED;
  const machine = machineOf(place);
  const isSpare = place % SPARE_EVERY === 0;
  const region = `region-${Math.floor(zone / ZONES_A_REGION) + 1}`;
  const name = `${options.prefix}${INDEX}`;
  const created = new Date(options.createdMs).toISOString();
  return {
    metadata: {
      name,
      uid: `${NODE_UID_START}${INDEX}`,
      creationTimestamp: created,
      labels: {
        'beta.kubernetes.io/arch': 'amd64',
        'beta.kubernetes.io/os': 'linux',
        'kubernetes.io/arch': 'amd64',
        'kubernetes.io/hostname': name,
        'kubernetes.io/os': 'linux',
        'node.kubernetes.io/instance-type': machine.name,
        'topology.kubernetes.io/region': region,
        'topology.kubernetes.io/zone': `${region}-${String.fromCharCode(0x61 + (zone % ZONES_A_REGION))}`,
        ...(isSpare ? { 'k1m.dev/capacity': 'spare' } : {}),
        ...(machine.gpus > 0 ? { 'k1m.dev/accelerator': 'gpu' } : {}),
      },
      annotations: {
        'node.alpha.kubernetes.io/ttl': '0',
        'volumes.kubernetes.io/controller-managed-attach-detach': 'true',
      },
    },
    spec: {
      podCIDR: `fd00:${NETWORK}::/64`,
      podCIDRs: [`fd00:${NETWORK}::/64`],
      providerID: `lab://${region}/${name}`,
      ...taintsOf(machine, isSpare),
    },
    status: statusOf(machine, created, options),
  };
}

function taintsOf(machine: MachineType, isSpare: boolean): PlainObject {
  const taints = [
    ...(machine.gpus > 0 ? [{ key: 'k1m.dev/accelerator', value: 'gpu', effect: 'NoSchedule' }] : []),
    ...(isSpare ? [{ key: 'k1m.dev/capacity', value: 'spare', effect: 'PreferNoSchedule' }] : []),
  ];
  return taints.length === 0 ? {} : { taints };
}

/** What a kubelet says of its node at that time. */
export function healthyConditions(node: JsonObject, time: string): PlainObject[] {
  return HEALTHY.map(([type, status, reason]) => ({
    type,
    status,
    reason,
    message: `kubelet reports ${reason}`,
    lastHeartbeatTime: time,
    lastTransitionTime: transitionTime(node, type, status, time),
  }));
}

function statusOf(
  { name, cpu, memoryGi, gpus }: MachineType,
  time: string,
  { prefix, images }: NodeOptions,
): PlainObject {
  const fixed = { 'ephemeral-storage': '104845292Ki', 'hugepages-1Gi': '0', 'hugepages-2Mi': '0', pods: '110' };
  const extended = gpus > 0 ? { 'k1m.dev/gpu': String(gpus) } : {};
  return {
    capacity: { ...fixed, ...extended, cpu: String(cpu), memory: `${memoryGi}Gi` },
    allocatable: {
      ...fixed,
      ...extended,
      cpu: `${cpu * 1000 - RESERVED_CPU_MILLIS}m`,
      memory: `${memoryGi - RESERVED_MEMORY_GI}Gi`,
    },
    conditions: healthyConditions({}, time),
    addresses: [
      { type: 'InternalIP', address: `10.${ADDRESS}` },
      { type: 'Hostname', address: `${prefix}${INDEX}` },
    ],
    daemonEndpoints: { kubeletEndpoint: { Port: 10_250 } },
    nodeInfo: {
      machineID: `ec2a1c0000000000000000000${INDEX}`,
      systemUUID: `ec2a1c00-0000-4000-8000-00000${INDEX}`,
      bootID: `5d1f3c00-0000-4000-8000-00000${INDEX}`,
      kernelVersion: '6.12.0',
      osImage: 'Debian GNU/Linux 13 (trixie)',
      containerRuntimeVersion: 'containerd://2.1.4',
      kubeletVersion: KUBELET,
      kubeProxyVersion: '',
      operatingSystem: 'linux',
      architecture: 'amd64',
    },
    images: Array.from({ length: images }, (_, image) => imageOf(name, image)),
  };
}

function imageOf(machine: string, image: number): PlainObject {
  const name = `registry.lab/${machine}/image-${image}`;
  const digest = `${image}`.padStart(64, 'a');
  return { names: [`${name}@sha256:${digest}`, `${name}:v1`], sizeBytes: IMAGE_BYTES + image };
}
