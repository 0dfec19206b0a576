// The protobuf of Kubernetes objects: proto2 as gogo-protobuf writes it, where a plain field is written even when it is
// empty, and only what is a pointer, list or map in Go may be missing.

import { ByteWriter } from '../base/byte-writer.ts';

const VARINT = 0;
const LENGTH_DELIMITED = 2;
const NANOS_PER_MICRO = 1000;

export class KubeWriter extends ByteWriter {
  text(field: number, value: string): void {
    if (value.length > 0) this.string(field * 8 + LENGTH_DELIMITED, value);
    else {
      this.varint(field * 8 + LENGTH_DELIMITED);
      this.varint(0);
    }
  }

  /** Bytes, also when there are none. */
  blob(field: number, value: Uint8Array): void {
    this.varint(field * 8 + LENGTH_DELIMITED);
    this.varint(value.length);
    this.bytes(value);
  }

  number(field: number, value: number): void {
    this.varint(field * 8 + VARINT);
    this.varint(value);
  }

  flag(field: number, value: boolean): void {
    this.number(field, value ? 1 : 0);
  }

  message(field: number, write: () => void): void {
    const body = this.open(field * 8 + LENGTH_DELIMITED);
    write();
    this.close(body);
  }

  /** metav1.Time: whole seconds. */
  time(field: number, seconds: number): void {
    this.message(field, () => {
      this.number(1, seconds);
      this.number(2, 0);
    });
  }

  /** metav1.MicroTime. */
  microTime(field: number, seconds: number, micros: number): void {
    this.message(field, () => {
      this.number(1, seconds);
      this.number(2, micros * NANOS_PER_MICRO);
    });
  }
}
