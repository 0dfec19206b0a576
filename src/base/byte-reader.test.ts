// What the writer writes the reader reads; what nobody wrote ends in WireError.

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { ByteReader, WireError } from './byte-reader.ts';
import { ByteWriter } from './byte-writer.ts';

const RUNS = Number(process.env.K1M_RUNS ?? 500);

function readerOf(bytes: Uint8Array): ByteReader {
  return new ByteReader(bytes, 0, bytes.length);
}

function written(write: (writer: ByteWriter) => void): Uint8Array {
  // One byte of room, so that every write has to ask for more.
  const writer = new ByteWriter(1);
  write(writer);
  return writer.copy();
}

/** The bytes of a varint, written down from the definition. */
function naiveVarint(value: bigint): number[] {
  const bytes: number[] = [];
  let rest = BigInt.asUintN(64, value);
  for (; rest >= 0x80n; rest /= 0x80n) bytes.push(Number((rest % 0x80n) + 0x80n));
  return [...bytes, Number(rest)];
}

function powers(count: number): bigint[] {
  return Array.from({ length: count }, (_, exponent) => 1n << BigInt(exponent));
}

describe('varints', () => {
  it('are the same as doubles and as integers around every power of two, positive and negative', () => {
    for (const power of powers(53)) {
      for (const value of [power - 1n, power, power + 1n, -power]) {
        if (value > BigInt(Number.MAX_SAFE_INTEGER)) continue;
        const bytes = written((writer) => writer.varint(Number(value)));
        assert.deepEqual([...bytes], naiveVarint(value));
        assert.deepEqual([...written((writer) => writer.varint64(value))], [...bytes]);
        assert.equal(readerOf(bytes).varint(), Number(value));
        assert.equal(readerOf(bytes).varint64(), value);
      }
    }
  });

  it('of 64 bits come back as int64', () => {
    for (const power of powers(64)) {
      for (const value of [power - 1n, power, -power, -power - 1n].map((v) => BigInt.asIntN(64, v))) {
        const bytes = written((writer) => writer.varint64(value));
        assert.deepEqual([...bytes], naiveVarint(value));
        assert.equal(readerOf(bytes).varint64(), value);
        assert.equal(readerOf(bytes).varint(), Number(value));
      }
    }
  });

  it('may have more bytes than they need, up to ten', () => {
    assert.equal(readerOf(Uint8Array.of(0x81, 0x80, 0x00)).varint(), 1);
    assert.equal(readerOf(Uint8Array.of(...Array(9).fill(0x80), 0x00)).varint(), 0);
    assert.throws(() => readerOf(Uint8Array.of(...Array(10).fill(0x80), 0x00)).varint(), WireError);
  });

  it('leave the reader behind them', () => {
    for (const power of powers(53)) {
      const bytes = written((writer) => {
        writer.varint(Number(power));
        writer.varint(7);
      });
      const reader = readerOf(bytes);
      reader.varint();
      assert.deepEqual([reader.varint(), reader.hasMore], [7, false]);
    }
  });
});

type Field =
  | { readonly kind: 'int'; readonly value: number }
  | { readonly kind: 'int64'; readonly value: bigint }
  | { readonly kind: 'bool'; readonly value: boolean }
  | { readonly kind: 'bytes'; readonly value: Uint8Array }
  | { readonly kind: 'string'; readonly value: string }
  | { readonly kind: 'message'; readonly value: readonly Field[] };

const WIRE_TYPE = { int: 0, int64: 0, bool: 0, bytes: 2, string: 2, message: 2 } as const;

function tagOf(kind: Field['kind']): number {
  // Field numbers on both sides of a tag's second byte.
  const number = ['int', 'int64', 'bool', 'bytes', 'string', 'message'].indexOf(kind) * 7 + 1;
  return number * 8 + WIRE_TYPE[kind];
}

function writeFields(writer: ByteWriter, fields: readonly Field[]): void {
  for (const field of fields) {
    const tag = tagOf(field.kind);
    if (field.kind === 'int') writer.int(tag, field.value);
    else if (field.kind === 'int64') writer.int64(tag, field.value);
    else if (field.kind === 'bool') writer.bool(tag, field.value);
    else if (field.kind === 'bytes') writer.lengthDelimited(tag, field.value);
    else if (field.kind === 'string') writer.string(tag, field.value);
    else {
      const body = writer.open(tag);
      writeFields(writer, field.value);
      writer.close(body);
    }
  }
}

function readFields(reader: ByteReader): Field[] {
  const fields: Field[] = [];
  while (reader.hasMore) {
    const tag = reader.tag();
    if (tag === tagOf('int')) fields.push({ kind: 'int', value: reader.varint() });
    else if (tag === tagOf('int64')) fields.push({ kind: 'int64', value: reader.varint64() });
    else if (tag === tagOf('bool')) fields.push({ kind: 'bool', value: reader.bool() });
    else if (tag === tagOf('bytes')) fields.push({ kind: 'bytes', value: Uint8Array.from(reader.bytes()) });
    else if (tag === tagOf('string')) fields.push({ kind: 'string', value: reader.string() });
    else if (tag === tagOf('message')) fields.push({ kind: 'message', value: readFields(readerOf(reader.view())) });
    else throw new Error(`tag ${tag}`);
  }
  return fields;
}

/** What proto3 leaves out: zero, false and empty; a nested message that is empty stays. */
function withoutDefaults(fields: readonly Field[]): Field[] {
  return fields.flatMap((field): Field[] => {
    if (field.kind === 'message') return [{ kind: 'message', value: withoutDefaults(field.value) }];
    if (field.kind === 'bytes' || field.kind === 'string') return field.value.length === 0 ? [] : [field];
    return Number(field.value) === 0 ? [] : [field];
  });
}

const { fields: anyFields } = fc.letrec<{ fields: Field[]; field: Field }>((tie) => ({
  fields: fc.array(tie('field'), { maxLength: 6 }),
  field: fc.oneof(
    { depthSize: 'medium' },
    fc.maxSafeInteger().map((value): Field => ({ kind: 'int', value: value === 0 ? 0 : value })),
    fc.bigInt({ min: -(1n << 63n), max: (1n << 63n) - 1n }).map((value): Field => ({ kind: 'int64', value })),
    fc.boolean().map((value): Field => ({ kind: 'bool', value })),
    fc.uint8Array({ maxLength: 300 }).map((value): Field => ({ kind: 'bytes', value })),
    fc.string({ unit: 'grapheme' }).map((value): Field => ({ kind: 'string', value })),
    tie('fields').map((value): Field => ({ kind: 'message', value })),
  ),
}));

describe('messages', () => {
  it('of any fields, nested ones included, come back', () => {
    fc.assert(
      fc.property(anyFields, (fields) => {
        const bytes = written((writer) => writeFields(writer, fields));
        assert.deepEqual(readFields(readerOf(bytes)), withoutDefaults(fields));
      }),
      { numRuns: RUNS },
    );
  });

  it('inside messages have the right length around every size of its varint', () => {
    for (const length of [0, 1, 126, 127, 128, 129, 16_382, 16_383, 16_384, 16_385, 2_097_151, 2_097_152]) {
      const bytes = written((writer) => {
        const outer = writer.open(0x0a);
        const inner = writer.open(0x12);
        writer.bytes(Buffer.alloc(length, 7));
        writer.close(inner);
        writer.byte(0x08);
        writer.byte(0x01);
        writer.close(outer);
        writer.byte(0x55);
      });
      const outer = readerOf(bytes);
      assert.equal(outer.tag(), 0x0a);
      const inner = readerOf(outer.view());
      assert.equal(inner.tag(), 0x12);
      const body = inner.view();
      assert.equal(Buffer.compare(body, Buffer.alloc(length, 7)), 0);
      assert.deepEqual([inner.tag(), inner.varint(), inner.hasMore], [0x08, 1, false]);
      assert.equal(bytes[outer.position], 0x55);
    }
  });

  it('are entered on the same reader, and left from anywhere in them', () => {
    // Field 1 { field 2: 5, field 3: 7 }, field 4: 9.
    const reader = readerOf(Uint8Array.of(0x0a, 4, 0x10, 5, 0x18, 7, 0x20, 9));
    for (const fieldsRead of [0, 1, 2]) {
      reader.position = 0;
      reader.skip(reader.tag());
      const outer = reader.enter();
      const numbers = [];
      for (let i = 0; i < fieldsRead; i++) numbers.push(reader.tag() >>> 3, reader.varint());
      assert.deepEqual(numbers, [2, 5, 3, 7].slice(0, 2 * fieldsRead));
      assert.equal(reader.hasMore, fieldsRead < 2);
      reader.leave(outer);
      assert.deepEqual([reader.tag() >>> 3, reader.varint(), reader.hasMore], [4, 9, false]);
    }
  });
});

describe('malformed input', () => {
  it('throws WireError and nothing else, and never reads beyond its end', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), fc.nat(60), (bytes, cut) => {
        const end = Math.min(cut, bytes.length);
        const reader = new ByteReader(bytes, 0, end);
        try {
          while (reader.hasMore) {
            const before = reader.position;
            reader.skip(reader.tag());
            assert.ok(reader.position > before && reader.position <= end);
          }
        } catch (error) {
          assert.ok(error instanceof WireError, String(error));
        }
      }),
      { numRuns: RUNS * 10 },
    );
  });

  const malformed: readonly (readonly [string, readonly number[]])[] = [
    ['a tag of field 0', [0x00]],
    ['a tag of field 0 in two bytes', [0x82, 0x00]],
    ['a tag above 32 bits', [0x88, 0x80, 0x80, 0x80, 0x10, 0x00]],
    ['a varint cut off', [0x08, 0x80]],
    ['a varint of eleven bytes', [0x08, ...Array(10).fill(0xff), 0x01]],
    ['a length beyond the end', [0x0a, 0x02, 0x00]],
    ['a negative length', [0x0a, ...naiveVarint(-1n)]],
    ['a length near 2^63', [0x0a, ...naiveVarint((1n << 63n) - 1n)]],
    ['four bytes cut off', [0x0d, 0, 0, 0]],
    ['eight bytes cut off', [0x09, 0, 0, 0, 0, 0, 0, 0]],
    ['a group that does not end', [0x0b, 0x08, 0x01]],
    ['a group ended by another number', [0x0b, 0x14]],
    ['groups that end in the wrong order', [0x0b, 0x13, 0x0c, 0x14]],
    ['the end of a group that did not begin', [0x0c]],
    ['wire type 6', [0x0e]],
    ['wire type 7', [0x0f]],
  ];
  for (const [name, bytes] of malformed) {
    it(`${name} is refused`, () => {
      const reader = readerOf(Uint8Array.from(bytes));
      const skipAll = (): void => {
        while (reader.hasMore) reader.skip(reader.tag());
      };
      assert.throws(skipAll, WireError);
    });
  }

  it('of a hundred thousand nested groups does not exhaust the stack', () => {
    const groups = Uint8Array.of(...Array(50_000).fill(0x0b), ...Array(50_000).fill(0x0c));
    const reader = readerOf(groups);
    reader.skip(reader.tag());
    assert.equal(reader.hasMore, false);
  });
});
