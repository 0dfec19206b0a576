// Writes messages that begin with etcd's ResponseHeader. Its constant parts are encoded once.

import { ByteWriter } from '../base/byte-writer.ts';

const TAG_HEADER = 0x0a;
const TAG_REVISION = 0x18;
const TAG_RAFT_TERM = 0x20;
const HEADER_BYTES_MAX = 48;

/** Who answers: the constant part of every header. */
export interface ServerIdentity {
  readonly clusterId: bigint;
  readonly memberId: bigint;
  /** Goes up with each start of the server; at least 2. */
  readonly raftTerm: number;
}

export class HeaderWriter extends ByteWriter {
  readonly #identity: Uint8Array;
  readonly #term: Uint8Array;
  /** Where the last header has its revision, if that is not 0. */
  revisionAt = 0;

  constructor(identity: ServerIdentity) {
    super(64 * 1024);
    const writer = new ByteWriter();
    writer.int64(0x08, identity.clusterId);
    writer.int64(0x10, identity.memberId);
    this.#identity = writer.copy();
    writer.reset();
    writer.int(TAG_RAFT_TERM, identity.raftTerm);
    this.#term = writer.copy();
  }

  /** A top-level ResponseHeader as field 1; revision 0 is left out. */
  header(revision: number): void {
    this.ensure(HEADER_BYTES_MAX);
    const { buffer } = this;
    buffer[this.position] = TAG_HEADER;
    const bodyStart = this.position + 2;
    let at = bodyStart;
    const identity = this.#identity;
    for (let i = 0; i < identity.length; i++) buffer[at++] = identity[i];
    this.position = at;
    if (revision !== 0) {
      buffer[this.position++] = TAG_REVISION;
      this.revisionAt = this.position;
      this.varint(revision);
    }
    at = this.position;
    const term = this.#term;
    for (let i = 0; i < term.length; i++) buffer[at++] = term[i];
    this.position = at;
    buffer[bodyStart - 1] = at - bodyStart;
  }

  /** The header of an operation inside a Txn: the revision alone. */
  innerHeader(revision: number): void {
    const body = this.open(TAG_HEADER);
    this.revisionAt = this.position + 1;
    this.int(TAG_REVISION, revision);
    this.close(body);
  }
}
