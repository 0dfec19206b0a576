// What the request's header fields say, worked out once for each distinct header block (it is kept in the block's
// memo) and read for every call: gRPC over HTTP/2, "Requests".

import { INTERNAL, StatusError, UNIMPLEMENTED } from '../api/errors.ts';
import type { HeaderBlock } from '../h2/header-block.ts';
import { headerValue } from '../h2/header-block.ts';
import type { MethodEntry, Registry } from './registry.ts';

const TIMEOUT_UNIT_MS: Readonly<Record<string, number>> = { H: 3_600_000, M: 60_000, S: 1000, m: 1, u: 1e-3, n: 1e-6 };

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

  constructor(block: HeaderBlock, registry: Registry) {
    const { fields } = block;
    this.block = block;
    this.httpMethod = headerValue(fields, ':method') ?? '';
    this.path = headerValue(fields, ':path') ?? '';
    const contentType = headerValue(fields, 'content-type') ?? '';
    this.isGrpc = isGrpcContentType(contentType);
    const timeout = headerValue(fields, 'grpc-timeout');
    const timeoutMs = timeout === undefined ? 0 : parseTimeoutMs(timeout);
    this.timeoutMs = Number.isNaN(timeoutMs) ? 0 : timeoutMs;
    const encoding = headerValue(fields, 'grpc-encoding') ?? 'identity';
    const entry = registry.find(this.path);
    if (Number.isNaN(timeoutMs)) {
      this.refusal = new StatusError(INTERNAL, `malformed grpc-timeout: ${timeout}`);
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

function isGrpcContentType(value: string): boolean {
  return value === 'application/grpc' || value.startsWith('application/grpc+') || value.startsWith('application/grpc;');
}

/** One to eight digits and a unit; NaN when malformed. At least a tick, so that 0 can mean none. */
export function parseTimeoutMs(text: string): number {
  const match = /^([0-9]{1,8})([HMSmun])$/.exec(text);
  if (match === null) return Number.NaN;
  return Math.max(Number(match[1]) * TIMEOUT_UNIT_MS[match[2]], 1e-6);
}
