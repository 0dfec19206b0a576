// What a cluster consists of at one moment, as far as scheduling reads it: made from the API's JSON, from wherever that comes
// (cluster-reading.ts, manifest-file.ts), and told to a scheduler as commands.
//
// An object that cannot be read is left out, with a remark that names it and the field to blame; REMARKS_MAX of them are kept.
// An object set again replaces the one before.

import type { JsonObject, ObjectIdentity } from '../../kube-api/kube-api.ts';
import { keyOf } from '../../kube-api/object-head.ts';
import { PodTemplates } from '../driver/pod-templates.ts';
import { type ClusterKind, type ObjectLookup, type ObjectOf, readClusterObject } from '../model/cluster-objects.ts';
import type { ClusterCommand } from '../model/command.ts';
import { type NodeObject, readNode } from '../model/node-object.ts';
import { ObjectTable } from '../model/object-table.ts';
import type { PodObject } from '../model/pod-object.ts';
import { readPod } from '../model/pod-reader.ts';

const REMARKS_MAX = 20;

export type SnapshotKind = 'Node' | 'Pod' | ClusterKind;

export class ClusterSnapshot implements ObjectLookup {
  readonly nodes: Map<string, NodeObject> = new Map();
  /** By uid. Those that have finished are not there. */
  readonly pods: Map<string, PodObject> = new Map();
  readonly remarks: string[] = [];
  readonly #objects = new ObjectTable();
  readonly #templates = new PodTemplates();
  #remarkCount = 0;

  remark(text: string): void {
    this.#remarkCount++;
    if (this.#remarkCount <= REMARKS_MAX) this.remarks.push(text);
    else this.remarks[REMARKS_MAX] = `and ${this.#remarkCount - REMARKS_MAX} more`;
  }

  set(kind: SnapshotKind, json: JsonObject): void {
    if (kind === 'Node') this.#setNode(json);
    else if (kind === 'Pod') this.#setPod(json);
    else this.#setObject(kind, json);
  }

  delete(kind: SnapshotKind, { namespace, name, uid }: ObjectIdentity): void {
    if (kind === 'Node') this.nodes.delete(name);
    else if (kind === 'Pod') this.pods.delete(uid);
    else this.#objects.delete(kind, keyOf({ namespace, name }));
  }

  find<K extends ClusterKind>(kind: K, key: string): ObjectOf<K> | undefined {
    return this.#objects.find(kind, key);
  }

  servicesFor(): Iterable<ObjectOf<'Service'>> {
    return this.all('Service');
  }

  all<K extends ClusterKind>(kind: K): Iterable<ObjectOf<K>> {
    return this.#objects.all(kind);
  }

  #setNode(json: JsonObject): void {
    const read = readNode(json);
    if ('reason' in read) this.#leaveOut('Node', json, read.reason);
    else this.nodes.set(read.object.name, read.object);
  }

  #setPod(json: JsonObject): void {
    const read = readPod(json);
    if ('reason' in read) {
      this.#leaveOut('Pod', json, read.reason);
      return;
    }
    if (read.object.isFinished) return;
    const { pod } = this.#templates.share(read.object, json);
    // An object that was never created has no uid.
    const uid = pod.uid === '' ? keyOf(pod) : pod.uid;
    this.pods.set(uid, pod.uid === '' ? { ...pod, uid } : pod);
  }

  #setObject(kind: ClusterKind, json: JsonObject): void {
    const read = readClusterObject(kind, json);
    if ('reason' in read) this.#leaveOut(kind, json, read.reason);
    else this.#objects.set(read.object);
  }

  #leaveOut(kind: string, { metadata }: JsonObject, reason: string): void {
    const { namespace = '', name = '' } = Object(metadata);
    this.remark(`${kind} ${keyOf({ namespace: String(namespace), name: String(name) })} is left out: ${reason}`);
  }

  /** What tells a scheduler all of it: nodes, then what pods depend on, then pods. */
  *commands(): Generator<ClusterCommand> {
    for (const node of this.nodes.values()) yield { kind: 'node-set', node };
    for (const object of this.#objects.everything()) yield { kind: 'object-set', object };
    for (const pod of this.pods.values()) yield { kind: 'pod-set', pod };
  }
}
