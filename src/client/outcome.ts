// How a call ended, from its last field section or from the error code of its stream: the inverse of
// grpc/status-fields.ts. Sources: gRPC over HTTP/2 "Responses" and "Errors", grpc-go's mapping of HTTP status.

import {
  CANCELLED,
  INTERNAL,
  OK,
  PERMISSION_DENIED,
  RESOURCE_EXHAUSTED,
  StatusError,
  UNAVAILABLE,
  UNIMPLEMENTED,
  UNKNOWN,
} from '../api/errors.ts';
import { decodeMessage } from '../grpc/status-fields.ts';
import { CANCEL, ENHANCE_YOUR_CALM, errorCodeName, INADEQUATE_SECURITY, REFUSED_STREAM } from '../h2/error-code.ts';
import { type HeaderBlock, headerValue } from '../h2/header-block.ts';

const UNAUTHENTICATED = 16;
const CODE_MAX = 16;

const CODE_OF_HTTP_STATUS: Readonly<Record<string, number>> = {
  400: INTERNAL,
  401: UNAUTHENTICATED,
  403: PERMISSION_DENIED,
  404: UNIMPLEMENTED,
  429: UNAVAILABLE,
  502: UNAVAILABLE,
  503: UNAVAILABLE,
  504: UNAVAILABLE,
};

/** Undefined: the call succeeded. For trailers, and for response headers that end the stream. */
export function outcomeOf(block: HeaderBlock): StatusError | undefined {
  const text = headerValue(block.fields, 'grpc-status');
  if (text === undefined) {
    return responseError(block) ?? new StatusError(UNKNOWN, 'the server ended the call without a status');
  }
  const code = Number(text);
  if (code === OK) return undefined;
  const isKnown = Number.isInteger(code) && code > OK && code <= CODE_MAX;
  return new StatusError(isKnown ? code : UNKNOWN, decodeMessage(headerValue(block.fields, 'grpc-message') ?? ''));
}

/** What is wrong with response headers before any message: not a gRPC server, or not in the mood. */
export function responseError(block: HeaderBlock): StatusError | undefined {
  const status = headerValue(block.fields, ':status') ?? '200';
  const contentType = headerValue(block.fields, 'content-type') ?? '';
  if (status !== '200') {
    const text = `unexpected HTTP status code received from server: ${status}`;
    return new StatusError(CODE_OF_HTTP_STATUS[status] ?? UNKNOWN, text);
  }
  if (contentType.startsWith('application/grpc')) return undefined;
  return new StatusError(UNKNOWN, `received unexpected content-type ${JSON.stringify(contentType)}`);
}

/** A stream that was reset while its connection lives on. */
export function resetError(errorCode: number): StatusError {
  const text = `stream terminated by RST_STREAM with error code: ${errorCodeName(errorCode)}`;
  switch (errorCode) {
    case REFUSED_STREAM:
      return new StatusError(UNAVAILABLE, text);
    case CANCEL:
      return new StatusError(CANCELLED, text);
    case ENHANCE_YOUR_CALM:
      return new StatusError(RESOURCE_EXHAUSTED, text);
    case INADEQUATE_SECURITY:
      return new StatusError(PERMISSION_DENIED, text);
    default:
      return new StatusError(INTERNAL, text);
  }
}

export function connectionError(reason: string): StatusError {
  return new StatusError(UNAVAILABLE, `connection error: ${reason}`);
}
