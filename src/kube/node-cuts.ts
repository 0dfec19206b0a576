// What of a stored node is its own, as a scheduler sees it: name, uid and the label of its hostname. Other labels, taints, whether it may be used, what it
// can hold, its images and features are its form's; everything else counts for nothing, and is cut away.

import { equalBytes } from '../base/bytes.ts';
import { FormWalk } from './form-walk.ts';

/** Tags. Of ObjectMeta: */
const NAME = 0x0a;
const UID = 0x2a;
const VERSION = 0x32;
const LABELS = 0x5a;
/** Of an entry of labels. */
const KEY = 0x0a;
const VALUE = 0x12;
/** Of NodeSpec. */
const UNSCHEDULABLE = 0x20;
const TAINTS = 0x2a;
/** Of NodeStatus. */
const ALLOCATABLE = 0x12;
const IMAGES = 0x42;
const DECLARED_FEATURES = 0x72;

const HOSTNAME = Buffer.from('kubernetes.io/hostname');

export class NodeCuts extends FormWalk {
  hasHostname = false;
  hostnameStart = 0;
  hostnameEnd = 0;

  protected begin(): void {
    this.hasHostname = false;
    this.hostnameStart = 0;
    this.hostnameEnd = 0;
  }

  protected look(): void {}

  protected metadata(): boolean {
    const { reader } = this;
    while (reader.hasMore) {
      const start = reader.position;
      switch (this.field()) {
        case NAME:
          this.cutName();
          break;
        case UID:
          this.cutUid();
          break;
        case VERSION:
          this.noteVersion();
          this.cutField(start);
          break;
        case LABELS:
          if (this.#isHostname()) {
            if (this.hasHostname || !this.#cutHostname()) return false;
          }
          break;
        default:
          this.cutField(start);
      }
    }
    return true;
  }

  protected spec(): boolean {
    const { reader } = this;
    while (reader.hasMore) {
      const start = reader.position;
      const tag = this.field();
      if (tag !== UNSCHEDULABLE && tag !== TAINTS) this.cutField(start);
    }
    return true;
  }

  protected status(): boolean {
    const { reader } = this;
    while (reader.hasMore) {
      const start = reader.position;
      const tag = this.field();
      if (tag !== ALLOCATABLE && tag !== IMAGES && tag !== DECLARED_FEATURES) this.cutField(start);
    }
    return true;
  }

  /** The entry that has just been stepped over begins with this key. */
  #isHostname(): boolean {
    const { valueStart, valueEnd } = this.reader;
    const { bytes } = this.cuts;
    const keyStart = valueStart + 2;
    if (valueEnd - keyStart < HOSTNAME.length) return false;
    if (bytes[valueStart] !== KEY || bytes[valueStart + 1] !== HOSTNAME.length) return false;
    return equalBytes(bytes, keyStart, keyStart + HOSTNAME.length, HOSTNAME, 0, HOSTNAME.length);
  }

  /** False: an entry with more than one key, which nobody writes. */
  #cutHostname(): boolean {
    const { reader } = this;
    this.hasHostname = true;
    const outer = this.enter();
    let keys = 0;
    while (reader.hasMore) {
      const tag = this.field();
      if (tag === KEY) keys++;
      if (tag !== VALUE) continue;
      this.hostnameStart = reader.valueStart;
      this.hostnameEnd = reader.valueEnd;
      this.cutValue();
    }
    this.leave(outer);
    return keys === 1;
  }
}
