// The bodies that are sent for each pod, in the protobuf of k8s.io/api v0.36.3, which costs both sides less than JSON. What is empty is left out: an API
// server reads it the same.
//
//   core/v1 Binding          1 metadata, 2 target
//   events.k8s.io/v1 Event   1 metadata, 2 eventTime, 4 reportingController, 5 reportingInstance, 6 action, 7 reason, 8 regarding, 9 related, 10 note, 11 type
//   ObjectMeta               1 name, 3 namespace, 5 uid, 6 resourceVersion
//   core/v1 ObjectReference  1 kind, 2 namespace, 3 name, 4 uid, 5 apiVersion, 6 resourceVersion

import { KubeWriter } from '../kube/kube-writer.ts';
import { writeObject } from '../kube/stored-object.ts';
import type { PodToBind } from './kube-api.ts';
import type { EventBody, ReferenceBody } from './request-bodies.ts';

const MILLIS_A_SECOND = 1000;

export class BodyEncoder {
  readonly #writer = new KubeWriter(1024);

  /** For DefaultBinder. */
  binding({ namespace, name, uid, resourceVersion = '' }: PodToBind, nodeName: string): Uint8Array {
    const writer = this.#writer;
    writeObject(writer, 'v1', 'Binding', () => {
      writer.message(1, () => {
        text(writer, 1, name);
        text(writer, 3, namespace);
        text(writer, 5, uid);
        text(writer, 6, resourceVersion);
      });
      writer.message(2, () => {
        text(writer, 1, 'Node');
        text(writer, 3, nodeName);
      });
    });
    return writer.take();
  }

  /** `wallMs` is its time. */
  event(event: EventBody, wallMs: number): Uint8Array {
    const writer = this.#writer;
    const { metadata, related } = event;
    const seconds = Math.floor(wallMs / MILLIS_A_SECOND);
    const micros = Math.floor(wallMs - seconds * MILLIS_A_SECOND) * 1000;
    writeObject(writer, 'events.k8s.io/v1', 'Event', () => {
      writer.message(1, () => {
        text(writer, 1, metadata.name);
        text(writer, 3, metadata.namespace);
      });
      writer.microTime(2, seconds, micros);
      text(writer, 4, event.reportingController);
      text(writer, 5, event.reportingInstance);
      text(writer, 6, event.action);
      text(writer, 7, event.reason);
      writer.message(8, () => reference(writer, event.regarding));
      if (related !== undefined) writer.message(9, () => reference(writer, related));
      text(writer, 10, event.note);
      text(writer, 11, event.type);
    });
    return writer.take();
  }
}

function reference(writer: KubeWriter, object: ReferenceBody): void {
  text(writer, 1, object.kind);
  text(writer, 2, object.namespace ?? '');
  text(writer, 3, object.name);
  text(writer, 4, object.uid);
  text(writer, 5, object.apiVersion);
  text(writer, 6, object.resourceVersion ?? '');
}

function text(writer: KubeWriter, field: number, value: string): void {
  if (value !== '') writer.text(field, value);
}
