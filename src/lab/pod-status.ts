// The status that a kubelet 1.36 writes for its pod (pkg/kubelet: status_manager, kubelet_pods.go generateAPIPodStatus), as fields of PodStatus: of one
// whose containers run, and of one whose containers have ended.
//
// Images are taken to be there, probes and hooks to succeed. Init containers have ended well, but for sidecars, which run.

import type { PlainObject } from '../kube/message-decoder.ts';
import type { JsonObject } from '../kube-api/kube-api.ts';
import { fieldsOf, itemsOf } from '../kube-api/object-head.ts';
import { transitionTime } from './transition-time.ts';

/** 128 and the number of SIGTERM: a program that does not heed it. */
const TERMINATED_EXIT_CODE = 143;
const DIGEST_DIGITS = 64;

export interface PodPlace {
  readonly hostAddress: string;
  readonly podAddress: string;
}

interface Ending {
  readonly exitCode: number;
  readonly reason: string;
}

const WELL: Ending = { exitCode: 0, reason: 'Completed' };
const KILLED: Ending = { exitCode: TERMINATED_EXIT_CODE, reason: 'Error' };

export function runningStatus(pod: JsonObject, place: PodPlace, wallMs: number): PlainObject {
  const now = timeText(wallMs);
  const { hostNetwork } = fieldsOf(pod.spec);
  const podAddress = hostNetwork === true ? place.hostAddress : place.podAddress;
  const running = { running: { startedAt: now } };
  return {
    ...generationOf(pod),
    phase: 'Running',
    conditions: conditionsOf(pod, now, [
      ['PodReadyToStartContainers', 'True', ''],
      ['Initialized', 'True', ''],
      ['Ready', 'True', ''],
      ['ContainersReady', 'True', ''],
    ]),
    hostIP: place.hostAddress,
    hostIPs: [{ ip: place.hostAddress }],
    podIP: podAddress,
    podIPs: [{ ip: podAddress }],
    startTime: now,
    ...initStatuses(pod, (container, id) =>
      isSidecar(container) ? { state: running, ready: true, started: true } : ended(WELL, now, now, id, true),
    ),
    containerStatuses: statusesOf(pod, 'containers', () => ({ state: running, ready: true, started: true })),
  };
}

/** All containers have ended well. */
export function succeededStatus(pod: JsonObject, wallMs: number): PlainObject {
  return endedStatus(pod, 'Succeeded', WELL, wallMs);
}

/** The pod is being deleted, and its containers have been told to end. */
export function killedStatus(pod: JsonObject, wallMs: number): PlainObject {
  return endedStatus(pod, 'Failed', KILLED, wallMs);
}

function endedStatus(pod: JsonObject, phase: 'Succeeded' | 'Failed', ending: Ending, wallMs: number): PlainObject {
  const now = timeText(wallMs);
  const { startTime } = fieldsOf(pod.status);
  const startedAt = typeof startTime === 'string' ? startTime : now;
  const reason = phase === 'Succeeded' ? 'PodCompleted' : 'PodFailed';
  const end = (id: string): PlainObject => ended(ending, startedAt, now, id, false);
  return {
    ...generationOf(pod),
    phase,
    conditions: conditionsOf(pod, now, [
      ['PodReadyToStartContainers', 'False', ''],
      ['Initialized', 'True', phase === 'Succeeded' ? reason : ''],
      ['Ready', 'False', reason],
      ['ContainersReady', 'False', reason],
    ]),
    startTime: startedAt,
    ...initStatuses(pod, (container, id) =>
      isSidecar(container) ? end(id) : ended(WELL, startedAt, startedAt, id, true),
    ),
    containerStatuses: statusesOf(pod, 'containers', (_, id) => end(id)),
  };
}

function ended(
  { exitCode, reason }: Ending,
  startedAt: string,
  finishedAt: string,
  containerID: string,
  ready: boolean,
): PlainObject {
  return { state: { terminated: { exitCode, reason, startedAt, finishedAt, containerID } }, ready, started: false };
}

function generationOf(pod: JsonObject): PlainObject {
  const { generation } = fieldsOf(pod.metadata);
  return typeof generation === 'number' ? { observedGeneration: generation } : {};
}

type Told = readonly [type: string, status: string, reason: string];

function conditionsOf(pod: JsonObject, now: string, told: readonly Told[]): PlainObject[] {
  return told.map(([type, status, reason]) => ({
    type,
    status,
    lastProbeTime: null,
    lastTransitionTime: transitionTime(pod, type, status, now),
    ...(reason === '' ? {} : { reason }),
    ...generationOf(pod),
  }));
}

type StateOf = (container: JsonObject, containerId: string) => PlainObject;

function initStatuses(pod: JsonObject, stateOf: StateOf): PlainObject {
  const initContainerStatuses = statusesOf(pod, 'initContainers', stateOf);
  return initContainerStatuses.length === 0 ? {} : { initContainerStatuses };
}

function statusesOf(pod: JsonObject, list: 'containers' | 'initContainers', stateOf: StateOf): PlainObject[] {
  const containers = fieldsOf(pod.spec)[list];
  const uid = String(fieldsOf(pod.metadata).uid).replaceAll('-', '');
  return itemsOf(containers).map((given, index) => {
    const container = fieldsOf(given);
    const image = String(container.image ?? '');
    const place = `${list === 'containers' ? 'c' : '1'}${index}`;
    const containerID = `containerd://${(place + uid).padStart(DIGEST_DIGITS, '0')}`;
    return {
      name: container.name,
      ...stateOf(container, containerID),
      lastState: {},
      restartCount: 0,
      image,
      imageID: `${image.replace(/[:@][^/]*$/, '')}@sha256:${digestOf(image)}`,
      containerID,
      resources: fieldsOf(container.resources),
      ...mountsOf(container),
      user: { linux: { uid: 0, gid: 0, supplementalGroups: [0] } },
    };
  });
}

/** The same for the same text, and as long as a real one. */
function digestOf(text: string): string {
  return Buffer.from(text).toString('hex').padStart(DIGEST_DIGITS, '0').slice(-DIGEST_DIGITS);
}

function mountsOf({ volumeMounts }: JsonObject): PlainObject {
  if (!Array.isArray(volumeMounts) || volumeMounts.length === 0) return {};
  return {
    volumeMounts: volumeMounts.map((given: unknown) => {
      const { name, mountPath, readOnly } = fieldsOf(given);
      return { name, mountPath, ...(readOnly === true ? { readOnly, recursiveReadOnly: 'Disabled' } : {}) };
    }),
  };
}

function isSidecar({ restartPolicy }: JsonObject): boolean {
  return restartPolicy === 'Always';
}

/** metav1.Time: whole seconds. */
export function timeText(wallMs: number): string {
  return `${new Date(wallMs).toISOString().slice(0, -'.000Z'.length)}Z`;
}
