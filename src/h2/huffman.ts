// The Huffman code of HPACK (RFC 7541 §5.2, appendix B).
//
// The code is canonical: shorter codes first, within a length by symbol; so the table of lengths is the whole code.
// Decoding is a state machine that eats four bits a step. A state is an inner node of the code's tree (256 of them,
// 0 the root). A transition packs: bits 0–7 next state, 8–15 the symbol, bit 16 a symbol came out, bit 17 invalid
// (EOS inside the string). The shortest code has five bits, so a step brings out one symbol at most.

// prettier-ignore
const CODE_BITS: readonly number[] = [
  13, 23, 28, 28, 28, 28, 28, 28, 28, 24, 30, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 30, 28, 28, 28, 28, 28, 28,
  28, 28, 28, 6, 10, 10, 12, 13, 6, 8, 11, 10, 10, 8, 11, 8, 6, 6, 6, 5, 5, 5, 6, 6, 6, 6, 6, 6, 6, 7, 8, 15, 6, 12, 10,
  13, 6, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 8, 7, 8, 13, 19, 13, 14, 6, 15, 5, 6, 5, 6,
  5, 6, 6, 6, 5, 7, 7, 6, 6, 6, 5, 6, 7, 6, 5, 5, 6, 7, 7, 7, 7, 7, 15, 11, 14, 13, 28, 20, 22, 20, 20, 22, 22, 22, 23,
  22, 23, 23, 23, 23, 23, 24, 23, 24, 24, 22, 23, 24, 23, 23, 23, 23, 21, 22, 23, 22, 23, 23, 24, 22, 21, 20, 22, 22,
  23, 23, 21, 23, 22, 22, 24, 21, 22, 23, 23, 21, 21, 22, 21, 23, 22, 23, 23, 20, 22, 22, 22, 23, 22, 22, 23, 26, 26,
  20, 19, 22, 23, 22, 25, 26, 26, 26, 27, 27, 26, 24, 25, 19, 21, 26, 27, 27, 26, 27, 24, 21, 21, 26, 26, 28, 27, 27,
  27, 20, 24, 20, 21, 22, 21, 21, 23, 22, 22, 25, 25, 24, 24, 26, 23, 26, 27, 26, 26, 27, 27, 27, 27, 27, 28, 27, 27,
  27, 27, 27, 26, 30,
];

const EOS = 256;
const EMITS = 1 << 16;
const INVALID = 1 << 17;
const PADDING_BITS_MAX = 7;

const CODES: Uint32Array = canonicalCodes();
const TRANSITIONS: Uint32Array = new Uint32Array(256 * 16);
/** 1 for states in which a string may end: fewer than eight bits of padding, all ones. */
const ENDS: Uint8Array = new Uint8Array(256);
fillTransitions();

function canonicalCodes(): Uint32Array {
  const codes = new Uint32Array(EOS + 1);
  const symbols = CODE_BITS.map((_, symbol) => symbol).sort((a, b) => CODE_BITS[a] - CODE_BITS[b] || a - b);
  let code = 0;
  let bits = CODE_BITS[symbols[0]];
  for (const symbol of symbols) {
    code = (code << (CODE_BITS[symbol] - bits)) >>> 0;
    bits = CODE_BITS[symbol];
    codes[symbol] = code;
    code++;
  }
  return codes;
}

/** The tree: children[2 × node + bit] is an inner node, or −1 − symbol for a leaf; 0 while absent. */
function codeTree(): Int16Array {
  const children = new Int16Array(2 * 256);
  let nodeCount = 1;
  for (let symbol = 0; symbol <= EOS; symbol++) {
    let node = 0;
    for (let bit = CODE_BITS[symbol] - 1; bit > 0; bit--) {
      const edge = 2 * node + ((CODES[symbol] >>> bit) & 1);
      if (children[edge] === 0) children[edge] = nodeCount++;
      node = children[edge];
    }
    children[2 * node + (CODES[symbol] & 1)] = -1 - symbol;
  }
  return children;
}

function fillTransitions(): void {
  const children = codeTree();
  for (let state = 0; state < 256; state++) {
    for (let nibble = 0; nibble < 16; nibble++) {
      let node = state;
      let transition = 0;
      for (let bit = 3; bit >= 0; bit--) {
        const child = children[2 * node + ((nibble >>> bit) & 1)];
        node = Math.max(child, 0);
        if (child === -1 - EOS) transition |= INVALID;
        else if (child < 0) transition |= EMITS | ((-1 - child) << 8);
      }
      TRANSITIONS[state * 16 + nibble] = transition | node;
    }
  }
  let node = 0;
  for (let bits = 0; bits <= PADDING_BITS_MAX; bits++) {
    ENDS[node] = 1;
    node = children[2 * node + 1];
  }
}

/** The most bytes that `bytes` encoded ones can stand for: the shortest code has five bits. */
export function huffmanDecodedBytesMax(bytes: number): number {
  return Math.ceil((bytes * 8) / 5);
}

/** Decodes source[start, end) to target at `at`; the position after it, or −1 when the bytes are not a valid code. */
export function huffmanDecode(source: Uint8Array, start: number, end: number, target: Uint8Array, at: number): number {
  let state = 0;
  for (let i = start; i < end; i++) {
    const byte = source[i];
    const high = TRANSITIONS[state * 16 + (byte >>> 4)];
    if (high & EMITS) target[at++] = (high >>> 8) & 0xff;
    const low = TRANSITIONS[(high & 0xff) * 16 + (byte & 15)];
    if (low & EMITS) target[at++] = (low >>> 8) & 0xff;
    if ((high | low) & INVALID) return -1;
    state = low & 0xff;
  }
  return ENDS[state] === 1 ? at : -1;
}

/** How many bytes the string (latin1) takes encoded. */
export function huffmanEncodedBytes(value: string): number {
  let bits = 0;
  for (let i = 0; i < value.length; i++) bits += CODE_BITS[value.charCodeAt(i) & 0xff];
  return (bits + 7) >>> 3;
}

/** Encodes a string (latin1) to target at `at`, which has room for huffmanEncodedBytes; the position after it. */
export function huffmanEncode(value: string, target: Uint8Array, at: number): number {
  let held = 0;
  let heldBits = 0;
  for (let i = 0; i < value.length; i++) {
    const symbol = value.charCodeAt(i) & 0xff;
    // At most 7 bits are held over and a code has up to 28 bits here (30 for three control characters): it is
    // fed in two parts so that nothing leaves 32 bits.
    const bits = CODE_BITS[symbol];
    const low = Math.min(bits, 16);
    const parts = bits > 16 ? 2 : 1;
    for (let part = parts; part > 0; part--) {
      const partBits = part === 2 ? bits - 16 : low;
      const partCode = part === 2 ? CODES[symbol] >>> 16 : CODES[symbol] & 0xffff;
      held = (held << partBits) | partCode;
      heldBits += partBits;
      while (heldBits >= 8) {
        heldBits -= 8;
        target[at++] = (held >>> heldBits) & 0xff;
      }
      held &= 0xff;
    }
  }
  if (heldBits > 0) target[at++] = ((held << (8 - heldBits)) | (0xff >>> heldBits)) & 0xff;
  return at;
}
