import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { ConnectionError } from './error-code.ts';
import type { HeaderField } from './header-block.ts';
import { HpackDecoder } from './hpack-decoder.ts';
import { HpackEncoder } from './hpack-encoder.ts';
import { huffmanDecode, huffmanDecodedBytesMax, huffmanEncode, huffmanEncodedBytes } from './huffman.ts';
import { PreparedHeaders, SplitHeaders } from './prepared-headers.ts';
import { STATIC_FIELDS } from './static-table.ts';

const RUNS = Number(process.env.K1M_RUNS ?? 200);
const LIST_BYTES_MAX = 1 << 20;

function hex(text: string): Uint8Array {
  return Buffer.from(text.replaceAll(/\s/g, ''), 'hex');
}

function pairs(fields: readonly HeaderField[]): string[] {
  return fields.map(({ name, value }) => `${name}: ${value}`);
}

function decodeAll(decoder: HpackDecoder, bytes: Uint8Array): string[] {
  return pairs(decoder.decode(bytes, 0, bytes.length).fields);
}

function compressionError(error: unknown): boolean {
  return error instanceof ConnectionError && error.code === 9;
}

const REQUESTS: readonly (readonly string[])[] = [
  [':method: GET', ':scheme: http', ':path: /', ':authority: www.example.com'],
  [':method: GET', ':scheme: http', ':path: /', ':authority: www.example.com', 'cache-control: no-cache'],
  [':method: GET', ':scheme: https', ':path: /index.html', ':authority: www.example.com', 'custom-key: custom-value'],
];
const RESPONSES: readonly (readonly string[])[] = [
  [
    ':status: 302',
    'cache-control: private',
    'date: Mon, 21 Oct 2013 20:13:21 GMT',
    'location: https://www.example.com',
  ],
  [
    ':status: 307',
    'cache-control: private',
    'date: Mon, 21 Oct 2013 20:13:21 GMT',
    'location: https://www.example.com',
  ],
  [
    ':status: 200',
    'cache-control: private',
    'date: Mon, 21 Oct 2013 20:13:22 GMT',
    'location: https://www.example.com',
    'content-encoding: gzip',
    'set-cookie: foo=ASDJKHQKBZXOQWEOPIUAXQWEOIU; max-age=3600; version=1',
  ],
];

const SERIES = [
  {
    name: 'C.3 requests without Huffman code',
    tableBytes: 4096,
    wants: REQUESTS,
    sizes: [57, 110, 164],
    blocks: [
      '828684410f7777772e6578616d706c652e636f6d',
      '828684be58086e6f2d6361636865',
      '828785bf400a637573746f6d2d6b65790c637573746f6d2d76616c7565',
    ],
  },
  {
    name: 'C.4 requests with Huffman code',
    tableBytes: 4096,
    wants: REQUESTS,
    sizes: [57, 110, 164],
    blocks: [
      '828684418cf1e3c2e5f23a6ba0ab90f4ff',
      '828684be5886a8eb10649cbf',
      '828785bf408825a849e95ba97d7f8925a849e95bb8e8b4bf',
    ],
  },
  {
    name: 'C.5 responses without Huffman code',
    tableBytes: 256,
    wants: RESPONSES,
    sizes: [222, 222, 215],
    blocks: [
      `4803 3330 3258 0770 7269 7661 7465 611d 4d6f 6e2c 2032 3120 4f63 7420 3230 3133 2032 303a 3133 3a32 3120 474d
       546e 1768 7474 7073 3a2f 2f77 7777 2e65 7861 6d70 6c65 2e63 6f6d`,
      '4803 3330 37c1 c0bf',
      `88c1 611d 4d6f 6e2c 2032 3120 4f63 7420 3230 3133 2032 303a 3133 3a32 3220 474d 54c0 5a04 677a 6970 7738 666f
       6f3d 4153 444a 4b48 514b 425a 584f 5157 454f 5049 5541 5851 5745 4f49 553b 206d 6178 2d61 6765 3d33 3630 303b
       2076 6572 7369 6f6e 3d31`,
    ],
  },
  {
    name: 'C.6 responses with Huffman code',
    tableBytes: 256,
    wants: RESPONSES,
    sizes: [222, 222, 215],
    blocks: [
      `4882 6402 5885 aec3 771a 4b61 96d0 7abe 9410 54d4 44a8 2005 9504 0b81 66e0 82a6 2d1b ff6e 919d 29ad 1718 63c7
       8f0b 97c8 e9ae 82ae 43d3`,
      '4883 640e ffc1 c0bf',
      `88c1 6196 d07a be94 1054 d444 a820 0595 040b 8166 e084 a62d 1bff c05a 839b d9ab 77ad 94e7 821d d7f2 e6c7 b335
       dfdf cd5b 3960 d5af 2708 7f36 72c1 ab27 0fb5 291f 9587 3160 65c0 03ed 4ee5 b106 3d50 07`,
    ],
  },
];

for (const { name, tableBytes, wants, sizes, blocks } of SERIES) {
  test(`RFC 7541 ${name} decode as printed there, with the table's size`, () => {
    const decoder = new HpackDecoder(tableBytes, LIST_BYTES_MAX);
    // The encoder's size is set out of band there: a size update of 256 does it here.
    if (tableBytes === 256) decoder.decode(hex('3fe101'), 0, 3);
    blocks.forEach((block, i) => {
      assert.deepEqual(decodeAll(decoder, hex(block)), wants[i]);
      assert.equal(decoder.tableBytes, sizes[i]);
    });
  });
}

const SINGLES = [
  {
    name: 'C.2.1 literal with indexing',
    block: '400a637573746f6d2d6b65790d637573746f6d2d686561646572',
    want: 'custom-key: custom-header',
    tableBytes: 55,
  },
  {
    name: 'C.2.2 literal without indexing',
    block: '040c2f73616d706c652f70617468',
    want: ':path: /sample/path',
    tableBytes: 0,
  },
  {
    name: 'C.2.3 literal never indexed',
    block: '100870617373776f726406736563726574',
    want: 'password: secret',
    tableBytes: 0,
  },
  { name: 'C.2.4 indexed field', block: '82', want: ':method: GET', tableBytes: 0 },
];

for (const { name, block, want, tableBytes } of SINGLES) {
  test(`RFC 7541 ${name} decodes as printed there`, () => {
    const decoder = new HpackDecoder(4096, LIST_BYTES_MAX);
    assert.deepEqual(decodeAll(decoder, hex(block)), [want]);
    assert.equal(decoder.tableBytes, tableBytes);
  });
}

const BROKEN = [
  { name: 'index 0', block: '80' },
  { name: 'an index behind the tables', block: 'be' },
  { name: 'a name index behind the tables', block: '7e0161' },
  { name: 'an integer that never ends', block: 'ffffffffffffffffffff' },
  { name: 'an integer that is cut off', block: 'ff' },
  { name: 'an integer above every bound', block: 'ffffffffff7f' },
  { name: 'a string that is cut off', block: '400a6375' },
  { name: 'a literal without its value', block: '4001' },
  { name: 'Huffman padding of eight bits', block: '4081ff0161' },
  { name: 'Huffman padding that is not ones', block: '4082ff000161' },
  { name: 'EOS within a Huffman string', block: '4085fffffffffc0161' },
  { name: 'a size update above the limit', block: '3fe2ff03' },
  { name: 'a size update behind a field', block: '8220' },
];

for (const { name, block } of BROKEN) {
  test(`${name} is a COMPRESSION_ERROR`, () => {
    const decoder = new HpackDecoder(4096, LIST_BYTES_MAX);
    assert.throws(() => decodeAll(decoder, hex(block)), compressionError);
  });
}

test('a table that our SETTINGS shrank asks for a size update first', () => {
  const decoder = new HpackDecoder(100, LIST_BYTES_MAX);
  assert.deepEqual(decodeAll(decoder, hex('82')), [':method: GET']);
  decoder.setLimit(100);
  assert.throws(() => decodeAll(decoder, hex('82')), compressionError);
  assert.deepEqual(decodeAll(decoder, hex('3f4582')), [':method: GET']);
});

test('a field larger than the table empties it', () => {
  const decoder = new HpackDecoder(4096, LIST_BYTES_MAX);
  decodeAll(decoder, hex('3f21 4001610162'));
  assert.equal(decoder.tableBytes, 34);
  decodeAll(decoder, Buffer.concat([hex('4001611e'), Buffer.alloc(30, 0x62), hex('4001632e'), Buffer.alloc(46, 0x62)]));
  assert.equal(decoder.tableBytes, 0);
});

test('the same indexed bytes give the same block until the table changes', () => {
  const decoder = new HpackDecoder(4096, LIST_BYTES_MAX);
  decodeAll(decoder, hex('400161016240016301 64'));
  const block = decoder.decode(hex('82bebf'), 0, 3);
  assert.equal(decoder.decode(hex('00 82bebf 00'), 1, 4), block);
  assert.notEqual(decoder.decode(hex('82bfbe'), 0, 3), block);
  decodeAll(decoder, hex('4001650166'));
  const later = decoder.decode(hex('82bebf'), 0, 3);
  assert.notEqual(later, block);
  assert.deepEqual(pairs(later.fields), [':method: GET', 'e: f', 'c: d']);
});

test('a list above the limit is marked, and the table still follows', () => {
  const decoder = new HpackDecoder(4096, 70);
  const bytes = hex('4001610162 4001630164 4001650166');
  const block = decoder.decode(bytes, 0, bytes.length);
  assert.equal(block.isTooLong, true);
  assert.equal(block.fields.length, 2);
  assert.deepEqual(decodeAll(decoder, hex('be')), ['e: f']);
});

const CHECKS = [
  { name: 'a request', fields: [':method: POST', ':scheme: http', ':path: /a', 'te: trailers'], want: 'request' },
  {
    name: 'a request of a pseudo field after a regular one',
    fields: [':method: POST', 'a: b', ':scheme: http', ':path: /'],
    want: 'nothing',
  },
  {
    name: 'a request with two paths',
    fields: [':method: GET', ':scheme: http', ':path: /', ':path: /'],
    want: 'nothing',
  },
  { name: 'a request with an empty path', fields: [':method: GET', ':scheme: http', ':path: '], want: 'nothing' },
  {
    name: 'a request with a status',
    fields: [':method: GET', ':scheme: http', ':path: /', ':status: 200'],
    want: 'nothing',
  },
  { name: 'a request without a scheme', fields: [':method: GET', ':path: /'], want: 'nothing' },
  {
    name: 'a request with an unknown pseudo field',
    fields: [':method: GET', ':scheme: http', ':path: /', ':x: y'],
    want: 'nothing',
  },
  { name: 'CONNECT with an authority only', fields: [':method: CONNECT', ':authority: a:1'], want: 'request' },
  {
    name: 'CONNECT with a path',
    fields: [':method: CONNECT', ':authority: a:1', ':scheme: http', ':path: /'],
    want: 'nothing',
  },
  { name: 'an upper-case name', fields: ['A: b'], want: 'nothing' },
  { name: 'a name with a space', fields: ['a b: c'], want: 'nothing' },
  { name: 'a value with a line break', fields: ['a: b\r\nc: d'], want: 'nothing' },
  { name: 'a value that begins with a space', fields: ['a:  b'], want: 'nothing' },
  { name: 'a connection-specific field', fields: ['connection: close'], want: 'nothing' },
  { name: 'te other than trailers', fields: ['te: gzip'], want: 'nothing' },
  { name: 'two lengths', fields: ['content-length: 1', 'content-length: 2'], want: 'nothing' },
  { name: 'a length that is no number', fields: ['content-length: +1'], want: 'nothing' },
  { name: 'a response', fields: [':status: 200', 'a: b'], want: 'response' },
  { name: 'a response with a path', fields: [':status: 200', ':path: /'], want: 'nothing' },
  { name: 'a status that is no number', fields: [':status: 2x0'], want: 'nothing' },
  { name: 'trailers', fields: ['grpc-status: 0', 'grpc-message: '], want: 'trailers' },
];

for (const { name, fields, want } of CHECKS) {
  test(`RFC 9113 §8.2, §8.3: ${name} is valid as ${want}`, () => {
    const encoder = new HpackEncoder(4096);
    const decoder = new HpackDecoder(4096, LIST_BYTES_MAX);
    const split = fields.map((field) => {
      const at = field.indexOf(': ', 1);
      return { name: field.slice(0, at), value: field.slice(at + 2) };
    });
    const bytes = encoder.encodeWith(split, []);
    const block = decoder.decode(bytes, 0, bytes.length);
    const as = block.isRequest ? 'request' : block.isResponse ? 'response' : block.isTrailers ? 'trailers' : 'nothing';
    assert.equal(as, want);
  });
}

test('Huffman code of any string comes back', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 60 }), (bytes) => {
      const text = Buffer.from(bytes).toString('latin1');
      const encoded = new Uint8Array(huffmanEncodedBytes(text));
      assert.equal(huffmanEncode(text, encoded, 0), encoded.length);
      const decoded = Buffer.alloc(huffmanDecodedBytesMax(encoded.length));
      const end = huffmanDecode(encoded, 0, encoded.length, decoded, 0);
      assert.equal(decoded.toString('latin1', 0, end), text);
    }),
    { numRuns: RUNS },
  );
});

/** A decoder as plain as the RFC's text: lists of pairs, no ring, no memo, strings read one by one. */
class NaiveDecoder {
  table: HeaderField[] = [];
  capacity = 4096;

  decode(bytes: Uint8Array): HeaderField[] {
    const fields: HeaderField[] = [];
    let at = 0;
    const integer = (bits: number): number => {
      const max = 2 ** bits - 1;
      let value = bytes[at++] & max;
      if (value < max) return value;
      for (let shift = 0; ; shift += 7) {
        const byte = bytes[at++];
        value += (byte & 127) * 2 ** shift;
        if (byte < 128) return value;
      }
    };
    const text = (): string => {
      const isHuffman = bytes[at] >= 128;
      const length = integer(7);
      const raw = bytes.slice(at, at + length);
      at += length;
      if (!isHuffman) return Buffer.from(raw).toString('latin1');
      const out = Buffer.alloc(huffmanDecodedBytesMax(length));
      return out.toString('latin1', 0, huffmanDecode(raw, 0, length, out, 0));
    };
    const lookup = (index: number): HeaderField => (index < 62 ? STATIC_FIELDS[index] : this.table[index - 62]);
    while (at < bytes.length) {
      const byte = bytes[at];
      if (byte >= 128) fields.push(lookup(integer(7)));
      else if (byte >= 32 && byte < 64) {
        this.capacity = integer(5);
        this.#evict();
      } else {
        const index = integer(byte >= 64 ? 6 : 4);
        const field = { name: index === 0 ? text() : lookup(index).name, value: text() };
        fields.push(field);
        if (byte >= 64) this.table.unshift(field);
        this.#evict();
      }
    }
    return fields;
  }

  #evict(): void {
    const size = (): number => this.table.reduce((sum, { name, value }) => sum + name.length + value.length + 32, 0);
    while (size() > this.capacity) this.table.pop();
  }
}

const NAME = fc.constantFrom('a', 'content-type', 'grpc-timeout', 'x-long-name-of-a-field', ':path', 'user-agent');
const VALUE = fc.oneof(
  fc.constantFrom('', 'application/grpc', '/', '0'),
  fc.uint8Array({ maxLength: 40 }).map((bytes) => Buffer.from(bytes).toString('latin1')),
);
const FIELDS = fc.array(fc.record({ name: NAME, value: VALUE }), { maxLength: 8 });
const STEP = fc.oneof(
  { weight: 5, arbitrary: fc.record({ kind: fc.constant('prepared' as const), index: fc.nat(5), extra: FIELDS }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('split' as const), index: fc.nat(5), extra: FIELDS }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('plain' as const), fields: FIELDS }) },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant('resize' as const), bytes: fc.constantFrom(0, 60, 300, 4096, 9000) }),
  },
);

test('what the encoder writes reads the same by our decoder and by a naive one, whatever the peer does to the table', () => {
  fc.assert(
    fc.property(fc.array(FIELDS, { minLength: 6, maxLength: 6 }), fc.array(STEP, { maxLength: 40 }), (lists, steps) => {
      const prepared = lists.map((fields) => new PreparedHeaders(fields));
      const split = lists.map((fields, i) => new SplitHeaders(fields, lists[(i + 1) % lists.length]));
      const encoder = new HpackEncoder(4096);
      const decoder = new HpackDecoder(9000, LIST_BYTES_MAX);
      const naive = new NaiveDecoder();
      for (const step of steps) {
        if (step.kind === 'resize') {
          encoder.setPeerLimit(step.bytes);
          continue;
        }
        if (step.kind === 'split') {
          const { front, back } = split[step.index];
          const bytes = Uint8Array.from(encoder.encodeWith(split[step.index], step.extra));
          const want = pairs([...front.fields, ...step.extra, ...back.fields]);
          assert.deepEqual(pairs(naive.decode(bytes)), want);
          assert.deepEqual(decodeAll(decoder, bytes), want);
          continue;
        }
        const headers = step.kind === 'prepared' ? prepared[step.index] : step.fields;
        const extra = step.kind === 'prepared' ? step.extra : [];
        const bytes =
          headers instanceof PreparedHeaders && extra.length === 0
            ? encoder.encode(headers)
            : encoder.encodeWith(headers, extra);
        const want = pairs([...(headers instanceof PreparedHeaders ? headers.fields : headers), ...extra]);
        const copy = Uint8Array.from(bytes);
        assert.deepEqual(pairs(naive.decode(copy)), want);
        assert.deepEqual(decodeAll(decoder, copy), want);
      }
    }),
    { numRuns: RUNS },
  );
});

test('prepared headers take one byte a field from the second time on, alike on several encoders', () => {
  const headers = new PreparedHeaders([
    { name: ':status', value: '200' },
    { name: 'content-type', value: 'application/grpc' },
  ]);
  const encoders = [new HpackEncoder(4096), new HpackEncoder(4096)];
  for (const encoder of encoders) encoder.encode(headers);
  for (let i = 0; i < 3; i++)
    for (const encoder of encoders) assert.deepEqual([...encoder.encode(headers)], [0x88, 0xbe]);
});

test('a table full of what is sent no more starts again, and the fields of now are in it', () => {
  const encoder = new HpackEncoder(4096);
  const decoder = new HpackDecoder(4096, LIST_BYTES_MAX);
  const path = [{ name: ':path', value: '/a' }];
  const send = (headers: SplitHeaders): number => {
    const bytes = Uint8Array.from(encoder.encodeWith(headers, path));
    assert.deepEqual(decodeAll(decoder, bytes), pairs([...headers.front.fields, ...path, ...headers.back.fields]));
    return bytes.length;
  };
  const withToken = (token: string): SplitHeaders =>
    new SplitHeaders([{ name: ':method', value: 'GET' }], [{ name: 'authorization', value: token.repeat(1500) }]);
  for (const token of ['a', 'b', 'c']) {
    const headers = withToken(token);
    send(headers);
    if (token !== 'c') assert.ok(send(headers) < 10);
  }
  const renewed = withToken('d');
  assert.ok(send(renewed) > 1000);
  for (let i = 0; i < 1000; i++) send(renewed);
  assert.ok(send(renewed) < 10);
  // One that no table would take changes nothing.
  const huge = withToken('long '.repeat(10));
  for (let i = 0; i < 2000; i++) assert.ok(send(huge) > 1000);
  assert.ok(send(renewed) < 10);
});

test('random bytes decode or are a COMPRESSION_ERROR', () => {
  const decoders = { decoder: new HpackDecoder(4096, 4096) };
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 60 }), (bytes) => {
      try {
        decoders.decoder.decode(bytes, 0, bytes.length);
      } catch (error) {
        assert.ok(compressionError(error), String(error));
        decoders.decoder = new HpackDecoder(4096, 4096);
      }
      assert.ok(decoders.decoder.tableBytes <= 4096);
    }),
    { numRuns: RUNS * 5 },
  );
});
