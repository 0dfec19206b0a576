// A pod as kube-apiserver 1.36 stores it when it is created: with the defaults of core/v1 (pkg/apis/core/v1/defaults.go), of which the scheduler's part is
// in scheduler/inquiry/pod-defaults.ts, and with what the admission plugins add that are on by default: the service account with its token's volume, the
// priority, tolerations of nodes that have just gone away.
//
// Not filled in, since it depends on other objects: LimitRanges, RuntimeClasses, PriorityClasses but for the two of the system, image pull secrets
// of a service account, webhooks; and of volumes what only storage of a vendor has.

import type { PlainObject } from '../kube/message-decoder.ts';
import { fieldsOf, isObject, itemsOf } from '../kube-api/object-head.ts';
import { withDefaults } from '../scheduler/inquiry/pod-defaults.ts';
import {
  addQuantities,
  compareQuantities,
  isZero,
  parseQuantity,
  type Quantity,
  ZERO,
} from '../scheduler/model/quantity.ts';
import { SUFFIX } from './numbered-bytes.ts';
import { timeText } from './pod-status.ts';

const TOKEN_PATH = '/var/run/secrets/kubernetes.io/serviceaccount';
const TOKEN_SECONDS = 3607;
const MODE = 420;
const QOS_RESOURCES: readonly string[] = ['cpu', 'memory'];
const SYSTEM_PRIORITIES: ReadonlyMap<unknown, number> = new Map([
  ['system-node-critical', 2_000_001_000],
  ['system-cluster-critical', 2_000_000_000],
]);

/** The spec of a pod with these labels, with a mark (numbered-bytes.ts) in the name of its token's volume. */
export function admittedSpec(given: PlainObject, labels: unknown): PlainObject {
  const spec = fieldsOf(withDefaults({ spec: given, metadata: { labels } }).spec);
  const account = textOr(spec.serviceAccountName ?? spec.serviceAccount, 'default');
  const tokenVolume = spec.automountServiceAccountToken === false ? undefined : `kube-api-access-${SUFFIX}`;
  const containers = (list: unknown): PlainObject[] =>
    listOf(list).map((container) => withTokenMount(withContainerDefaults(container), tokenVolume));
  const { initContainers } = spec;
  return {
    restartPolicy: 'Always',
    terminationGracePeriodSeconds: 30,
    dnsPolicy: 'ClusterFirst',
    securityContext: {},
    schedulerName: 'default-scheduler',
    enableServiceLinks: true,
    preemptionPolicy: 'PreemptLowerPriority',
    priority: SYSTEM_PRIORITIES.get(spec.priorityClassName) ?? 0,
    ...spec,
    serviceAccountName: account,
    serviceAccount: account,
    containers: containers(spec.containers),
    ...(initContainers === undefined ? {} : { initContainers: containers(initContainers) }),
    volumes: [
      ...listOf(spec.volumes).map(withVolumeDefaults),
      ...(tokenVolume === undefined ? [] : [{ name: tokenVolume, projected: tokenSources() }]),
    ],
  };
}

/** Of a pod with that spec that has just been created. */
export function admittedStatus(spec: PlainObject, createdMs: number): PlainObject {
  const gated = {
    type: 'PodScheduled',
    status: 'False',
    reason: 'SchedulingGated',
    message: 'Scheduling is blocked due to non-empty scheduling gates',
    lastTransitionTime: timeText(createdMs),
  };
  const isGated = listOf(spec.schedulingGates).length > 0;
  return { phase: 'Pending', ...(isGated ? { conditions: [gated] } : {}), qosClass: qosClassOf(spec) };
}

/**
 * Of a spec with its defaults (pkg/apis/core/helper/qos): what all containers want together, or the pod where that says it itself; zeros count for
 * nothing. Throws QuantityError.
 */
export function qosClassOf({ containers, initContainers, resources }: PlainObject): string {
  const ofPod = fieldsOf(resources);
  const isOfPod = isObject(ofPod.requests) || isObject(ofPod.limits);
  const ofContainers = [...listOf(containers), ...listOf(initContainers)].map((container) => container.resources);
  const parts = (isOfPod ? [ofPod] : ofContainers).map(fieldsOf);
  const sums = QOS_RESOURCES.map((name) => ({
    requested: sumOf(parts.map(({ requests }) => quantityIn(requests, name))),
    limit: sumOf(parts.map(({ limits }) => quantityIn(limits, name))),
  }));
  if (sums.every(({ requested, limit }) => isZero(requested) && isZero(limit))) return 'BestEffort';
  const areAllLimited = parts.every(({ limits }) => QOS_RESOURCES.every((name) => !isZero(quantityIn(limits, name))));
  const isAsLimited = sums.every(({ requested, limit }) => compareQuantities(requested, limit) === 0);
  return areAllLimited && isAsLimited ? 'Guaranteed' : 'Burstable';
}

function quantityIn(list: unknown, name: string): Quantity {
  const value = fieldsOf(list)[name];
  return value === undefined ? ZERO : parseQuantity(String(value));
}

function sumOf(quantities: readonly Quantity[]): Quantity {
  return quantities.reduce(addQuantities, ZERO);
}

function listOf(list: unknown): PlainObject[] {
  return itemsOf(list).map((item) => ({ ...fieldsOf(item) }));
}

function textOr(value: unknown, otherwise: string): string {
  return typeof value === 'string' && value !== '' ? value : otherwise;
}

function withContainerDefaults(container: PlainObject): PlainObject {
  const { ports, env, image } = container;
  return {
    terminationMessagePath: '/dev/termination-log',
    terminationMessagePolicy: 'File',
    imagePullPolicy: pullPolicyOf(textOr(image, '')),
    resources: {},
    ...container,
    ...(ports === undefined ? {} : { ports: listOf(ports).map((port) => ({ protocol: 'TCP', ...port })) }),
    ...(env === undefined ? {} : { env: listOf(env).map(withFieldVersion) }),
    ...changed(container, ['livenessProbe', 'readinessProbe', 'startupProbe'], withProbeDefaults),
    ...changed(container, ['lifecycle'], (lifecycle) => ({
      ...lifecycle,
      ...changed(lifecycle, ['postStart', 'preStop'], withHttpDefaults),
    })),
  };
}

/** Those of the fields that are objects, changed. */
function changed(
  object: PlainObject,
  names: readonly string[],
  change: (value: PlainObject) => PlainObject,
): PlainObject {
  const there = names.filter((name) => isObject(object[name]));
  return Object.fromEntries(there.map((name) => [name, change({ ...fieldsOf(object[name]) })]));
}

/** Of an image without a tag, or with the tag latest: always. */
function pullPolicyOf(image: string): string {
  const isNamed = /@|:[^/:]+$/.test(image) && !image.endsWith(':latest');
  return isNamed ? 'IfNotPresent' : 'Always';
}

function withProbeDefaults(probe: PlainObject): PlainObject {
  const defaults = { timeoutSeconds: 1, periodSeconds: 10, successThreshold: 1, failureThreshold: 3 };
  return { ...defaults, ...withHttpDefaults(probe), ...changed(probe, ['grpc'], (grpc) => ({ service: '', ...grpc })) };
}

function withHttpDefaults(handler: PlainObject): PlainObject {
  return { ...handler, ...changed(handler, ['httpGet'], (get) => ({ path: '/', scheme: 'HTTP', ...get })) };
}

/** Of a variable, or of an item of a downward volume. */
function withFieldVersion(item: PlainObject): PlainObject {
  const withVersion = (from: PlainObject): PlainObject => ({
    ...from,
    ...changed(from, ['fieldRef'], (ref) => ({ apiVersion: 'v1', ...ref })),
  });
  return { ...withVersion(item), ...changed(item, ['valueFrom'], withVersion) };
}

function withVolumeDefaults(volume: PlainObject): PlainObject {
  const { name: _, ...source } = volume;
  if (Object.keys(source).length === 0) return { ...volume, emptyDir: {} };
  return {
    ...volume,
    ...changed(volume, ['secret', 'configMap'], (files) => ({ defaultMode: MODE, ...files })),
    ...changed(volume, ['downwardAPI'], (files) => ({
      defaultMode: MODE,
      ...files,
      ...(files.items === undefined ? {} : { items: listOf(files.items).map(withFieldVersion) }),
    })),
    ...changed(volume, ['projected'], (files) => ({
      defaultMode: MODE,
      ...files,
      sources: listOf(files.sources).map(withProjectionDefaults),
    })),
    ...changed(volume, ['hostPath'], (path) => ({ type: '', ...path })),
  };
}

function withProjectionDefaults(source: PlainObject): PlainObject {
  return {
    ...source,
    ...changed(source, ['serviceAccountToken'], (token) => ({ expirationSeconds: 3600, ...token })),
    ...changed(source, ['downwardAPI'], (files) => ({ ...files, items: listOf(files.items).map(withFieldVersion) })),
  };
}

function withTokenMount(container: PlainObject, volume: string | undefined): PlainObject {
  const mounts = listOf(container.volumeMounts);
  if (volume === undefined || mounts.some(({ mountPath }) => mountPath === TOKEN_PATH)) return container;
  return { ...container, volumeMounts: [...mounts, { name: volume, readOnly: true, mountPath: TOKEN_PATH }] };
}

/** As the ServiceAccount admission makes it. */
function tokenSources(): PlainObject {
  const namespace = { path: 'namespace', fieldRef: { apiVersion: 'v1', fieldPath: 'metadata.namespace' } };
  return {
    defaultMode: MODE,
    sources: [
      { serviceAccountToken: { expirationSeconds: TOKEN_SECONDS, path: 'token' } },
      { configMap: { name: 'kube-root-ca.crt', items: [{ key: 'ca.crt', path: 'ca.crt' }] } },
      { downwardAPI: { items: [namespace] } },
    ],
  };
}
