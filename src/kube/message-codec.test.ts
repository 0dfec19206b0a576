import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { WireError } from '../base/byte-reader.ts';
import { KubeWriter } from './kube-writer.ts';
import { MessageDecoder, type PlainObject } from './message-decoder.ts';
import { MessageEncoder } from './message-encoder.ts';
import {
  BOOL,
  BYTES,
  type Field,
  INT,
  INT_OR_STRING,
  MESSAGE,
  type Message,
  MessageSchema,
  MICRO_TIME,
  QUANTITY,
  STRING,
  TIME,
} from './message-schema.ts';
import { formOf, readEnvelope, storedObject } from './stored-object.ts';
import { sampleOf, storedSamples } from './stored-objects-fixture.ts';

const RUNS = Number(process.env.K1M_RUNS ?? 100);
const encoder = new MessageEncoder();
const decoder = new MessageDecoder();

function decodeStored(stored: Uint8Array): PlainObject {
  const { apiVersion, kind, rawStart, rawEnd } = readEnvelope(stored);
  const object = decoder.decode(kind, stored, rawStart, rawEnd);
  assert(object !== undefined);
  return { kind, apiVersion, ...object };
}

function encodeAgain({ apiVersion, kind, ...object }: PlainObject): Uint8Array {
  return storedObject(String(apiVersion), String(kind), (writer) => encoder.encode(String(kind), object, writer));
}

function encoded(kind: string, object: PlainObject): Uint8Array {
  const writer = new KubeWriter();
  encoder.encode(kind, object, writer);
  return writer.copy();
}

/** What an API server adds when it shows an object. */
function withoutVersion({ metadata, ...rest }: PlainObject): PlainObject {
  const { resourceVersion: _, ...stored } = Object(metadata);
  return { metadata: stored, ...rest };
}

test('what a kube-apiserver has stored reads as it shows it', () => {
  for (const { key, json, stored } of storedSamples()) {
    const shown = withoutVersion(json);
    // Set by defaulting when a claim is read.
    if (key.startsWith('persistentvolumeclaims/')) shown.status = {};
    assert.equal(formOf(stored), 'protobuf');
    assert.deepEqual(decodeStored(stored), shown, key);
  }
});

test('the JSON that a kube-apiserver shows is written as it has stored it, byte for byte', () => {
  for (const { key, stored } of storedSamples()) {
    const again = encodeAgain(decodeStored(stored));
    assert.equal(Buffer.from(again).toString('hex'), Buffer.from(stored).toString('hex'), key);
  }
});

/** Any value of a field that Go's JSON would show. */
function someValue(field: Field): fc.Arbitrary<unknown> {
  const name = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 6 });
  switch (field.kind) {
    case STRING:
      return name;
    case BOOL:
      return field.isPointer ? fc.boolean() : fc.constant(true);
    case INT:
      return fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 }).filter((value) => value !== 0 || field.isPointer);
    case BYTES:
      return fc.uint8Array({ minLength: 1, maxLength: 5 }).map((bytes) => Buffer.from(bytes).toString('base64'));
    case QUANTITY:
      return fc.constantFrom('100m', '1Gi', '0');
    case TIME:
      return fc
        .integer({ min: 1, max: 4e9 })
        .map((seconds) => new Date(seconds * 1000).toISOString().replace('.000', ''));
    case MICRO_TIME:
      return fc
        .integer({ min: 1, max: 4e9 })
        .map((seconds) => new Date(seconds * 1000).toISOString().replace('Z', '012Z'));
    case INT_OR_STRING:
      return fc.oneof(fc.integer({ min: -5, max: 70_000 }), name);
    case MESSAGE:
      return field.message === undefined ? fc.constant({}) : someObject(field.message);
    default:
      return fc.constantFrom<unknown[]>({}, { 'f:a': { '.': {} } }, []);
  }
}

function someShape(field: Field): fc.Arbitrary<unknown> {
  if (field.isList) return fc.array(someValue(field), { minLength: 1, maxLength: 2 });
  if (!field.isMap) return someValue(field);
  const key = fc.oneof(fc.string({ unit: 'grapheme', maxLength: 4 }), fc.constant('__proto__'));
  return fc.array(fc.tuple(key, someValue(field)), { minLength: 1, maxLength: 3 }).map(Object.fromEntries);
}

/** A few fields of a message; those that JSON always has are there. */
function someObject(message: Message): fc.Arbitrary<PlainObject> {
  const own = message.fields.filter(({ isInline }) => !isInline);
  const inline = message.fields.flatMap((field) =>
    field.isInline && field.message !== undefined ? [field.message] : [],
  );
  const chosen = fc.subarray(own, { maxLength: Math.min(3, own.length) }).chain((fields) => {
    const needed = own.filter((field) => fields.includes(field) || isAlwaysShown(field));
    return fc.tuple(...needed.map((field) => someShape(field).map((value) => [field.name, value])));
  });
  return fc
    .tuple(chosen, ...inline.map(someObject))
    .map(([entries, ...parts]) => Object.assign(Object.fromEntries(entries), ...parts));
}

function isAlwaysShown({ kind, isList, isMap, isPointer, isAlways, isOmittedZero }: Field): boolean {
  if (isAlways) return true;
  if (isList || isMap || isPointer || isOmittedZero) return false;
  return kind === MESSAGE || kind === QUANTITY || kind === TIME || kind === MICRO_TIME || kind === INT_OR_STRING;
}

test('any object reads as it was written', () => {
  const schema = new MessageSchema();
  for (const kind of ['Pod', 'Node', 'StatefulSet', 'PersistentVolume', 'Service', 'CSINode', 'Event', 'Status']) {
    const message = schema.find(kind);
    assert(message !== undefined);
    fc.assert(
      fc.property(someObject(message), (object) => {
        assert.deepEqual(decoder.decode(kind, encoded(kind, object)), object);
      }),
      { numRuns: RUNS },
    );
  }
});

test('damaged bytes are refused or read, and nothing else happens', () => {
  const { stored } = sampleOf('pods/default/rich');
  fc.assert(
    fc.property(fc.nat(stored.length - 1), fc.nat(255), fc.nat(stored.length), (at, byte, length) => {
      const damaged = Uint8Array.from(stored).subarray(0, length);
      if (at < length) damaged[at] = byte;
      if (formOf(damaged) !== 'protobuf') return;
      try {
        const { kind, rawStart, rawEnd } = readEnvelope(damaged);
        decoder.decode(kind, damaged, rawStart, rawEnd);
      } catch (error) {
        assert(error instanceof WireError, String(error));
      }
    }),
    { numRuns: RUNS * 10 },
  );
});

test('fields that are left out cost nothing and are not there', () => {
  const brief = new MessageDecoder(['ObjectMeta.managedFields', 'Pod.status']);
  const { stored } = sampleOf('pods/default/rich');
  const { rawStart, rawEnd } = readEnvelope(stored);
  const object = brief.decode('Pod', stored, rawStart, rawEnd);
  assert.deepEqual(Object.keys(object ?? {}), ['metadata', 'spec']);
  assert(!('managedFields' in Object(object?.metadata)));
});

test('a label named __proto__ is a label', () => {
  const metadata = { labels: JSON.parse('{"__proto__":"x","a":"b"}') };
  const read = decoder.decode('ObjectMeta', encoded('ObjectMeta', metadata));
  assert.deepEqual(Object.entries(Object(read?.labels)), [
    ['__proto__', 'x'],
    ['a', 'b'],
  ]);
});

test('a value of another type is refused by name', () => {
  assert.throws(
    () => encoded('Pod', { spec: { priority: 'high' } }),
    /^TypeError: priority: a whole number is expected$/,
  );
  assert.throws(() => encoded('Pod', { spec: { containers: {} } }), /^TypeError: containers: a list is expected$/);
  assert.throws(() => encoded('Pod', { metadata: { deletionTimestamp: 'now' } }), /a time of RFC 3339 is expected/);
  assert.throws(() => encoded('Gadget', {}), /^RangeError: no message Gadget is known$/);
});

test('the forms of stored objects are told apart', () => {
  assert.equal(formOf(Buffer.from('{"kind":"Pod"}')), 'json');
  assert.equal(formOf(Buffer.from('k8s:enc:aescbc:v1:key1:…')), 'encrypted');
  assert.equal(formOf(Buffer.from('k8s')), 'unknown');
  assert.equal(formOf(Buffer.from('')), 'unknown');
});
