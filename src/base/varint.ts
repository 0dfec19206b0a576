// The size of protobuf's variable-length integers.

const TWO_28 = 0x1000_0000;

/** Bytes of a varint from 0 to 2^53 − 1. */
export function varintBytes(value: number): number {
  if (value < 128) return 1;
  let bytes = 1;
  while (value >= TWO_28) {
    value = Math.floor(value / TWO_28);
    bytes += 4;
  }
  for (let rest = value >>> 7; rest !== 0; rest >>>= 7) bytes++;
  return bytes;
}
