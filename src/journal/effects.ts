// Effects read back from a batch body (format.ts has the layout): one pass, no object per effect. The body's
// checksum is good, so a malformed effect is a writer's mistake, told as a reason.

import {
  ALARM,
  CLEAN,
  COMPACT,
  DELETE,
  LEASE_GRANT,
  LEASE_REVOKE,
  MARK,
  META,
  OPEN,
  PUT,
  readId,
  TIME,
} from './format.ts';
import type { JournalIdentity, JournalVisitor } from './journal.ts';

/** What a log says of itself, beside the effects that make the store. */
export interface LogState {
  /** From META; undefined until it was seen. */
  identity: JournalIdentity | undefined;
  /** Where the revision counter must go on, at least. */
  revision: number;
  /** The last effect was CLEAN. */
  isClean: boolean;
  /** From the last TIME; undefined until there was one. */
  wallMs: number | undefined;
  effects: number;
}

export function emptyLogState(revision: number): LogState {
  return { identity: undefined, revision, isClean: false, wallMs: undefined, effects: 0 };
}

export class EffectReader {
  readonly #visitor: JournalVisitor;
  readonly #state: LogState;
  #buffer: Uint8Array = new Uint8Array(0);
  #position = 0;
  #end = 0;

  constructor(visitor: JournalVisitor, state: LogState) {
    this.#visitor = visitor;
    this.#state = state;
  }

  /** Gives all effects in buffer[start, end) to the visitor. Returns what is wrong, or undefined. */
  read(buffer: Uint8Array, start: number, end: number): string | undefined {
    this.#buffer = buffer;
    this.#position = start;
    this.#end = end;
    while (this.#position < end) {
      const type = buffer[this.#position++];
      this.#state.effects++;
      this.#state.isClean = false;
      if (type === PUT) {
        const sub = this.#varint();
        const valueEnd = this.#lengthDelimited();
        if (valueEnd > end) return 'an effect is cut off';
        this.#visitor.onPut(sub, buffer, this.#position, valueEnd);
        this.#position = valueEnd;
      } else {
        const wrong = type === DELETE ? this.#delete() : this.#other(type);
        if (wrong !== undefined) return wrong;
      }
    }
    return this.#position > end ? 'an effect is cut off' : undefined;
  }

  #delete(): string | undefined {
    const main = this.#varint();
    const sub = this.#varint();
    const keyEnd = this.#lengthDelimited();
    if (keyEnd > this.#end) return 'an effect is cut off';
    this.#visitor.onDelete(main, sub, this.#buffer, this.#position, keyEnd);
    this.#position = keyEnd;
    return undefined;
  }

  #other(type: number): string | undefined {
    switch (type) {
      case LEASE_GRANT:
        this.#visitor.onLeaseGrant(this.#id(), this.#varint());
        return undefined;
      case LEASE_REVOKE:
        this.#visitor.onLeaseRevoke(this.#id());
        return undefined;
      case COMPACT:
        this.#visitor.onCompact(this.#varint());
        return undefined;
      case ALARM:
        this.#visitor.onAlarm(this.#varint(), this.#varint() === 1);
        return undefined;
      case META:
        this.#state.identity = { memberId: this.#id(), clusterId: this.#id() };
        return undefined;
      case MARK:
      case OPEN:
        this.#state.revision = Math.max(this.#state.revision, this.#varint());
        return undefined;
      case CLEAN:
        this.#state.revision = this.#varint();
        this.#state.isClean = true;
        return undefined;
      case TIME:
        this.#state.wallMs = this.#varint();
        return undefined;
      default:
        return `effect type ${type} is unknown`;
    }
  }

  #id(): bigint {
    const at = this.#position;
    this.#position = at + 8;
    return readId(this.#buffer, at);
  }

  #lengthDelimited(): number {
    const length = this.#varint();
    return this.#position + length;
  }

  /** Reading past the end gives nonsense, which the comparison with `end` then finds. */
  #varint(): number {
    const buffer = this.#buffer;
    let at = this.#position;
    let byte = buffer[at++];
    let value = byte & 127;
    for (let multiplier = 128; byte > 127; multiplier *= 128) {
      byte = buffer[at++];
      value += (byte & 127) * multiplier;
    }
    this.#position = at;
    return value;
  }
}
