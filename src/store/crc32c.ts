// CRC-32C (Castagnoli, reflected polynomial 0x82f63b78), eight bytes a step over precomputed tables ("slicing by 8").
//
// The register is kept between calls as the finished value, as in Go's crc32.Update: start with 0, feed ranges.

const POLYNOMIAL = 0x82f63b78;

/** Eight tables of 256: table k gives what a byte contributes k bytes further on. */
const TABLES: Uint32Array = buildTables();

function buildTables(): Uint32Array {
  const tables = new Uint32Array(8 * 256);
  for (let byte = 0; byte < 256; byte++) {
    let crc = byte;
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ POLYNOMIAL : crc >>> 1;
    tables[byte] = crc;
  }
  for (let byte = 0; byte < 256; byte++) {
    let crc = tables[byte];
    for (let slice = 1; slice < 8; slice++) {
      crc = (crc >>> 8) ^ tables[crc & 255];
      tables[slice * 256 + byte] = crc;
    }
  }
  return tables;
}

/** The CRC-32C of what `crc` already covers followed by bytes[start, end). */
export function crc32c(crc: number, bytes: Uint8Array, start: number, end: number): number {
  const tables = TABLES;
  let register = ~crc;
  let at = start;
  for (const last = end - 8; at <= last; at += 8) {
    const low = register ^ (bytes[at] | (bytes[at + 1] << 8) | (bytes[at + 2] << 16) | (bytes[at + 3] << 24));
    register =
      tables[0x700 + (low & 255)] ^
      tables[0x600 + ((low >>> 8) & 255)] ^
      tables[0x500 + ((low >>> 16) & 255)] ^
      tables[0x400 + (low >>> 24)] ^
      tables[0x300 + bytes[at + 4]] ^
      tables[0x200 + bytes[at + 5]] ^
      tables[0x100 + bytes[at + 6]] ^
      tables[bytes[at + 7]];
  }
  for (; at < end; at++) register = (register >>> 8) ^ tables[(register ^ bytes[at]) & 255];
  return ~register >>> 0;
}
