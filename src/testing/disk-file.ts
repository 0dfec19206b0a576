// What a simulated file holds: its bytes as programs see them, its bytes as they are on the medium for certain, and
// the changes in between, each of which a crash may keep, lose or tear.
//
//   medium ──(change, change, …)──► visible
//            a datasync moves the changes that were done when it was called into the medium; a durable write only itself

import { assert } from '../base/assert.ts';
import type { Random } from './random.ts';

/** `bytes` undefined: the size is set to `position`. */
interface Change {
  readonly position: number;
  readonly bytes: Uint8Array | undefined;
  /** It went past the page cache. */
  readonly isDirect: boolean;
  isDone: boolean;
  /** A datasync failed over it: the system forgets that it is not on the medium. */
  isForgotten: boolean;
}

export interface WriteEnd {
  /** The system has reported the write. */
  done(): void;
  /** And its bytes are on the medium. */
  endDurably(): void;
  /** It was to be durable and is not: as after a failed datasync, no later one saves it. */
  forget(): void;
}

/** How a crash treats what was not synced. */
export type CrashStyle = 'lose' | 'keep' | 'prefix' | 'sectors' | 'pages';
export const CRASH_STYLES: readonly CrashStyle[] = ['lose', 'keep', 'prefix', 'sectors', 'pages'];

const SECTOR_BYTES = 512;
const PAGE_BYTES = 4096;

export class SimulatedContent {
  visible: Uint8Array = new Uint8Array(0);
  #medium: Uint8Array = new Uint8Array(0);
  #changes: Change[] = [];

  /** The bytes that survive every crash. */
  get medium(): Uint8Array {
    return this.#medium;
  }

  get hasUnsynced(): boolean {
    return this.#changes.length > 0;
  }

  /**
   * Asserts that a direct write is none that the kernel would refuse, and none that could be lost: in a page that is written back while the
   * write goes past it. Memory is taken to begin at a page.
   */
  checkDirect(chunks: readonly Uint8Array[], position: number, block: number): void {
    const numbers = [position, ...chunks.flatMap(({ byteOffset, length }) => [byteOffset, length])];
    assert(
      numbers.every((number) => number % block === 0),
      `a direct write of ${numbers.join(', ')} on blocks of ${block}`,
    );
    const bytes = chunks.reduce((sum, { length }) => sum + length, 0);
    assert(!this.#hasUnsyncedPage(position, position + bytes), 'a direct write into pages that are not written back');
  }

  /** Visible at once; the result says when the system reported it. */
  write(bytes: Uint8Array, position: number, isDirect = false): WriteEnd {
    const change: Change = { position, bytes: copyOf(bytes), isDirect, isDone: false, isForgotten: false };
    this.#change(change);
    return {
      done: (): void => {
        change.isDone = true;
      },
      endDurably: (): void => {
        // A crash may have settled it already.
        if (!this.#changes.includes(change)) return;
        this.#medium = applied(this.#medium, change);
        this.#changes = this.#changes.filter((other) => other !== change);
      },
      forget: (): void => {
        change.isForgotten = true;
      },
    };
  }

  truncate(size: number): void {
    this.#change({ position: size, bytes: undefined, isDirect: false, isDone: true, isForgotten: false });
  }

  /** Starts a datasync; the result ends it. */
  sync(): { succeed(): void; fail(): void } {
    const covered = new Set(this.#changes.filter((change) => change.isDone));
    return {
      succeed: (): void => {
        for (const change of this.#changes) {
          if (covered.has(change) && !change.isForgotten) this.#medium = applied(this.#medium, change);
        }
        this.#changes = this.#changes.filter((change) => !covered.has(change) || change.isForgotten);
      },
      fail: (): void => {
        for (const change of covered) change.isForgotten = true;
      },
    };
  }

  /** All writes are done: whoever waited for their end is gone. */
  settle(): void {
    for (const change of this.#changes) change.isDone = true;
  }

  /** Only the medium is left, with what `style` keeps of the changes. */
  crash(style: CrashStyle, random: Random): void {
    const changes = style === 'lose' ? [] : this.#changes;
    const prefix = style === 'prefix' ? random.between(0, changes.length) : changes.length;
    let medium = this.#medium;
    changes.slice(0, prefix).forEach((change, index) => {
      const isTorn = style === 'sectors' || style === 'pages' || (style === 'prefix' && index === prefix - 1);
      if (!isTorn) medium = applied(medium, change);
      else medium = torn(medium, change, style === 'pages' ? PAGE_BYTES : SECTOR_BYTES, random);
    });
    this.#medium = medium;
    this.#changes = [];
    this.visible = copyOf(medium);
  }

  /** Whether the page cache has pages of [start, end) that are not on the medium. */
  #hasUnsyncedPage(start: number, end: number): boolean {
    const first = Math.floor(start / PAGE_BYTES) * PAGE_BYTES;
    const last = Math.ceil(end / PAGE_BYTES) * PAGE_BYTES;
    return this.#changes.some(({ position, bytes, isDirect }) => {
      return !isDirect && position < last && position + Math.max(bytes?.length ?? 0, 1) > first;
    });
  }

  #change(change: Change): void {
    this.#changes.push(change);
    this.visible = applied(this.visible, change);
  }
}

/** A Buffer's own slice would be a view. */
export function copyOf(bytes: Uint8Array): Uint8Array {
  return Uint8Array.prototype.slice.call(bytes);
}

function applied(content: Uint8Array, change: Change): Uint8Array {
  if (change.bytes === undefined) return resized(content, change.position);
  const end = change.position + change.bytes.length;
  const next = resized(content, Math.max(end, content.length));
  next.set(change.bytes, change.position);
  return next;
}

/** Each block of the change gets there or not; a size that got there without its bytes shows zeros. */
function torn(content: Uint8Array, change: Change, blockBytes: number, random: Random): Uint8Array {
  if (change.bytes === undefined) return random.chance(0.5) ? applied(content, change) : content;
  const end = change.position + change.bytes.length;
  let next = content;
  if (random.chance(0.7)) next = resized(next, Math.max(end, next.length));
  for (let at = change.position; at < end; ) {
    const blockEnd = Math.min(end, (Math.floor(at / blockBytes) + 1) * blockBytes);
    if (random.chance(0.5)) {
      next = resized(next, Math.max(blockEnd, next.length));
      next.set(change.bytes.subarray(at - change.position, blockEnd - change.position), at);
    }
    at = blockEnd;
  }
  return next;
}

function resized(content: Uint8Array, size: number): Uint8Array {
  const next = new Uint8Array(size);
  next.set(content.subarray(0, Math.min(size, content.length)));
  return next;
}
