// What a reflector reads of an object: its identity and version. Everything else of it is its handler's to judge.

import type { JsonObject, ObjectIdentity } from './kube-api.ts';

export interface ObjectHead extends ObjectIdentity {
  readonly resourceVersion: string;
}

export function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Of a string; '' of anything else. */
export function textOf(value: unknown): string {
  return typeof value === 'string' ? value : '';
}

/** Of an object; none of anything else. */
export function fieldsOf(value: unknown): JsonObject {
  return isObject(value) ? value : {};
}

/** Of an array; none of anything else. */
export function itemsOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

/** Undefined for an object without a name, a uid or a version, which no API server sends. */
export function headOf(object: JsonObject): ObjectHead | undefined {
  const metadata = object.metadata;
  if (!isObject(metadata)) return undefined;
  const head = {
    namespace: textOf(metadata.namespace),
    name: textOf(metadata.name),
    uid: textOf(metadata.uid),
    resourceVersion: textOf(metadata.resourceVersion),
  };
  return head.name === '' || head.uid === '' || head.resourceVersion === '' ? undefined : head;
}

/** Like "default/web-0", or "node-7". */
export function keyOf({ namespace, name }: { readonly namespace: string; readonly name: string }): string {
  return namespace === '' ? name : `${namespace}/${name}`;
}

/** Whose text this seems to be, for a log: by the first name and namespace in what may be broken JSON. */
export function guessKey(text: string): string {
  const find = (field: string): string => new RegExp(`"${field}":"([^"\\\\]{1,253})"`).exec(text)?.[1] ?? '';
  const name = find('name');
  return name === '' ? 'an object without a name' : keyOf({ namespace: find('namespace'), name });
}

/** A version that is no number. */
export const ODD = -1;
/** Digits of a version that a double holds exactly. */
const DIGITS_MAX = 15;

/** A version as a number that has its text; ODD for what is no decimal number in its one form, or too long. */
export function versionNumber(version: string): number {
  const { length } = version;
  if (length === 0 || length > DIGITS_MAX || (length > 1 && version.charCodeAt(0) === 0x30)) return ODD;
  let number = 0;
  for (let i = 0; i < length; i++) {
    const digit = version.charCodeAt(i) - 0x30;
    if (digit < 0 || digit > 9) return ODD;
    number = number * 10 + digit;
  }
  return number;
}

const DECIMAL = /^(?:0|[1-9][0-9]*)$/;

/**
 * Whether `version` is an earlier one than `other`: decimal numbers of any length (Kubernetes API concepts, "Resource versions").
 * False where one is not a number.
 */
export function isOlder(version: string, other: string): boolean {
  if (!DECIMAL.test(version) || !DECIMAL.test(other)) return false;
  return version.length === other.length ? version < other : version.length < other.length;
}
