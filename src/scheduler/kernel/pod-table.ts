// The pods that are on nodes, and what they have in common: a pod's shape is all of it that bears on other pods.
//
//   record ─► shape ─► kind (namespace, labels) ─► the selectors that it matches, looked up once for each selector
//
// A million pods of a few templates are a million small records and a few shapes.

import type { Labels } from '../model/label-selector.ts';
import type { HostPort, PodObject } from '../model/pod-object.ts';
import type { EffectiveRequests } from '../model/pod-requests.ts';
import type { HeldTerm } from './held-terms.ts';
import { Interner } from './interner.ts';
import type { PodSelector, SelectorTable } from './selector-table.ts';

/** Pods that no selector tells apart. */
export class PodKind {
  readonly namespace: string;
  readonly labels: Labels;
  readonly #matches: PodSelector[] = [];
  /** Selectors up to here have been looked at. */
  #seen = 0;

  constructor(namespace: string, labels: Labels) {
    this.namespace = namespace;
    this.labels = labels;
  }

  /** The selectors of the table that match. */
  matchesOf(table: SelectorTable): readonly PodSelector[] {
    const { selectors } = table;
    for (; this.#seen < selectors.length; this.#seen++) {
      const selector = selectors[this.#seen];
      if (selector.matches(this.namespace, this.labels)) this.#matches.push(selector);
    }
    return this.#matches;
  }
}

export interface PodShape {
  readonly kind: PodKind;
  readonly requests: EffectiveRequests;
  readonly hostPorts: readonly HostPort[];
  readonly isTerminating: boolean;
  readonly heldTerms: readonly HeldTerm[];
}

/** A pod that is on a node, or is to be, once there is that node. */
export interface PodRecord {
  readonly uid: string;
  readonly nodeName: string;
  readonly shape: PodShape;
  /** −1: there is no such node. */
  slot: number;
  /** The other pods of the node. */
  next: PodRecord | undefined;
  previous: PodRecord | undefined;
}

/** Numbers of the parts of pods, for keys of shapes and classes. */
export class PodParts {
  readonly labels: Interner<Labels> = new Interner();
  readonly requests: Interner<EffectiveRequests> = new Interner();
  readonly hostPorts: Interner<readonly HostPort[]> = new Interner();
  readonly affinity: Interner<PodObject['affinity']> = new Interner();
}

/** Shapes and kinds, made when they are first met. */
export class PodShapes {
  readonly #parts: PodParts;
  readonly #kinds = new Map<string, PodKind>();
  readonly #shapes = new Map<string, PodShape>();
  readonly #holdTerms: (pod: PodObject) => readonly HeldTerm[];

  constructor(parts: PodParts, holdTerms: (pod: PodObject) => readonly HeldTerm[]) {
    this.#parts = parts;
    this.#holdTerms = holdTerms;
  }

  kindOf(pod: PodObject): PodKind {
    const key = `${this.#parts.labels.idOf(pod.labels)} ${pod.namespace}`;
    let kind = this.#kinds.get(key);
    if (kind === undefined) {
      kind = new PodKind(pod.namespace, pod.labels);
      this.#kinds.set(key, kind);
    }
    return kind;
  }

  shapeOf(pod: PodObject): PodShape {
    const { labels, requests, hostPorts, affinity } = this.#parts;
    const key =
      `${labels.idOf(pod.labels)} ${requests.idOf(pod.requests)} ${hostPorts.idOf(pod.hostPorts)} ` +
      `${affinity.idOf(pod.affinity)} ${affinity.idOf(pod.antiAffinity)} ${pod.isTerminating} ${pod.namespace}`;
    let shape = this.#shapes.get(key);
    if (shape === undefined) {
      const { requests: own, hostPorts: ports, isTerminating } = pod;
      const heldTerms = this.#holdTerms(pod);
      shape = { kind: this.kindOf(pod), requests: own, hostPorts: ports, isTerminating, heldTerms };
      this.#shapes.set(key, shape);
    }
    return shape;
  }
}
