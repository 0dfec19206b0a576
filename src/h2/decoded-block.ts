// A received field section with what the rules for messages need (RFC 9113 §8.1–8.3), found while it is decoded:
// since sections are handed out again (see hpack-decoder.ts), the rules are not applied again either.

import type { HeaderBlock } from './header-block.ts';
import {
  FIELD_AUTHORITY,
  FIELD_CONNECT,
  FIELD_CONTENT_LENGTH,
  FIELD_INFORMATIONAL,
  FIELD_INVALID,
  FIELD_METHOD,
  FIELD_PATH,
  FIELD_PSEUDO,
  FIELD_REGULAR,
  FIELD_SCHEME,
  FIELD_STATUS,
  type TableField,
} from './table-field.ts';

const REQUEST_NEEDS = FIELD_METHOD | FIELD_SCHEME | FIELD_PATH;

export class DecodedBlock implements HeaderBlock {
  readonly fields: TableField[] = [];
  memo: unknown = undefined;
  /** The list was longer than SETTINGS_MAX_HEADER_LIST_SIZE: fields from there on are missing. */
  isTooLong = false;
  /** The content-length, or −1. */
  contentLength = -1;
  /** The union of the fields' kinds; FIELD_INVALID also for repeated, late or contradicting fields. */
  #kinds = 0;

  add(field: TableField): void {
    const kind = field.kind;
    // A pseudo field may come once, and before the regular ones.
    if ((kind & FIELD_PSEUDO) !== 0 && (this.#kinds & ((kind & FIELD_PSEUDO) | FIELD_REGULAR)) !== 0) {
      this.#kinds |= FIELD_INVALID;
    }
    if ((kind & FIELD_CONTENT_LENGTH) !== 0) this.#addContentLength(Number(field.value));
    this.#kinds |= kind;
    this.fields.push(field);
  }

  get isRequest(): boolean {
    const kinds = this.#kinds;
    if ((kinds & (FIELD_INVALID | FIELD_STATUS)) !== 0) return false;
    if ((kinds & FIELD_CONNECT) !== 0) {
      return (kinds & (FIELD_SCHEME | FIELD_PATH | FIELD_AUTHORITY)) === FIELD_AUTHORITY;
    }
    return (kinds & REQUEST_NEEDS) === REQUEST_NEEDS;
  }

  get isResponse(): boolean {
    return (this.#kinds & (FIELD_INVALID | FIELD_PSEUDO)) === FIELD_STATUS;
  }

  get isInformational(): boolean {
    return (this.#kinds & FIELD_INFORMATIONAL) !== 0;
  }

  get isTrailers(): boolean {
    return (this.#kinds & (FIELD_INVALID | FIELD_PSEUDO)) === 0;
  }

  #addContentLength(bytes: number): void {
    if (this.contentLength !== -1 && this.contentLength !== bytes) this.#kinds |= FIELD_INVALID;
    this.contentLength = bytes;
  }
}
