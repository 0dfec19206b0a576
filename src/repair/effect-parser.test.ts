import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { BatchWriter } from '../journal/batch-writer.ts';
import { ALARM, BATCH_HEADER_BYTES, DELETE, LEASE_REVOKE, MARK, PUT, TIME } from '../journal/format.ts';
import { keyValueBytes, writeKeyValueHead, writeKeyValueTail } from '../store/key-value.ts';
import { IDENTITY } from '../testing/journal-fixture.ts';
import { type Effect, parseBody } from './effect-parser.ts';

interface Pair {
  readonly key: string;
  readonly value: string;
  readonly lease: bigint;
}

function keyValue({ key, value, lease }: Pair, main: number): Uint8Array {
  const [keyBytes, valueBytes] = [Buffer.from(key), Buffer.from(value)];
  const bytes = new Uint8Array(keyValueBytes(keyBytes.length, 1, main, 7, valueBytes.length, lease));
  const at = writeKeyValueHead(bytes, 0, keyBytes, 0, keyBytes.length, 1);
  writeKeyValueTail(bytes, at, main, 7, valueBytes, 0, valueBytes.length, lease);
  return bytes;
}

/** A body with an effect of each kind. */
function someBody(pairs: readonly Pair[]): Uint8Array {
  const batch = new BatchWriter(1 << 16);
  batch.appendMeta(IDENTITY);
  batch.appendOpen(1);
  batch.appendLeaseGrant(-5n, 60);
  let main = 100;
  for (const pair of pairs) {
    batch.beginRevision(++main, 'fsync');
    const bytes = keyValue(pair, main);
    batch.appendPut(0, bytes, 0, bytes.length);
    const key = Buffer.from(pair.key);
    batch.appendDelete(1, key, 0, key.length);
  }
  batch.appendLeaseRevoke(-5n);
  batch.appendCompact(50);
  batch.appendAlarm(1, true);
  batch.appendMark(1000);
  batch.appendTime(1_700_000_000_000);
  batch.appendClean(main);
  const { bodyBytes } = sealed(batch);
  return bodyBytes;
}

function sealed(batch: BatchWriter): { bodyBytes: Uint8Array } {
  batch.seal({ sequence: 1, epoch: 1, durableSequence: 0, previousCrc: 0, crcSeed: 0, alignment: 8 });
  const view = batch.view();
  const bytes = new DataView(view.buffer, view.byteOffset).getUint32(56, true);
  return { bodyBytes: new Uint8Array(view.subarray(BATCH_HEADER_BYTES, BATCH_HEADER_BYTES + bytes)) };
}

function text(effect: Effect, body: Uint8Array): string {
  const part = (start: number, end: number): string => Buffer.from(body.subarray(start, end)).toString();
  if (effect.kind === 'put') {
    const { main, sub, keyStart, keyEnd, createRevision, version, valueStart, valueEnd, lease } = effect;
    const key = part(keyStart, keyEnd);
    return `put ${main}.${sub} ${key}=${part(valueStart, valueEnd)} ${createRevision} ${version} ${lease}`;
  }
  if (effect.kind === 'delete') {
    return `delete ${effect.main}.${effect.sub} ${part(effect.keyStart, effect.keyEnd)}`;
  }
  if (effect.kind === 'meta') return `meta ${effect.identity.clusterId} ${effect.identity.memberId}`;
  return Object.values(effect).join(' ');
}

const PAIRS: readonly Pair[] = [
  { key: 'a', value: 'x', lease: 0n },
  { key: 'b'.repeat(300), value: '', lease: -5n },
];

describe('the effects of a body', () => {
  it('are read one by one, as they were written', () => {
    const body = someBody(PAIRS);
    const { effects, end, reason } = parseBody(body, 0, body.length);
    assert.equal(reason, undefined);
    assert.equal(end, body.length);
    assert.deepEqual(
      effects.map(({ effect }) => text(effect, body)),
      [
        `meta ${IDENTITY.clusterId} ${IDENTITY.memberId}`,
        'open 1',
        'lease-grant -5 60',
        'put 101.0 a=x 1 7 0',
        'delete 101.1 a',
        `put 102.0 ${'b'.repeat(300)}= 1 7 -5`,
        `delete 102.1 ${'b'.repeat(300)}`,
        'lease-revoke -5',
        'compact 50',
        'alarm 1 true',
        'mark 1000',
        'time 1700000000000',
        'clean 102',
      ],
    );
  });

  it('are read up to the first that is not what a writer puts there', () => {
    const body = someBody(PAIRS);
    const whole = parseBody(body, 0, body.length).effects;
    const put = whole[3].offset;
    const cases: readonly { name: string; at: number; value: number; says: RegExp }[] = [
      { name: 'an unknown effect', at: put, value: 77, says: /effect type 77 is unknown/ },
      { name: 'a length beyond the end', at: put + 2, value: 0xff, says: /cut off|form|contradicts|end where/ },
      { name: 'an unknown field', at: put + 3, value: 0x12, says: /another form/ },
      { name: 'no key', at: put + 4, value: 0, says: /a key is empty/ },
      { name: 'a create revision above the mod revision', at: put + 7, value: 127, says: /contradicts itself/ },
    ];
    for (const { name, at, value, says } of cases) {
      const damaged = body.slice();
      damaged[at] = value;
      const { effects, reason, end } = parseBody(damaged, 0, damaged.length);
      assert.match(reason ?? '', says, name);
      assert.deepEqual([effects.length, end], [3, put], name);
    }
  });

  it('are refused where their revisions are none of the batch', () => {
    const body = someBody(PAIRS);
    const { effects, reason } = parseBody(body, 0, body.length, { first: 101, last: 101 });
    assert.equal(effects.length, 5);
    assert.equal(reason, "revision 102 is none of this batch's");
  });

  it('never go beyond the end, whatever bytes there are', () => {
    const body = someBody(PAIRS);
    fc.assert(
      fc.property(fc.nat(body.length), fc.nat(body.length - 1), fc.nat(255), (end, at, value) => {
        const damaged = Buffer.concat([body.subarray(0, end), Buffer.alloc(100, 1)]);
        if (at < end) damaged[at] = value;
        const parsed = parseBody(damaged, 0, end);
        assert.ok(parsed.end <= end && (parsed.reason !== undefined || parsed.end === end));
        for (const { effect } of parsed.effects) {
          if (effect.kind === 'put') assert.ok(effect.keyEnd <= end && effect.valueEnd <= end);
          if (effect.kind === 'delete') assert.ok(effect.keyEnd <= end);
        }
      }),
      { numRuns: 2_000, seed: 1 },
    );
  });

  it('are none that a server would not write', () => {
    const key = [1, 0x6b];
    const kv = (...fields: number[]): number[] => [PUT, 0, fields.length + 3, 0x0a, ...key, ...fields];
    const good = [0x10, 5, 0x18, 9, 0x20, 1];
    const ones = [0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80];
    const varintOf = (value: number): number[] => {
      const bytes: number[] = [];
      for (let left = value; bytes.length < 8; left = Math.floor(left / 128))
        bytes.push((left % 128) | (left >= 128 ? 128 : 0));
      return bytes.slice(0, bytes.findIndex((byte) => byte < 128) + 1);
    };
    const cases: readonly { name: string; body: readonly number[]; says: string | undefined }[] = [
      { name: 'a pair', body: kv(...good), says: undefined },
      { name: 'a pair with value and lease', body: kv(...good, 0x2a, 1, 7, 0x30, 3), says: undefined },
      { name: 'created when modified', body: kv(0x10, 9, 0x18, 9, 0x20, 1), says: undefined },
      { name: 'created after it', body: kv(0x10, 10, 0x18, 9, 0x20, 1), says: 'a KeyValue contradicts itself' },
      { name: 'never created', body: kv(0x10, 0, 0x18, 9, 0x20, 1), says: 'a KeyValue contradicts itself' },
      { name: 'without a version', body: kv(0x10, 5, 0x18, 9, 0x20, 0), says: 'a KeyValue contradicts itself' },
      { name: 'with a field more', body: kv(...good, 0x38, 1), says: 'a KeyValue does not end where it should' },
      { name: 'a lease that is cut off', body: kv(...good, 0x30, 0x83), says: 'a number is cut off' },
      { name: 'a lease of 64 bits', body: kv(...good, 0x30, ...ones, 1), says: undefined },
      { name: 'a lease of more', body: kv(...good, 0x30, ...ones, 0x81, 1), says: 'a number is cut off' },
      { name: 'a deletion without a key', body: [DELETE, 9, 0, 0], says: 'a key is empty' },
      { name: 'a deletion of an empty rest', body: [DELETE, 9, 0, 1], says: 'an effect is cut off' },
      { name: 'the highest alarm', body: [ALARM, 2, 1], says: undefined },
      { name: 'an alarm above it', body: [ALARM, 3, 1], says: 'an alarm of this kind is unknown' },
      { name: 'an alarm neither raised nor lowered', body: [ALARM, 1, 2], says: 'an alarm of this kind is unknown' },
      { name: 'the last time', body: [TIME, ...varintOf(8_640_000_000_000_000)], says: undefined },
      { name: 'a time behind it', body: [TIME, ...varintOf(8_640_000_000_000_001)], says: 'a time is none' },
      { name: 'the highest number', body: [MARK, ...varintOf(Number.MAX_SAFE_INTEGER)], says: undefined },
      { name: 'a number above it', body: [MARK, ...varintOf(2 ** 53)], says: 'a number is too large' },
      { name: 'a number without end', body: [MARK, ...ones, 0x80, 0], says: 'a number is cut off' },
      { name: 'an id', body: [LEASE_REVOKE, 1, 2, 3, 4, 5, 6, 7, 8], says: undefined },
      { name: 'an id that is cut off', body: [LEASE_REVOKE, 1, 2, 3, 4, 5, 6, 7], says: 'an effect is cut off' },
      {
        name: 'changes that ascend',
        body: [DELETE, 9, 0, ...key, DELETE, 9, 1, ...key, DELETE, 10, 0, ...key],
        says: undefined,
      },
      {
        name: 'the same change twice',
        body: [DELETE, 9, 1, ...key, DELETE, 9, 1, ...key],
        says: 'revisions do not ascend',
      },
      {
        name: 'a sub revision that goes back',
        body: [DELETE, 9, 1, ...key, DELETE, 9, 0, ...key],
        says: 'revisions do not ascend',
      },
      {
        name: 'a revision that goes back',
        body: [DELETE, 9, 0, ...key, DELETE, 8, 1, ...key],
        says: 'revisions do not ascend',
      },
      { name: 'the highest sub revision', body: [DELETE, 9, ...varintOf(0xffff_ffff), ...key], says: undefined },
      {
        name: 'a sub revision above it',
        body: [DELETE, 9, ...varintOf(0x1_0000_0000), ...key],
        says: 'revisions do not ascend',
      },
    ];
    for (const { name, body, says } of cases) {
      // What is behind must not count.
      const { reason, end, effects } = parseBody(Buffer.from([...body, 0, 0, 0]), 0, body.length);
      assert.equal(reason, says, name);
      if (says === undefined) assert.ok(effects.length > 0 && end === body.length, name);
    }
  });

  it('stay what they are up to the first and the last revision of the batch', () => {
    const body = Buffer.from([DELETE, 9, 0, 1, 0x6b]);
    for (const [first, last, count] of [
      [9, 9, 1],
      [1, 8, 0],
      [10, 99, 0],
    ]) {
      assert.equal(parseBody(body, 0, body.length, { first, last }).effects.length, count, `${first} to ${last}`);
    }
    assert.equal(parseBody(Buffer.from([DELETE, 1, 0, 1, 0x6b]), 0, 5).effects.length, 1, 'any revision from 1 on');
  });
});
