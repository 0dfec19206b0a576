// Where a stored object's bytes are its own: what of them differs between objects of one template. Whoever walks an object (pod-cuts.ts, node-cuts.ts)
// notes it here; the rest is the object's form (object-forms.ts).
//
//   "k8s\0" … raw ▒ { metadata ▒ { name ▒▒▒▒▒▒ … uid ▒▒▒▒▒▒ … labels … } spec ▒ { … nodeName ▒▒▒▒ … } status ▒ { … } }        ▒ cut
//                                                                    ╵end                       ╵end          ╵end
//
// A message that holds a cut has its own length cut as well, and its end is marked. So from the form's bytes, the cuts' places in them and these ends a
// walk finds the same fields, whatever the cuts hold: of objects of one form everything is the same but what was cut.
//
// Limit: CUTS_MAX; an object with more has to be read whole.

import { WireError } from '../base/byte-reader.ts';

const CUTS_MAX = 512;

export class Cuts {
  bytes: Uint8Array = new Uint8Array(0);
  /** Of the object in `bytes`. */
  start = 0;
  end = 0;
  count = 0;
  /** Offsets into `bytes`, growing; of an end of a message both are the same. */
  readonly starts: Int32Array = new Int32Array(CUTS_MAX);
  readonly ends: Int32Array = new Int32Array(CUTS_MAX);

  reset(bytes: Uint8Array, start: number, end: number): void {
    this.bytes = bytes;
    this.start = start;
    this.end = end;
    this.count = 0;
  }

  /** bytes[start, end), not empty, behind all that was cut before; what lies side by side is one cut. Throws WireError when there are too many. */
  add(start: number, end: number): void {
    const last = this.count - 1;
    if (last >= 0 && this.ends[last] === start && this.starts[last] !== start) this.ends[last] = end;
    else this.#push(start, end);
  }

  endMessage(at: number): void {
    this.#push(at, at);
  }

  #push(start: number, end: number): void {
    if (this.count === CUTS_MAX) throw new WireError('an object with too many parts');
    this.starts[this.count] = start;
    this.ends[this.count++] = end;
  }
}
