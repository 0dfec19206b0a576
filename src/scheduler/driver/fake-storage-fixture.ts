// Volumes, claims and storage classes of a fake API, and the controllers that bind claims and make volumes: at once, later, never, or in
// vain.

import type { JsonObject, ReadOutcome, WriteOutcome } from '../../kube-api/kube-api.ts';
import { fieldsOf, headOf, isObject, keyOf } from '../../kube-api/object-head.ts';
import type { ResourceName } from '../../kube-api/resource.ts';
import type { SimulatedClock } from '../../testing/clock.ts';

/** What becomes of a write: as the API server has it; or one of the ways in which it can go wrong. */
export type WriteFault =
  | 'none'
  | 'busy'
  | 'unreachable'
  | 'lost-before'
  | 'lost-after'
  /** It has no answer, and is carried out a while later. */
  | 'late'
  | 'conflict'
  | 'refused';

const LATE_MS = 500;
/** What the provisioner does about a claim with a selected node. */
export type Provisioning = 'makes' | 'sleeps' | 'gives-up';

export class FakeStorage {
  readonly #clock: SimulatedClock;
  readonly #tellSet: (resource: ResourceName, object: JsonObject) => void;
  readonly #objects = new Map<string, JsonObject>();
  readonly #nextVersion: () => number;
  nextFault: () => WriteFault = () => 'none';
  provisioning: Provisioning = 'makes';
  controllerDelayMs = 20;
  /** Volumes that were bound to one claim, and then to another. */
  readonly takenTwice: string[] = [];

  constructor(
    clock: SimulatedClock,
    nextVersion: () => number,
    tellSet: (resource: ResourceName, object: JsonObject) => void,
  ) {
    this.#clock = clock;
    this.#nextVersion = nextVersion;
    this.#tellSet = tellSet;
  }

  set(resource: ResourceName, object: JsonObject): void {
    const metadata = { uid: `uid-${keyOf(placeOf(object))}`, ...fieldsOf(object.metadata) };
    const versioned = { ...object, metadata: { ...metadata, resourceVersion: String(this.#nextVersion()) } };
    this.#objects.set(`${resource} ${keyOf(placeOf(versioned))}`, versioned);
    this.#tellSet(resource, versioned);
    this.#clock.setTimer(this.controllerDelayMs, () => this.#control(resource, keyOf(placeOf(versioned))));
  }

  get(resource: ResourceName, key: string): JsonObject | undefined {
    return this.#objects.get(`${resource} ${key}`);
  }

  read(resource: ResourceName, place: { readonly namespace: string; readonly name: string }): ReadOutcome {
    const object = this.get(resource, keyOf(place));
    return object === undefined ? { kind: 'gone', text: 'not found' } : { kind: 'found', object };
  }

  /** A claim of a class whose volumes are made on demand. */
  claim(name: string, storageClassName = 'made'): void {
    this.set('persistentvolumeclaims', {
      metadata: { namespace: 'default', name },
      spec: { accessModes: ['ReadWriteOnce'], storageClassName, resources: { requests: { storage: '1Gi' } } },
    });
  }

  storageClass(name: string, provisioner: string): void {
    this.set('storageclasses', { metadata: { name }, provisioner, volumeBindingMode: 'WaitForFirstConsumer' });
  }

  /** A local disk on the node. */
  disk(name: string, node: string, storageClassName = 'local'): void {
    const values = [node];
    const matchExpressions = [{ key: 'kubernetes.io/hostname', operator: 'In', values }];
    this.set('persistentvolumes', {
      metadata: { name },
      spec: {
        accessModes: ['ReadWriteOnce'],
        capacity: { storage: '1Gi' },
        storageClassName,
        nodeAffinity: { required: { nodeSelectorTerms: [{ matchExpressions }] } },
      },
      status: { phase: 'Available' },
    });
  }

  async patch(
    resource: ResourceName,
    place: { readonly namespace: string; readonly name: string },
    patch: JsonObject,
    pause: () => Promise<void>,
  ): Promise<WriteOutcome> {
    const fault = this.nextFault();
    await pause();
    switch (fault) {
      case 'busy':
        return { kind: 'too-many-requests', retryAfterMs: 100 };
      case 'unreachable':
        return { kind: 'unreachable', text: 'connection refused' };
      case 'lost-before':
        return { kind: 'unknown', text: 'connection lost' };
      case 'late':
        this.#clock.setTimer(LATE_MS, () => this.#patchNow(resource, place, patch));
        return { kind: 'unknown', text: 'connection lost' };
      case 'conflict':
        return { kind: 'conflict', text: 'the object has been modified' };
      case 'refused':
        return { kind: 'refused', status: 403, text: 'not allowed' };
      default: {
        const outcome = this.#patchNow(resource, place, patch);
        await pause();
        return fault === 'lost-after' ? { kind: 'unknown', text: 'connection lost' } : outcome;
      }
    }
  }

  #patchNow(
    resource: ResourceName,
    place: { readonly namespace: string; readonly name: string },
    patch: JsonObject,
  ): WriteOutcome {
    const before = this.get(resource, keyOf(place));
    if (before === undefined) return { kind: 'gone', text: `${resource} "${place.name}" not found` };
    const { uid, resourceVersion } = fieldsOf(patch.metadata);
    const head = headOf(before);
    if (uid !== head?.uid) return { kind: 'gone', text: 'Precondition failed: UID' };
    if (resourceVersion !== undefined && resourceVersion !== head?.resourceVersion) {
      const what = `Operation cannot be fulfilled on ${resource} "${place.name}"`;
      return { kind: 'conflict', text: `${what}: the object has been modified` };
    }
    const object = merged(before, patch);
    const [reference, other] = [before, object].map(({ spec }) => fieldsOf(fieldsOf(spec).claimRef).uid);
    if (reference !== undefined && reference !== other) this.takenTwice.push(place.name);
    this.set(resource, object);
    return { kind: 'done', object: this.get(resource, keyOf(place)) ?? object };
  }

  /** What volume controller and provisioner do about an object, some time after it has changed. */
  #control(resource: ResourceName, key: string): void {
    const object = this.get(resource, key);
    if (object === undefined) return;
    const spec = fieldsOf(object.spec);
    if (resource === 'persistentvolumes') {
      const { namespace, name, uid } = fieldsOf(spec.claimRef);
      const claim = this.get('persistentvolumeclaims', `${namespace}/${name}`);
      if (claim !== undefined && headOf(claim)?.uid === uid) this.#bind(claim, key);
      return;
    }
    const node = fieldsOf(fieldsOf(object.metadata).annotations)['volume.kubernetes.io/selected-node'];
    if (resource !== 'persistentvolumeclaims' || node === undefined || spec.volumeName !== undefined) return;
    if (this.provisioning === 'gives-up') {
      this.set(resource, { ...object, metadata: { ...fieldsOf(object.metadata), annotations: {} } });
    } else if (this.provisioning === 'makes') {
      const { namespace, name, uid } = fieldsOf(object.metadata);
      const claimRef = { namespace, name, uid };
      const { accessModes, storageClassName } = spec;
      const capacity = { storage: '1Gi' };
      const { provisioner: driver } = this.get('storageclasses', String(storageClassName)) ?? {};
      this.set('persistentvolumes', {
        metadata: { name: `made-${name}` },
        spec: { accessModes, storageClassName, capacity, claimRef, csi: { driver, volumeHandle: name } },
      });
    }
  }

  #bind(claim: JsonObject, volumeName: string): void {
    const metadata = fieldsOf(claim.metadata);
    const spec = fieldsOf(claim.spec);
    if (spec.volumeName !== undefined) return;
    const annotations = { ...fieldsOf(metadata.annotations), 'pv.kubernetes.io/bind-completed': 'yes' };
    this.set('persistentvolumeclaims', {
      ...claim,
      metadata: { ...metadata, annotations },
      spec: { ...spec, volumeName },
    });
  }
}

function placeOf({ metadata }: JsonObject): { readonly namespace: string; readonly name: string } {
  const { namespace = '', name } = fieldsOf(metadata);
  return { namespace: String(namespace), name: String(name) };
}

/** RFC 7396. */
function merged(target: JsonObject, patch: JsonObject): JsonObject {
  const result: Record<string, unknown> = { ...target };
  for (const [field, value] of Object.entries(patch)) {
    if (value === null) delete result[field];
    else result[field] = isObject(value) ? merged(fieldsOf(target[field]), value) : value;
  }
  return result;
}
