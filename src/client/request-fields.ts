// The header fields of a request, as clientv3 sends them over grpc-go.

import type { HeaderField } from '../h2/header-block.ts';

/** The API that we speak: etcd 3.7. */
const CLIENT_API_VERSION = '3.7.0';
const USER_AGENT = 'k1m';
/** grpc-timeout has at most eight digits. */
const TIMEOUT_DIGITS_MAX = 99_999_999;

export function requestFields(authority: string, path: string): HeaderField[] {
  return [
    { name: ':method', value: 'POST' },
    { name: ':scheme', value: 'http' },
    { name: ':path', value: path },
    { name: ':authority', value: authority },
    { name: 'content-type', value: 'application/grpc' },
    { name: 'user-agent', value: USER_AGENT },
    { name: 'te', value: 'trailers' },
    { name: 'client-api-version', value: CLIENT_API_VERSION },
  ];
}

/** With `hasleader` a server that has lost its cluster ends the stream instead of leaving it silent. */
export const HAS_LEADER: HeaderField = { name: 'hasleader', value: 'true' };

export function timeoutField(timeoutMs: number): HeaderField {
  const isInSeconds = timeoutMs > TIMEOUT_DIGITS_MAX;
  const count = Math.min(Math.max(1, Math.ceil(isInSeconds ? timeoutMs / 1000 : timeoutMs)), TIMEOUT_DIGITS_MAX);
  return { name: 'grpc-timeout', value: `${count}${isInSeconds ? 'S' : 'm'}` };
}
