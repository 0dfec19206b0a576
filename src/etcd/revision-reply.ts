// Replies that are all alike but for their revision: to puts, and to guarded puts that were carried out. The last one becomes the next
// one by writing the revision anew; a revision of another length makes another reply.
//
//   PutResponse   0a len ─ cluster, member, 18 revision, term
//   TxnResponse   0a len ─ cluster, member, 18 revision, term │ 10 01 │ 1a len ─ 12 len ─ 0a len ─ 18 revision

import type { ServerIdentity } from '../api/header-writer.ts';
import { ReplyWriter } from './reply-writer.ts';

/** What follows the header, with the revision once more at most. */
type Rest = (writer: ReplyWriter, revision: number) => void;

export const noRest: Rest = () => {};

export const restOfGuardedPut: Rest = (writer, revision) => {
  writer.bool(0x10, true);
  const outer = writer.open(0x1a);
  const body = writer.open(0x12);
  writer.innerHeader(revision);
  writer.close(body);
  writer.close(outer);
};

export class RevisionReply {
  readonly #writer: ReplyWriter;
  readonly #writeRest: Rest;
  /** The revisions that are as long as that of the last reply: [min, end). */
  #revisionMin = 0;
  #revisionEnd = 0;
  /** Where the revision is: in the header, and for the last time. */
  #first = 0;
  #last = 0;
  #end = 0;

  constructor(identity: ServerIdentity, writeRest: Rest) {
    this.#writer = new ReplyWriter(identity);
    this.#writeRest = writeRest;
  }

  /** The reply at a revision above 0, to be read only; valid until the next call. */
  at(revision: number): ReplyWriter {
    const writer = this.#writer;
    if (revision < this.#revisionMin || revision >= this.#revisionEnd) {
      this.#make(revision);
      return writer;
    }
    writer.position = this.#first;
    writer.varint(revision);
    if (this.#last !== this.#first) {
      writer.position = this.#last;
      writer.varint(revision);
    }
    writer.position = this.#end;
    return writer;
  }

  #make(revision: number): void {
    const writer = this.#writer;
    writer.reset();
    writer.header(revision);
    this.#first = writer.revisionAt;
    this.#writeRest(writer, revision);
    this.#last = writer.revisionAt;
    this.#end = writer.position;
    this.#revisionMin = 1;
    for (this.#revisionEnd = 128; revision >= this.#revisionEnd; this.#revisionEnd *= 128) {
      this.#revisionMin = this.#revisionEnd;
    }
  }
}
