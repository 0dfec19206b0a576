// A deliberately dumb store: an array of all changes, searched from end to end. What src/store must agree with.
// Keys are named by their hex digits, which order as the bytes do.

import { ByteWriter } from '../base/byte-writer.ts';

export interface ModelChange {
  readonly key: string;
  readonly main: number;
  readonly sub: number;
  readonly isDelete: boolean;
  readonly isCreate: boolean;
  readonly createRevision: number;
  readonly version: number;
  /** The marshalled KeyValue; of a deletion, with the key alone. */
  readonly keyValue: string;
}

export class ModelStore {
  readonly changes: ModelChange[] = [];
  /** What etcd's backend would hold after compactions. */
  kept: ModelChange[] = [];
  current = 1;
  compacted = -1;

  put(main: number, sub: number, key: string, value: Uint8Array, lease: bigint): void {
    const old = this.at(key, main);
    const createRevision = old?.createRevision ?? main;
    const version = (old?.version ?? 0) + 1;
    const writer = new ByteWriter();
    writer.lengthDelimited(0x0a, Buffer.from(key, 'hex'));
    writer.int(0x10, createRevision);
    writer.int(0x18, main);
    writer.int(0x20, version);
    writer.lengthDelimited(0x2a, value);
    writer.int64(0x30, lease);
    const keyValue = hex(writer.view());
    const isCreate = createRevision === main;
    this.#add({ key, main, sub, isDelete: false, isCreate, createRevision, version, keyValue });
  }

  delete(main: number, sub: number, key: string): void {
    const writer = new ByteWriter();
    writer.lengthDelimited(0x0a, Buffer.from(key, 'hex'));
    const keyValue = hex(writer.view());
    this.#add({ key, main, sub, isDelete: true, isCreate: false, createRevision: 0, version: 0, keyValue });
  }

  #add(change: ModelChange): void {
    this.changes.push(change);
    this.kept.push(change);
  }

  /** The key's last change up to `revision`, deletions included. */
  last(key: string, revision: number): ModelChange | undefined {
    return this.changes.findLast((change) => change.key === key && change.main <= revision);
  }

  at(key: string, revision: number): ModelChange | undefined {
    const change = this.last(key, revision);
    return change?.isDelete ? undefined : change;
  }

  range(lower: string, upper: string | null, revision: number): ModelChange[] {
    const keys = [...new Set(this.changes.map((change) => change.key))].sort();
    const within = keys.filter((key) => key >= lower && (upper === null || key < upper));
    return within.map((key) => this.at(key, revision)).filter((change) => change !== undefined);
  }

  history(revision: number): ModelChange[] {
    return this.changes.filter((change) => change.main >= revision);
  }

  previous(change: ModelChange): ModelChange | undefined {
    return change.main <= this.compacted ? undefined : this.at(change.key, change.main - 1);
  }

  compact(revision: number): void {
    this.compacted = revision;
    this.kept = this.kept.filter((change) => {
      if (change.main > revision) return true;
      return change === this.last(change.key, revision) && (!change.isDelete || change.main === revision);
    });
  }

  /** etcd's HashKV, bit by bit. */
  hash(revision: number): number {
    const live = new Set(this.range('', null, revision));
    let crc = 0xffffffff;
    const feed = (bytes: Uint8Array): void => {
      for (const byte of bytes) {
        crc ^= byte;
        for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0x82f63b78 : crc >>> 1;
      }
    };
    feed(Buffer.from('key'));
    for (const change of this.kept) {
      if (change.main > revision) continue;
      if (change.main <= this.compacted && live.size > 0 && !live.has(change)) continue;
      const head = Buffer.alloc(17, '_');
      head.writeBigUInt64BE(BigInt(change.main), 0);
      head.writeBigUInt64BE(BigInt(change.sub), 9);
      feed(head);
      if (change.isDelete) feed(Buffer.from('t'));
      feed(Buffer.from(change.keyValue, 'hex'));
    }
    return ~crc >>> 0;
  }
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex');
}
