// What the request's header fields say, worked out once for each distinct header block (it is kept in the block's
// memo) and read for every call: gRPC over HTTP/2, "Requests".
//
// A client that gives its calls a deadline says in each how much of it is left, so that no two blocks are the same. A head that differs in
// that from the one before has the rest from there.

import { DEADLINE_EXCEEDED, INTERNAL, INVALID_ARGUMENT, StatusError, UNIMPLEMENTED } from '../api/errors.ts';
import type { HeaderBlock } from '../h2/header-block.ts';
import { headerValue } from '../h2/header-block.ts';
import type { MethodEntry, Registry } from './registry.ts';

const TIMEOUT = 'grpc-timeout';
const TIMEOUT_DIGITS_MAX = 8;
/** With less the deadline has passed before anything can have been done. */
const TIMEOUT_MS_MIN = 1e-3;
const GZIP = 'gzip';

/** A call that is not looked at further. */
export interface Refusal {
  /** As grpc-go's server: 200 where it is a request of gRPC at all. */
  readonly httpStatus: number;
  readonly error: StatusError;
}

export class RequestHead {
  /** Of gRPC, or for one of its methods. */
  readonly isGrpc: boolean;
  readonly httpMethod: string;
  readonly path: string;
  /** Undefined: the call is refused with `refusal`. */
  readonly entry: MethodEntry | undefined;
  readonly refusal: Refusal | undefined;
  /** Its messages may be compressed. */
  readonly isGzip: boolean;
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
    if (model !== undefined && timeoutMs >= TIMEOUT_MS_MIN) {
      this.httpMethod = model.httpMethod;
      this.path = model.path;
      this.isGrpc = model.isGrpc;
      this.isGzip = model.isGzip;
      this.timeoutMs = timeoutMs;
      this.refusal = undefined;
      this.entry = model.entry;
      return;
    }
    this.httpMethod = headerValue(fields, ':method') ?? '';
    this.path = headerValue(fields, ':path') ?? '';
    const contentType = headerValue(fields, 'content-type') ?? '';
    const encoding = headerValue(fields, 'grpc-encoding') ?? 'identity';
    const entry = registry.find(this.path);
    const hasGrpcType = isGrpcContentType(contentType);
    this.isGrpc = hasGrpcType || entry !== undefined;
    this.isGzip = encoding === GZIP;
    this.timeoutMs = Number.isNaN(timeoutMs) ? 0 : timeoutMs;
    if (!hasGrpcType) {
      this.refusal = refuse(415, INVALID_ARGUMENT, `invalid gRPC request content-type ${JSON.stringify(contentType)}`);
    } else if (Number.isNaN(timeoutMs)) {
      this.refusal = refuse(400, INTERNAL, `malformed grpc-timeout: ${timeoutProblem(fields[place].value)}`);
    } else if (this.httpMethod !== 'POST') {
      const text = `Received a HEADERS frame with :method ${JSON.stringify(this.httpMethod)} which should be POST`;
      this.refusal = refuse(405, INTERNAL, text);
    } else if (place >= 0 && timeoutMs < TIMEOUT_MS_MIN) {
      this.refusal = refuse(200, DEADLINE_EXCEEDED, 'context deadline exceeded');
    } else if (entry === undefined) {
      this.refusal = refuse(200, UNIMPLEMENTED, registry.unimplementedText(this.path));
    } else if (encoding !== 'identity' && encoding !== '' && !this.isGzip) {
      const text = `grpc: Decompressor is not installed for grpc-encoding ${JSON.stringify(encoding)}`;
      this.refusal = refuse(200, UNIMPLEMENTED, text);
    } else this.refusal = undefined;
    this.entry = this.refusal === undefined ? entry : undefined;
  }

  /** A request's metadata value. */
  metadata(name: string): string | undefined {
    return headerValue(this.block.fields, name);
  }
}

function refuse(httpStatus: number, code: number, text: string): Refusal {
  return { httpStatus, error: new StatusError(code, text) };
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

/** What is wrong with a timeout, in the words of grpc-go. */
function timeoutProblem(text: string): string {
  const quoted = JSON.stringify(text);
  if (text.length < 2) return `transport: timeout string is too short: ${quoted}`;
  if (text.length > TIMEOUT_DIGITS_MAX + 1) return `transport: timeout string is too long: ${quoted}`;
  if (Number.isNaN(unitMs(text.charCodeAt(text.length - 1)))) {
    return `transport: timeout unit is not recognized: ${quoted}`;
  }
  return `strconv.ParseUint: parsing ${JSON.stringify(text.slice(0, -1))}: invalid syntax`;
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
