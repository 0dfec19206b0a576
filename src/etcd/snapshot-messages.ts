// Cuts the bytes of a snapshot file into SnapshotResponse messages as etcd sends them: 32 KiB each, with what remains and the
// storage version; at the end one with the SHA-256 of all.
//
//   10 remaining_bytes (left out at 0)   1a length blob   22 length version
//
// A message is built in place, in a buffer of its own, and never touched again, since the connection keeps a reference until
// it is sent.

import { createHash } from 'node:crypto';
import { ByteWriter } from '../base/byte-writer.ts';
import { copyBytes } from '../base/bytes.ts';
import type { ByteSink } from '../bolt/bolt-writer.ts';
import type { ServerCall } from '../grpc/server-call.ts';
import type { SnapshotTarget } from './snapshot-stream.ts';

const BLOB_BYTES = 32_768;
/** No further message while this much waits on the call. */
const QUEUE_BYTES_MAX = 1 << 20;
/** What is around a blob. */
const FIELDS_BYTES_MAX = 64;

/** A Maintenance.Snapshot call. */
export class SnapshotCall implements SnapshotTarget {
  readonly #call: ServerCall;
  readonly #version: string;
  #messages: SnapshotMessages | undefined;
  writtenBytes = 0;

  constructor(call: ServerCall, version: string) {
    this.#call = call;
    this.#version = version;
  }

  get isFull(): boolean {
    return this.#call.queuedBytes > QUEUE_BYTES_MAX;
  }

  open(bytes: number): ByteSink {
    this.#messages = new SnapshotMessages(bytes, this.#version, (message, start, end) => {
      this.#call.send(message, start, end);
      this.writtenBytes += end - start;
    });
    return this.#messages;
  }

  finish(): void {
    this.#messages?.finish();
    this.#call.end();
  }
}

class SnapshotMessages implements ByteSink {
  readonly #send: (message: Uint8Array, start: number, end: number) => void;
  readonly #version: Uint8Array;
  readonly #hash = createHash('sha256');
  readonly #fields = new ByteWriter(32);
  #remainingBytes: number;
  /** The message that is being filled: where its blob is, and how far that is. */
  #message: Buffer = Buffer.alloc(0);
  #blobStart = 0;
  #at = 0;
  #blobEnd = 0;

  /** `bytes` is the size of the file, without the hash; it is a multiple of the page size. */
  constructor(bytes: number, version: string, send: (message: Uint8Array, start: number, end: number) => void) {
    this.#remainingBytes = bytes;
    this.#send = send;
    const writer = new ByteWriter();
    writer.string(0x22, version);
    this.#version = writer.copy();
    this.#begin(Math.min(BLOB_BYTES, bytes));
  }

  write(source: Uint8Array, start: number, end: number): void {
    while (end - start > this.#blobEnd - this.#at) {
      const part = this.#blobEnd - this.#at;
      copyBytes(this.#message, this.#at, source, start, start + part);
      this.#at += part;
      start += part;
      this.#finishMessage();
    }
    copyBytes(this.#message, this.#at, source, start, end);
    this.#at += end - start;
  }

  pad(bytes: number): void {
    while (bytes > this.#blobEnd - this.#at) {
      bytes -= this.#blobEnd - this.#at;
      this.#message.fill(0, this.#at, this.#blobEnd);
      this.#at = this.#blobEnd;
      this.#finishMessage();
    }
    this.#message.fill(0, this.#at, this.#at + bytes);
    this.#at += bytes;
  }

  /** All bytes were written: sends the last blob and the hash. */
  finish(): void {
    this.#finishMessage();
    const digest = this.#hash.digest();
    this.#begin(digest.length);
    copyBytes(this.#message, this.#at, digest, 0, digest.length);
    this.#sendMessage();
  }

  #finishMessage(): void {
    this.#hash.update(this.#message.subarray(this.#blobStart, this.#blobEnd));
    this.#sendMessage();
    if (this.#remainingBytes > 0) this.#begin(Math.min(BLOB_BYTES, this.#remainingBytes));
  }

  #sendMessage(): void {
    copyBytes(this.#message, this.#blobEnd, this.#version, 0, this.#version.length);
    this.#send(this.#message, 0, this.#blobEnd + this.#version.length);
  }

  /** Writes the fields in front of the next blob. */
  #begin(blobBytes: number): void {
    this.#remainingBytes = Math.max(0, this.#remainingBytes - blobBytes);
    const fields = this.#fields;
    fields.reset();
    fields.int(0x10, this.#remainingBytes);
    fields.varint(0x1a);
    fields.varint(blobBytes);
    this.#message = Buffer.allocUnsafeSlow(blobBytes + FIELDS_BYTES_MAX);
    copyBytes(this.#message, 0, fields.buffer, 0, fields.position);
    this.#blobStart = fields.position;
    this.#at = this.#blobStart;
    this.#blobEnd = this.#blobStart + blobBytes;
  }
}
