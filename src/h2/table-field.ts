// A field as tables hold it: name, value, its size by HPACK's rule, and what the rules for messages need to know
// of it (RFC 9113 §8.2, §8.3), found out once when the field is made.

import type { HeaderField } from './header-block.ts';

/** Not allowed in any message: bad characters, a connection-specific field, an unknown or malformed pseudo field. */
export const FIELD_INVALID = 1;
export const FIELD_REGULAR = 2;
export const FIELD_METHOD = 4;
export const FIELD_SCHEME = 8;
export const FIELD_PATH = 16;
export const FIELD_AUTHORITY = 32;
export const FIELD_STATUS = 64;
/** `:method CONNECT`, beside FIELD_METHOD. */
export const FIELD_CONNECT = 128;
/** `:status 1xx`, beside FIELD_STATUS. */
export const FIELD_INFORMATIONAL = 256;
/** `content-length`, beside FIELD_REGULAR. */
export const FIELD_CONTENT_LENGTH = 512;
/** Beside FIELD_REGULAR: with this name every valid value is right. */
export const FIELD_PLAIN = 1024;

export const FIELD_PSEUDO: number = FIELD_METHOD | FIELD_SCHEME | FIELD_PATH | FIELD_AUTHORITY | FIELD_STATUS;

/** What HPACK adds to the length of name and value (RFC 7541 §4.1). */
export const FIELD_OVERHEAD_BYTES = 32;

export class TableField implements HeaderField {
  readonly name: string;
  readonly value: string;
  readonly sizeBytes: number;
  /** FIELD_… bits. */
  readonly kind: number;

  /** `namesake`: a field of the same name, which saves looking at the name again. */
  constructor(name: string, value: string, namesake?: TableField) {
    this.name = name;
    this.value = value;
    this.sizeBytes = name.length + value.length + FIELD_OVERHEAD_BYTES;
    if (!isValidValue(value)) this.kind = FIELD_INVALID;
    else if (namesake !== undefined && (namesake.kind & FIELD_PLAIN) !== 0) this.kind = namesake.kind;
    else this.kind = kindOf(name, value);
  }
}

function kindOf(name: string, value: string): number {
  switch (name) {
    case ':method':
      return value === 'CONNECT' ? FIELD_METHOD | FIELD_CONNECT : FIELD_METHOD;
    case ':scheme':
      return FIELD_SCHEME;
    case ':path':
      return value.length === 0 ? FIELD_INVALID : FIELD_PATH;
    case ':authority':
      return FIELD_AUTHORITY;
    case ':status':
      if (!/^[1-9][0-9][0-9]$/.test(value)) return FIELD_INVALID;
      return value.startsWith('1') ? FIELD_STATUS | FIELD_INFORMATIONAL : FIELD_STATUS;
    case 'connection':
    case 'proxy-connection':
    case 'keep-alive':
    case 'transfer-encoding':
    case 'upgrade':
      return FIELD_INVALID;
    case 'te':
      return value === 'trailers' ? FIELD_REGULAR : FIELD_INVALID;
    case 'content-length':
      return /^[0-9]{1,15}$/.test(value) ? FIELD_REGULAR | FIELD_CONTENT_LENGTH : FIELD_INVALID;
    default:
      return isValidName(name) ? FIELD_REGULAR | FIELD_PLAIN : FIELD_INVALID;
  }
}

/** RFC 9113 §8.2.1: no control characters, spaces, upper case, bytes from 0x7f on, or colons. */
function isValidName(name: string): boolean {
  for (let i = 0; i < name.length; i++) {
    const code = name.charCodeAt(i);
    if (code <= 0x20 || code >= 0x7f || code === 0x3a || (code >= 0x41 && code <= 0x5a)) return false;
  }
  return name.length > 0;
}

/** RFC 9113 §8.2.1: no NUL, CR or LF, and no white space at either end. */
function isValidValue(value: string): boolean {
  const length = value.length;
  if (length === 0) return true;
  for (let i = 0; i < length; i++) {
    const code = value.charCodeAt(i);
    if (code <= 13 && (code === 0 || code === 10 || code === 13)) return false;
  }
  const first = value.charCodeAt(0);
  const last = value.charCodeAt(length - 1);
  return first !== 0x20 && first !== 9 && last !== 0x20 && last !== 9;
}
