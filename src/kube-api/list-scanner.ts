// Cuts the JSON of a list into its items while it arrives, since a list at resourceVersion=0 comes whole, whatever limit was asked
// for: of a million pods, several gigabytes, more than a string may hold.
//
//   {"kind":"PodList","metadata":{…},"items":[{…},{…}],…}
//                                            '-' '-'     each handed on when its last bracket arrives
//   '------------ the envelope -----------'[ ]'-'        the rest, parsed at the end
//
// Only brackets, strings and the name "items" at the first level are understood here; what an item holds is for JSON.parse to judge.
// Limits: an item above `itemBytesMax` is skipped and its beginning answered in its place; the envelope has ENVELOPE_BYTES_MAX.

const ENVELOPE_BYTES_MAX = 1 << 20;
/** Of an item that is too long, for telling which object it was. */
const CUT_BYTES = 4096;

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;
const OPEN_BRACKET = 0x5b;
const CLOSE_BRACKET = 0x5d;
const COLON = 0x3a;
const COMMA = 0x2c;

/** What is in the items array and is not an object, or an envelope that is none. */
export class ListError extends Error {
  override readonly name = 'ListError';
}

export interface ListItem {
  readonly text: string;
  /** It was too long; `text` is its beginning. */
  readonly isCut: boolean;
}

/** Bytes collected, up to a limit. */
class Collected {
  #parts: Uint8Array[] = [];
  bytes = 0;

  add(part: Uint8Array): void {
    if (part.length === 0) return;
    this.#parts.push(part);
    this.bytes += part.length;
  }

  text(): string {
    return Buffer.concat(this.#parts).toString();
  }

  clear(keptBytes = 0): void {
    this.#parts = keptBytes === 0 ? [] : [Buffer.concat(this.#parts).subarray(0, keptBytes)];
    if (keptBytes === 0) this.bytes = 0;
  }
}

export class ListScanner {
  readonly #itemBytesMax: number;
  readonly #envelope = new Collected();
  readonly #item = new Collected();
  #isItemCut = false;
  #depth = 0;
  #isInString = false;
  #isEscaped = false;
  /** Within the array of items; an item has depth 3 and more. */
  #isInItems = false;
  #isInItem = false;
  /** The bytes of the last string of the first level, which is a field's name if a colon follows. */
  #lastString: number[] = [];
  #field = '';

  constructor(itemBytesMax: number) {
    this.#itemBytesMax = itemBytesMax;
  }

  /** The items that end in this chunk. Throws ListError. */
  push(chunk: Uint8Array): ListItem[] {
    const items: ListItem[] = [];
    // From here on, the bytes of the item or of the envelope that are not kept yet.
    let start = 0;
    for (let i = 0; i < chunk.length; i++) {
      const byte = chunk[i];
      if (this.#isInString) {
        this.#onStringByte(byte);
        continue;
      }
      switch (byte) {
        case QUOTE:
          if (this.#isInItems && !this.#isInItem) throw new ListError('an item of the list is not an object');
          this.#isInString = true;
          this.#lastString = [];
          break;
        case COLON:
          if (this.#depth === 1) this.#field = String.fromCharCode(...this.#lastString);
          break;
        case OPEN_BRACE:
        case OPEN_BRACKET:
          this.#depth++;
          if (this.#isInItems && this.#depth === 3) {
            if (byte !== OPEN_BRACE) throw new ListError('an item of the list is not an object');
            this.#isInItem = true;
            start = i;
          } else if (byte === OPEN_BRACKET && this.#depth === 2 && this.#field === 'items') {
            this.#isInItems = true;
            this.#keepEnvelope(chunk.subarray(start, i + 1));
          }
          break;
        case CLOSE_BRACE:
        case CLOSE_BRACKET:
          this.#depth--;
          if (this.#depth < 0) throw new ListError('the list is not JSON');
          if (this.#isInItem && this.#depth === 2) {
            this.#keepItem(chunk.subarray(start, i + 1));
            items.push(this.#takeItem());
          } else if (this.#isInItems && this.#depth === 1) {
            this.#isInItems = false;
            start = i;
          }
          break;
        case COMMA:
          break;
        default:
          // Blanks may stand between items; a number or a word may not.
          if (this.#isInItems && !this.#isInItem && byte > 0x20) {
            throw new ListError('an item of the list is not an object');
          }
      }
    }
    if (this.#isInItem) this.#keepItem(chunk.subarray(start));
    else if (!this.#isInItems) this.#keepEnvelope(chunk.subarray(start));
    return items;
  }

  /** The list without its items, parsed. Throws ListError when the text ended early or is no object. */
  end(): Readonly<Record<string, unknown>> {
    let list: unknown;
    try {
      list = JSON.parse(this.#envelope.text());
    } catch {
      throw new ListError('the list was cut off, or is not JSON');
    }
    if (typeof list !== 'object' || list === null || Array.isArray(list))
      throw new ListError('the list is not an object');
    return { ...list };
  }

  #onStringByte(byte: number): void {
    if (this.#isEscaped) this.#isEscaped = false;
    else if (byte === BACKSLASH) this.#isEscaped = true;
    else if (byte === QUOTE) this.#isInString = false;
    else if (this.#depth === 1 && this.#lastString.length < 8) this.#lastString.push(byte);
  }

  #keepEnvelope(part: Uint8Array): void {
    this.#envelope.add(part);
    if (this.#envelope.bytes > ENVELOPE_BYTES_MAX) throw new ListError('the list has too much besides its items');
  }

  #keepItem(part: Uint8Array): void {
    if (this.#isItemCut) return;
    this.#item.add(part);
    if (this.#item.bytes <= this.#itemBytesMax) return;
    this.#isItemCut = true;
    this.#item.clear(CUT_BYTES);
  }

  #takeItem(): ListItem {
    const item = { text: this.#item.text(), isCut: this.#isItemCut };
    this.#item.clear();
    this.#isItemCut = false;
    this.#isInItem = false;
    return item;
  }
}
