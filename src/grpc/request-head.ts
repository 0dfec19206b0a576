// What the request's header fields say, worked out once for each distinct header block (it is kept in the block's
// memo) and read for every call: gRPC over HTTP/2, "Requests".
//
// A client that gives its calls a deadline says in each how much of it is left, so that no two blocks are the same. A head that differs in
// that from the one before has the rest from there.

import { INTERNAL, StatusError, UNIMPLEMENTED } from '../api/errors.ts';
import type { HeaderBlock } from '../h2/header-block.ts';
import { headerValue } from '../h2/header-block.ts';
import type { MethodEntry, Registry } from './registry.ts';

const TIMEOUT = 'grpc-timeout';
const TIMEOUT_DIGITS_MAX = 8;

export class RequestHead {
  readonly isGrpc: boolean;
  readonly httpMethod: string;
  readonly path: string;
  /** Undefined: the call is refused with `refusal`. */
  readonly entry: MethodEntry | undefined;
  readonly refusal: StatusError | undefined;
  /** Milliseconds from arrival; 0 means none was given. */
  readonly timeoutMs: number;
  readonly block: HeaderBlock;
  /** Which field has the timeout; −1: none. */
  readonly timeoutPlace: number;

  /** `before`: another one of the same connection and registry. */
  constructor(block: HeaderBlock, registry: Registry, before?: RequestHead) {
    const { fields } = block;
    this.block = block;
    const model = before !== undefined && differInTimeout(before, block) ? before : undefined;
    const place = model === undefined ? fields.findIndex(({ name }) => name === TIMEOUT) : model.timeoutPlace;
    this.timeoutPlace = place;
    const timeoutMs = place < 0 ? 0 : parseTimeoutMs(fields[place].value);
    if (model !== undefined && !Number.isNaN(timeoutMs)) {
      this.httpMethod = model.httpMethod;
      this.path = model.path;
      this.isGrpc = model.isGrpc;
      this.timeoutMs = timeoutMs;
      this.refusal = undefined;
      this.entry = model.entry;
      return;
    }
    this.httpMethod = headerValue(fields, ':method') ?? '';
    this.path = headerValue(fields, ':path') ?? '';
    const contentType = headerValue(fields, 'content-type') ?? '';
    this.isGrpc = isGrpcContentType(contentType);
    this.timeoutMs = Number.isNaN(timeoutMs) ? 0 : timeoutMs;
    const encoding = headerValue(fields, 'grpc-encoding') ?? 'identity';
    const entry = registry.find(this.path);
    if (Number.isNaN(timeoutMs)) {
      this.refusal = new StatusError(INTERNAL, `malformed grpc-timeout: ${fields[place].value}`);
    } else if (entry === undefined) {
      this.refusal = new StatusError(UNIMPLEMENTED, registry.unimplementedText(this.path));
    } else if (encoding !== 'identity' && encoding !== '') {
      const text = `grpc: Decompressor is not installed for grpc-encoding ${JSON.stringify(encoding)}`;
      this.refusal = new StatusError(UNIMPLEMENTED, text);
    } else this.refusal = undefined;
    this.entry = this.refusal === undefined ? entry : undefined;
  }

  /** A request's metadata value. */
  metadata(name: string): string | undefined {
    return headerValue(this.block.fields, name);
  }
}

/** `head` was served, and only the timeout is another one. Fields that the peer refers to by their place in its table are the same objects. */
function differInTimeout(head: RequestHead, { fields }: HeaderBlock): boolean {
  const place = head.timeoutPlace;
  const known = head.block.fields;
  if (head.entry === undefined || place < 0 || fields.length !== known.length) return false;
  if (fields[place].name !== TIMEOUT) return false;
  for (let i = 0; i < fields.length; i++) if (i !== place && fields[i] !== known[i]) return false;
  return true;
}

function isGrpcContentType(value: string): boolean {
  return value === 'application/grpc' || value.startsWith('application/grpc+') || value.startsWith('application/grpc;');
}

/** One to eight digits and a unit; NaN when malformed. At least a tick, so that 0 can mean none. */
export function parseTimeoutMs(text: string): number {
  const digits = text.length - 1;
  if (digits < 1 || digits > TIMEOUT_DIGITS_MAX) return Number.NaN;
  let count = 0;
  for (let i = 0; i < digits; i++) {
    const digit = text.charCodeAt(i) - 0x30;
    if (digit < 0 || digit > 9) return Number.NaN;
    count = count * 10 + digit;
  }
  return Math.max(count * unitMs(text.charCodeAt(digits)), 1e-6);
}

/** NaN: no unit of gRPC's. */
function unitMs(code: number): number {
  switch (code) {
    case 0x48: // H
      return 3_600_000;
    case 0x4d: // M
      return 60_000;
    case 0x53: // S
      return 1000;
    case 0x6d: // m
      return 1;
    case 0x75: // u
      return 1e-3;
    case 0x6e: // n
      return 1e-6;
    default:
      return Number.NaN;
  }
}
