// What a pod asks for in effect (component-helpers resource/helpers.go of Kubernetes 1.36, PodRequests).
//
// Containers are added up, init containers run one after the other beside the sidecars (restartable init containers)
// started before them; per resource the larger of the sum and the highest peak counts. Requests at the level of the pod
// replace that for cpu, memory and huge pages; the overhead comes on top. For pods that are resized in place, the
// largest of what is asked, allocated and actuated counts.
//
// Everything is added as quantities and rounded once at the end, as upstream does.

import {
  addQuantities,
  compareQuantities,
  MILLI,
  milliQuantity,
  type Quantity,
  UNIT,
  wholeQuantity,
  ZERO,
} from './quantity.ts';
import { amountOf, type QuantityList, type Resources, resourcesOf, withoutNegatives } from './resources.ts';

/** What a container that names no request is taken to ask for when nodes are scored (schedutil.Default…Request). */
const DEFAULT_MILLI_CPU = 100;
const DEFAULT_MEMORY = 200 * 1024 * 1024;

export interface ContainerRequests {
  readonly requests: QuantityList;
  /** Of an init container: runs beside those that follow. */
  readonly isSidecar: boolean;
  /** From the container's status, where it reports resources (in-place resize); undefined otherwise. */
  readonly actuated: QuantityList | undefined;
  readonly allocated: QuantityList | undefined;
}

/** What of a pod bears on its requests. */
export interface PodRequestSpec {
  readonly containers: readonly ContainerRequests[];
  readonly initContainers: readonly ContainerRequests[];
  /** spec.resources.requests; undefined without spec.resources. */
  readonly podLevel: QuantityList | undefined;
  /** status.resources.requests; undefined where the status has no resources. */
  readonly podActuated: QuantityList | undefined;
  /** status.allocatedResources. */
  readonly podAllocated: QuantityList | undefined;
  readonly overhead: QuantityList;
  /** Condition PodResizePending has reason Infeasible: what is asked for does not count. */
  readonly isResizeInfeasible: boolean;
}

export interface EffectiveRequests {
  /** What NodeResourcesFit compares with a node's free room when the pod is to be placed. */
  readonly toFit: Resources;
  /** What the pod takes of its node, and what NodeResourcesBalancedAllocation counts for it. */
  readonly onNode: Resources;
  /** cpu and memory that the pod adds to its node's sum for NodeResourcesFit's scores. */
  readonly onNodeScored: { readonly milliCpu: number; readonly memory: number };
  /** What NodeResourcesFit's scores count for the incoming pod: container defaults applied, pod level left out. */
  readonly toScore: Resources;
}

export function effectiveRequests(spec: PodRequestSpec): EffectiveRequests {
  const onNode = podRequests(spec, { usesStatus: true, usesPodLevel: true, defaults: NO_QUANTITIES });
  const defaults = isPodLevelSet(spec) ? missingOf(onNode) : CONTAINER_DEFAULTS;
  const scored = podRequests(spec, { usesStatus: true, usesPodLevel: true, defaults });
  const toFit = podRequests(spec, { usesStatus: false, usesPodLevel: true, defaults: NO_QUANTITIES });
  const toScore = podRequests(spec, { usesStatus: true, usesPodLevel: false, defaults: CONTAINER_DEFAULTS });
  return {
    toFit: withoutNegatives(resourcesOf(toFit)),
    onNode: resourcesOf(onNode),
    onNodeScored: { milliCpu: amountOf(scored.get('cpu'), MILLI), memory: amountOf(scored.get('memory'), UNIT) },
    toScore: resourcesOf(toScore),
  };
}

const NO_QUANTITIES: QuantityList = new Map();
const CONTAINER_DEFAULTS: QuantityList = new Map([
  ['cpu', milliQuantity(DEFAULT_MILLI_CPU)],
  ['memory', wholeQuantity(DEFAULT_MEMORY)],
]);

/** With requests at the level of the pod, only what neither level names has a default. */
function missingOf(requests: QuantityList): QuantityList {
  return new Map([...CONTAINER_DEFAULTS].filter(([name]) => !requests.has(name)));
}

interface Counting {
  readonly usesStatus: boolean;
  readonly usesPodLevel: boolean;
  /** For what a container does not name. */
  readonly defaults: QuantityList;
}

function podRequests(spec: PodRequestSpec, counting: Counting): QuantityList {
  const total = containerRequests(spec, counting);
  if (counting.usesPodLevel && spec.podLevel !== undefined && isPodLevelSet(spec)) {
    const effective =
      counting.usesStatus && spec.podActuated !== undefined
        ? largest(spec, spec.podLevel, spec.podActuated, spec.podAllocated)
        : undefined;
    for (const [name, quantity] of spec.podLevel) {
      if (isPodLevelName(name)) total.set(name, effective === undefined ? quantity : (effective.get(name) ?? ZERO));
    }
  }
  add(total, spec.overhead);
  return total;
}

function isPodLevelSet({ podLevel }: PodRequestSpec): boolean {
  return podLevel !== undefined && [...podLevel.keys()].some(isPodLevelName);
}

function isPodLevelName(name: string): boolean {
  return name === 'cpu' || name === 'memory' || name.startsWith('hugepages-');
}

function containerRequests(spec: PodRequestSpec, counting: Counting): Map<string, Quantity> {
  const sum = new Map<string, Quantity>();
  for (const container of spec.containers) add(sum, requestsOf(spec, container, counting, counting.usesStatus));
  const sidecars = new Map<string, Quantity>();
  const peak = new Map<string, Quantity>();
  for (const container of spec.initContainers) {
    const own = requestsOf(spec, container, counting, counting.usesStatus && container.isSidecar);
    if (container.isSidecar) {
      add(sum, own);
      add(sidecars, own);
      raise(peak, sidecars);
    } else {
      const beside = new Map(own);
      add(beside, sidecars);
      raise(peak, beside);
    }
  }
  raise(sum, peak);
  return sum;
}

function requestsOf(
  spec: PodRequestSpec,
  container: ContainerRequests,
  { defaults }: Counting,
  usesStatus: boolean,
): QuantityList {
  const named =
    usesStatus && container.actuated !== undefined
      ? largest(spec, container.requests, container.actuated, container.allocated)
      : container.requests;
  return new Map([...defaults, ...named]);
}

function largest(
  { isResizeInfeasible }: PodRequestSpec,
  asked: QuantityList,
  actuated: QuantityList,
  allocated: QuantityList | undefined,
): QuantityList {
  const result = new Map(actuated);
  if (!isResizeInfeasible) raise(result, asked);
  if (allocated !== undefined) raise(result, allocated);
  return result;
}

function add(sum: Map<string, Quantity>, more: QuantityList): void {
  for (const [name, quantity] of more) {
    const before = sum.get(name);
    sum.set(name, before === undefined ? quantity : addQuantities(before, quantity));
  }
}

function raise(highest: Map<string, Quantity>, other: QuantityList): void {
  for (const [name, quantity] of other) {
    const before = highest.get(name);
    if (before === undefined || compareQuantities(quantity, before) > 0) highest.set(name, quantity);
  }
}
