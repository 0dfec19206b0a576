import assert from 'node:assert/strict';
import { createPrivateKey, X509Certificate } from 'node:crypto';
import { describe, it } from 'node:test';
import { selfSigned } from './self-signed-certificate.ts';

const DAY_MS = 86_400_000;

function made(nowMs: number, validMs: number): { read: X509Certificate; key: string } {
  const { certificate, key } = selfSigned({
    hostname: 'localhost',
    addresses: ['127.0.0.1', '10.0.0.7'],
    nowMs,
    validMs,
  });
  return { read: new X509Certificate(certificate), key };
}

describe('a self-signed certificate', () => {
  it('is for its names, for a server, for as long as asked, and signed by its key', () => {
    const nowMs = Date.parse('2026-03-01T12:00:00Z');
    const { read, key } = made(nowMs, 365 * DAY_MS);
    assert.equal(read.subject, `CN=localhost@${nowMs / 1000}`);
    assert.equal(read.issuer, read.subject);
    assert.equal(read.checkHost('localhost'), 'localhost');
    assert.equal(read.checkIP('10.0.0.7'), '10.0.0.7');
    assert.equal(read.checkIP('10.0.0.8'), undefined);
    assert.deepEqual(read.keyUsage, ['1.3.6.1.5.5.7.3.1']);
    assert.ok(read.ca);
    assert.equal(read.validFromDate.toISOString(), '2026-03-01T11:00:00.000Z');
    assert.equal(read.validToDate.toISOString(), '2027-03-01T12:00:00.000Z');
    assert.ok(read.verify(read.publicKey));
    assert.ok(read.checkPrivateKey(createPrivateKey(key)));
  });

  it('can end beyond 2049, where times are written otherwise', () => {
    const { read } = made(Date.parse('2049-12-31T00:00:00Z'), 2 * DAY_MS);
    assert.equal(read.validToDate.toISOString(), '2050-01-02T00:00:00.000Z');
  });

  it('has a serial number of its own', () => {
    assert.notEqual(made(0, DAY_MS).read.serialNumber, made(0, DAY_MS).read.serialNumber);
  });
});
