// Fields that no API server of this version knows, found as its strict decoding finds them.

import type { PlainObject } from './message-decoder.ts';
import { type Field, type Message, MessageSchema } from './message-schema.ts';

/** The path of the first one of the object, like "spec.containers[0].imge"; undefined when all are known, or the kind is not. `path` goes before it. */
export function unknownField(kind: string, object: unknown, path = ''): string | undefined {
  const message = new MessageSchema().find(kind);
  return message === undefined ? undefined : unknownIn(message, object, path);
}

function unknownIn(message: Message, object: unknown, path: string): string | undefined {
  if (!isPlainObject(object)) return undefined;
  for (const [name, value] of Object.entries(object)) {
    const fieldPath = path === '' ? name : `${path}.${name}`;
    const field = fieldOf(message, name);
    if (field === undefined) return fieldPath;
    const found = unknownInField(field, value, fieldPath);
    if (found !== undefined) return found;
  }
  return undefined;
}

function unknownInField({ message, isList, isMap }: Field, value: unknown, path: string): string | undefined {
  if (message === undefined) return undefined;
  const parts: readonly (readonly [string, unknown])[] = Array.isArray(value)
    ? value.map((item, index) => [`${path}[${index}]`, item] as const)
    : isMap && isPlainObject(value)
      ? Object.entries(value).map(([key, item]) => [`${path}.${key}`, item] as const)
      : [[path, value]];
  if (isList !== Array.isArray(value)) return undefined;
  for (const [partPath, part] of parts) {
    const found = unknownIn(message, part, partPath);
    if (found !== undefined) return found;
  }
  return undefined;
}

function fieldOf({ fields }: Message, name: string): Field | undefined {
  for (const field of fields) {
    if (!field.isInline && field.name === name) return field;
    const inner = field.isInline && field.message !== undefined ? fieldOf(field.message, name) : undefined;
    if (inner !== undefined) return inner;
  }
  return undefined;
}

function isPlainObject(value: unknown): value is PlainObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
