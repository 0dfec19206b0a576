// Objects created in the store as kube-apiserver creates them, one after another: Txn If MOD(key) = 0 Then Put. A key that is there already stays
// as it is and is counted. What the store did not answer is sent again.
//
// A request is encoded once for each shape of object; its numbers are patched.

import { COMPARE_EQUAL, Compare, RequestOp, TARGET_MOD, TxnRequest } from '../api/messages.ts';
import * as methods from '../api/methods.ts';
import { ByteWriter } from '../base/byte-writer.ts';
import { EMPTY_BYTES } from '../base/bytes.ts';
import type { Load, Slot } from '../bench/load.ts';
import { fieldEnd } from '../bench/reply-fields.ts';
import { keyBytes } from '../client/key-range.ts';
import { NumberedBytes } from './numbered-bytes.ts';
import type { CreationCount, ObjectMaker } from './object-maker.ts';

const TAG_SUCCEEDED = 0x10;

export class ObjectCreation implements Load, CreationCount {
  readonly path: string = methods.txn.path;
  buffer: Uint8Array = EMPTY_BYTES;
  readonly counts = { existing: 0 };
  /** Those that the store has, answered one by one. */
  created = 0;
  onLastSent: () => void = () => {};
  /** When each was meant to be sent, by the clock; 0: not yet. */
  readonly sentMs: Float64Array;
  readonly #maker: ObjectMaker;
  readonly #start: number;
  readonly #end: number;
  readonly #requests: (NumberedBytes | undefined)[] = [];
  readonly #again: number[] = [];
  #next: number;

  /** Those from number `start` up to, not including, `end`. */
  constructor(maker: ObjectMaker, start: number, end: number) {
    this.#maker = maker;
    this.#start = start;
    this.sentMs = new Float64Array(end - start);
    this.#next = start;
    this.#end = end;
  }

  get existing(): number {
    return this.counts.existing;
  }

  /** How many are still to be sent. */
  get unsent(): number {
    return this.#end - this.#next + this.#again.length;
  }

  async setup(): Promise<void> {}

  write(slot: Slot): number {
    const index = this.#again.pop() ?? this.#next++;
    slot.keyIndex = index;
    this.sentMs[index - this.#start] ||= slot.intendedMs;
    const shape = this.#maker.shapeOf(index);
    this.#requests[shape] ??= this.#encode(shape);
    const request = this.#requests[shape];
    request.set(index);
    this.buffer = request.bytes;
    if (this.unsent === 0) this.onLastSent();
    return request.bytes.length;
  }

  read(_: Slot, buffer: Uint8Array, start: number, end: number): void {
    const at = fieldEnd(buffer, start, end);
    const isCreated = at < end && buffer[at] === TAG_SUCCEEDED && buffer[at + 1] === 1;
    if (!isCreated) this.counts.existing++;
  }

  done(slot: Slot, code: number): void {
    if (code === 0) this.created++;
    else this.#again.push(slot.keyIndex);
  }

  #encode(shape: number): NumberedBytes {
    const key = keyBytes(this.#maker.keyOf(shape));
    const value = this.#maker.valueOf(shape);
    const put = { key, value, lease: 0n, prev_kv: false, ignore_value: false, ignore_lease: false };
    const writer = new ByteWriter(value.length + 256);
    TxnRequest.encode(
      {
        compare: [Compare.create({ result: COMPARE_EQUAL, target: TARGET_MOD, key, mod_revision: 0 })],
        success: [RequestOp.create({ request_put: put })],
      },
      writer,
    );
    return new NumberedBytes(writer.copy());
  }
}
