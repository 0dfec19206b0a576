// The first byte of a message's prefix: whether it is compressed, and how it is made plain.
//
// etcd takes gzip from whoever says so in `grpc-encoding`, because the exporter of its traces brings it; so do we. Answers are never compressed.
// Compressed or plain, no message is longer than the limit.

import { gunzipSync } from 'node:zlib';
import { INTERNAL, RESOURCE_EXHAUSTED, StatusError } from '../api/errors.ts';
import { errorText } from '../base/error-text.ts';

export const COMPRESSED = 1;

/** grpc-go's words for a message prefix that is not accepted; undefined when it is. */
export function messagePrefixError(
  flag: number,
  length: number,
  messageBytesMax: number,
  isGzip: boolean,
): StatusError | undefined {
  if (length > messageBytesMax) {
    const text = `grpc: received message larger than max (${length} vs. ${messageBytesMax})`;
    return new StatusError(RESOURCE_EXHAUSTED, text);
  }
  if (flag === COMPRESSED && !isGzip) {
    return new StatusError(INTERNAL, 'grpc: compressed flag set with identity or empty encoding');
  }
  if (flag > COMPRESSED) return new StatusError(INTERNAL, `grpc: received unexpected payload format ${flag}`);
  return undefined;
}

/** Throws StatusError. */
export function decompress(message: Uint8Array, messageBytesMax: number): Uint8Array {
  try {
    return gunzipSync(message, { maxOutputLength: messageBytesMax });
  } catch (error) {
    if (error instanceof RangeError) {
      const text = `grpc: received message after decompression larger than max ${messageBytesMax}`;
      throw new StatusError(RESOURCE_EXHAUSTED, text);
    }
    const text = errorText(error);
    throw new StatusError(INTERNAL, `grpc: failed to decompress the message: ${text}`);
  }
}
