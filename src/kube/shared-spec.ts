// Specs of pods that are alike but for their node and the name of their token's volume are decoded once: most pods are made from a few templates.
//
// A shared spec has dots for what is random in the name of that volume, which matters to no scheduler. Which spec a pod's object was made of is marked on
// the object, so that whoever reads objects need not read, or compare, the same spec twice.
//
// Limits: SPECS_MAX, of SPECS_BYTES_MAX together; when there are more, all are forgotten and learned anew.

import { ByteReader } from '../base/byte-reader.ts';
import { eachLengthDelimited } from './length-delimited.ts';
import type { MessageDecoder, PlainObject } from './message-decoder.ts';

const SPECS_MAX = 4096;
/** Encoded; a template has about 1 KB, and the largest value that a store takes 1.5 MiB. */
const SPECS_BYTES_MAX = 32 * 1024 * 1024;
const LENGTH_DELIMITED = 2;
/** Of PodSpec. */
const VOLUMES = 1;
const CONTAINERS = 2;
const NODE_NAME = 10;
const INIT_CONTAINERS = 20;
/** Of Volume, VolumeSource, Container, VolumeMount. */
const VOLUME_NAME = 1;
const VOLUME_SOURCE = 2;
const PROJECTED = 26;
const VOLUME_MOUNTS = 9;
const MOUNT_NAME = 1;
const TOKEN_VOLUME = 'kube-api-access-';
const TOKEN_VOLUME_BYTES = TOKEN_VOLUME.length + 5;
const DOT = 0x2e;
const SHARED_SPEC: unique symbol = Symbol('shared spec');

interface Marked {
  readonly [SHARED_SPEC]?: PlainObject;
}

/** The spec that the object shares with others, which is without a node: the same one for pods that are alike in it. Undefined for other objects. */
export function sharedSpecOf(object: object): object | undefined {
  // The mark is this file's.
  return (object as Marked)[SHARED_SPEC];
}

export class SharedSpecs {
  readonly #decoder: MessageDecoder;
  readonly #byBytes = new Map<string, PlainObject>();
  /** Of all keys. */
  #bytes = 0;

  constructor(decoder: MessageDecoder) {
    this.#decoder = decoder;
  }

  /** Gives the pod its spec, which is bytes[start, end). Throws WireError. */
  put(pod: PlainObject, bytes: Uint8Array, start: number, end: number): void {
    const rest = Buffer.allocUnsafe(end - start);
    let length = 0;
    let nodeName = '';
    const reader = new ByteReader(bytes, start, end);
    while (reader.hasMore) {
      const fieldStart = reader.position;
      const tag = reader.tag();
      if (tag === NODE_NAME * 8 + LENGTH_DELIMITED) {
        nodeName = reader.string();
        continue;
      }
      reader.skip(tag);
      rest.set(bytes.subarray(fieldStart, reader.position), length);
      length += reader.position - fieldStart;
    }
    const shared = this.#sharedOf(rest.subarray(0, length));
    pod.spec = nodeName === '' ? shared : { ...shared, nodeName };
    Object.defineProperty(pod, SHARED_SPEC, { value: shared });
  }

  #sharedOf(bytes: Buffer): PlainObject {
    maskTokenVolume(bytes);
    const key = bytes.toString('latin1');
    const known = this.#byBytes.get(key);
    if (known !== undefined) return known;
    const spec = this.#decoder.decode('PodSpec', bytes) ?? {};
    if (this.#byBytes.size >= SPECS_MAX || this.#bytes + bytes.length > SPECS_BYTES_MAX) {
      this.#byBytes.clear();
      this.#bytes = 0;
    }
    this.#bytes += bytes.length;
    this.#byBytes.set(key, spec);
    return spec;
  }
}

/** Only where the name stands as a projected volume's, or as a mount's: elsewhere the same letters mean something. */
function maskTokenVolume(spec: Buffer): void {
  eachLengthDelimited(spec, 0, spec.length, (number, start, end) => {
    if (number === VOLUMES) maskVolume(spec, start, end);
    else if (number === CONTAINERS || number === INIT_CONTAINERS) {
      eachLengthDelimited(spec, start, end, (field, mountStart, mountEnd) => {
        if (field !== VOLUME_MOUNTS) return;
        eachLengthDelimited(spec, mountStart, mountEnd, (name, from, to) => {
          if (name === MOUNT_NAME) maskName(spec, from, to);
        });
      });
    }
  });
}

function maskVolume(spec: Buffer, start: number, end: number): void {
  let isProjected = false;
  eachLengthDelimited(spec, start, end, (number, from, to) => {
    if (number !== VOLUME_SOURCE) return;
    eachLengthDelimited(spec, from, to, (kind) => {
      isProjected ||= kind === PROJECTED;
    });
  });
  if (!isProjected) return;
  eachLengthDelimited(spec, start, end, (number, from, to) => {
    if (number === VOLUME_NAME) maskName(spec, from, to);
  });
}

function maskName(spec: Buffer, start: number, end: number): void {
  if (end - start !== TOKEN_VOLUME_BYTES || !spec.toString('latin1', start, end).startsWith(TOKEN_VOLUME)) return;
  spec.fill(DOT, start + TOKEN_VOLUME.length, end);
}
