// The streams that have something queued and could send it: a doubly linked list through the streams themselves,
// first come first served; whoever has sent a frame goes to the end.

import type { Stream } from './stream.ts';

export class StreamList {
  #first: Stream | null = null;
  #last: Stream | null = null;

  get first(): Stream | null {
    return this.#first;
  }

  /** Puts the stream at the end unless it is in the list. */
  add(stream: Stream): void {
    if (stream.isListed) return;
    stream.isListed = true;
    stream.previous = this.#last;
    if (this.#last === null) this.#first = stream;
    else this.#last.next = stream;
    this.#last = stream;
  }

  remove(stream: Stream): void {
    if (!stream.isListed) return;
    stream.isListed = false;
    if (stream.previous === null) this.#first = stream.next;
    else stream.previous.next = stream.next;
    if (stream.next === null) this.#last = stream.previous;
    else stream.next.previous = stream.previous;
    stream.previous = null;
    stream.next = null;
  }
}
