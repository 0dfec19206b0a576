// A stored pod, changed as an API server changes it, without decoding it: what is not touched stays byte for byte, known to us or not.
//
//   "k8s\0" Unknown{ typeMeta, raw: Pod{ 1 metadata, 2 spec{ … 10 nodeName … }, 3 status{ … 2 conditions … 11 nominatedNodeName … } }, … }
//
// `bind` is what kube-apiserver 1.36 does with a Binding (pkg/registry/core/pod/storage BindingREST.setPodNodeAndMetadata): spec.nodeName set,
// status.nominatedNodeName emptied, the condition PodScheduled True by podutil.UpdatePodCondition. It refuses what that refuses, in its words.
// Generation, managedFields and everything else stay.
//
// `setCondition` is what a status patch with one condition does: the condition of that type is replaced, or one is added.

import { EMPTY_BYTES } from '../base/bytes.ts';
import { KubeWriter } from './kube-writer.ts';
import { eachLengthDelimited } from './length-delimited.ts';
import { MessageDecoder, type PlainObject } from './message-decoder.ts';
import { copyFields, type Edit, type Range, rewriteObject } from './message-edit.ts';
import { MessageEncoder } from './message-encoder.ts';
import { PlainBinding } from './plain-binding.ts';
import { readEnvelope } from './stored-object.ts';

const MILLIS_A_SECOND = 1000;
/** Of Pod. */
const METADATA = 1;
const SPEC = 2;
const STATUS = 3;
/** Of ObjectMeta. */
const NAME = 1;
const UID = 5;
const DELETION_TIMESTAMP = 9;
/** Of PodSpec. */
const NODE_NAME = 10;
const SCHEDULING_GATES = 38;
/** Of PodStatus. */
const CONDITIONS = 2;
const NOMINATED_NODE_NAME = 11;
const CONDITION_TYPE = 1;

/** Why a pod cannot be bound, in the API server's words. */
export type BindRefusal =
  /** Another pod of that name. */
  { readonly kind: 'other-uid'; readonly text: string } | { readonly kind: 'conflict'; readonly text: string };

export interface PodHead {
  readonly name: string;
  readonly uid: string;
  readonly nodeName: string;
  readonly isTerminating: boolean;
  readonly isGated: boolean;
}

/** The one that a binding sets. */
const SCHEDULED: PodConditionChange = { type: 'PodScheduled', status: 'True' };

/** Throws WireError where the bytes are no pod. */
export function readPodHead(stored: Uint8Array): PodHead {
  const { rawStart, rawEnd } = readEnvelope(stored);
  const head = { name: '', uid: '', nodeName: '', isTerminating: false, isGated: false };
  eachLengthDelimited(stored, rawStart, rawEnd, (number, partStart, partEnd) => {
    if (number === METADATA) {
      eachLengthDelimited(stored, partStart, partEnd, (field, start, end) => {
        if (field === NAME) head.name = textAt(stored, start, end);
        else if (field === UID) head.uid = textAt(stored, start, end);
        else if (field === DELETION_TIMESTAMP) head.isTerminating = true;
      });
    } else if (number === SPEC) {
      eachLengthDelimited(stored, partStart, partEnd, (field, start, end) => {
        if (field === NODE_NAME) head.nodeName = textAt(stored, start, end);
        else if (field === SCHEDULING_GATES) head.isGated = true;
      });
    }
  });
  return head;
}

export interface PodBinding {
  /** The precondition. */
  readonly uid: string;
  readonly nodeName: string;
  readonly wallMs: number;
}

export class PodRewriter {
  readonly #encoder = new MessageEncoder();
  readonly #decoder = new MessageDecoder();
  readonly #writer = new KubeWriter();
  readonly #plain = new PlainBinding();
  #scheduled: { readonly seconds: number; readonly field: Uint8Array } = { seconds: -1, field: EMPTY_BYTES };

  /** The bytes of the bound pod, or why it cannot be bound. Throws WireError where the bytes are no pod. */
  bind(stored: Uint8Array, { uid, nodeName, wallMs }: PodBinding): Uint8Array | BindRefusal {
    const plain = this.#plain.bind(stored, uid, nodeName, this.#scheduledAt(wallMs));
    return plain ?? this.bindAny(stored, { uid, nodeName, wallMs });
  }

  /** The same without a look whether the pod is plain. */
  bindAny(stored: Uint8Array, { uid, nodeName, wallMs }: PodBinding): Uint8Array | BindRefusal {
    return refusalOf(readPodHead(stored), uid) ?? this.#rewrite(stored, { nodeName, condition: SCHEDULED, wallMs });
  }

  /** The condition that a binding adds to a pod that has none of its type: the same for all of a second. */
  #scheduledAt(wallMs: number): Uint8Array {
    const seconds = Math.floor(wallMs / MILLIS_A_SECOND);
    if (this.#scheduled.seconds !== seconds) {
      const writer = new KubeWriter();
      const condition = { ...SCHEDULED, lastTransitionTime: timeOf(wallMs) };
      writer.message(CONDITIONS, () => this.#encoder.encode('PodCondition', condition, writer));
      this.#scheduled = { seconds, field: writer.copy() };
    }
    return this.#scheduled.field;
  }

  /** Undefined where the pod has that condition already, but for the time of its last transition. */
  setCondition(stored: Uint8Array, condition: PodConditionChange, wallMs: number): Uint8Array | undefined {
    const told = this.#conditionOf(stored, condition.type);
    const isTold =
      told?.status === condition.status &&
      (told.reason ?? '') === (condition.reason ?? '') &&
      (told.message ?? '') === (condition.message ?? '') &&
      (told.observedGeneration ?? 0) === (condition.observedGeneration ?? 0) &&
      (told.lastProbeTime ?? null) === (condition.lastProbeTime ?? null);
    return isTold ? undefined : this.#rewrite(stored, { condition, wallMs });
  }

  /** The pod's condition of that type, as in JSON. */
  #conditionOf(stored: Uint8Array, type: string): PlainObject | undefined {
    const { rawStart, rawEnd } = readEnvelope(stored);
    let found: PlainObject | undefined;
    eachLengthDelimited(stored, rawStart, rawEnd, (number, partStart, partEnd) => {
      if (number !== STATUS) return;
      eachLengthDelimited(stored, partStart, partEnd, (field, start, end) => {
        if (field !== CONDITIONS || found !== undefined || !isOfType(stored, start, end, type)) return;
        found = this.#decoder.decode('PodCondition', stored, start, end);
      });
    });
    return found;
  }

  #rewrite(stored: Uint8Array, change: PodChange): Uint8Array {
    const { nodeName } = change;
    const writer = this.#writer;
    const spec: Edit = {
      number: SPEC,
      write: (part) => {
        const name = { number: NODE_NAME, write: () => writer.text(NODE_NAME, nodeName ?? '') };
        writer.message(SPEC, () => copyFields(writer, stored, part, nodeName === undefined ? [] : [name]));
      },
    };
    const status: Edit = {
      number: STATUS,
      write: (part) => writer.message(STATUS, () => this.#writeStatus(writer, stored, part, change)),
    };
    return rewriteObject(writer, stored, [spec, status]);
  }

  #writeStatus(writer: KubeWriter, stored: Uint8Array, status: Range, change: PodChange): void {
    const { condition, wallMs, nodeName } = change;
    const edit: Edit = {
      number: CONDITIONS,
      matches: ({ start, end }) => isOfType(stored, start, end, condition.type),
      write: (old) =>
        writer.message(CONDITIONS, () => this.#writeCondition(writer, stored, { condition, wallMs, old })),
    };
    const nomination: Edit = { number: NOMINATED_NODE_NAME, write: () => writer.text(NOMINATED_NODE_NAME, '') };
    copyFields(writer, stored, status, nodeName === undefined ? [edit] : [edit, nomination]);
  }

  /** podutil.UpdatePodCondition: another condition in its place, that keeps the time of its last transition where its status stays. */
  #writeCondition(writer: KubeWriter, stored: Uint8Array, { condition, wallMs, old }: ConditionChange): void {
    const told = this.#decoder.decode('PodCondition', stored, old.start, old.end);
    const isSame = told?.status === condition.status && typeof told.lastTransitionTime === 'string';
    const lastTransitionTime = isSame ? told.lastTransitionTime : timeOf(wallMs);
    this.#encoder.encode('PodCondition', { ...condition, lastTransitionTime }, writer);
  }
}

function refusalOf(head: PodHead, uid: string): BindRefusal | undefined {
  const { name } = head;
  if (head.uid !== uid) {
    const text = `Precondition failed: UID in precondition: ${uid}, UID in object meta: ${head.uid}`;
    return { kind: 'other-uid', text };
  }
  if (head.isTerminating) {
    return { kind: 'conflict', text: `pod ${name} is being deleted, cannot be assigned to a host` };
  }
  if (head.nodeName !== '') {
    return { kind: 'conflict', text: `pod ${name} is already assigned to node ${JSON.stringify(head.nodeName)}` };
  }
  if (head.isGated) return { kind: 'conflict', text: `pod ${name} has non-empty .spec.schedulingGates` };
  return undefined;
}

/** One of status.conditions, as in JSON; `lastTransitionTime` is decided here. */
export interface PodConditionChange {
  readonly type: string;
  readonly status: string;
  readonly reason?: string;
  readonly message?: string;
  readonly observedGeneration?: number;
  readonly lastProbeTime?: string | null;
}

interface PodChange {
  /** Sets it and takes a nomination back. */
  readonly nodeName?: string;
  readonly condition: PodConditionChange;
  readonly wallMs: number;
}

interface ConditionChange {
  readonly condition: PodConditionChange;
  readonly wallMs: number;
  /** Empty where there is none. */
  readonly old: Range;
}

function timeOf(wallMs: number): string {
  const seconds = Math.floor(wallMs / MILLIS_A_SECOND);
  return new Date(seconds * MILLIS_A_SECOND).toISOString();
}

function isOfType(stored: Uint8Array, start: number, end: number, type: string): boolean {
  let is = false;
  eachLengthDelimited(stored, start, end, (number, from, to) => {
    if (number === CONDITION_TYPE) is = textAt(stored, from, to) === type;
  });
  return is;
}

function textAt(bytes: Uint8Array, start: number, end: number): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset + start, end - start).toString('utf8');
}
