// Bytes as lines of text, for tests that hold a format to the byte: sixteen a line, four together.

export function hexDump(bytes: Uint8Array): string[] {
  const lines: string[] = [];
  for (let at = 0; at < bytes.length; at += 16) {
    const words: string[] = [];
    for (let word = at; word < Math.min(at + 16, bytes.length); word += 4) {
      words.push(Buffer.from(bytes.subarray(word, Math.min(word + 4, bytes.length))).toString('hex'));
    }
    lines.push(words.join(' '));
  }
  return lines;
}
