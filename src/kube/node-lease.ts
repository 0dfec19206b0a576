// A kubelet's heartbeat: its Lease in kube-node-lease, made to an exact size.
//
// The size is reached by what is optional: with the kubelet's managedFields where they fit, else without, else without
// the reference to the Node too; the rest by an annotation.

import { encodeLease, type Lease } from './lease.ts';
import type { ManagedFields, ObjectMeta, OwnerReference } from './object-meta.ts';

export const NODE_LEASE_NAMESPACE = 'kube-node-lease';
const LEASE_SECONDS = 40;

const PADDING_KEY = 'padding';
/** Where a length in the metadata takes a byte more, a size is left out that a longer holderIdentity reaches. */
const HOLDER_SUFFIXES: readonly string[] = ['', '_', '__', '___'];
const STEPS_MAX = 3;

export interface NodeLease {
  readonly nodeName: string;
  readonly uid: string;
  /** Of the Node, which owns it. */
  readonly nodeUid: string;
  readonly creationSeconds: number;
  readonly renewSeconds: number;
  readonly renewMicros: number;
}

/** The stored bytes, `valueBytes` of them. Throws RangeError for what no lease has: few, and one near 16 KiB. */
export function encodeNodeLease(node: NodeLease, valueBytes: number): Uint8Array {
  for (const variant of variants(node)) {
    const exact = fitted(leaseOf(node, variant), valueBytes);
    if (exact !== undefined) return exact;
  }
  const leastBytes = encodeLease(leaseOf(node, {})).length;
  throw new RangeError(`no lease of ${node.nodeName} has ${valueBytes} bytes; the smallest has ${leastBytes}`);
}

type Variant = Partial<Pick<ObjectMeta, 'managedFields' | 'ownerReferences'>>;

function variants(node: NodeLease): Variant[] {
  const owner: OwnerReference = { apiVersion: 'v1', kind: 'Node', name: node.nodeName, uid: node.nodeUid };
  const managed: ManagedFields = {
    manager: 'kubelet',
    operation: 'Update',
    apiVersion: 'coordination.k8s.io/v1',
    timeSeconds: node.creationSeconds,
    fields: `{"f:metadata":{"f:ownerReferences":{".":{},"k:{\\"uid\\":\\"${node.nodeUid}\\"}":{}}},"f:spec":{"f:holderIdentity":{},"f:leaseDurationSeconds":{},"f:renewTime":{}}}`,
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
  for (const suffix of HOLDER_SUFFIXES) {
    const held = { ...lease, holderIdentity: lease.holderIdentity + suffix };
    let paddingBytes = valueBytes - withPadding(held, 0).length;
    // More padding makes lengths before it longer: that much less is needed, found in a few steps.
    for (let step = 0; step < STEPS_MAX && paddingBytes >= 0; step++) {
      const padded = withPadding(held, paddingBytes);
      if (padded.length === valueBytes) return padded;
      paddingBytes -= padded.length - valueBytes;
    }
  }
  return undefined;
}

function withPadding(lease: Lease, bytes: number): Uint8Array {
  return encodeLease({ ...lease, metadata: { ...lease.metadata, annotations: [[PADDING_KEY, 'x'.repeat(bytes)]] } });
}
