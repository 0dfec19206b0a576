// HPACK's static table (RFC 7541 appendix A). Index 0 is not used.

import { TableField } from './table-field.ts';

export const STATIC_COUNT = 61;

const FIELDS: readonly (readonly [name: string, value: string])[] = [
  [':authority', ''],
  [':method', 'GET'],
  [':method', 'POST'],
  [':path', '/'],
  [':path', '/index.html'],
  [':scheme', 'http'],
  [':scheme', 'https'],
  [':status', '200'],
  [':status', '204'],
  [':status', '206'],
  [':status', '304'],
  [':status', '400'],
  [':status', '404'],
  [':status', '500'],
  ['accept-charset', ''],
  ['accept-encoding', 'gzip, deflate'],
  ['accept-language', ''],
  ['accept-ranges', ''],
  ['accept', ''],
  ['access-control-allow-origin', ''],
  ['age', ''],
  ['allow', ''],
  ['authorization', ''],
  ['cache-control', ''],
  ['content-disposition', ''],
  ['content-encoding', ''],
  ['content-language', ''],
  ['content-length', ''],
  ['content-location', ''],
  ['content-range', ''],
  ['content-type', ''],
  ['cookie', ''],
  ['date', ''],
  ['etag', ''],
  ['expect', ''],
  ['expires', ''],
  ['from', ''],
  ['host', ''],
  ['if-match', ''],
  ['if-modified-since', ''],
  ['if-none-match', ''],
  ['if-range', ''],
  ['if-unmodified-since', ''],
  ['last-modified', ''],
  ['link', ''],
  ['location', ''],
  ['max-forwards', ''],
  ['proxy-authenticate', ''],
  ['proxy-authorization', ''],
  ['range', ''],
  ['referer', ''],
  ['refresh', ''],
  ['retry-after', ''],
  ['server', ''],
  ['set-cookie', ''],
  ['strict-transport-security', ''],
  ['transfer-encoding', ''],
  ['user-agent', ''],
  ['vary', ''],
  ['via', ''],
  ['www-authenticate', ''],
];

export const STATIC_FIELDS: readonly TableField[] = [
  new TableField('', ''),
  ...FIELDS.map(([name, value]) => new TableField(name, value)),
];

/** The first index of each name. */
const NAME_INDEX: ReadonlyMap<string, number> = new Map(
  STATIC_FIELDS.map((field, index): [string, number] => [field.name, index])
    .slice(1)
    .reverse(),
);

/** The index of a field with this name, or 0. */
export function staticNameIndex(name: string): number {
  return NAME_INDEX.get(name) ?? 0;
}

/** The index of this very field, or 0. */
export function staticFieldIndex(name: string, value: string): number {
  const first = staticNameIndex(name);
  if (first === 0) return 0;
  for (let index = first; index <= STATIC_COUNT && STATIC_FIELDS[index].name === name; index++) {
    if (STATIC_FIELDS[index].value === value) return index;
  }
  return 0;
}
