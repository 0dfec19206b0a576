// coordination.k8s.io/v1 Lease (k8s.io/api/coordination/v1/generated.proto) as the API server stores it.

import { type ObjectMeta, writeObjectMeta } from './object-meta.ts';
import { storedObject } from './stored-object.ts';

export interface Lease {
  readonly metadata: ObjectMeta;
  readonly holderIdentity: string;
  readonly leaseDurationSeconds: number;
  readonly renewSeconds: number;
  /** 0 … 999 999. */
  readonly renewMicros: number;
}

export function encodeLease(lease: Lease): Uint8Array {
  return storedObject('coordination.k8s.io/v1', 'Lease', (writer) => {
    writer.message(1, () => writeObjectMeta(writer, lease.metadata));
    writer.message(2, () => {
      writer.text(1, lease.holderIdentity);
      writer.number(2, lease.leaseDurationSeconds);
      writer.microTime(4, lease.renewSeconds, lease.renewMicros);
    });
  });
}
