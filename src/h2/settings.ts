// SETTINGS (RFC 9113 §6.5): the peer's values as they stand, and ours as bytes.

import { writeUint32 } from '../base/bytes.ts';
import type { ConnectionOptions } from './connection-options.ts';
import { ConnectionError, FLOW_CONTROL_ERROR, PROTOCOL_ERROR } from './error-code.ts';
import {
  DEFAULT_WINDOW_BYTES,
  FRAME_BYTES_MAX_MAX,
  FRAME_BYTES_MIN_MAX,
  readUint32,
  WINDOW_BYTES_MAX,
} from './frame.ts';

export const SETTING_BYTES = 6;

const HEADER_TABLE_SIZE = 1;
const ENABLE_PUSH = 2;
const MAX_CONCURRENT_STREAMS = 3;
const INITIAL_WINDOW_SIZE = 4;
const MAX_FRAME_SIZE = 5;
const MAX_HEADER_LIST_SIZE = 6;

const UNLIMITED = 0xffff_ffff;

export class PeerSettings {
  headerTableBytes = 4096;
  streamsMax: number = UNLIMITED;
  initialWindowBytes: number = DEFAULT_WINDOW_BYTES;
  frameBytesMax: number = FRAME_BYTES_MIN_MAX;
  headerListBytesMax: number = UNLIMITED;
  /** The smallest headerTableBytes since it was last asked for: a table that shrank and grew again was emptied. */
  headerTableBytesLow = 4096;

  /** Applies a SETTINGS payload (a multiple of six bytes). Throws ConnectionError. */
  apply(buffer: Uint8Array, start: number, end: number, isFromServer: boolean): void {
    this.headerTableBytesLow = this.headerTableBytes;
    for (let at = start; at < end; at += SETTING_BYTES) {
      this.#set((buffer[at] << 8) | buffer[at + 1], readUint32(buffer, at + 2), isFromServer);
    }
  }

  #set(id: number, value: number, isFromServer: boolean): void {
    switch (id) {
      case HEADER_TABLE_SIZE:
        this.headerTableBytes = value;
        this.headerTableBytesLow = Math.min(this.headerTableBytesLow, value);
        return;
      case ENABLE_PUSH:
        if (value > 1 || (isFromServer && value === 1)) {
          throw new ConnectionError(PROTOCOL_ERROR, `ENABLE_PUSH is ${value}`);
        }
        return;
      case MAX_CONCURRENT_STREAMS:
        this.streamsMax = value;
        return;
      case INITIAL_WINDOW_SIZE:
        if (value > WINDOW_BYTES_MAX) throw new ConnectionError(FLOW_CONTROL_ERROR, `INITIAL_WINDOW_SIZE is ${value}`);
        this.initialWindowBytes = value;
        return;
      case MAX_FRAME_SIZE:
        if (value < FRAME_BYTES_MIN_MAX || value > FRAME_BYTES_MAX_MAX) {
          throw new ConnectionError(PROTOCOL_ERROR, `MAX_FRAME_SIZE is ${value}`);
        }
        this.frameBytesMax = value;
        return;
      case MAX_HEADER_LIST_SIZE:
        this.headerListBytesMax = value;
        return;
      default:
        // Unknown settings are ignored (§6.5.2).
        return;
    }
  }
}

/** Our settings as a SETTINGS payload. */
export function encodeSettings(options: ConnectionOptions, isServer: boolean): Uint8Array {
  const settings: [id: number, value: number][] = [
    [HEADER_TABLE_SIZE, options.decoderTableBytesMax],
    [INITIAL_WINDOW_SIZE, options.streamWindowBytes],
    [MAX_FRAME_SIZE, options.frameBytesMax],
    [MAX_HEADER_LIST_SIZE, options.headerListBytesMax],
  ];
  if (!isServer) settings.push([ENABLE_PUSH, 0]);
  // No value means no limit; grpc-go announces the largest number instead, which means the same.
  if (isServer && options.concurrentStreamsMax < UNLIMITED) {
    settings.push([MAX_CONCURRENT_STREAMS, options.concurrentStreamsMax]);
  }
  const bytes = new Uint8Array(settings.length * SETTING_BYTES);
  settings.forEach(([id, value], index) => {
    bytes[index * SETTING_BYTES + 1] = id;
    writeUint32(bytes, index * SETTING_BYTES + 2, value);
  });
  return bytes;
}
