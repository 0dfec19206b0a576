// A kubelet's heartbeat: its Lease in kube-node-lease, made to an exact size.
//
// The size is reached by what is optional: with the kubelet's managedFields where they fit, else without, else without
// the reference to the Node too; the rest by an annotation.

import { encodeLease, type Lease } from './lease.ts';
import type { ManagedFields, ObjectMeta, OwnerReference } from './object-meta.ts';

export const NODE_LEASE_NAMESPACE = 'kube-node-lease';
const LEASE_SECONDS = 40;

const PADDING_KEY = 'padding';
/** Where lengths take a byte more, one key length leaves a gap that the next one fills. */
const PADDING_KEYS: readonly string[] = [PADDING_KEY, `${PADDING_KEY}s`, `${PADDING_KEY}s.`];

export interface NodeLease {
  readonly nodeName: string;
  readonly uid: string;
  readonly creationSeconds: number;
  readonly renewSeconds: number;
  readonly renewMicros: number;
}

/** The stored bytes, `valueBytes` of them. Throws RangeError when no lease is that short. */
export function encodeNodeLease(node: NodeLease, valueBytes: number): Uint8Array {
  for (const variant of variants(node)) {
    const exact = fitted(leaseOf(node, variant), valueBytes);
    if (exact !== undefined) return exact;
  }
  const leastBytes = encodeLease(leaseOf(node, {})).length;
  throw new RangeError(`the lease of ${node.nodeName} takes at least ${leastBytes} bytes, and not ${valueBytes}`);
}

type Variant = Partial<Pick<ObjectMeta, 'managedFields' | 'ownerReferences'>>;

function variants(node: NodeLease): Variant[] {
  const owner: OwnerReference = { apiVersion: 'v1', kind: 'Node', name: node.nodeName, uid: node.uid };
  const managed: ManagedFields = {
    manager: 'kubelet',
    operation: 'Update',
    apiVersion: 'coordination.k8s.io/v1',
    timeSeconds: node.creationSeconds,
    fields: `{"f:metadata":{"f:ownerReferences":{".":{},"k:{\\"uid\\":\\"${node.uid}\\"}":{}}},"f:spec":{"f:holderIdentity":{},"f:leaseDurationSeconds":{},"f:renewTime":{}}}`,
  };
  return [{ ownerReferences: [owner], managedFields: [managed] }, { ownerReferences: [owner] }, {}];
}

function leaseOf(node: NodeLease, variant: Variant, annotations: ObjectMeta['annotations'] = []): Lease {
  return {
    metadata: {
      name: node.nodeName,
      namespace: NODE_LEASE_NAMESPACE,
      uid: node.uid,
      creationSeconds: node.creationSeconds,
      annotations,
      ownerReferences: variant.ownerReferences ?? [],
      managedFields: variant.managedFields ?? [],
    },
    holderIdentity: node.nodeName,
    leaseDurationSeconds: LEASE_SECONDS,
    renewSeconds: node.renewSeconds,
    renewMicros: node.renewMicros,
  };
}

/** The lease with as much padding as makes it `valueBytes` long; undefined when nothing does. */
function fitted(lease: Lease, valueBytes: number): Uint8Array | undefined {
  const plain = encodeLease(lease);
  if (plain.length === valueBytes) return plain;
  for (const key of PADDING_KEYS) {
    let paddingBytes = valueBytes - withPadding(lease, key, 0).length;
    // More padding makes lengths before it longer: that much less is needed, found in a few steps.
    for (let step = 0; step < PADDING_KEYS.length && paddingBytes >= 0; step++) {
      const padded = withPadding(lease, key, paddingBytes);
      if (padded.length === valueBytes) return padded;
      paddingBytes -= padded.length - valueBytes;
    }
  }
  return undefined;
}

function withPadding(lease: Lease, key: string, bytes: number): Uint8Array {
  return encodeLease({ ...lease, metadata: { ...lease.metadata, annotations: [[key, 'x'.repeat(bytes)]] } });
}
