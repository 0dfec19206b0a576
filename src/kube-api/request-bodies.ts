// The bodies of what a scheduler writes, field by field as kube-scheduler 1.36 sends them.

import type {
  JsonObject,
  LeaseName,
  LeaseSpec,
  ObjectIdentity,
  PodStatusPatch,
  PodToBind,
  SchedulerEvent,
} from './kube-api.ts';

/** events.k8s.io/v1 validation. */
const NOTE_BYTES_MAX = 1024;
const REASON_BYTES_MAX = 128;
const INSTANCE_BYTES_MAX = 128;
/** Of a name of an object (RFC 1123 subdomain). */
const NAME_BYTES_MAX = 253;
const NOTE_END = ' ...';

/** An object that an event is about. */
export interface ReferenceBody {
  readonly apiVersion: string;
  readonly kind: string;
  readonly namespace?: string;
  readonly name: string;
  readonly uid: string;
  readonly resourceVersion?: string;
}

/** events.k8s.io/v1 Event. */
export interface EventBody extends JsonObject {
  readonly apiVersion: 'events.k8s.io/v1';
  readonly kind: 'Event';
  readonly metadata: { readonly name: string; readonly namespace: string };
  readonly eventTime: string;
  readonly reportingController: string;
  readonly reportingInstance: string;
  readonly action: string;
  readonly reason: string;
  readonly regarding: ReferenceBody;
  readonly related?: ReferenceBody;
  readonly note: string;
  readonly type: string;
}

/** A strategic merge patch: conditions are merged by type, null takes a field away. */
export function podStatusBody(
  { uid, resourceVersion }: PodToBind,
  { conditions, nominatedNodeName }: PodStatusPatch,
): JsonObject {
  return {
    metadata: { uid, ...(resourceVersion === undefined ? {} : { resourceVersion }) },
    status: {
      ...(conditions === undefined ? {} : { conditions }),
      ...(nominatedNodeName === undefined
        ? {}
        : { nominatedNodeName: nominatedNodeName === '' ? null : nominatedNodeName }),
    },
  };
}

export function deleteBody({ uid }: ObjectIdentity): JsonObject {
  return { apiVersion: 'v1', kind: 'DeleteOptions', preconditions: { uid } };
}

/** `ordinal` keeps apart what happens within one millisecond; below a million. */
export function eventBody(event: SchedulerEvent, wallMs: number, ordinal: number): EventBody {
  const { regarding, related } = event;
  const nanoseconds = BigInt(Math.floor(wallMs)) * 1_000_000n + BigInt(ordinal);
  const suffix = `.${nanoseconds.toString(16)}`;
  return {
    apiVersion: 'events.k8s.io/v1',
    kind: 'Event',
    metadata: {
      name: `${cut(regarding.name, NAME_BYTES_MAX - suffix.length, '')}${suffix}`,
      namespace: eventNamespace(event),
    },
    eventTime: microTime(wallMs),
    reportingController: event.reportingController,
    reportingInstance: cut(event.reportingInstance, INSTANCE_BYTES_MAX, ''),
    action: cut(event.action, REASON_BYTES_MAX, ''),
    reason: cut(event.reason, REASON_BYTES_MAX, ''),
    regarding: reference(regarding),
    ...(related === undefined ? {} : { related: reference(related) }),
    note: cut(event.note, NOTE_BYTES_MAX, NOTE_END),
    type: event.type,
  };
}

/** Where the events of an object lie; those of objects without a namespace in "default". */
export function eventNamespace({ regarding }: SchedulerEvent): string {
  return regarding.namespace === '' ? 'default' : regarding.namespace;
}

export function seriesBody(count: number, wallMs: number): JsonObject {
  return { series: { count, lastObservedTime: microTime(wallMs) } };
}

export function leaseBody({ namespace, name }: LeaseName, spec: LeaseSpec, resourceVersion: string): JsonObject {
  return {
    apiVersion: 'coordination.k8s.io/v1',
    kind: 'Lease',
    metadata: { namespace, name, ...(resourceVersion === '' ? {} : { resourceVersion }) },
    spec,
  };
}

/** RFC 3339 with microseconds, as metav1.MicroTime. */
export function microTime(wallMs: number): string {
  return new Date(wallMs).toISOString().replace('Z', '000Z');
}

function reference(object: SchedulerEvent['regarding']): ReferenceBody {
  const { apiVersion, kind, namespace, name, uid, resourceVersion } = object;
  return {
    apiVersion,
    kind,
    ...(namespace === '' ? {} : { namespace }),
    name,
    uid,
    ...(resourceVersion === undefined ? {} : { resourceVersion }),
  };
}

/** At most so many bytes of UTF-8, with the ending where something was cut off; no character is halved. */
function cut(text: string, bytesMax: number, ending: string): string {
  const bytes = Buffer.from(text);
  if (bytes.length <= bytesMax) return text;
  let end = bytesMax - ending.length;
  // A byte 10xxxxxx goes on with a character.
  while (end > 0 && (bytes[end] & 0xc0) === 0x80) end--;
  return bytes.toString('utf8', 0, end) + ending;
}
