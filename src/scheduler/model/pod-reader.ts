// A core/v1 Pod in JSON to a PodObject: defaults applied, names normalised, requests computed.

import { normalisedImage } from './image-name.ts';
import { type JsonView, type Read, readObject } from './json-view.ts';
import { andSelectors, type LabelSelector, type Labels, selectorOfPairs } from './label-selector.ts';
import type {
  AffinityTerm,
  HostPort,
  Owner,
  PodAffinity,
  PodObject,
  SpreadConstraint,
  WeightedAffinityTerm,
} from './pod-object.ts';
import { type ContainerRequests, effectiveRequests } from './pod-requests.ts';
import { podVolumeOf } from './pod-volume.ts';
import { nodeSelectorOf, parsedSelectorOf, preferredNodeTermsOf } from './selector-reader.ts';

/** From a core/v1 Pod in JSON. */
export function readPod(json: unknown): Read<PodObject> {
  return readObject(json, podOf);
}

function stateOf(metadata: JsonView, status: JsonView): Pick<PodObject, StateField> {
  const phase = status.text('phase');
  const conditions = status.objects('conditions');
  return {
    nominatedNodeName: status.text('nominatedNodeName'),
    createdAtMs: metadata.time('creationTimestamp') ?? 0,
    startedAtMs: status.time('startTime'),
    isTerminating: metadata.has('deletionTimestamp'),
    isFinished: phase === 'Succeeded' || phase === 'Failed',
    isPreempted: conditions.some(
      (condition) =>
        condition.text('type') === 'DisruptionTarget' &&
        condition.text('status') === 'True' &&
        condition.text('reason') === 'PreemptionByScheduler',
    ),
    generation: metadata.number('generation'),
    isToldUnplaced: conditions.some(
      (condition) => condition.text('type') === 'PodScheduled' && condition.text('status') === 'False',
    ),
  };
}

type StateField =
  | 'nominatedNodeName'
  | 'createdAtMs'
  | 'startedAtMs'
  | 'isTerminating'
  | 'isFinished'
  | 'isPreempted'
  | 'generation'
  | 'isToldUnplaced';

function controllerOf(metadata: JsonView): PodObject['controller'] {
  return metadata
    .objects('ownerReferences')
    .filter((owner) => owner.flag('controller'))
    .map(ownerOf)[0];
}

function podOf(view: JsonView): PodObject {
  const metadata = view.object('metadata');
  const spec = view.object('spec');
  const status = view.object('status');
  const namespace = metadata.text('namespace') || 'default';
  const name = metadata.name('name');
  const labels = metadata.pairs('labels');
  const containers = spec.objects('containers');
  const initContainers = spec.objects('initContainers');
  const affinity = spec.object('affinity');
  const nodeAffinity = affinity.object('nodeAffinity');
  const problems: string[] = [];
  const spread = spec.objects('topologySpreadConstraints').map((item) => spreadConstraintOf(item, labels, problems));
  const spreadProblem = problems.splice(0).join(', ');
  const podAffinity = podAffinityOf(affinity.object('podAffinity'), namespace, 'AffinityTerms', problems);
  const antiAffinity = podAffinityOf(affinity.object('podAntiAffinity'), namespace, 'AntiAffinityTerms', problems);
  const conditions = status.objects('conditions');
  return {
    namespace,
    name,
    uid: metadata.text('uid'),
    labels,
    schedulerName: spec.text('schedulerName') || 'default-scheduler',
    nodeName: spec.text('nodeName'),
    ...stateOf(metadata, status),
    priority: spec.number('priority'),
    neverPreempts: spec.text('preemptionPolicy') === 'Never',
    schedulingGates: spec.objects('schedulingGates').map((gate) => gate.text('name')),
    requiredNodes: {
      pairs: spec.pairs('nodeSelector'),
      selector: nodeSelectorOf(nodeAffinity.object('requiredDuringSchedulingIgnoredDuringExecution')),
    },
    preferredNodes: preferredNodeTermsOf(nodeAffinity.objects('preferredDuringSchedulingIgnoredDuringExecution')),
    affinity: podAffinity,
    antiAffinity,
    affinityProblem: problems.join(', '),
    tolerations: spec.objects('tolerations').map((toleration) => ({
      key: toleration.text('key'),
      operator: toleration.text('operator'),
      value: toleration.text('value'),
      effect: toleration.text('effect'),
    })),
    spreadConstraints: spread,
    spreadProblem,
    hostPorts: [...initContainers.filter(isSidecar), ...containers].flatMap(hostPortsOf),
    images: imagesOf(spec, [...initContainers, ...containers]),
    containerCount: initContainers.length + containers.length,
    volumes: spec.objects('volumes').map((volume) => podVolumeOf(volume, name)),
    resourceClaims: spec.objects('resourceClaims').map((claim) => claim.text('name')),
    requests: requestsOf(spec, status, conditions),
    controller: controllerOf(metadata),
    neededFeatures: neededFeaturesOf(spec, [...initContainers, ...containers]),
  };
}

function isSidecar(container: JsonView): boolean {
  return container.text('restartPolicy') === 'Always';
}

function hostPortsOf(container: JsonView): HostPort[] {
  return container
    .objects('ports')
    .map((port) => ({
      ip: port.text('hostIP') || '0.0.0.0',
      protocol: port.text('protocol') || 'TCP',
      port: port.number('hostPort'),
    }))
    .filter(({ port }) => port > 0);
}

function imagesOf(spec: JsonView, containers: readonly JsonView[]): string[] {
  const volumes = spec.objects('volumes').filter((volume) => volume.has('image'));
  return [
    ...containers.map((container) => container.text('image')),
    ...volumes.map((volume) => volume.object('image').text('reference')),
  ].map(normalisedImage);
}

export function ownerOf(view: JsonView): Owner {
  return {
    apiVersion: view.text('apiVersion'),
    kind: view.text('kind'),
    name: view.text('name'),
    uid: view.text('uid'),
  };
}

/** One list of terms fails as a whole, as upstream's; what it fails for goes to `problems`. */
function podAffinityOf(view: JsonView, namespace: string, what: string, problems: string[]): PodAffinity {
  const required = view.objects('requiredDuringSchedulingIgnoredDuringExecution');
  const preferred = view.objects('preferredDuringSchedulingIgnoredDuringExecution');
  return {
    required: allOrNone(`required${what}`, problems, (found) =>
      required.map((term) => affinityTermOf(term, namespace, found)),
    ),
    preferred: allOrNone(`preferred${what}`, problems, (found) =>
      preferred.map((item): WeightedAffinityTerm => {
        const term = affinityTermOf(item.object('podAffinityTerm'), namespace, found);
        return { ...term, weight: item.number('weight') };
      }),
    ),
  };
}

function allOrNone<T>(what: string, problems: string[], read: (found: string[]) => T[]): T[] {
  const found: string[] = [];
  const terms = read(found);
  if (found.length === 0) return terms;
  problems.push(`${what}: ${found[0]}`);
  return [];
}

function affinityTermOf(view: JsonView, namespace: string, problems: string[]): AffinityTerm {
  const named = view.texts('namespaces');
  const selectsNamespaces = view.has('namespaceSelector');
  return {
    selector: parsed(view.object('labelSelector'), problems),
    topologyKey: view.text('topologyKey'),
    namespaces: new Set(named.length === 0 && !selectsNamespaces ? [namespace] : named),
    namespaceSelector: parsed(view.object('namespaceSelector'), problems),
  };
}

function parsed(view: JsonView, problems: string[]): LabelSelector {
  const { selector, problem } = parsedSelectorOf(view);
  if (problem !== '') problems.push(problem);
  return selector;
}

/** Also those of a profile's default constraints, which have no selector. */
export function spreadConstraintOf(view: JsonView, labels: Labels, problems: string[]): SpreadConstraint {
  const own = new Map<string, string>();
  for (const key of view.texts('matchLabelKeys')) {
    const value = labels.get(key);
    if (value !== undefined) own.set(key, value);
  }
  return {
    maxSkew: view.number('maxSkew'),
    topologyKey: view.text('topologyKey'),
    isHard: view.text('whenUnsatisfiable') === 'DoNotSchedule',
    selector: andSelectors(selectorOfPairs(own), parsed(view.object('labelSelector'), problems)),
    minDomains: view.optionalNumber('minDomains') ?? 1,
    honorsAffinity: (view.text('nodeAffinityPolicy') || 'Honor') === 'Honor',
    honorsTaints: view.text('nodeTaintsPolicy') === 'Honor',
  };
}

function requestsOf(spec: JsonView, status: JsonView, conditions: readonly JsonView[]): PodObject['requests'] {
  const statuses = new Map<string, JsonView>();
  for (const field of ['containerStatuses', 'initContainerStatuses']) {
    for (const item of status.objects(field)) statuses.set(item.text('name'), item);
  }
  const podLevel = spec.object('resources');
  const podStatus = status.object('resources');
  const resizing = conditions.find((condition) => condition.text('type') === 'PodResizePending');
  return effectiveRequests({
    containers: spec.objects('containers').map((container) => containerRequestsOf(container, statuses)),
    initContainers: spec.objects('initContainers').map((container) => containerRequestsOf(container, statuses)),
    podLevel: podLevel.isPresent ? podLevel.quantities('requests') : undefined,
    podActuated: podStatus.isPresent ? podStatus.quantities('requests') : undefined,
    podAllocated: status.quantities('allocatedResources'),
    overhead: spec.quantities('overhead'),
    isResizeInfeasible: resizing?.text('reason') === 'Infeasible',
  });
}

function containerRequestsOf(container: JsonView, statuses: ReadonlyMap<string, JsonView>): ContainerRequests {
  const status = statuses.get(container.text('name'));
  const reported = status?.object('resources');
  return {
    requests: container.object('resources').quantities('requests'),
    isSidecar: isSidecar(container),
    actuated: reported?.isPresent === true ? reported.quantities('requests') : undefined,
    allocated: status?.quantities('allocatedResources'),
  };
}

/** component-helpers nodedeclaredfeatures 1.36, InferForScheduling. */
function neededFeaturesOf(spec: JsonView, containers: readonly JsonView[]): Set<string> {
  const needed = new Set<string>();
  const restartsAll = (container: JsonView): boolean =>
    container.objects('restartPolicyRules').some((rule) => rule.text('action') === 'RestartAllContainers');
  if (containers.some(restartsAll)) needed.add('RestartAllContainersOnContainerExits');
  if (spec.flag('hostNetwork') && spec.has('hostUsers') && !spec.flag('hostUsers')) {
    needed.add('UserNamespacesHostNetworkSupport');
  }
  return needed;
}
