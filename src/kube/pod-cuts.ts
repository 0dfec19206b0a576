// What of a stored pod is its own, and what of it counts for whoever follows pods: a walk over its bytes without decoding it.
//
//   cut of every pod        name, uid, resourceVersion, times of creation and deletion, node, the random letters of its token's volume
//   of one without a node   times in managedFields and conditions. Nothing is left out: its bytes can be restored.
//   of one with a node      annotations, managedFields, and its status but for resources: what kubelet and network write is another on every pod
//
// A pod is to be read whole (`walk` answers false) when its state says more than that: it has finished, has a nominated node, is preempted, waits for
// a resize. What is cut is not looked at, but for the facts below: where a pod is damaged there, nobody notices.

import { equalBytes } from '../base/bytes.ts';
import { FormWalk } from './form-walk.ts';

/** Tags of length-delimited fields. Of ObjectMeta: */
const NAME = 0x0a;
const UID = 0x2a;
const VERSION = 0x32;
const CREATED = 0x42;
const DELETED = 0x4a;
const ANNOTATIONS = 0x62;
const MANAGED_FIELDS = 0x8a;
/** Of ManagedFieldsEntry. */
const MANAGED_TIME = 0x22;
/** Of PodSpec. */
const VOLUMES = 0x0a;
const CONTAINERS = 0x12;
const NODE_NAME = 0x52;
const INIT_CONTAINERS = 0xa2;
/** Of Volume, VolumeSource, Container, VolumeMount. */
const VOLUME_NAME = 0x0a;
const VOLUME_SOURCE = 0x12;
const PROJECTED = 0xd2;
const VOLUME_MOUNTS = 0x4a;
const MOUNT_NAME = 0x0a;
/** Of PodStatus. */
const PHASE = 0x0a;
const CONDITIONS = 0x12;
const STARTED = 0x3a;
const CONTAINER_STATUSES = 0x42;
const INIT_CONTAINER_STATUSES = 0x52;
const NOMINATED = 0x5a;
const ALLOCATED = 0x9a;
const RESOURCES = 0xa2;
/** Of PodCondition. */
const CONDITION_TYPE = 0x0a;
const PROBED = 0x1a;
const CHANGED = 0x22;
/** Of ContainerStatus. */
const STATUS_NAME = 0x0a;
const STATUS_ALLOCATED = 0x52;
const STATUS_RESOURCES = 0x5a;

const TOKEN_VOLUME = Buffer.from('kube-api-access-');
const RANDOM_BYTES = 5;
const FINISHED = ['Succeeded', 'Failed'].map((phase) => Buffer.from(phase));
const TELLING = ['DisruptionTarget', 'PodResizePending'].map((type) => Buffer.from(type));

export class PodCuts extends FormWalk {
  /** Empty: no node. */
  nodeNameStart = 0;
  nodeNameEnd = 0;
  /** Since 1970; −1: not set. */
  createdSeconds = -1;
  startedSeconds = -1;

  get hasNode(): boolean {
    return this.nodeNameEnd > this.nodeNameStart;
  }

  protected begin(): void {
    this.nodeNameStart = 0;
    this.nodeNameEnd = 0;
    this.createdSeconds = -1;
    this.startedSeconds = -1;
  }

  protected look(): void {
    const { reader } = this;
    while (reader.hasMore) {
      if (this.field() !== NODE_NAME) continue;
      this.nodeNameStart = reader.valueStart;
      this.nodeNameEnd = reader.valueEnd;
    }
  }

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
          // In a store it is empty, and has nothing to be kept.
          if (reader.valueEnd > reader.valueStart) this.cutValue();
          break;
        case CREATED:
          this.createdSeconds = this.seconds();
          this.cutValue();
          break;
        case DELETED:
          // The zero time says that it is not being deleted.
          if (reader.valueStart === reader.valueEnd) return false;
          this.cutValue();
          break;
        case ANNOTATIONS:
          if (this.hasNode) this.cutField(start);
          break;
        case MANAGED_FIELDS:
          if (this.hasNode) this.cutField(start);
          else this.#cutTimes(MANAGED_TIME, MANAGED_TIME);
          break;
      }
    }
    return true;
  }

  protected spec(): boolean {
    const { reader } = this;
    while (reader.hasMore) {
      switch (this.field()) {
        case NODE_NAME:
          this.cutValue();
          break;
        case VOLUMES:
          this.#volume();
          break;
        case CONTAINERS:
        case INIT_CONTAINERS:
          this.#container();
          break;
      }
    }
    return true;
  }

  protected status(): boolean {
    const { reader } = this;
    while (reader.hasMore) {
      const start = reader.position;
      const tag = this.field();
      const { valueStart, valueEnd } = reader;
      if (tag === NOMINATED && valueEnd > valueStart) return false;
      if (tag === PHASE && this.#isOneOf(FINISHED, valueStart, valueEnd)) return false;
      if (tag === STARTED) this.startedSeconds = this.seconds();
      if (!this.hasNode) {
        if (tag === CONDITIONS) this.#cutTimes(PROBED, CHANGED);
        else if (tag === STARTED) this.cutValue();
        continue;
      }
      switch (tag) {
        case CONDITIONS:
          if (this.#isTelling()) return false;
          this.cutField(start);
          break;
        case CONTAINER_STATUSES:
        case INIT_CONTAINER_STATUSES:
          this.#containerStatus(start);
          break;
        case ALLOCATED:
        case RESOURCES:
          break;
        default:
          this.cutField(start);
      }
    }
    return true;
  }

  /** In the message that has just been stepped over. */
  #cutTimes(one: number, other: number): void {
    const { reader } = this;
    const outer = this.enter();
    while (reader.hasMore) {
      const tag = this.field();
      if (tag === one || tag === other) this.cutValue();
    }
    this.leave(outer);
  }

  #volume(): void {
    const { reader } = this;
    const outer = reader.enter();
    let isProjected = false;
    let nameStart = 0;
    let nameEnd = 0;
    while (reader.hasMore) {
      const tag = this.field();
      if (tag === VOLUME_NAME) {
        nameStart = reader.valueStart;
        nameEnd = reader.valueEnd;
      } else if (tag === VOLUME_SOURCE) isProjected ||= this.#has(PROJECTED);
    }
    reader.leave(outer);
    // Elsewhere the same letters mean something.
    if (isProjected) this.#cutToken(nameStart, nameEnd);
  }

  #container(): void {
    const { reader } = this;
    const outer = reader.enter();
    while (reader.hasMore) {
      if (this.field() !== VOLUME_MOUNTS) continue;
      const container = reader.enter();
      while (reader.hasMore) {
        if (this.field() === MOUNT_NAME) this.#cutToken(reader.valueStart, reader.valueEnd);
      }
      reader.leave(container);
    }
    reader.leave(outer);
  }

  #cutToken(start: number, end: number): void {
    if (end - start !== TOKEN_VOLUME.length + RANDOM_BYTES) return;
    const random = end - RANDOM_BYTES;
    if (equalBytes(this.cuts.bytes, start, random, TOKEN_VOLUME, 0, TOKEN_VOLUME.length)) this.cuts.add(random, end);
  }

  /** The status that began at `start` and has just been stepped over: what it says of resources is as it is in others of the form. */
  #containerStatus(start: number): void {
    const { reader } = this;
    if (!this.#has(STATUS_ALLOCATED) && !this.#has(STATUS_RESOURCES)) {
      this.cutField(start);
      return;
    }
    const outer = this.enter();
    while (reader.hasMore) {
      const fieldStart = reader.position;
      const tag = this.field();
      if (tag !== STATUS_NAME && tag !== STATUS_ALLOCATED && tag !== STATUS_RESOURCES) this.cutField(fieldStart);
    }
    this.leave(outer);
  }

  /** Whether the message that has just been stepped over has such a field; the reader is as it was. */
  #has(wanted: number): boolean {
    const { reader } = this;
    const { valueStart, valueEnd } = reader;
    const outer = reader.enter();
    let has = false;
    while (reader.hasMore) {
      const tag = reader.tag();
      has ||= tag === wanted;
      reader.skip(tag);
    }
    reader.leave(outer);
    reader.valueStart = valueStart;
    reader.valueEnd = valueEnd;
    return has;
  }

  /** The condition that has just been stepped over. */
  #isTelling(): boolean {
    const { reader } = this;
    const outer = reader.enter();
    let is = false;
    while (reader.hasMore) {
      const tag = reader.tag();
      reader.skip(tag);
      if (tag === CONDITION_TYPE) is ||= this.#isOneOf(TELLING, reader.valueStart, reader.valueEnd);
    }
    reader.leave(outer);
    return is;
  }

  #isOneOf(texts: readonly Uint8Array[], start: number, end: number): boolean {
    const { bytes } = this.cuts;
    return texts.some((text) => equalBytes(bytes, start, end, text, 0, text.length));
  }
}
