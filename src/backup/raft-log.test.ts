import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { ByteWriter } from '../base/byte-writer.ts';
import { CorruptionError } from '../journal/errors.ts';
import { crc32c } from '../store/crc32c.ts';
import { type RaftEntry, RaftLog } from './raft-log.ts';

/** Writes log files as etcd does: frames of records, each with the checksum of all so far. */
class LogWriter {
  readonly files: Buffer[] = [];
  #frames: Buffer[] = [];
  #crc = 0;

  constructor() {
    this.#record(4, new Uint8Array(0));
  }

  entry(index: number, data: string): this {
    const writer = new ByteWriter();
    writer.int(0x10, 2);
    writer.int(0x18, index);
    writer.lengthDelimited(0x22, Buffer.from(data));
    return this.#record(2, writer.copy());
  }

  commit(index: number): this {
    const writer = new ByteWriter();
    writer.int(0x18, index);
    return this.#record(3, writer.copy());
  }

  /** Ends the file, with zeros reserved behind it, and begins the next. */
  cut(zeros = 4096): this {
    this.files.push(Buffer.concat([...this.#frames, Buffer.alloc(zeros)]));
    this.#frames = [];
    return this.#record(4, new Uint8Array(0));
  }

  #record(type: number, data: Uint8Array): this {
    this.#crc = crc32c(this.#crc, data, 0, data.length);
    const writer = new ByteWriter();
    writer.int(0x08, type);
    writer.int(0x10, this.#crc);
    writer.lengthDelimited(0x1a, data);
    const padBytes = (8 - (writer.position % 8)) % 8;
    const frame = Buffer.alloc(8 + writer.position + padBytes);
    const flags = padBytes === 0 ? 0n : BigInt(0x80 | padBytes) << 56n;
    frame.writeBigUInt64LE(BigInt(writer.position) | flags);
    frame.set(writer.view(), 8);
    this.#frames.push(frame);
    return this;
  }
}

function read(files: readonly Buffer[], after = 0): RaftLog {
  const log = new RaftLog(after);
  for (const [i, file] of files.entries()) log.read(`${i}.wal`, file, i === files.length - 1);
  return log;
}

const textOf = ({ index, data }: RaftEntry): string => `${index} ${Buffer.from(data).toString()}`;

describe("etcd's log", () => {
  it('gives the entries above an index, over several files', () => {
    const { files } = new LogWriter().entry(1, 'a').entry(2, 'b').commit(2).cut().entry(3, 'c').commit(3).cut();
    const log = read(files, 1);
    assert.deepEqual(log.entries.map(textOf), ['2 b', '3 c']);
    assert.equal(log.commit, 3);
  });

  it('lets an entry replace those of the same index and above', () => {
    const { files } = new LogWriter().entry(1, 'a').entry(2, 'old').entry(3, 'old').entry(2, 'new').cut();
    assert.deepEqual(read(files).entries.map(textOf), ['1 a', '2 new']);
    assert.deepEqual(read(files, 2).entries.map(textOf), []);
  });

  it('refuses a gap, a wrong checksum in the middle, and a file that does not go on from the one before', () => {
    const gap = new LogWriter().entry(1, 'a').entry(3, 'c').cut().files;
    assert.throws(() => read(gap), /entry 3 follows, but 2 is missing/);
    const { files } = new LogWriter().entry(1, 'a').entry(2, 'b').cut().entry(3, 'c').cut();
    const flipped = Buffer.from(files[0]);
    flipped[flipped.indexOf('b')] ^= 1;
    assert.throws(() => read([flipped, files[1]]), /0.wal is damaged at byte \d+: the checksum of a record is wrong/);
    const other = new LogWriter().entry(1, 'x').cut().files;
    assert.throws(() => read([other[0], files[1]]), /the checksum that a file goes on from is wrong/);
  });

  it('takes a torn last record for the end', () => {
    const whole = new LogWriter().entry(1, 'a').entry(2, 'b'.repeat(2000)).cut(0).files[0];
    const torn = Buffer.from(whole);
    // Its second sector never arrived.
    torn.fill(0, 512, 1024);
    assert.deepEqual(read([torn]).entries.map(textOf), ['1 a']);
    assert.deepEqual(read([whole.subarray(0, whole.length - 100)]).entries.map(textOf), ['1 a']);
  });

  it('survives any damage: it gives the entries before it or CorruptionError', () => {
    const writer = new LogWriter();
    for (let index = 1; index <= 20; index++) writer.entry(index, `entry ${index}`);
    const [file] = writer.cut(64).files;
    const expected = read([file]).entries.map(textOf);
    fc.assert(
      fc.property(fc.nat(file.length - 1), fc.nat(255), (at, byte) => {
        const damaged = Buffer.from(file);
        damaged[at] = byte;
        try {
          const entries = read([damaged]).entries.map(textOf);
          assert.deepEqual(entries, expected.slice(0, entries.length));
        } catch (error) {
          assert(error instanceof CorruptionError, String(error));
        }
      }),
      { numRuns: 400 },
    );
  });
});
