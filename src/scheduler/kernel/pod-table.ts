// The pods that are on nodes, and what they have in common: a pod's shape is all of it that bears on other pods.
//
//   record ─► shape ─► kind (namespace, labels) ─► the selectors that it matches, looked up once for each selector
//
// A million pods of a few templates are a million small records and a few shapes. Shapes that no pod has any more are swept away, and with
// them what only they have used (sweep-rounds.ts).

import type { UidEntry } from '../../base/uid-table.ts';
import type { Labels } from '../model/label-selector.ts';
import type { HostPort, PodObject } from '../model/pod-object.ts';
import type { EffectiveRequests } from '../model/pod-requests.ts';
import type { HeldTerm } from './held-terms.ts';
import { Interner } from './interner.ts';
import type { PodSelector, SelectorTable } from './selector-table.ts';
import { ByParts } from './shared-parts.ts';
import { type SweepRounds, sweepTable } from './sweep-rounds.ts';
import { type VolumeUse, volumeUseOf } from './volume-users.ts';

/** Pods that no selector tells apart. */
export class PodKind {
  readonly namespace: string;
  readonly labels: Labels;
  /** When it was last used. */
  round = 0;
  #matches: PodSelector[] = [];
  /** Selectors up to this id have been looked at. */
  #seen = 0;

  constructor(namespace: string, labels: Labels) {
    this.namespace = namespace;
    this.labels = labels;
  }

  /** The selectors of the table that match. */
  matchesOf(table: SelectorTable): readonly PodSelector[] {
    const { selectors, lastId } = table;
    if (this.#seen === lastId) return this.#matches;
    if (this.#seen === 0) this.#matches = table.matching(this.namespace, this.labels);
    else {
      for (let i = selectors.length - 1; i >= 0 && selectors[i].id > this.#seen; i--) {
        if (selectors[i].matches(this.namespace, this.labels)) this.#matches.push(selectors[i]);
      }
    }
    this.#seen = lastId;
    return this.#matches;
  }

  forgetDropped(): void {
    if (this.#matches.some(({ isDropped }) => isDropped)) {
      this.#matches = this.#matches.filter(({ isDropped }) => !isDropped);
    }
  }
}

export interface PodShape {
  readonly kind: PodKind;
  readonly requests: EffectiveRequests;
  readonly hostPorts: readonly HostPort[];
  readonly isTerminating: boolean;
  /** A victim of preemption on its way out. */
  readonly isPreempted: boolean;
  readonly priority: number;
  readonly heldTerms: readonly HeldTerm[];
  readonly affinity: PodObject['affinity'];
  readonly antiAffinity: PodObject['affinity'];
  /** Records that have it. */
  podCount: number;
  /** When it was last given to a pod. */
  round: number;
}

/** A pod that is on a node, or is to be, once there is that node. */
export interface PodRecord extends UidEntry {
  readonly name: string;
  readonly nodeName: string;
  readonly shape: PodShape;
  /** Undefined for the many pods without any that bear on a node. */
  readonly volumes: VolumeUse | undefined;
  /** Since 1970; −1: it has not started. */
  readonly startedAtSeconds: number;
  /** Grows from pod to pod as they are told. */
  readonly order: number;
  /** −1: there is no such node. */
  slot: number;
  /** The other pods of the node. */
  next: PodRecord | undefined;
  previous: PodRecord | undefined;
}

/** Of a pod that names its node; it is on none yet. */
export function recordOf(
  pod: PodObject,
  { nodeName, shape, order }: Pick<PodRecord, 'nodeName' | 'shape' | 'order'>,
): PodRecord {
  const { name, startedAtMs } = pod;
  // In this order in memory: what is looked at of all pods of a node lies together.
  return {
    shape,
    next: undefined,
    startedAtSeconds: startedAtMs === undefined ? -1 : startedAtMs / 1000,
    order,
    slot: -1,
    previous: undefined,
    volumes: volumeUseOf(pod),
    nodeName,
    uidSlot: -1,
    name,
  };
}

const INSERTED_MAX = 16;

/** In seconds since 1970. A pod that has not started is taken to start now, which is later than any other. */
export function startOf({ startedAtSeconds }: PodRecord): number {
  return startedAtSeconds < 0 ? Number.POSITIVE_INFINITY : startedAtSeconds;
}

/** Of higher priority, else started earlier. */
export function byImportance(a: PodRecord, b: PodRecord): number {
  if (a.shape.priority !== b.shape.priority) return b.shape.priority - a.shape.priority;
  const left = startOf(a);
  const right = startOf(b);
  return left === right ? 0 : left - right;
}

/** The same; of equal ones the one that was told first. */
function byImportanceAndOrder(a: PodRecord, b: PodRecord): number {
  return byImportance(a, b) || a.order - b.order;
}

/** By insertion where they are few, as a node's pods are: a sort costs more there than what it sorts. */
export function sortByImportanceAndOrder(records: PodRecord[]): void {
  if (records.length > INSERTED_MAX) {
    records.sort(byImportanceAndOrder);
    return;
  }
  for (let i = 1; i < records.length; i++) {
    const record = records[i];
    let at = i;
    for (; at > 0 && byImportanceAndOrder(records[at - 1], record) > 0; at--) records[at] = records[at - 1];
    records[at] = record;
  }
}

/** Numbers of the parts of pods, for keys of shapes and classes. */
export class PodParts {
  readonly labels: Interner<Labels>;
  readonly requests: Interner<EffectiveRequests>;
  readonly hostPorts: Interner<readonly HostPort[]>;
  readonly affinity: Interner<PodObject['affinity']>;

  constructor(rounds: SweepRounds) {
    this.labels = new Interner(rounds);
    this.requests = new Interner(rounds);
    this.hostPorts = new Interner(rounds);
    this.affinity = new Interner(rounds);
  }

  get size(): number {
    return this.labels.size + this.requests.size + this.hostPorts.size + this.affinity.size;
  }

  /** Once the shapes have marked theirs. */
  *sweep(): Generator<void> {
    for (const interner of [this.labels, this.requests, this.hostPorts, this.affinity]) yield* interner.sweep();
  }
}

/** Shapes and kinds, made when they are first met. */
export class PodShapes {
  readonly #rounds: SweepRounds;
  readonly #parts: PodParts;
  readonly #kinds = new Map<string, PodKind>();
  readonly #shapes = new Map<string, PodShape>();
  /** In this round of the sweep, which drops none that was given out in it. */
  readonly #known = new ByParts<PodShape>();
  readonly #holdTerms: (pod: PodObject) => readonly HeldTerm[];

  constructor(rounds: SweepRounds, parts: PodParts, holdTerms: (pod: PodObject) => readonly HeldTerm[]) {
    this.#rounds = rounds;
    this.#parts = parts;
    this.#holdTerms = holdTerms;
  }

  get shapeCount(): number {
    return this.#shapes.size;
  }

  get kindCount(): number {
    return this.#kinds.size;
  }

  kindOf({ labels, namespace }: PodObject): PodKind {
    const key = `${this.#parts.labels.idOf(labels)} ${namespace}`;
    let kind = this.#kinds.get(key);
    if (kind === undefined) {
      kind = new PodKind(namespace, labels);
      this.#kinds.set(key, kind);
      this.#rounds.changed();
    }
    kind.round = this.#rounds.current;
    return kind;
  }

  /** Of the kinds that there are. */
  kindsMatching(selector: PodSelector): Set<PodKind> {
    const found = new Set<PodKind>();
    for (const kind of this.#kinds.values()) if (selector.matches(kind.namespace, kind.labels)) found.add(kind);
    return found;
  }

  /** A shape for one more record, which is to give it back (release). */
  shapeFor(pod: PodObject): PodShape {
    const { current } = this.#rounds;
    const known = this.#known.of(pod, current);
    const shape = known ?? this.#findShape(pod);
    if (known === undefined) this.#known.remember(pod, current, shape);
    shape.round = current;
    shape.podCount++;
    return shape;
  }

  #findShape(pod: PodObject): PodShape {
    const key = this.#keyOf(pod);
    let shape = this.#shapes.get(key);
    if (shape === undefined) {
      const { requests, hostPorts, isTerminating, isPreempted, priority, affinity, antiAffinity } = pod;
      const heldTerms = this.#holdTerms(pod);
      const kind = this.kindOf(pod);
      const states = { isTerminating, isPreempted, priority };
      const own = { kind, requests, hostPorts, ...states, heldTerms, affinity, antiAffinity };
      shape = { ...own, podCount: 0, round: 0 };
      this.#shapes.set(key, shape);
      this.#rounds.changed();
    }
    return shape;
  }

  release(shape: PodShape): void {
    if (--shape.podCount === 0) this.#rounds.changed();
  }

  /** Drops shapes without pods, and marks what the others use. */
  *sweepShapes(): Generator<void> {
    yield* sweepTable(this.#shapes, (shape) => {
      if (shape.podCount === 0 && this.#rounds.isOver(shape.round)) return true;
      this.#mark(shape);
      return false;
    });
  }

  *sweepKinds(): Generator<void> {
    yield* sweepTable(this.#kinds, (kind) => {
      kind.forgetDropped();
      return this.#rounds.isOver(kind.round);
    });
  }

  #keyOf(pod: PodObject): string {
    const { labels, requests, hostPorts, affinity, antiAffinity, namespace } = pod;
    const { isTerminating, isPreempted, priority } = pod;
    const parts = this.#parts;
    return (
      `${parts.labels.idOf(labels)} ${parts.requests.idOf(requests)} ${parts.hostPorts.idOf(hostPorts)} ` +
      `${parts.affinity.idOf(affinity)} ${parts.affinity.idOf(antiAffinity)} ${isTerminating} ` +
      `${isPreempted} ${priority} ${namespace}`
    );
  }

  /** What makes up its key is looked up, so that pods like those that have it find it again. */
  #mark({ kind, requests, hostPorts, affinity, antiAffinity, heldTerms }: PodShape): void {
    const { current } = this.#rounds;
    const parts = this.#parts;
    kind.round = current;
    parts.labels.idOf(kind.labels);
    parts.requests.idOf(requests);
    parts.hostPorts.idOf(hostPorts);
    parts.affinity.idOf(affinity);
    parts.affinity.idOf(antiAffinity);
    for (const held of heldTerms) held.round = current;
  }
}
