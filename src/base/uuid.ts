// UUIDs as the 16 bytes that they are, which a million of take a third of what their texts take, and nothing on the JavaScript heap.
// Only the canonical form is one here (RFC 9562 §4, in small letters, as API servers make them), so that the bytes say what the text was.

export const UUID_BYTES = 16;
/** Characters of its text. */
const UUID_LENGTH = 36;
const HYPHEN = 0x2d;
const DIGITS = Buffer.from('0123456789abcdef', 'latin1');

/** False for another text than a UUID in small letters, or its zero; `target` is of no use then. */
export function readUuid(text: string, target: Uint8Array): boolean {
  if (text.length !== UUID_LENGTH) return false;
  let sum = 0;
  let at = 0;
  for (let i = 0; i < UUID_LENGTH; i += 2) {
    if (i === 8 || i === 13 || i === 18 || i === 23) {
      if (text.charCodeAt(i++) !== HYPHEN) return false;
    }
    const high = hexDigit(text.charCodeAt(i));
    const low = hexDigit(text.charCodeAt(i + 1));
    if (high < 0 || low < 0) return false;
    const byte = high * 16 + low;
    target[at++] = byte;
    sum += byte;
  }
  return sum > 0;
}

function hexDigit(code: number): number {
  if (code >= 0x30 && code <= 0x39) return code - 0x30;
  return code >= 0x61 && code <= 0x66 ? code - 0x57 : -1;
}

/** The text of the UUID at bytes[at, at + UUID_BYTES). */
export function uuidText(bytes: Uint8Array, at: number): string {
  const text = Buffer.allocUnsafe(UUID_LENGTH);
  let end = 0;
  for (let i = 0; i < UUID_BYTES; i++) {
    if (i === 4 || i === 6 || i === 8 || i === 10) text[end++] = HYPHEN;
    text[end++] = DIGITS[bytes[at + i] >> 4];
    text[end++] = DIGITS[bytes[at + i] & 15];
  }
  return text.toString('latin1');
}
