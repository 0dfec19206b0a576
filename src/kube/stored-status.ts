// The status of a stored pod or node, changed as a patch of its status changes it: the fields of the patch in place of what was there, conditions
// merged by their types, those of the patch first. What is not touched stays byte for byte.
//
//   "k8s\0" Unknown{ typeMeta, raw: Pod{ 1 metadata, 2 spec, 3 status{ … 2 conditions … } }, … }      Node likewise, with conditions in field 4
//
// `letGo` is what is left of the deletion of a pod that others still hold by finalizers: metadata.deletionGracePeriodSeconds 0, after which the API
// server removes it with its last finalizer.

import { KubeWriter } from './kube-writer.ts';
import { eachLengthDelimited } from './length-delimited.ts';
import type { PlainObject } from './message-decoder.ts';
import { copyFields, type Edit, type Range, rewriteObject } from './message-edit.ts';
import { writeField } from './message-encoder.ts';
import { type Field, MessageSchema } from './message-schema.ts';

/** Of Pod and Node. */
const METADATA = 1;
const STATUS = 3;
/** Of ObjectMeta. */
const DELETION_GRACE_PERIOD_SECONDS = 10;
const CONDITIONS = 'conditions';
/** Of PodCondition and NodeCondition. */
const TYPE = 1;

export class StatusRewriter {
  readonly #schema = new MessageSchema();
  readonly #writer = new KubeWriter();

  /** `patch`: fields of the status as in JSON. Throws WireError where the bytes are none, TypeError where the patch does not fit. */
  patch(stored: Uint8Array, kind: 'Pod' | 'Node', patch: PlainObject): Uint8Array {
    const fields = this.#fieldsOf(`${kind}Status`).filter(({ name }) => patch[name] !== undefined);
    const edits = fields.map((field) => this.#editOf(stored, field, patch[field.name]));
    return this.#rewrite(stored, STATUS, edits);
  }

  letGo(stored: Uint8Array): Uint8Array {
    const write = (): void => this.#writer.number(DELETION_GRACE_PERIOD_SECONDS, 0);
    return this.#rewrite(stored, METADATA, [{ number: DELETION_GRACE_PERIOD_SECONDS, isWhole: true, write }]);
  }

  #editOf(stored: Uint8Array, field: Field, value: unknown): Edit {
    const edit = { number: field.number, isWhole: true, write: () => writeField(this.#writer, field, value) };
    if (field.name !== CONDITIONS || !Array.isArray(value)) return edit;
    const types = new Set<unknown>(value.map((condition: PlainObject) => condition.type));
    return { ...edit, matches: (range) => types.has(typeOf(stored, range)) };
  }

  #rewrite(stored: Uint8Array, part: number, edits: readonly Edit[]): Uint8Array {
    const writer = this.#writer;
    const write = (range: Range): void => writer.message(part, () => copyFields(writer, stored, range, edits));
    return rewriteObject(writer, stored, [{ number: part, write }]);
  }

  #fieldsOf(message: string): readonly Field[] {
    return this.#schema.find(message)?.fields ?? [];
  }
}

function typeOf(stored: Uint8Array, { start, end }: Range): string {
  let type = '';
  eachLengthDelimited(stored, start, end, (number, from, to) => {
    if (number === TYPE) type = Buffer.from(stored.buffer, stored.byteOffset + from, to - from).toString();
  });
  return type;
}
