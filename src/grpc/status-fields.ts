// A call's outcome as header fields: gRPC over HTTP/2, "Responses". The only place where an error becomes a trailer.

import type { StatusError } from '../api/errors.ts';
import type { HeaderField } from '../h2/header-block.ts';

export const RESPONSE_FIELDS: readonly HeaderField[] = [
  { name: ':status', value: '200' },
  { name: 'content-type', value: 'application/grpc' },
];

export const OK_FIELDS: readonly HeaderField[] = [{ name: 'grpc-status', value: '0' }];

export function statusFields(error: StatusError): HeaderField[] {
  return [
    { name: 'grpc-status', value: String(error.code) },
    { name: 'grpc-message', value: encodeMessage(error.message) },
  ];
}

/** The whole answer to what was no request of gRPC. */
export function refusalFields(httpStatus: number, error: StatusError): HeaderField[] {
  return [{ name: ':status', value: String(httpStatus) }, ...RESPONSE_FIELDS.slice(1), ...statusFields(error)];
}

/** Percent-encoding of all but printable ASCII, and of the percent sign. */
export function encodeMessage(text: string): string {
  let encoded = '';
  for (const byte of Buffer.from(text, 'utf8')) {
    if (byte >= 0x20 && byte <= 0x7e && byte !== 0x25) encoded += String.fromCharCode(byte);
    else encoded += `%${byte.toString(16).toUpperCase().padStart(2, '0')}`;
  }
  return encoded;
}

/** The inverse; what is not a valid escape stays as it is. */
export function decodeMessage(text: string): string {
  const bytes: number[] = [];
  for (let i = 0; i < text.length; i++) {
    const hex = text.slice(i + 1, i + 3);
    if (text[i] === '%' && /^[0-9a-fA-F]{2}$/.test(hex)) {
      bytes.push(Number.parseInt(hex, 16));
      i += 2;
    } else bytes.push(text.charCodeAt(i) & 0xff);
  }
  return Buffer.from(bytes).toString('utf8');
}
