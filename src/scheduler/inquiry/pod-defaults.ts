// What an API server fills in when a pod is created, as far as scheduling reads it, for pods that come from a manifest
// (pkg/apis/core/v1/defaults.go of 1.36, and the admission plugin DefaultTolerationSeconds, which is on by default):
// requests that are not named are the limits; host ports on the host's network; tolerations of nodes that have just gone away; selectors with the pod's values of
// matchLabelKeys and mismatchLabelKeys (label-keys.ts).
//
// Not filled in: what depends on the cluster's other objects or plugins (LimitRanges, PriorityClasses, RuntimeClasses, webhooks).

import type { JsonObject } from '../../kube-api/kube-api.ts';
import { isObject } from '../../kube-api/object-head.ts';
import { withLabelKeys } from './label-keys.ts';

const NO_EXECUTE_KEYS = ['node.kubernetes.io/not-ready', 'node.kubernetes.io/unreachable'];
const TOLERATION_SECONDS = 300;

export function withDefaults(pod: JsonObject): JsonObject {
  if (!isObject(pod.spec)) return pod;
  const spec = withLabelKeys(pod.spec, isObject(pod.metadata) ? pod.metadata.labels : undefined);
  const isOnHost = spec.hostNetwork === true;
  const containers = (list: unknown): unknown =>
    Array.isArray(list) ? list.map((container: unknown) => containerWithDefaults(container, isOnHost)) : list;
  return {
    ...pod,
    spec: {
      ...spec,
      containers: containers(spec.containers),
      initContainers: containers(spec.initContainers),
      tolerations: withNoExecute(spec.tolerations),
      resources: resourcesWithDefaults(spec.resources),
    },
  };
}

function containerWithDefaults(container: unknown, isOnHost: boolean): unknown {
  if (!isObject(container)) return container;
  const { ports, resources } = container;
  const hostPorts =
    isOnHost && Array.isArray(ports)
      ? ports.map((port: unknown) => (isObject(port) ? { hostPort: port.containerPort, ...port } : port))
      : ports;
  return { ...container, ports: hostPorts, resources: resourcesWithDefaults(resources) };
}

function resourcesWithDefaults(resources: unknown): unknown {
  if (!isObject(resources) || !isObject(resources.limits)) return resources;
  const requests = isObject(resources.requests) ? resources.requests : {};
  return { ...resources, requests: { ...resources.limits, ...requests } };
}

function withNoExecute(given: unknown): unknown {
  const tolerations: readonly unknown[] = Array.isArray(given) ? given : [];
  const missing = NO_EXECUTE_KEYS.filter(
    (key) =>
      !tolerations.some(
        (one) =>
          isObject(one) &&
          (one.key === key || one.key === undefined || one.key === '') &&
          (one.effect === 'NoExecute' || one.effect === undefined || one.effect === ''),
      ),
  );
  const added = missing.map((key) => ({
    key,
    operator: 'Exists',
    effect: 'NoExecute',
    tolerationSeconds: TOLERATION_SECONDS,
  }));
  return [...tolerations, ...added];
}
