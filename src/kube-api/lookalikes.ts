// Pods and nodes that are read by their form (kube/object-forms.ts): of a million of a few templates each is one walk over its bytes and a small
// object that names what it is like. What is of a new form is read whole, once, and learned.

import type { BytesRange } from '../base/bytes.ts';
import type { FormWalk } from '../kube/form-walk.ts';
import { NodeCuts } from '../kube/node-cuts.ts';
import { type ObjectForm, ObjectForms, ownBytes } from '../kube/object-forms.ts';
import { PodCuts } from '../kube/pod-cuts.ts';
import { formOf } from '../kube/stored-object.ts';
import type { JsonObject, Lookalike } from './kube-api.ts';
import type { ObjectHead } from './object-head.ts';
import type { ResourceName } from './resource.ts';

const OWN_BYTES_MAX = 16 * 1024;

/** An object's bytes as its form and its own, which are valid until another one's are asked for. */
export interface FormedBytes extends BytesRange {
  readonly form: ObjectForm<unknown>;
}

interface Known {
  readonly object: JsonObject;
  readonly namespace: string;
}

export class Lookalikes {
  readonly #walk: FormWalk;
  /** The same, as what it is. */
  readonly #pod: PodCuts | undefined;
  readonly #node: NodeCuts | undefined;
  readonly #forms = new ObjectForms<Known>();
  readonly #scratch = Buffer.allocUnsafe(OWN_BYTES_MAX);
  /** Of the object that was looked for last: it can be read by a form, and by which one that is known. */
  #isPlain = false;
  #form: ObjectForm<Known> | undefined;

  /** Undefined for a resource whose objects are not so many. */
  static of(resource: ResourceName): Lookalikes | undefined {
    return resource === 'pods' || resource === 'nodes' ? new Lookalikes(resource) : undefined;
  }

  private constructor(resource: 'pods' | 'nodes') {
    if (resource === 'pods') this.#walk = this.#pod = new PodCuts();
    else this.#walk = this.#node = new NodeCuts();
  }

  /** An object as it is stored, of that revision. Undefined: it has to be read whole. */
  findStored(bytes: Buffer, start: number, end: number, revision: number): Lookalike | undefined {
    this.#isPlain = formOf(bytes, start, end) === 'protobuf' && this.#walk.walk(bytes, start, end);
    return this.#find(bytes, () => String(revision));
  }

  /** The same of an object's message as an API server sends it, with its version in it. */
  findMessage(bytes: Buffer, start: number, end: number): Lookalike | undefined {
    const walk = this.#walk;
    this.#isPlain = walk.walkMessage(bytes, start, end) && walk.versionEnd > walk.versionStart;
    return this.#find(bytes, ({ versionStart, versionEnd }) => textAt(bytes, versionStart, versionEnd));
  }

  #find(bytes: Buffer, versionOf: (walk: FormWalk) => string): Lookalike | undefined {
    const walk = this.#walk;
    this.#form = this.#isPlain ? this.#forms.find(walk.cuts) : undefined;
    if (this.#form === undefined) return undefined;
    const { object, namespace } = this.#form.kept;
    const name = textAt(bytes, walk.nameStart, walk.nameEnd);
    const uid = textAt(bytes, walk.uidStart, walk.uidEnd);
    const resourceVersion = versionOf(walk);
    const pod = this.#pod;
    return {
      like: object,
      namespace,
      name,
      uid,
      resourceVersion,
      nodeName: pod === undefined ? '' : textAt(bytes, pod.nodeNameStart, pod.nodeNameEnd),
      createdSeconds: pod?.createdSeconds ?? -1,
      startedSeconds: pod?.startedSeconds ?? -1,
      hostname: this.#hostname(bytes, name),
    };
  }

  /** The object that was looked for last, and not found, has been read. */
  learn(object: JsonObject, { namespace }: ObjectHead): void {
    if (this.#isPlain) this.#forms.learn({ object, namespace });
  }

  /**
   * Of the object that was found last; undefined where its bytes have to be kept whole. So are those of the first of a form, of which there may never be
   * another: a form takes more than an object.
   */
  formedBytes(): FormedBytes | undefined {
    const form = this.#form;
    if (form === undefined || this.#pod === undefined) return undefined;
    const end = ownBytes(this.#pod.cuts, this.#scratch);
    return end < 0 ? undefined : { form, bytes: this.#scratch, start: 0, end };
  }

  #hostname(bytes: Buffer, name: string): string | undefined {
    const node = this.#node;
    if (node?.hasHostname !== true) return undefined;
    const hostname = textAt(bytes, node.hostnameStart, node.hostnameEnd);
    // One string where the two are equal, as they nearly always are.
    return hostname === name ? name : hostname;
  }
}

function textAt(bytes: Buffer, start: number, end: number): string {
  return start === end ? '' : bytes.toString('utf8', start, end);
}
