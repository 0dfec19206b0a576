// A certificate that a server makes for itself when it is given none (X.509 v3, RFC 5280, in DER): an ECDSA key on P-256, signed with
// itself, for a host name and addresses.
//
//   Certificate ─┬─ TBSCertificate: version 3, serial, algorithm, issuer, validity, subject, key, extensions
//                ├─ algorithm: ecdsa-with-SHA256
//                └─ signature over the TBSCertificate
//
// It is its own authority, so that a client which is given it as such can check it.

import { generateKeyPairSync, randomBytes, sign } from 'node:crypto';

export interface SelfSigned {
  readonly hostname: string;
  /** IPv4, dotted. */
  readonly addresses: readonly string[];
  /** Valid from an hour before, since clocks differ. */
  readonly nowMs: number;
  readonly validMs: number;
  /** Also what a client shows: absent, it is a server's alone. */
  readonly isClients?: boolean;
}

/** Both in PEM. */
export interface KeyPair {
  readonly certificate: string;
  readonly key: string;
}

const SERIAL_BYTES = 16;
const CLOCK_SLACK_MS = 3_600_000;
const [INTEGER, BIT_STRING, OCTET_STRING, OBJECT, UTF8, SEQUENCE, SET] = [0x02, 0x03, 0x04, 0x06, 0x0c, 0x30, 0x31];
const [BOOLEAN, UTC_TIME, GENERALIZED_TIME] = [0x01, 0x17, 0x18];
/** [n], constructed and primitive. */
const [CONSTRUCTED, IMPLICIT] = [0xa0, 0x80];
const [DNS_NAME, IP_ADDRESS] = [2, 7];

const ECDSA_WITH_SHA256 = [0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02];
const COMMON_NAME = [0x55, 0x04, 0x03];
const [KEY_USAGE, ALTERNATIVE_NAME, BASIC_CONSTRAINTS, EXTENDED_KEY_USAGE] = [
  [0x55, 0x1d, 0x0f],
  [0x55, 0x1d, 0x11],
  [0x55, 0x1d, 0x13],
  [0x55, 0x1d, 0x25],
];
const SERVER_AUTHENTICATION = [0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x03, 0x01];
const CLIENT_AUTHENTICATION = [0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x03, 0x02];
/** digitalSignature and keyCertSign; two bits of the byte are not used. */
const USAGE_BITS = [0x02, 0x84];
const TRUE = [0xff];

export function selfSigned(options: SelfSigned): KeyPair {
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const body = bodyOf(options, publicKey.export({ type: 'spki', format: 'der' }));
  const signature = sign('sha256', body, privateKey);
  const certificate = tagged(SEQUENCE, body, algorithm(), tagged(BIT_STRING, [0], signature));
  return {
    certificate: pemOf('CERTIFICATE', certificate),
    key: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
  };
}

function bodyOf({ hostname, addresses, nowMs, validMs, isClients }: SelfSigned, key: Uint8Array): Uint8Array {
  const serial = randomBytes(SERIAL_BYTES);
  // Positive, and not shorter for a leading zero.
  serial[0] = (serial[0] & 0x7f) | 0x40;
  const name = nameOf(`${hostname}@${Math.floor(nowMs / 1000)}`);
  const names = [
    tagged(IMPLICIT | DNS_NAME, Buffer.from(hostname)),
    ...addresses.map((address) => tagged(IMPLICIT | IP_ADDRESS, address.split('.').map(Number))),
  ];
  const purposes = [SERVER_AUTHENTICATION, ...(isClients === true ? [CLIENT_AUTHENTICATION] : [])];
  const extensions = [
    extension(KEY_USAGE, true, tagged(BIT_STRING, USAGE_BITS)),
    extension(EXTENDED_KEY_USAGE, false, tagged(SEQUENCE, ...purposes.map((purpose) => tagged(OBJECT, purpose)))),
    extension(BASIC_CONSTRAINTS, true, tagged(SEQUENCE, tagged(BOOLEAN, TRUE))),
    extension(ALTERNATIVE_NAME, false, tagged(SEQUENCE, ...names)),
  ];
  return tagged(
    SEQUENCE,
    tagged(CONSTRUCTED, tagged(INTEGER, [2])),
    tagged(INTEGER, serial),
    algorithm(),
    name,
    tagged(SEQUENCE, timeOf(nowMs - CLOCK_SLACK_MS), timeOf(nowMs + validMs)),
    name,
    key,
    tagged(CONSTRUCTED | 3, tagged(SEQUENCE, ...extensions)),
  );
}

function algorithm(): Uint8Array {
  return tagged(SEQUENCE, tagged(OBJECT, ECDSA_WITH_SHA256));
}

function nameOf(commonName: string): Uint8Array {
  const attribute = tagged(SEQUENCE, tagged(OBJECT, COMMON_NAME), tagged(UTF8, Buffer.from(commonName)));
  return tagged(SEQUENCE, tagged(SET, attribute));
}

function extension(id: readonly number[], isCritical: boolean, value: Uint8Array): Uint8Array {
  const critical = isCritical ? [tagged(BOOLEAN, TRUE)] : [];
  return tagged(SEQUENCE, tagged(OBJECT, id), ...critical, tagged(OCTET_STRING, value));
}

/** In two digits of the year up to 2049, in four after that (RFC 5280 §4.1.2.5). */
function timeOf(ms: number): Uint8Array {
  const date = new Date(ms);
  const digits = date.toISOString().replaceAll(/[-:T]|\.\d+/g, '');
  return date.getUTCFullYear() < 2050
    ? tagged(UTC_TIME, Buffer.from(digits.slice(2)))
    : tagged(GENERALIZED_TIME, Buffer.from(digits));
}

function tagged(tag: number, ...parts: readonly (Uint8Array | readonly number[])[]): Uint8Array {
  const content = Buffer.concat(parts.map((part) => Buffer.from(part)));
  return Buffer.concat([Buffer.from([tag, ...lengthOf(content.length)]), content]);
}

/** Short, or the number of bytes that follow and then they. */
function lengthOf(length: number): readonly number[] {
  if (length < 0x80) return [length];
  return length < 0x100 ? [0x81, length] : [0x82, length >> 8, length & 0xff];
}

function pemOf(label: string, der: Uint8Array): string {
  const lines =
    Buffer.from(der)
      .toString('base64')
      .match(/.{1,64}/g) ?? [];
  return `-----BEGIN ${label}-----\n${lines.join('\n')}\n-----END ${label}-----\n`;
}
