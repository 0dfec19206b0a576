// Keys and values as people read them: quoted, with what is not printable escaped, so that a line stays a line; and the same as
// JSON, where bytes are base64 as etcdctl gives them.

const decoder = new TextDecoder('utf-8', { fatal: true });
// Control characters, also those of Unicode that end lines or turn the direction of text.
const UNPRINTABLE = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u;

/** In double quotes; bytes that are no UTF-8 as \xNN. */
export function quoted(buffer: Uint8Array, start: number = 0, end: number = buffer.length): string {
  const bytes = buffer.subarray(start, end);
  let text: string | undefined;
  try {
    text = decoder.decode(bytes);
  } catch {
    // Not text.
  }
  if (text !== undefined && !UNPRINTABLE.test(text)) return `"${text.replace(/["\\]/g, '\\$&')}"`;
  let escaped = '';
  for (const byte of bytes) {
    const character = String.fromCharCode(byte);
    if (byte < 32 || byte > 126) escaped += `\\x${byte.toString(16).padStart(2, '0')}`;
    else escaped += character === '"' || character === '\\' ? `\\${character}` : character;
  }
  return `"${escaped}"`;
}

export function base64(buffer: Uint8Array, start: number = 0, end: number = buffer.length): string {
  return Buffer.from(buffer.buffer, buffer.byteOffset + start, end - start).toString('base64');
}

/** An id of 64 bits, as etcd prints it. */
export function idText(id: bigint): string {
  return BigInt.asUintN(64, id).toString(16);
}
