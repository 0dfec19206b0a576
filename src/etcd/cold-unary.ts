// A unary handler over decoded messages, for methods that are not called often.

import type { TypedMethod } from '../api/methods.ts';
import { ByteWriter } from '../base/byte-writer.ts';
import type { Registry } from '../grpc/registry.ts';
import type { ServerCall } from '../grpc/server-call.ts';

/** Answers at once with a message; or returns undefined and answers later. */
export type ColdHandler<Request, Response> = (request: Request, call: ServerCall) => Partial<Response> | undefined;

export function registerCold<Request extends object, Response extends object>(
  registry: Registry,
  method: TypedMethod<Request, Response>,
  handler: ColdHandler<Request, Response>,
): void {
  registry.unary(method, (call, buffer, start, end) => {
    const response = handler(method.request.decode(buffer, start, end), call);
    if (response !== undefined) call.reply(...wholeOf(encode(method, response)));
  });
}

export function encode<Request extends object, Response extends object>(
  method: TypedMethod<Request, Response>,
  response: Partial<Response>,
): Uint8Array {
  const writer = new ByteWriter();
  method.response.encode(response, writer);
  return writer.copy();
}

export function wholeOf(bytes: Uint8Array): [Uint8Array, number, number] {
  return [bytes, 0, bytes.length];
}
