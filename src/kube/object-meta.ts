// metav1.ObjectMeta as the API server stores it (apimachinery pkg/apis/meta/v1/generated.proto): selfLink and
// resourceVersion are empty in the store.

import type { KubeWriter } from './kube-writer.ts';

export interface OwnerReference {
  readonly apiVersion: string;
  readonly kind: string;
  readonly name: string;
  readonly uid: string;
}

export interface ManagedFields {
  readonly manager: string;
  readonly operation: string;
  readonly apiVersion: string;
  readonly timeSeconds: number;
  /** FieldsV1: JSON. */
  readonly fields: string;
}

export interface ObjectMeta {
  readonly name: string;
  readonly namespace: string;
  readonly uid: string;
  readonly creationSeconds: number;
  readonly annotations: readonly (readonly [string, string])[];
  readonly ownerReferences: readonly OwnerReference[];
  readonly managedFields: readonly ManagedFields[];
}

/** The body of the message. */
export function writeObjectMeta(writer: KubeWriter, meta: ObjectMeta): void {
  writer.text(1, meta.name);
  writer.text(2, '');
  writer.text(3, meta.namespace);
  writer.text(4, '');
  writer.text(5, meta.uid);
  writer.text(6, '');
  writer.number(7, 0);
  writer.time(8, meta.creationSeconds);
  for (const [key, value] of meta.annotations) {
    writer.message(12, () => {
      writer.text(1, key);
      writer.text(2, value);
    });
  }
  for (const owner of meta.ownerReferences) {
    writer.message(13, () => {
      writer.text(1, owner.kind);
      writer.text(3, owner.name);
      writer.text(4, owner.uid);
      writer.text(5, owner.apiVersion);
    });
  }
  for (const managed of meta.managedFields) writer.message(17, () => writeManagedFields(writer, managed));
}

function writeManagedFields(writer: KubeWriter, managed: ManagedFields): void {
  writer.text(1, managed.manager);
  writer.text(2, managed.operation);
  writer.text(3, managed.apiVersion);
  writer.time(4, managed.timeSeconds);
  writer.text(6, 'FieldsV1');
  writer.message(7, () => writer.text(1, managed.fields));
  writer.text(8, '');
}
